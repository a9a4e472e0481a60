"""Sequences of a view straight from their files, for looking at a dataset before anything is prepared."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets import Chosen
from scopedepth.datasets.reading.base import DerivedSequence, Frame, Sequence
from scopedepth.views import Planes, Step, chosen_sequences, steps_for

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
        if any(step.needs_depth for step in self.steps):
            return self.read(index).rgb
        return self._changed(Frame(self.source.image(index), None), index).rgb

    def read(self, index: int) -> Frame:
        """Return one frame."""
        return self._changed(self.source.read(index), index)

    def _changed(self, frame: Frame, index: int) -> Frame:
        rgb = frame.rgb[None]
        depth, flags = (None if plane is None else plane[None] for plane in (frame.depth, frame.flags))
        for step in self.steps:
            rgb = step.rgb(rgb, index, Planes(partial(_same, depth), partial(_same, flags)))
            depth, flags = (None if plane is None else step.plane(plane) for plane in (depth, flags))
        return Frame(rgb[0], *(None if plane is None else plane[0] for plane in (depth, flags)))


def _same(plane: Any) -> Any:
    return plane


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
