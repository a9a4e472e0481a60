"""Which sequences and frames of a dataset are used: names, patterns, ranges, a step, a published list."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scopedepth.datasets.reading.base import DepthOfListed, FileSequence, Sequence, WithoutDepth
from scopedepth.datasets.reading.listing import natural_key
from scopedepth.datasets.reading.lists import Listed, match_list
from scopedepth.errors import ScopeDepthError
from scopedepth.vocabulary.video import PREDICTED

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# Sequences passed over that are named.
NAMED = 12


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


@dataclass(frozen=True)
class Choice:
    """Which frames of a dataset's sequences take part. `listed` and `excluded` are its lists, matched, or None.

    `passed_over`: names of sequences that were found and are not chosen.
    """

    frames: specs.FrameChoice
    listed: Listed | None
    excluded: Listed | None
    passed_over: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, spec: specs.Dataset, found: list[Sequence], kept: list[Sequence], fetched: Mapping[str, Path]
    ) -> Choice:
        """Read the lists of a spec. `found` are all sequences of the dataset, `kept` those that it chooses."""
        frames = spec["frames"]
        listed, excluded = (
            None if frames[name] is None else match_list(frames[name], spec, found, kept, fetched)  # type: ignore[arg-type]
            for name in ("list", "exclude")
        )
        names = {one.name for one in kept}
        return cls(frames, listed, excluded, tuple(one.name for one in found if one.name not in names))

    def indices(self, sequence: Sequence) -> list[int]:
        """Return the indices into `sequence.frame_ids` that are chosen, growing.

        A list's frames, or all, without the excluded ones; start, stop and step then act on them as a slice does. With
        `unlisted: predicted` they act on all frames, and of these the lists choose.
        """
        every = range(len(sequence))
        chosen = set(every[self.reach] if self.shows_unlisted else every)
        if self.listed is not None:
            chosen &= self.listed.positions.get(sequence.name, set())
        if self.excluded is not None:
            chosen -= self.excluded.positions.get(sequence.name, set())
        return sorted(chosen) if self.shows_unlisted else sorted(chosen)[self.reach]

    @property
    def reach(self) -> slice:
        """The frames from start to stop."""
        return slice(self.frames["start"], self.frames["stop"], self.frames["step"])

    @property
    def shows_unlisted(self) -> bool:
        """Whether frames that the lists leave out are shown to models, without depth."""
        return self.frames.get("unlisted") == PREDICTED

    def shown(self, sequence: Sequence) -> tuple[Sequence, list[int]]:
        """Return a sequence and the indices of the frames that models see; without any where none is chosen."""
        chosen = self.indices(sequence)
        if not chosen or not self.shows_unlisted:
            return sequence, chosen
        every = list(range(len(sequence)))[self.reach]
        if isinstance(sequence, WithoutDepth):
            return sequence, every
        return DepthOfListed(sequence, frozenset(every).difference(chosen)), every

    def notes(self, sequence: Sequence) -> list[str]:
        """Return what the lists say of a sequence, in words."""
        said = []
        for word, one in (("listed", self.listed), ("left out", self.excluded)):
            if one is not None:
                lines = one.by_sequence[sequence.name]
                frames = len(one.positions.get(sequence.name, ()))
                said.append(f"{frames} of {len(sequence)} frames are {word}, by {lines} lines of {one.name}")
        if self.listed is not None and isinstance(sequence, FileSequence):
            without = sum(sequence.files[index].depth is None for index in self.indices(sequence))
            said += [f"{without} of the listed frames have no depth file"] if without else []
        if self.shows_unlisted:
            said.append("the other frames are shown to models without their depth and are not scored")
        return said

    def counts(self) -> dict[str, Any]:
        """Return the lines and frames of each list over all sequences; empty without lists."""
        lists = {"listed": self.listed, "excluded": self.excluded}
        return {name: one.counts() for name, one in lists.items() if one is not None}

    def sentences(self) -> list[str]:
        """Return the counts of each list in words, and which sequences are there and passed over."""
        said = [one.sentence() for one in (self.listed, self.excluded) if one is not None]
        if self.passed_over:
            more = f" and {len(self.passed_over) - NAMED} more" if self.passed_over[NAMED:] else ""
            said.append(
                f"{len(self.passed_over)} sequences are there and not chosen by `sequences`: "
                f"{', '.join(self.passed_over[:NAMED])}{more}"
            )
        return said
