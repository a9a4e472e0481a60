"""Frames as they were scored, for the report: what cannot be read leaves its picture out, with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError
from scopedepth.evaluation.maps import Places, ScoredFrames
from scopedepth.report.results import Results
from scopedepth.stores.dataset import DatasetStore
from scopedepth.stores.prediction import PredictionStore
from scopedepth.vocabulary.flags import PREDICTION_FAILED


@dataclass(frozen=True)
class Aligned:
    """One model's frame as it was scored (`evaluation.maps.Scored`), or the reason for nothing."""

    depth: NDArray[np.float64] | None
    valid: NDArray[np.bool_] | None
    error: NDArray[np.float64] | None
    status: str


@dataclass(frozen=True)
class Raw:
    """One model's output for a frame as it is stored, (v, u), or the reason for nothing; `turned`: near is large."""

    output: NDArray[np.float32] | None
    turned: bool
    status: str


class Frames:
    """Opens stores and fits of a study once, and returns frames of those that can be opened."""

    def __init__(self, results: Results, protocol: str | None = None) -> None:
        self.name = protocol or results.protocol
        self.predictions = results.predictions
        stores = {unit: path for unit, path in results.stores.items() if _opens(path)}
        places = Places(stores, results.predictions, results.tables["frames"])
        self.scored = ScoredFrames(places, self.name, results.protocols[self.name])

    def aligned(self, unit: str, model: str, sequence: str, place: int) -> Aligned:
        """Return a model's frame as it was scored under the protocol."""
        if unit not in self.scored.places.stores:
            return Aligned(None, None, None, "no dataset")
        if not _exists(self.predictions.get((unit, model))):
            return Aligned(None, None, None, "no prediction")
        try:
            found = self.scored.scored(unit, model, sequence, place)
        except (ScopeDepthError, KeyError, IndexError):
            return Aligned(None, None, None, "damaged")
        if isinstance(found, str):
            return Aligned(None, None, None, found)
        return Aligned(found.depth, found.valid, found.error, "ok")

    def raw(self, unit: str, model: str, sequence: str, place: int) -> Raw:
        """Return what a model said of a frame, which nothing brings to a scale."""
        path = self.predictions.get((unit, model))
        if path is None or not path.exists():
            return Raw(None, False, "no prediction")
        try:
            store = PredictionStore(path)
            found = store.sequences[sequence]
            failed = int(found.status(place, place + 1)[0]) == PREDICTION_FAILED
            output = found.prediction(place, place + 1)[0]
        except (ScopeDepthError, KeyError, IndexError):
            return Raw(None, False, "damaged")
        if failed or not np.isfinite(output).any():
            return Raw(None, False, "failed_prediction")
        return Raw(output, store.output_kind.endswith("disparity"), "ok")


def _opens(path: Path) -> bool:
    try:
        DatasetStore(path)
    except ScopeDepthError:
        return False
    return True


def _exists(path: Path | None) -> bool:
    return path is not None and path.exists()
