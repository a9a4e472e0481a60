"""Sequences of a view straight from their files, for looking at a dataset before anything is prepared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets import Chosen
from scopedepth.datasets.reading.base import DerivedSequence, Frame, Sequence
from scopedepth.views import Step, chosen_sequences, steps_for

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs


class ViewedSequence(DerivedSequence):
    """A sequence whose frames go through a view's steps."""

    def __init__(self, source: Sequence, steps: list[Step], notes: list[str]) -> None:
        super().__init__(source, notes=[*source.notes, *notes])
        self.steps = steps
        for step in steps:
            if self.intrinsics is not None:
                self.intrinsics = step.camera(self.intrinsics)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Return a frame's image alone."""
        return self._rgb(self.source.image(index), index)

    def read(self, index: int) -> Frame:
        """Return one frame."""
        frame = self.source.read(index)
        return Frame(self._rgb(frame.rgb, index), self._plane(frame.depth), self._plane(frame.flags))

    def _rgb(self, rgb: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        frames = rgb[None]
        for step in self.steps:
            frames = step.rgb(frames, index)
        return frames[0]

    def _plane(self, plane: NDArray[Any] | None) -> NDArray[Any] | None:
        if plane is None:
            return None
        frames = plane[None]
        for step in self.steps:
            frames = step.plane(frames)
        return frames[0]


def viewed(spec: specs.Dataset, chosen: list[Chosen], sizes: Mapping[str, tuple[int, int]]) -> list[Chosen]:
    """Return the chosen sequences as a view shows them.

    `spec`: the view's; `sizes`: height and width of the frames of each sequence, without those that cannot be read.
    """
    kept = chosen_sequences(spec["steps"], [one.sequence.name for one in chosen])
    shown = []
    for one in chosen:
        name = one.sequence.name
        if name not in kept:
            continue
        steps: list[Step] = []
        notes: list[str] = []
        if name in sizes:
            height, width = sizes[name]
            steps = steps_for(spec["steps"], name, (height, width))
            for step in steps:
                notes.append(f"a view: {step.words(height, width)}")
                height, width = step.size(height, width)
        shown.append(Chosen(ViewedSequence(one.sequence, steps, notes), one.indices))
    return shown
