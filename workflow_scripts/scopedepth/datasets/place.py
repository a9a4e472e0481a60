"""Where a fetched dataset's files are: below results/raw/{dataset}, or in place where the user keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scopedepth.errors import ScopeDepthError
from scopedepth.manifest import digest_tree, write_json

POINTER = "in_place.json"
ABOUT = "about.json"
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
    return digest_tree(data_root(raw))


def about(raw: Path, spec: Mapping[str, Any]) -> dict[str, str]:
    """Return a dataset's title, licence, citation and homepage: the spec's, or those kept with the data."""
    try:
        kept = json.loads((raw / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = {}
    return {word: str(spec.get(word) or kept.get(word, "")) for word in WORDS}
