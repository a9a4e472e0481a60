"""Skill: how much of the better trivial baseline's error a model avoids."""

from __future__ import annotations

import numpy as np


def better_baseline(values: np.ndarray, candidates: np.ndarray) -> int | None:
    """Return the index of the candidate with the smallest error, None where there is none above 0."""
    usable = np.flatnonzero(candidates & (values > 0))
    return int(usable[np.argmin(values[usable])]) if len(usable) else None


def skill_series(series: np.ndarray, values: np.ndarray, baseline: int) -> np.ndarray:
    """Return series (model, frame) whose mean is the models' skill, 1 - error / error of the baseline.

    The ratio of two means is no mean; its first-order expansion about them is: it has the same value, and its
    mean varies as the ratio does (the delta method).
    """
    ratio = values / values[baseline]
    return (1 - ratio)[:, None] - (series - ratio[:, None] * series[baseline]) / values[baseline]
