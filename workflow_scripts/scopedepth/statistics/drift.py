"""Scale drift: how much the factor between prediction and depth wanders within a sequence.

A map built from several frames (SLAM) inherits it, while a metric that fits a factor to each frame does not
show it. It is the standard deviation of ln(factor) over a sequence's frames, averaged as the protocol says.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from scopedepth.evaluation.registry import METRICS, Metric

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

_WITH_FACTOR = ("median", "lsq_scale", "lsq_affine", "median_mad", "l1_affine")


def has_drift(protocol: Mapping[str, Any]) -> bool:
    """Return whether `protocol` fits a factor to each frame by itself."""
    fit = protocol.get("alignment", {})
    return fit.get("scope") == "frame" and fit.get("method") in _WITH_FACTOR


def log_scales(scale: np.ndarray, shift: np.ndarray, protocol: Mapping[str, Any]) -> np.ndarray:
    """Return ln(factor) of each frame from its fit, NaN where there is none or it is not positive."""
    fit = protocol["alignment"]
    if fit["space"] == "log_depth" and fit["method"] in ("median", "lsq_scale"):
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
