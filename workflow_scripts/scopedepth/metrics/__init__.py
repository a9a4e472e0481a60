"""Metrics that are files of their own: `METRICS` says what each is, `compute` gives their numbers of one frame."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scopedepth.job.extensions import METRICS, module_of


class AlignedFrame:
    """One frame after its fit, as a metric sees it. Depths are in mm.

    g: reference depth of the valid pixels (n,), n >= 1; p: the prediction's there, fitted and limited, float64.
    depth, predicted: both as maps (h, w), predicted NaN where it is not finite; valid: the pixels that count (h, w).
    output: what the network gave, on the reference's grid (h, w); turned: it grows where depth falls.
    """

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


def computed(frame: AlignedFrame, files: Iterable[str]) -> dict[str, float | None]:
    """Return the metrics of some of this folder's files of one frame; None for one that is not finite."""
    found: dict[str, float | None] = {}
    for file in files:
        found |= importlib.import_module(module_of(METRICS, file)).compute(frame)
    return {
        name: value if value is not None and np.isfinite(value) else None for name, value in found.items()
    }
