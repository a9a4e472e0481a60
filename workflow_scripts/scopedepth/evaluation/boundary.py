"""Boundary F1: are depth edges where they should be? Needs depth up to a factor, no more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation.kernels import STRICT
from scopedepth.job.compiled import njit

THRESHOLDS = np.linspace(1.05, 1.25, 10)


def boundary_f1(
    prediction: NDArray[np.floating], depth: NDArray[np.floating], valid: NDArray[np.bool_]
) -> float | None:
    """Return Depth Pro's scale-invariant boundary F1 (see vocabulary.metrics), None where the reference has no edge.

    prediction, depth: positive depths (h, w); valid: (h, w). A pair of neighbours counts where both are valid:
    the source has no mask, and evaluates complete maps.
    """
    counts = _edge_counts(prediction, depth, valid, THRESHOLDS)
    # counts[direction, i, j]: pairs above exactly i of the thresholds in the reference, j in the prediction.
    above = counts[:, ::-1, ::-1].cumsum(axis=1).cumsum(axis=2)[:, ::-1, ::-1].astype(np.float64)
    steps = np.arange(1, THRESHOLDS.size + 1)
    reference, predicted, both = above[:, steps, 0], above[:, 0, steps], above[:, steps, steps]
    if not reference[:, 0].any():
        return None
    recall = np.mean(both / np.maximum(reference, 1), axis=0)
    precision = np.mean(both / np.maximum(predicted, 1), axis=0)
    total = recall + precision
    f1 = np.where(total > 0, 2 * recall * precision / np.where(total > 0, total, 1), 0.0)
    return float(np.sum(f1 * THRESHOLDS) / np.sum(THRESHOLDS))


@njit(**STRICT)
def _edge_counts(prediction, depth, valid, thresholds):  # type: ignore[no-untyped-def]
    """Count neighbours by how many thresholds their ratio exceeds; directions: right, left, down, up."""
    height, width = depth.shape
    n = thresholds.size
    counts = np.zeros((4, n + 1, n + 1), np.int64)
    for r in range(height):
        for c in range(width):
            if not valid[r, c]:
                continue
            for axis in range(2):
                rr, cc = (r, c + 1) if axis == 0 else (r + 1, c)
                if rr >= height or cc >= width or not valid[rr, cc]:
                    continue
                g = np.float64(depth[rr, cc]) / np.float64(depth[r, c])
                p = np.float64(prediction[rr, cc]) / np.float64(prediction[r, c])
                counts[2 * axis, _exceeded(g, thresholds), _exceeded(p, thresholds)] += 1
                counts[2 * axis + 1, _exceeded(1.0 / g, thresholds), _exceeded(1.0 / p, thresholds)] += 1
    return counts


@njit(**STRICT)
def _exceeded(ratio, thresholds):  # type: ignore[no-untyped-def]
    if ratio <= thresholds[0]:  # nearly always
        return 0
    count = 1
    while count < thresholds.size and ratio > thresholds[count]:
        count += 1
    return count
