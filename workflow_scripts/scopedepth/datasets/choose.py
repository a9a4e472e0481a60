"""Which sequences and frames of a dataset are used: names, patterns, ranges, a step, a published list."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scopedepth.datasets.base import Sequence
from scopedepth.datasets.text import read_text
from scopedepth.errors import ScopeDepthError


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Sort key by which frame_9 comes before frame_10, and 9999 before 10000."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]


def choose_sequences(found: Iterable[Sequence], wanted: list[str] | None, dataset: str) -> list[Sequence]:
    """Return the sequences that match any of the names or patterns `wanted`, in natural order; all where None."""
    ordered = sorted(found, key=lambda sequence: natural_key(sequence.name))
    if wanted is None:
        return ordered
    names = [sequence.name for sequence in ordered]
    for pattern in wanted:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            near = difflib.get_close_matches(pattern, names, 1, 0.5)
            hint = f"nearest: {near[0]}" if near else "found: " + ", ".join(names[:8])
            raise ScopeDepthError(f"Dataset {dataset} has no sequence {pattern} ({hint}).")
    return [one for one in ordered if any(fnmatch.fnmatchcase(one.name, pattern) for pattern in wanted)]


def choose_frames(sequence: Sequence, frames: Mapping[str, Any], dataset: str) -> list[int]:
    """Return the indices into `sequence.frame_ids` that the spec's `frames` chooses.

    `list` names a file of published frames (see `read_list`); start, stop and step then act as a slice does.
    """
    indices = list(range(len(sequence)))
    if frames.get("list"):
        indices = _listed(sequence, Path(frames["list"]))
    return indices[slice(frames.get("start"), frames.get("stop"), frames.get("step") or 1)]


def _listed(sequence: Sequence, path: Path) -> list[int]:
    entries = read_list(path)
    by_sequence = [entry for entry in entries if len(entry) > 1]
    wanted = [entry[1] for entry in by_sequence if _sequence_matches(entry[0], sequence.name)]
    wanted += [entry[0] for entry in entries if len(entry) == 1]
    index: dict[str, int] = {}
    for position, frame_id in enumerate(sequence.frame_ids):
        index.setdefault(frame_id, position)
        number = re.search(r"(\d+)(?=\D*$)", frame_id)
        if number:  # lists write 12 for a file named 0000000012.jpg
            index.setdefault(str(int(number[1])), position)
    chosen, unknown = [], []
    for frame_id in wanted:
        number_alone = frame_id not in index and frame_id.isdecimal()
        key = (frame_id.lstrip("0") or "0") if number_alone else frame_id
        if key in index:
            chosen.append(index[key])
        else:
            unknown.append(frame_id)
    if unknown:
        raise ScopeDepthError(
            f"The frame list {path} names {len(unknown)} frames that sequence {sequence.name} does not have, "
            f"the first one {unknown[0]}. Is it the list of this dataset?"
        )
    return sorted(set(chosen))


def _sequence_matches(entry: str, name: str) -> bool:
    entry, name = entry.strip("/"), name.strip("/")
    return entry == name or entry.endswith("/" + name) or name.endswith("/" + entry)


def read_list(path: Path) -> list[tuple[str, ...]]:
    """Read a list of frames: one a line, ``frame`` or ``sequence frame``; # starts a comment.

    What stands after the frame is ignored (published lists add a camera side), and so is a file name's suffix.
    """
    lines = read_text(path, "frame list").splitlines()
    entries: list[tuple[str, ...]] = []
    for line in lines:
        words = line.split("#")[0].replace(",", " ").split()
        if len(words) == 1 and "/" in words[0]:
            words = words[0].rsplit("/", 1)
        if words:
            frame = words[1] if len(words) > 1 else words[0]
            frame = re.sub(r"\.(png|jpe?g|tiff?|npy|exr|bmp)$", "", frame, flags=re.IGNORECASE)
            entries.append((words[0], frame) if len(words) > 1 else (frame,))
    if not entries:
        raise ScopeDepthError(f"The frame list {path} names no frame.")
    return entries
