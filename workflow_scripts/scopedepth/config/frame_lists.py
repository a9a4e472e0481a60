"""The files of a dataset's lists of frames: where they lie, and which of them have an address to be fetched from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

FETCHED = Path("results/lists")
LISTS = ("list", "exclude")


def file_of(source: Mapping[str, Any]) -> Path | None:
    """Return the file that a list is read from; None where its lines stand in the configuration itself."""
    if source["url"] is not None:
        return FETCHED / f"{source['sha256']}.txt"
    return None if source["path"] is None else Path(source["path"]).expanduser()


def listed_files(spec: Mapping[str, Any]) -> list[Path]:
    """Return the files whose lines decide which frames of a dataset take part; a fetched one may not be there yet."""
    sources = (spec["frames"][name] for name in LISTS)
    return [path for source in sources if source is not None and (path := file_of(source)) is not None]


def fetched_lists(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the address of each list that is to be fetched, by the digest that it must have."""
    sources = (spec["frames"][name] for name in LISTS)
    return {source["sha256"]: source["url"] for source in sources if source is not None and source["url"]}
