"""Where a fetched dataset's files are: in the folder that fetch made, or in place where the user keeps them."""

from __future__ import annotations

import json
from collections.abc import Sequence as SequenceOf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scopedepth.errors import ScopeDepthError
from scopedepth.job.leaves import Leaf, leaf_digest
from scopedepth.job.manifest import digest_tree, manifest_of, write_json

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

POINTER = "in_place.json"
ABOUT = "about.json"
WORDS = ("title", "licence", "citation", "homepage")


def data_root(raw: Path) -> Path:
    """Return the folder of a dataset's files for what fetch left at `raw`."""
    pointer = raw / POINTER
    if not pointer.is_file():
        return raw / "data"
    root = Path(_pointed_to(pointer)["path"])
    if not root.is_dir():
        raise ScopeDepthError(
            f"The data that {pointer} points to are no longer at {root}. Correct source.path."
        )
    return root


def point_to(raw: Path, root: Path, reads: SequenceOf[str] | None) -> None:
    """Record that a dataset's files are used in place, and which of them count (`Leaf.reads`).

    A file, not a link: nothing that deletes `raw` can follow it. A relative `root` starts at the workflow's folder, so
    that a moved or copied project reads its own data.
    """
    write_json(raw / POINTER, {"path": str(root), "reads": None if reads is None else list(reads)})


def _pointed_to(pointer: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(pointer.read_text(encoding="utf-8"))
    return content


def raw_digest(raw: Path) -> str | None:
    """Return the digest of the raw files as their manifest states it, None where there is no manifest."""
    try:
        digest = json.loads(manifest_of(raw).read_text(encoding="utf-8"))["digest"]
    except (OSError, ValueError, RecursionError, KeyError):
        return None
    return str(digest)


def content_digest(raw: Path, afresh: bool = False) -> str:
    """Return ``sha256:...`` over a dataset's files alone: neither where they are nor what is said of them counts.

    Of data used in place, those count that their loader reads, and one that was read before is read again only where
    it may have changed, or `afresh`. ``none`` where no file counts.
    """
    pointer = raw / POINTER
    if not pointer.is_file():
        return digest_tree(raw / "data")
    reads = _pointed_to(pointer).get("reads")
    leaf = Leaf(f"{raw.parent.name}/{raw.name}", data_root(raw), reads)
    return leaf_digest(leaf, raw.parent.parent, afresh=afresh)


def check_as_fetched(raw: Path) -> None:
    """Raise a `ScopeDepthError` where data used in place are not what they were when they were fetched."""
    if (raw / POINTER).is_file() and raw_digest(raw) not in (None, content_digest(raw)):
        raise ScopeDepthError(
            f"The files in {data_root(raw)} changed since they were looked at. Run the same command again."
        )


def about(raw: Path, spec: specs.Dataset) -> dict[str, str]:
    """Return a dataset's title, licence, citation and homepage: the spec's, or those kept with the data."""
    try:
        kept = json.loads((raw / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        kept = {}
    return {word: str(spec.get(word) or kept.get(word, "")) for word in WORDS}
