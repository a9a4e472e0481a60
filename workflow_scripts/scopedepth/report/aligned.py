"""Aligned predictions of single frames, as the scores saw them: evaluation's own masks, resampling and fits.

Stores or tables that are missing or do not fit together give nothing to look at, and the report says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError
from scopedepth.evaluation import status as codes
from scopedepth.evaluation.align import open_pairs
from scopedepth.evaluation.frames import Workspace, ready, stored_status
from scopedepth.evaluation.kernels import aligned_depths
from scopedepth.evaluation.score import read_fits
from scopedepth.report.results import Results
from scopedepth.stores.dataset import DatasetStore

# Depth (h, w), flags (h, w), image (h, w, 3) and status of a frame.
Reference = tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8], int]


@dataclass(frozen=True)
class Aligned:
    """One model's frame: depth (h, w) as scored, valid (h, w) pixels that counted; or the reason for nothing."""

    depth: NDArray[np.float64] | None
    valid: NDArray[np.bool_] | None
    status: str


class Frames:
    """Opens stores and fits of a study once, and returns frames."""

    def __init__(self, results: Results, protocol: str | None = None) -> None:
        self.results = results
        self.protocol = protocol or results.protocol
        self._datasets: dict[str, DatasetStore | None] = {}
        self._pairs: dict[tuple[str, str], Any] = {}
        self._workspace = Workspace()
        self._last: Any = (None, None)

    def dataset(self, unit: str) -> DatasetStore | None:
        """Return a unit's store, or None where it is missing or damaged."""
        if unit not in self._datasets:
            try:
                self._datasets[unit] = DatasetStore(self.results.stores[unit])
            except (ScopeDepthError, KeyError):
                self._datasets[unit] = None
        return self._datasets[unit]

    def place(self, dataset: str, sequence: str, frame: int) -> tuple[str, int] | None:
        """Return the unit that holds a frame of a sequence, and its place there."""
        for unit in self.results.units_of(dataset):
            store = self.dataset(unit)
            if store is not None and sequence in store.sequences:
                part = store.sequences[sequence]
                if 0 <= frame - part.first_frame < part.n_frames:
                    return unit, frame - part.first_frame
        return None

    def aligned(self, unit: str, model: str, sequence: str, frame: int) -> Aligned:
        """Return a model's aligned prediction of one frame under the protocol."""
        opened = self._open(unit, model)
        if isinstance(opened, str):
            return Aligned(None, None, opened)
        pairs, fits = opened
        plan, _, predicted = pairs[sequence]
        try:
            depth, flags, rgb, seen = self.reference(unit, sequence, frame)
            stored = stored_status(seen, int(predicted.status(frame, frame + 1)[0]))
            fit = fits[sequence][frame]
            if stored or fit.status not in (codes.OK, codes.NEGATIVE_SCALE) or not plan.metrics:
                return Aligned(None, None, codes.STATUSES[stored or fit.status])
            output = predicted.prediction(frame, frame + 1)[0]
            pixels = ready(plan, frame, output, depth, flags, rgb, self._workspace)
        except (ScopeDepthError, KeyError, IndexError):
            return Aligned(None, None, "damaged")
        limits = plan.limits
        if plan.floor_from_frame and pixels.y.size:
            limits = limits._replace(disparity=1.0 / float(pixels.y.max()))
        whole = np.ascontiguousarray(pixels.output).ravel()
        aligned = np.empty(whole.size)
        aligned_depths(np.nan_to_num(whole), plan.source, fit.scale, fit.shift, limits, aligned)
        aligned[~np.isfinite(whole)] = np.nan
        return Aligned(aligned.reshape(pixels.output.shape), pixels.valid.copy(), codes.STATUSES[fit.status])

    def reference(self, unit: str, sequence: str, frame: int) -> Reference:
        """Return depth, flags, image and status of one frame; the last one is kept, as models take turns on it."""
        if self._last[0] != (unit, sequence, frame):
            store = self.dataset(unit)
            assert store is not None
            data = store.sequences[sequence]
            depth, flags, rgb, status = (
                read(frame, frame + 1)[0] for read in (data.depth, data.flags, data.rgb, data.status)
            )
            self._last = (unit, sequence, frame), (depth, flags, rgb, int(status))
        return self._last[1]

    def _open(self, unit: str, model: str) -> Any:
        """Return a unit's pairs and fits for a model, or the reason why there are none."""
        if (unit, model) not in self._pairs:
            self._pairs[unit, model] = self._opened(unit, model)
        return self._pairs[unit, model]

    def _opened(self, unit: str, model: str) -> Any:
        from scopedepth.stores.prediction import PredictionStore

        data = self.dataset(unit)
        predicted = self.results.predictions.get((unit, model))
        fits = self.results.alignments.get((unit, model, self.protocol))
        if data is None:
            return "no dataset"
        if predicted is None or not predicted.exists():
            return "no prediction"
        if fits is None or not fits.exists():
            return "no alignment"
        try:
            name = unit.partition("@")[0]
            pairs = open_pairs(self.results.protocols[self.protocol], data, PredictionStore(predicted), name)
            return pairs, read_fits(fits)
        except ScopeDepthError as error:
            return str(error)
