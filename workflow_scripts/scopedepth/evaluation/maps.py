"""Single frames as they were scored: aligned depth, pixels that counted, and their errors, as maps.

Whoever shows or bins what was scored takes it from here, so that masks, resampling, fits and limits are applied
once, by the functions that the score stage uses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError
from scopedepth.evaluation.align import Pair, open_pairs
from scopedepth.evaluation.alignment import Fit
from scopedepth.evaluation.frames import stored_status
from scopedepth.evaluation.metrics import Aligned, aligned_map, frame_limits
from scopedepth.evaluation.pixels import Pixels, Workspace, single
from scopedepth.evaluation.protocol import Terms
from scopedepth.evaluation.score import FIT, fits_in, is_scored
from scopedepth.stores.dataset import DatasetStore
from scopedepth.stores.prediction import PredictionStore
from scopedepth.tables.io import read_table
from scopedepth.tables.study import FRAMES
from scopedepth.vocabulary import status as codes
from scopedepth.vocabulary.metrics import METRICS
from scopedepth.vocabulary.units import dataset_of

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs


class Reference(NamedTuple):
    """One frame of a dataset: depth (h, w), flags (h, w), image (h, w, 3) and the frame's status in the store."""

    depth: NDArray[np.float32]
    flags: NDArray[np.uint8]
    rgb: NDArray[np.uint8]
    status: int


class Scored(NamedTuple):
    """A frame as scored, all (h, w): aligned depth, pixels that counted, and their relative errors.

    error is |depth - reference| / (reference + the protocol's error_epsilon), and NaN where a pixel did not count.
    Its mean over the others is the frame's AbsRel.
    """

    depth: NDArray[np.float64]
    valid: NDArray[np.bool_]
    error: NDArray[np.float64]


@dataclass(frozen=True)
class Places:
    """Where stores and fits lie: datasets by unit, predictions by unit and model, fits in a study's table of frames."""

    stores: Mapping[str, Path]
    predictions: Mapping[tuple[str, str], Path]
    frames: Path


def scored_maps(terms: Terms, pixels: Pixels, fit: Fit) -> Scored:
    """Return the maps of one frame whose fit is scored (`score.is_scored`); copies, which outlive `pixels`."""
    aligned = Aligned(terms.source, fit.scale, fit.shift, frame_limits(terms, pixels))
    depth, valid = aligned_map(pixels, aligned), pixels.valid.copy()
    error = np.full(depth.shape, np.nan)
    true = pixels.depth[valid].astype(np.float64)
    error[valid] = np.abs(depth[valid] - true) / (true + terms.error_epsilon)
    return Scored(depth, valid, error)


class ScoredFrames:
    """Opens the stores and fits of one protocol once, and returns frames. What is damaged is a `ScopeDepthError`."""

    def __init__(self, places: Places, name: str, protocol: specs.Protocol) -> None:
        self.places = places
        self.name = name
        self.protocol = protocol
        self._datasets: dict[str, DatasetStore] = {}
        self._pairs: dict[tuple[str, str], dict[str, Pair]] = {}
        self._fits: dict[tuple[str, str], dict[tuple[str, int], Fit]] = {}
        self._workspace = Workspace()
        self._last: tuple[tuple[str, str, int], Reference] | None = None

    def dataset(self, unit: str) -> DatasetStore:
        """Return a unit's store."""
        if unit not in self._datasets:
            self._datasets[unit] = DatasetStore(self.places.stores[unit])
        return self._datasets[unit]

    def place(self, dataset: str, sequence: str, frame: int) -> tuple[str, int] | None:
        """Return the unit that holds a frame of a sequence, and its place there; None where no store has it."""
        for unit in self.places.stores:
            if dataset_of(unit) == dataset:
                part = self.dataset(unit).sequences.get(sequence)
                if part is not None and 0 <= frame - part.first_frame < part.n_frames:
                    return unit, frame - part.first_frame
        return None

    def reference(self, unit: str, sequence: str, place: int) -> Reference:
        """Return what the store has at a place of a sequence; the last one is kept, as models take turns on it."""
        key = unit, sequence, place
        if self._last is None or self._last[0] != key:
            data = self.dataset(unit).sequences[sequence]
            depth, flags, rgb, status = (
                read(place, place + 1)[0] for read in (data.depth, data.flags, data.rgb, data.status)
            )
            self._last = key, Reference(depth, flags, rgb, int(status))
        return self._last[1]

    def scored(self, unit: str, model: str, sequence: str, place: int) -> Scored | str:
        """Return a model's frame as it was scored, or the status that says why it was not."""
        pair = self._open(unit, model)[sequence]
        terms, predicted = pair.terms[self.name], pair.predicted
        fit = self._fit(dataset_of(unit), model, sequence, pair.data.first_frame + place)
        reference = self.reference(unit, sequence, place)
        stored = stored_status(reference.status, int(predicted.status(place, place + 1)[0]))
        # Without a metric of depth nothing was brought to the reference's scale.
        if not any(METRICS[metric].needs in ("depth", "shape") for metric in terms.metrics):
            return codes.STATUSES[codes.NOT_APPLICABLE]
        if stored or not is_scored(terms, fit):
            return codes.STATUSES[stored or fit.status]
        output = predicted.prediction(place, place + 1)[0]
        shown = output, reference.depth, reference.flags, reference.rgb
        return scored_maps(terms, single(terms, place, *shown, self._workspace).pixels(0), fit)

    def _open(self, unit: str, model: str) -> dict[str, Pair]:
        if (unit, model) not in self._pairs:
            predicted = PredictionStore(self.places.predictions[unit, model])
            protocols = {self.name: self.protocol}
            self._pairs[unit, model] = open_pairs(protocols, self.dataset(unit), predicted, dataset_of(unit))
        return self._pairs[unit, model]

    def _fit(self, dataset: str, model: str, sequence: str, frame: int) -> Fit:
        """Return a model's fit of a frame, by its number in the sequence."""
        path = self.places.frames
        if (dataset, model) not in self._fits:
            where = {"dataset": dataset, "model": model, "protocol": self.name}
            rows = read_table(path, (*FIT, "frame"), FRAMES, where)
            keys = zip(rows["sequence"].to_pylist(), rows["frame"].to_pylist(), strict=True)
            self._fits[dataset, model] = dict(zip(keys, map(unscored, fits_in(path, rows)), strict=True))
        found = self._fits[dataset, model].get((sequence, frame))
        if found is None:
            raise ScopeDepthError(
                f"{path} has no row of frame {frame} of {sequence} ({model} on {dataset}). Run the workflow again."
            )
        return found


def unscored(fit: Fit) -> Fit:
    """Return a fit as before scoring, which calls it degenerate where an aligned depth is not positive or infinite."""
    holds = fit.status == codes.DEGENERATE_FIT and math.isfinite(fit.scale)
    return fit._replace(status=codes.OK) if holds else fit
