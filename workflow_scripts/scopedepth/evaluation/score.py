"""The score stage: a table of metrics, one row a frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scopedepth.errors import ScopeDepthError
from scopedepth.evaluation.align import add_keys, open_pairs
from scopedepth.evaluation.alignment import Fit
from scopedepth.evaluation.frames import Pixels, each_frame
from scopedepth.evaluation.metrics import frame_metrics
from scopedepth.evaluation.protocol import Plan
from scopedepth.job.progress import progress
from scopedepth.stores.dataset import DatasetStore
from scopedepth.stores.prediction import PredictionStore
from scopedepth.tables.frames import ALIGNMENTS, SCORES
from scopedepth.tables.io import read_table, write_table
from scopedepth.vocabulary import status as codes
from scopedepth.vocabulary.metrics import METRICS, PIXEL_METRICS

# What scoring takes of a fit's row.
FIT = ("sequence", "scale", "shift", "n_pixels", "status")
# Metrics that every frame with a sound fit has. The others may be undefined for a frame (no edge, no pair).
ALWAYS = tuple(name for name in PIXEL_METRICS if name != "nrmse")


class Score(NamedTuple):
    """Metrics of one frame; one that is not there could not be computed."""

    metrics: Mapping[str, float | None]
    n_pixels: int
    status: int


def score_unit(
    protocol: Mapping[str, Any],
    dataset: Path,
    predictions: Path,
    alignments: Path,
    keys: Mapping[str, str],
    out: Path,
    threads: int = 1,
) -> None:
    """Score one model's predictions of one unit with the fits of `alignments` and write the scores table.

    protocol: the spec. dataset, predictions: stores. keys: dataset, model and protocol names. Every frame of
    the unit has a row: metrics, or nulls with the status that says why.
    """
    pairs = open_pairs(protocol, DatasetStore(dataset), PredictionStore(predictions), keys["dataset"])
    fits = read_fits(alignments)
    columns: dict[str, list[Any]] = {name: [] for name in SCORES.names}
    total = sum(data.n_frames for _, data, _ in pairs.values())
    with progress(f"score {keys['model']}, {keys['protocol']}", total) as advance:
        for sequence, (plan, data, predicted) in pairs.items():
            frame_fits = fits.get(sequence, [])
            if len(frame_fits) != data.n_frames:
                raise ScopeDepthError(
                    f"{alignments} has {len(frame_fits)} frames of sequence {sequence}, the dataset {data.n_frames}. "
                    "Align again."
                )
            add_keys(columns, keys, data)
            scores: Iterable[Score] = [Score({}, 0, codes.NOT_APPLICABLE)] * data.n_frames
            if plan.metrics:
                scores = each_frame(plan, data, predicted, _scorer(plan, frame_fits), _not_scored, threads)
            values = np.full((len(METRICS), data.n_frames), np.nan)
            for frame, score in enumerate(scores):
                # None becomes NaN here, and null in the table.
                values[:, frame] = [score.metrics.get(name) for name in METRICS]
                columns["n_pixels"].append(score.n_pixels)
                columns["status"].append(codes.STATUSES[score.status])
                advance()
            for name, row in zip(METRICS, values, strict=True):
                columns[name].append(row)
    numbers: dict[str, Any] = {
        name: np.concatenate(columns[name]) if columns[name] else [] for name in METRICS
    }
    write_table(out, SCORES, {**columns, **numbers})


def read_fits(path: Path) -> dict[str, list[Fit]]:
    """Return the fits of an alignments table by sequence, in the order of frames."""
    table = read_table(path, FIT, ALIGNMENTS).to_pydict()
    unknown = sorted(set(table["status"]) - codes.CODES.keys())
    if unknown:
        raise ScopeDepthError(
            f"The table {path} holds the unknown status {unknown[0][:60]!r}. Delete it and run again."
        )
    fits: dict[str, list[Fit]] = {}
    nan = float("nan")
    for sequence, scale, shift, n, status in zip(*table.values(), strict=True):
        fit = Fit(nan if scale is None else scale, nan if shift is None else shift, n, codes.CODES[status])
        fits.setdefault(sequence, []).append(fit)
    return fits


def is_scored(plan: Plan, fit: Fit) -> bool:
    """Return whether the protocol computes metrics with a frame's fit."""
    return fit.status == codes.OK or (fit.status == codes.NEGATIVE_SCALE and plan.score_negative)


def score_frame(plan: Plan, pixels: Pixels, fit: Fit) -> Score:
    """Return one frame's metrics, or none and the status of its fit that forbids them."""
    if not is_scored(plan, fit):
        return Score({}, pixels.x.size, fit.status)
    metrics = frame_metrics(plan, pixels, fit)
    status = fit.status
    if status == codes.OK and any(metrics.get(name, 0.0) is None for name in ALWAYS):
        status = codes.DEGENERATE_FIT  # an aligned depth is zero, negative or infinite
    return Score(metrics, pixels.x.size, status)


def _scorer(plan: Plan, fits: list[Fit]) -> Any:
    return lambda pixels: score_frame(plan, pixels, fits[pixels.frame])


def _not_scored(frame: int, status: int) -> Score:
    return Score({}, 0, status)
