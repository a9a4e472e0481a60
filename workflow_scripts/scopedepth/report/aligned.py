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

    def dataset(self, unit: str) -> DatasetStore | None:
        """Return a unit's store, or None where it is missing or damaged."""
        if unit not in self._datasets:
            try:
                self._datasets[unit] = DatasetStore(self.results.stores[unit])
            except (ScopeDepthError, KeyError):
                self._datasets[unit] = None
        return self._datasets[unit]

    def unit_of(self, dataset: str, sequence: str) -> str | None:
        """Return the unit that holds a sequence."""
        for unit in self.results.units_of(dataset):
            store = self.dataset(unit)
            if store is not None and sequence in store.sequences:
                return unit
        return None

    def aligned(self, unit: str, model: str, sequence: str, frame: int) -> Aligned:
        """Return a model's aligned prediction of one frame under the protocol."""
        opened = self._open(unit, model)
        if isinstance(opened, str):
            return Aligned(None, None, opened)
        pairs, fits = opened
        plan, data, predicted = pairs[sequence]
        try:
            stored = stored_status(int(data.status(frame, frame + 1)[0]), int(predicted.status(frame, frame + 1)[0]))
            fit = fits[sequence][frame]
            if stored or fit.status not in (codes.OK, codes.NEGATIVE_SCALE) or not plan.metrics:
                return Aligned(None, None, codes.STATUSES[stored or fit.status])
            rgb = data.rgb(frame, frame + 1)[0] if plan.needs_rgb else None
            pixels = ready(
                plan,
                frame,
                predicted.prediction(frame, frame + 1)[0],
                data.depth(frame, frame + 1)[0],
                data.flags(frame, frame + 1)[0],
                rgb,
                self._workspace,
            )
        except (ScopeDepthError, KeyError, IndexError):
            return Aligned(None, None, "damaged")
        limits = plan.limits
        if plan.floor_from_frame and pixels.y.size:
            limits = limits._replace(disparity=1.0 / float(pixels.y.max()))
        output = np.ascontiguousarray(pixels.output).ravel()
        depth = np.empty(output.size)
        aligned_depths(np.nan_to_num(output), plan.source, fit.scale, fit.shift, limits, depth)
        depth[~np.isfinite(output)] = np.nan
        return Aligned(depth.reshape(pixels.output.shape), pixels.valid.copy(), codes.STATUSES[fit.status])

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
