"""Datasets as published: one loader a file, all through the interface of `base`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.datasets.choose import Choice, choose_sequences
from scopedepth.datasets.reading.base import DepthEncoding, Sequence, WithoutDepth
from scopedepth.datasets.reading.listing import find_files
from scopedepth.datasets.reading.lists import NONE_FETCHED
from scopedepth.errors import ScopeDepthError
from scopedepth.job import extensions
from scopedepth.job.leaves import is_read

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# What people download and may forget to unpack.
ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")
NAMED = 3
# What takes least room and time where there is nothing to keep.
EMPTY = DepthEncoding("uint8")
DECLARED = "depth.kind is none: no depth is looked for"


@dataclass(frozen=True)
class Chosen:
    """A sequence and the indices of its frames that take part."""

    sequence: Sequence
    indices: list[int]

    @property
    def frame_ids(self) -> list[str]:
        """Names of the chosen frames, in order."""
        return [self.sequence.frame_ids[index] for index in self.indices]


def find_sequences(spec: specs.Dataset, raw: Path) -> list[Sequence]:
    """Return every sequence that the dataset's loader finds below the folder `raw`."""
    loader = extensions.load(extensions.LOADERS, spec)
    if not raw.is_dir():
        raise ScopeDepthError(
            f"The data of {spec['name']} are not at {raw}. Fetch them again, or correct source.path."
        )
    if getattr(loader, "DEPTH_IS_KNOWN", False):
        check_depth(spec)
    packed = packed_files(raw, getattr(loader, "READS", ()))
    try:
        found: list[Sequence] = loader.find(raw, spec)
    except ScopeDepthError as error:
        raise ScopeDepthError(" ".join([str(error), *packed])) from error
    if spec["depth"]["kind"] == "none":
        found = [
            WithoutDepth(one, notes=[*one.notes, DECLARED], encoding=EMPTY, has_confidence=False)
            for one in found
        ]
    if found:
        found[0].notes += packed
    for one in found:
        check_names(one, spec["name"])
    twice = [name for name, count in Counter(one.name for one in found).items() if count > 1]
    if twice:
        raise ScopeDepthError(
            f"Dataset {spec['name']} has several sequences named {twice[0]}; rename the folders."
        )
    return found


def packed_files(raw: Path, reads: Collection[str]) -> list[str]:
    """Return a sentence on the archives below `raw` that a loader does not read as they are; none without any."""
    packed = [
        path for path in find_files(raw, *(f"*{end}" for end in ARCHIVES)) if not is_read(path.name, reads)
    ]
    if not packed:
        return []
    named = ", ".join(path.relative_to(raw).as_posix() for path in packed[:NAMED])
    return [
        f"{len(packed)} archives are not unpacked and not read ({named}{', ...' if packed[NAMED:] else ''})."
    ]


def check_names(sequence: Sequence, dataset: str) -> None:
    """Raise a `ScopeDepthError` for a frame whose file's name is no text: stores and tables hold text alone."""
    try:
        "".join(sequence.frame_ids).encode()
    except UnicodeEncodeError:
        bad = next(name for name in sequence.frame_ids if any("\ud800" <= sign <= "\udfff" for sign in name))
        shown = os.fsencode(bad).decode("latin-1")
        raise ScopeDepthError(
            f"Dataset {dataset}, sequence {sequence.name}: the name of the frame {shown} is not UTF-8 (it is shown as "
            "Latin-1). Rename such files, for example with convmv -f latin1 -t utf8."
        ) from None


def check_depth(spec: specs.Dataset) -> None:
    """Raise a `ScopeDepthError` where the spec states a unit or scale that the loader would not follow."""
    depth = spec["depth"]
    fields = ("scale", "invalid", "range", "focal", "baseline", "key")
    stated = [name for name in fields if depth[name] not in (None, [])]  # type: ignore[literal-required]
    stated += [
        name
        for name, known in (("unit", ["mm"]), ("kind", ["depth", "none"]))
        if depth[name] not in known  # type: ignore[literal-required]
    ]
    if stated:
        raise ScopeDepthError(
            f"Dataset {spec['name']}: loader {spec['loader']} knows its depth's unit, scale and missing numbers; "
            f"remove {' and '.join(f'depth.{name}' for name in stated)}."
        )


def choose(spec: specs.Dataset, raw: Path) -> list[Chosen]:
    """Return the sequences and frames that the spec chooses.

    Sequences without any chosen frame are left out; a dataset without any is a `ScopeDepthError`.
    """
    return choose_counted(spec, raw)[0]


def choose_counted(
    spec: specs.Dataset, raw: Path, fetched: Mapping[str, Path] = NONE_FETCHED
) -> tuple[list[Chosen], Choice]:
    """Return what `choose` does, and the choice itself with the counts of its lists.

    `fetched`: where the lists lie that have an address, by their digest.
    """
    found = find_sequences(spec, raw)
    kept = choose_sequences(found, spec["sequences"], spec["name"])
    choice = Choice.of(spec, found, kept, fetched)
    chosen = []
    for sequence in kept:
        shown, indices = choice.shown(sequence)
        if indices:
            sequence.notes += choice.notes(sequence)
            chosen.append(Chosen(shown, indices))
    if not chosen:
        raise ScopeDepthError(
            f"Dataset {spec['name']}: no frame is left of {len(found)} sequences found below {raw}."
        )
    return chosen, choice
