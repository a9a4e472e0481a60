"""The frames that a model learns from and those held out for choosing its checkpoint; batches, changed at random.

What is random follows from the seed and the number of the step, so that a training goes on anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError
from scopedepth.lineage.footage import Place, path, patient
from scopedepth.stores.dataset import DatasetSequence, DatasetStore
from scopedepth.vocabulary.flags import BORDER, FRAME_OK, OCCLUDED, TOOL

# Frames that are looked at while a model learns.
WATCHED = 48
# Depth there is of another surface than the image shows.
NOT_THIS_SURFACE = BORDER | OCCLUDED | TOOL
# What a generator of numbers is for.
_HOLDOUT, _ORDER, _CHANGES, _FOLDS = 1, 2, 3, 4


@dataclass(frozen=True)
class Frame:
    """A frame of a store."""

    dataset: str
    sequence: DatasetSequence
    index: int

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return the image (h, w, 3) and the depth (h, w), 0 where there is none to learn from."""
        rgb = self.sequence.rgb(self.index, self.index + 1)[0]
        depth = self.sequence.depth(self.index, self.index + 1)[0]
        flags = self.sequence.flags(self.index, self.index + 1)[0]
        known = np.isfinite(depth) & (depth > 0) & ((flags & NOT_THIS_SURFACE) == 0)
        return rgb, np.where(known, depth, np.float32(0))


@dataclass(frozen=True)
class Lessons:
    """Frames to learn from, and frames to look at: of what is held out, or else some of the former."""

    learnt: list[Frame]
    watched: list[Frame]
    held_out: list[str]

    def batch(
        self, step: int, size: int, seed: int, recipe: Mapping[str, Any]
    ) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
        """Return the frames of a step, counted from 0: all are seen once before one is seen again."""
        count = len(self.learnt)
        places = range(step * size, (step + 1) * size)
        orders = {at // count: _random(seed, _ORDER, at // count).permutation(count) for at in places}
        random = _random(seed, _CHANGES, step)
        chosen = [self.learnt[orders[at // count][at % count]] for at in places]
        read = [frame.read() for frame in chosen]
        return [changed(random, rgb, depth, recipe) for rgb, depth in read]


def changed(
    random: np.random.Generator,
    rgb: NDArray[np.uint8],
    depth: NDArray[np.float32],
    recipe: Mapping[str, Any],
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return a frame mirrored and its colours changed, by chance, as a recipe allows."""
    if recipe["flip"]:
        for axis in (0, 1):
            if random.integers(2):
                rgb, depth = np.flip(rgb, axis), np.flip(depth, axis)
    gain = random.uniform(1 - recipe["gain"], 1 + recipe["gain"], 3)
    gamma = random.uniform(1 - recipe["gamma"], 1 + recipe["gamma"])
    levels = (np.arange(256) / 255) ** gamma
    tables = np.rint(np.clip(levels[:, None] * gain, 0, 1) * 255).astype(np.uint8)
    recoloured = np.stack([tables[rgb[..., colour], colour] for colour in range(3)], axis=-1)
    return recoloured, np.ascontiguousarray(depth)


def frames_named(
    stores: Sequence[DatasetStore], train: Sequence[Mapping[str, Any]], name: str
) -> list[Frame]:
    """Return the frames of the sequences that `train` names, each once."""
    learnt: dict[tuple[str, str, int], Frame] = {}
    for entry in train:
        frames = [frame for store in stores for frame in _frames_of(store, entry)]
        if not frames:
            raise ScopeDepthError(f"Model {name}: {_none_of(stores, entry)}")
        for frame in _spread(frames, entry["frames"]):
            learnt[str(frame.sequence.where), frame.dataset, frame.index] = frame
    return list(learnt.values())


def folds_of(
    frames: Sequence[Frame],
    folds: Mapping[str, Any],
    people: Mapping[str, Mapping[str, Any]],
    seed: int,
    name: str,
) -> list[list[Frame]]:
    """Return the frames of each fold: videos, or patients, are dealt out in an order that follows from the seed."""
    groups = _groups(frames, folds["by"], people, name)
    count = folds["count"] or len(groups)
    if not 2 <= count <= len(groups):
        raise ScopeDepthError(
            f"Model {name}: {count} folds are asked for, and there are {len(groups)} of {folds['by']} to learn from. "
            "Correct folds.count, or train on more."
        )
    names = sorted(groups)
    order = [names[at] for at in _random(seed, _FOLDS).permutation(len(names))]
    return [[frame for key in sorted(order[first::count]) for frame in groups[key]] for first in range(count)]


def names_of(frames: Sequence[Frame], people: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names that the videos of some frames have, here and in the datasets that these are editions of."""
    places = (place for frame in frames for place in path(people, frame.dataset, frame.sequence.name))
    return sorted({name for _, name in places})


def lessons(
    frames: Sequence[Frame],
    holdout: Mapping[str, Any] | None,
    people: Mapping[str, Mapping[str, Any]],
    seed: int,
    name: str,
) -> Lessons:
    """Return frames to learn from, without those that are held out.

    `holdout`: by what and which share, or None. `people`: what tells whose a sequence is (`lineage`), by dataset. A
    video is held out as a whole, in all its editions and parts.
    """
    every = list(frames)
    if holdout is None:
        return Lessons(every, _spread(every, WATCHED), [])
    groups = _groups(every, holdout["by"], people, name)
    count = max(1, round(holdout["share"] * len(groups)))
    if count >= len(groups):
        other = " Hold out by sequence, or nothing (holdout: null)." if holdout["by"] == "patient" else ""
        raise ScopeDepthError(
            f"Model {name}: of {len(groups)} {holdout['by']} to learn from, {count} would be held out and none is left."
            + (other or " Train on more, or hold out nothing (holdout: null).")
        )
    order = _random(seed, _HOLDOUT).permutation(len(groups))
    names = sorted(groups)
    out = sorted(names[at] for at in order[:count])
    return Lessons(
        [frame for key in names if key not in out for frame in groups[key]],
        _spread([frame for key in out for frame in groups[key]], WATCHED),
        out,
    )


def _groups(
    frames: Sequence[Frame], by: str, people: Mapping[str, Mapping[str, Any]], name: str
) -> dict[str, list[Frame]]:
    groups: dict[str, list[Frame]] = {}
    for frame in frames:
        groups.setdefault(_whose(frame, by, people, name), []).append(frame)
    return groups


def _frames_of(store: DatasetStore, entry: Mapping[str, Any]) -> list[Frame]:
    dataset, patterns = store.lineage[0], entry["sequences"]
    if dataset != entry["dataset"]:
        return []
    return [
        Frame(dataset, sequence, int(index))
        for name, sequence in store.sequences.items()
        if patterns is None or any(fnmatchcase(name, pattern) for pattern in patterns)
        for index in np.flatnonzero(sequence.status() == FRAME_OK)
    ]


def _none_of(stores: Sequence[DatasetStore], entry: Mapping[str, Any]) -> str:
    there = sorted({key for one in stores if one.lineage[0] == entry["dataset"] for key in one.sequences})
    wanted = ", ".join(entry["sequences"] or ["any"])
    return f"{entry['dataset']} has no frame with a depth in the sequences {wanted}; there are {', '.join(there)}."


def _whose(frame: Frame, by: str, people: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """Return the video that a frame is of, or whose video it is."""
    place: Place = path(people, frame.dataset, frame.sequence.name)[-1]
    if by == "sequence":
        return f"{place[0]}: {place[1]}"
    owner = patient(people, place)
    if owner is None:
        raise ScopeDepthError(
            f"Model {name}: nobody says whose {place[1]} of {place[0]} is. Say it (datasets.{place[0]}.provenance."
            "patient), or hold out by sequence."
        )
    return f"{place[0]}: {owner}"


def _spread(frames: list[Frame], most: int | None) -> list[Frame]:
    """Return at most so many frames, evenly spaced."""
    if most is None or len(frames) <= most:
        return frames
    return [frames[at] for at in np.linspace(0, len(frames) - 1, most).round().astype(int)]


def _random(*numbers: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(numbers)))
