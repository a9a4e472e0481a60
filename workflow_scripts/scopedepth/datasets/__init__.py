"""Datasets as published: one loader a file, all through the interface of `base`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scopedepth.datasets.choose import Choice, choose_sequences
from scopedepth.datasets.reading.base import Sequence
from scopedepth.datasets.reading.lists import NONE_FETCHED
from scopedepth.errors import ScopeDepthError
from scopedepth.job import extensions


@dataclass(frozen=True)
class Chosen:
    """A sequence and the indices of its frames that take part."""

    sequence: Sequence
    indices: list[int]

    @property
    def frame_ids(self) -> list[str]:
        """Names of the chosen frames, in order."""
        return [self.sequence.frame_ids[index] for index in self.indices]


def find_sequences(spec: Mapping[str, Any], raw: Path) -> list[Sequence]:
    """Return every sequence that the dataset's loader finds below the folder `raw`."""
    loader = extensions.load(extensions.LOADERS, spec)
    if not raw.is_dir():
        raise ScopeDepthError(
            f"The data of {spec['name']} are not at {raw}. Fetch them again, or correct source.path."
        )
    if getattr(loader, "DEPTH_IS_KNOWN", False):
        check_depth(spec)
    found: list[Sequence] = loader.find(raw, spec)
    for one in found:
        check_names(one, spec["name"])
    twice = [name for name, count in Counter(one.name for one in found).items() if count > 1]
    if twice:
        raise ScopeDepthError(
            f"Dataset {spec['name']} has several sequences named {twice[0]}; rename the folders."
        )
    return found


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


def check_depth(spec: Mapping[str, Any]) -> None:
    """Raise a `ScopeDepthError` where the spec states a unit or scale that the loader would not follow."""
    depth = spec["depth"]
    stated = [name for name in ("scale", "invalid", "range") if depth[name] not in (None, [])]
    if stated or depth["unit"] != "mm":
        raise ScopeDepthError(
            f"Dataset {spec['name']}: loader {spec['loader']} knows its depth's unit, scale and missing numbers; "
            f"remove {' and '.join(f'depth.{name}' for name in stated or ['unit'])}."
        )


def choose(spec: Mapping[str, Any], raw: Path) -> list[Chosen]:
    """Return the sequences and frames that the spec chooses.

    Sequences without any chosen frame are left out; a dataset without any is a `ScopeDepthError`.
    """
    return choose_counted(spec, raw)[0]


def choose_counted(
    spec: Mapping[str, Any], raw: Path, fetched: Mapping[str, Path] = NONE_FETCHED
) -> tuple[list[Chosen], Choice]:
    """Return what `choose` does, and the choice itself with the counts of its lists.

    `fetched`: where the lists lie that have an address, by their digest.
    """
    found = find_sequences(spec, raw)
    kept = choose_sequences(found, spec["sequences"], spec["name"])
    choice = Choice.of(spec, found, kept, fetched)
    chosen = [Chosen(sequence, choice.indices(sequence)) for sequence in kept]
    chosen = [one for one in chosen if one.indices]
    if not chosen:
        raise ScopeDepthError(
            f"Dataset {spec['name']}: no frame is left of {len(found)} sequences found below {raw}."
        )
    for one in chosen:
        one.sequence.notes += choice.notes(one.sequence)
    return chosen, choice
