"""Scale drift: how much the factor between prediction and depth wanders within a sequence.

A map built from several frames (SLAM) inherits it, while a metric that fits a factor to each frame does not
show it. It is the standard deviation of ln(factor) over a sequence's frames, averaged as the protocol says.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from scopedepth.vocabulary.alignments import alignment
from scopedepth.vocabulary.metrics import METRICS, Metric

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# Frames of a sequence that the table holds, evenly spaced, so that a line can be drawn through them.
POINTS = 200

SCALE_DRIFT = Metric(
    "scale_drift",
    "Scale drift",
    "1",
    False,
    "standard deviation over a sequence's frames of ln(s), s the factor fitted to each frame "
    "(with an affine fit, the factor beside its offset)",
    "ScopeDepth",
)
# What a study's summary may hold: the metrics of a frame, and those of a sequence.
SUMMARY_METRICS: dict[str, Metric] = {**METRICS, SCALE_DRIFT.name: SCALE_DRIFT}


def has_drift(protocol: specs.Protocol) -> bool:
    """Return whether `protocol` fits a factor to each frame by itself."""
    fit = protocol.get("alignment", {})
    return fit.get("scope") == "frame" and alignment(fit["method"]).drifts


def log_scales(scale: np.ndarray, shift: np.ndarray, protocol: specs.Protocol) -> np.ndarray:
    """Return ln(factor) of each frame from its fit, NaN where there is none or it is not positive."""
    fit = protocol["alignment"]
    if fit["space"] == "log_depth" and alignment(fit["method"]).parameters == 1:
        return np.where(np.isfinite(shift), shift, np.nan)  # the offset of a logarithm
    positive = np.isfinite(scale) & (scale > 0)
    return np.log(np.where(positive, scale, 1.0)) + np.where(positive, 0.0, np.nan)


def drift_series(logs: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return a series (frame,) whose mean over each sequence is the standard deviation of `logs` (frame,) there.

    The first-order expansion of the standard deviation s about itself, s + (c (x - mean)^2 - s^2) / (2 s) with
    c = n / (n - 1): it has the same value, and its mean varies as s does (the delta method), so that the
    bootstrap of a mean serves. A sequence with fewer than two factors has no deviation.
    """
    series = np.full(logs.shape, np.nan)
    for start, stop in pairwise(starts):
        known = start + np.flatnonzero(~np.isnan(logs[start:stop]))
        if len(known) < 2:
            continue
        gaps = logs[known] - logs[known].mean()
        squares = gaps**2 * len(known) / (len(known) - 1)
        deviation = np.sqrt(squares.mean())
        series[known] = deviation
        if deviation > 0:
            series[known] += (squares - deviation**2) / (2 * deviation)
    return series


def drift_rows(
    dataset: str,
    protocol: str,
    models: Sequence[str],
    sequences: Sequence[str],
    starts: np.ndarray,
    frames: np.ndarray,
    logs: np.ndarray,
) -> list[dict[str, Any]]:
    """Return the rows of the table `drift`: one a model and sequence, with a sample of its factors.

    sequences, starts: names, and where each begins and ends among `frames` (frame,), which are the frames'
    indices in their sequence. logs: ln(factor), (model, frame), NaN where there is none.
    """
    rows = []
    for model, of_model in zip(models, logs, strict=True):
        for sequence, (start, stop) in zip(sequences, pairwise(starts), strict=True):
            values = of_model[start:stop]
            known = values[~np.isnan(values)]
            middle = np.median(known) if known.size else 0.0
            some = slice(None, None, max(1, -(-len(values) // POINTS)))
            rows.append(
                {
                    "dataset": dataset, "protocol": protocol, "model": model, "sequence": sequence,
                    "n_frames": len(values), "n_factors": len(known),
                    "scale_drift": float(known.std(ddof=1)) if known.size >= 2 else None,
                    "frames": frames[start:stop][some].tolist(),
                    "relative_scales": [
                        None if np.isnan(log) else float(np.exp(log - middle)) for log in values[some]
                    ],
                }
            )  # fmt: skip
    return rows
