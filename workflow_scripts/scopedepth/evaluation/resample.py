"""Bringing a prediction to the reference's grid, in the prediction's own space.

The prediction's grid covers exactly the image's field of view. `align_corners=False` lets the outer edges of
the corner pixels coincide, `True` their centres: PyTorch's two conventions, without antialiasing. Nearest takes
the pixel whose area holds the target's centre.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation.kernels import STRICT
from scopedepth.job.compiled import njit


def resample(
    prediction: NDArray[np.floating], out: NDArray[np.floating], *, nearest: bool, align_corners: bool
) -> None:
    """Fill `out` (h, w) from `prediction` (v, u), both float32 or both float64.

    A value is not finite where one of the pixels that it weighs is not.
    """
    rows = _taps(prediction.shape[0], out.shape[0], nearest, align_corners)
    columns = _taps(prediction.shape[1], out.shape[1], nearest, align_corners)
    _interpolate(prediction, out, *rows, *columns)


def inverse(values: NDArray[np.floating], epsilon: float) -> NDArray[np.floating]:
    """Return 1 / (values + epsilon) in the values' own type; 1 / 0 is infinite."""
    with np.errstate(divide="ignore"):
        return 1 / (values + values.dtype.type(epsilon))


def _taps(
    size: int, wanted: int, nearest: bool, align_corners: bool
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float64]]:
    """Return for each target position the two source positions and the weight of the second.

    Positions are unsigned, which spares the compiled loop the question whether they count from the end.
    """
    target = np.arange(wanted, dtype=np.float64)
    if align_corners:
        position = target * ((size - 1) / (wanted - 1)) if wanted > 1 else np.zeros(1)
    else:
        position = (target + 0.5) * (size / wanted) - 0.5
    if nearest:
        # Half-way counts to the right, so that an exact halving takes pixels 1, 3, 5 as OpenCV and PyTorch's
        # nearest-exact do.
        index = np.clip(np.floor(position + 0.5), 0, size - 1).astype(np.uint64)
        return index, index, np.zeros(wanted)
    position = np.clip(position, 0.0, size - 1)
    low = np.floor(position)
    weight = position - low
    # A pixel of no weight is not looked at: zero times infinity would spoil a value that it has no part in.
    high = np.where(weight == 0.0, low, np.minimum(low + 1, size - 1))
    return low.astype(np.uint64), high.astype(np.uint64), weight


@njit(**STRICT)
def _interpolate(  # type: ignore[no-untyped-def]
    prediction, out, row_low, row_high, row_weight, column_low, column_high, column_weight
):
    height, width = out.shape
    line = np.empty(prediction.shape[1])
    for r in range(height):
        upper, lower, weight = prediction[row_low[r]], prediction[row_high[r]], row_weight[r]
        for c in range(line.size):
            line[c] = (1.0 - weight) * np.float64(upper[c]) + weight * np.float64(lower[c])
        target = out[r]
        for c in range(width):
            weight = column_weight[c]
            target[c] = (1.0 - weight) * line[column_low[c]] + weight * line[column_high[c]]
