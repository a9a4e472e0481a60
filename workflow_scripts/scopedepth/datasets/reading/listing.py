"""Which files of a folder are a dataset's, and which an operating system left there."""

from __future__ import annotations

import fnmatch
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

# What file managers, indexers and network storage leave; names that begin with a dot are left out too (._0001.png is
# what macOS writes beside 0001.png on a foreign disk).
LITTER = frozenset({
    "__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "system volume information",
    "lost+found", "icon\r",
})  # fmt: skip
NAMED = 3


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Sort key by which frame_9 comes before frame_10, and 9999 before 10000."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]


def is_litter(name: str) -> bool:
    """Return whether a file or folder of this name is an operating system's and no data."""
    return name.startswith(".") or name.lower() in LITTER


def without_litter(paths: Iterable[Path], root: Path) -> list[Path]:
    """Return `paths` sorted, without those of an operating system below `root`."""
    return sorted(path for path in paths if not any(map(is_litter, path.relative_to(root).parts)))


def find_files(root: Path, *patterns: str) -> list[Path]:
    """Return the files at any depth below `root` whose name matches a pattern, upper case or lower, sorted."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not is_litter(name)]
        found += [Path(folder, name) for name in matching(names, patterns)]
    return sorted(found)


def files_in(folder: Path, *patterns: str) -> list[Path]:
    """Return the files of one folder whose name matches a pattern, upper case or lower, sorted; none without it."""
    if not folder.is_dir():
        return []
    return sorted(
        folder / name for name in matching(os.listdir(folder), patterns) if (folder / name).is_file()
    )


def matching(names: Iterable[str], patterns: Collection[str]) -> list[str]:
    """Return the names, litter left out, that match one of `patterns`, upper case or lower."""
    lower = [pattern.lower() for pattern in patterns]
    return [
        name
        for name in names
        if not is_litter(name) and any(fnmatch.fnmatchcase(name.lower(), pattern) for pattern in lower)
    ]


def with_suffix(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Return the files of one folder with one of `suffixes` (".png"), upper case or lower, sorted."""
    return files_in(folder, *(f"*{suffix}" for suffix in suffixes))


def is_pattern(place: str) -> bool:
    """Say whether a place below a folder is a pattern of files and not the name of a folder."""
    return not set("*?[").isdisjoint(place)


def files_at(folder: Path, place: str, suffixes: Collection[str]) -> list[Path]:
    """Return the files with one of `suffixes` in the folder `place` below `folder`, or matching the pattern `place`.

    Upper case or lower, sorted; none where there is no such place.
    """
    if not is_pattern(place):
        return with_suffix(folder / place, suffixes)
    above, _, pattern = place.rpartition("/")
    # A folder's name may be a pattern, too.
    folders = sorted(folder.glob(above)) if above else [folder]
    found = [path for one in folders for path in files_in(one, pattern)]
    return [path for path in found if path.suffix.lower() in suffixes]


def folders_with(raw: Path, place: str) -> list[Path]:
    """Return the folders, `raw` among them, that have the folder `place`, or files that match the pattern `place`."""
    if not is_pattern(place):
        depth = len(Path(place).parts)
        return [path.parents[depth - 1] for path in without_litter(raw.rglob(place), raw) if path.is_dir()]
    folders = [raw, *(path for path in without_litter(raw.rglob("*"), raw) if path.is_dir())]
    above, _, pattern = place.rpartition("/")
    return [
        folder
        for folder in folders
        if any(files_in(one, pattern) for one in (folder.glob(above) if above else [folder]))
    ]


def not_read(folder: Path, suffixes: Collection[str]) -> list[str]:
    """Return a note on the files of a folder that have none of `suffixes`: how many of which kind; none without any."""
    others = [path for path in files_in(folder, "*") if path.suffix.lower() not in suffixes]
    if not others:
        return []
    kinds = Counter(path.suffix.lower() or path.name for path in others).most_common()
    said = ", ".join(f"{count} {kind}" for kind, count in kinds[:NAMED]) + (
        ", ..." if len(kinds) > NAMED else ""
    )
    read = ", ".join(suffixes)
    return [f"{folder.name}/ holds files of kinds that are not read: {said} (read are {read})"]
