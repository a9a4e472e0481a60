"""Metrics that are files of their own: `METRICS` says what each is, `compute` gives their numbers of one frame."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scopedepth.job.extensions import METRICS, module_of


class Take(NamedTuple):
    """A sequence as metrics see it: its name, the place of its store's first frame, its camera and the camera's way.

    camera: intrinsics (3, 3), pixels, centres at whole numbers. poses: camera to world, (n, 4, 4), mm. None: not known.
    """

    name: str = ""
    first: int = 0
    camera: NDArray[np.float64] | None = None
    poses: NDArray[np.float64] | None = None


class Kept(NamedTuple):
    """What is kept of a frame for the one after it: its place in the store, and of `AlignedFrame` what is named so."""

    number: int
    predicted: NDArray[np.float64]
    depth: NDArray[np.floating]
    valid: NDArray[np.bool_]
    rgb: NDArray[np.uint8] | None


class AlignedFrame:
    """One frame after its fit, as a metric sees it. Depths are in mm.

    g: reference depth of the valid pixels (n,), n >= 1; p: the prediction's there, fitted and limited, float64.
    depth, predicted: both as maps (h, w), predicted NaN where it is not finite; valid: the pixels that count (h, w).
    output: what the network gave, on the reference's grid (h, w); turned: it grows where depth falls.
    take, number: the sequence, and the frame's place in its store. rgb: the image, for metrics that look at it.
    before: the frame before, for metrics of pairs; None where that is not there or has no sound fit.
    """

    take, number = Take(), 0
    rgb: NDArray[np.uint8] | None = None
    before: Kept | None = None

    def __init__(
        self,
        g: NDArray[np.floating],
        depth: NDArray[np.floating],
        valid: NDArray[np.bool_],
        output: NDArray[np.floating],
        turned: bool,
        predicted: Callable[[], NDArray[np.float64]],
    ) -> None:
        self.g, self.depth, self.valid, self.output, self.turned = g, depth, valid, output, turned
        self._predicted = predicted

    @cached_property
    def predicted(self) -> NDArray[np.float64]:
        """The prediction as a map of depths (h, w)."""
        return self._predicted()

    @cached_property
    def p(self) -> NDArray[np.float64]:
        """The predicted depths of the valid pixels (n,), in the order of `g`."""
        return self.predicted[self.valid]

    def kept(self) -> Kept:
        """Return what is kept of it; its mask's place is used again."""
        return Kept(self.number, self.predicted, self.depth, self.valid.copy(), self.rgb)


def computed(frame: AlignedFrame, files: Iterable[str]) -> dict[str, float | None]:
    """Return the metrics of some of this folder's files of one frame; None for one that is not finite."""
    found: dict[str, float | None] = {}
    for file in files:
        found |= importlib.import_module(module_of(METRICS, file)).compute(frame)
    return {
        name: value if value is not None and np.isfinite(value) else None for name, value in found.items()
    }
