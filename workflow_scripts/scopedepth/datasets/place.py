"""Where a fetched dataset's files are: below results/raw/{dataset}, or in place where the user keeps them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from scopedepth.errors import ScopeDepthError
from scopedepth.manifest import digest_file, list_files, write_json
from scopedepth.progress import progress

POINTER = "in_place.json"
ABOUT = "about.json"
THREADS = 4
WORDS = ("title", "licence", "citation", "homepage")


def data_root(raw: Path) -> Path:
    """Return the folder of a dataset's files for what fetch left at `raw`."""
    pointer = raw / POINTER
    if not pointer.is_file():
        return raw / "data"
    root = Path(json.loads(pointer.read_text(encoding="utf-8"))["path"])
    if not root.is_dir():
        raise ScopeDepthError(
            f"The data that {pointer} points to are no longer at {root}. Correct source.path."
        )
    return root


def point_to(raw: Path, root: Path) -> None:
    """Record that a dataset's files are used in place. A file, not a link: nothing that deletes `raw` can follow it."""
    write_json(raw / POINTER, {"path": str(root)})


def raw_digest(raw: Path) -> str | None:
    """Return the digest of the raw files as their manifest states it, None where there is no manifest."""
    try:
        digest = json.loads(raw.with_name(raw.name + ".json").read_text(encoding="utf-8"))["digest"]
    except (OSError, ValueError, KeyError):
        return None
    return str(digest)


def content_digest(raw: Path) -> str:
    """Return ``sha256:...`` over a dataset's files alone: neither where they are nor what is said of them counts."""
    root = data_root(raw)
    files = list_files(root)
    digest = hashlib.sha256()
    # Terabytes in place are read once here: in several threads (hashing lets go of Python's lock), and visibly.
    with (
        ThreadPoolExecutor(THREADS) as pool,
        progress(f"digest of {raw.name}", len(files), "files") as advance,
    ):
        for path, found in zip(files, pool.map(lambda path: digest_file(root / path), files), strict=True):
            digest.update(f"{path.as_posix()}\0{found}\n".encode())
            advance(1)
    return "sha256:" + digest.hexdigest()


def about(raw: Path, spec: Mapping[str, Any]) -> dict[str, str]:
    """Return a dataset's title, licence, citation and homepage: the spec's, or those kept with the data."""
    try:
        kept = json.loads((raw / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = {}
    return {word: str(spec.get(word) or kept.get(word, "")) for word in WORDS}
