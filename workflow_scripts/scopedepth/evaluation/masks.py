"""Which pixels of a frame count: flags, what the image shows, missing depth, erosion, and the window."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation.kernels import STRICT
from scopedepth.evaluation.protocol import Terms
from scopedepth.job.compiled import njit

# Rec. 601, as OpenCV and PIL turn colour to grey.
GREY = np.array([0.299, 0.587, 0.114])


def valid_pixels(
    terms: Terms,
    depth: NDArray[np.floating],
    flags: NDArray[np.uint8],
    rgb: NDArray[np.uint8] | None,
    ends: tuple[Any, Any],
    out: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return the mask (h, w) of pixels that count, in `out` or in an array of its own.

    depth: (h, w) float32 or float64, NaN where missing. flags: uint8 (h, w). rgb: uint8 (h, w, 3), needed
    where the terms say so. ends: the least and the greatest depth that count, of the depth's type (`bounds_as`).
    """
    valid = out
    low, high = ends
    if terms.erode > 1:
        # Only missing depth erodes, not the ends of the range: they come at the end.
        most = np.finfo(depth.dtype).max
        _flagged(depth, flags, np.uint8(terms.flag_bits), -most, most, valid)
    else:
        _flagged(depth, flags, np.uint8(terms.flag_bits), low, high, valid)
    if terms.grey_above is not None:
        assert rgb is not None
        valid &= rgb @ GREY > terms.grey_above
    if terms.rgb_sum_below is not None:
        assert rgb is not None
        valid &= rgb.sum(axis=2, dtype=np.int32) < terms.rgb_sum_below
    if terms.erode > 1:
        valid = erode(valid, terms.erode)
        valid &= (depth >= low) & (depth <= high)
    top, bottom, left, right = terms.window
    if (bottom - top, right - left) != depth.shape:
        inside = np.zeros_like(valid)
        inside[top:bottom, left:right] = valid[top:bottom, left:right]
        valid = inside
    return valid


def erode(mask: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """Return `mask` (h, w) eroded by a square of odd `side`; what lies outside the frame erodes nothing."""
    half = side // 2
    return _erode_rows(_erode_rows(mask, half).T.copy(), half).T


def bounds_as(dtype: np.dtype[Any], low: float, high: float, ends_count: bool) -> tuple[Any, Any]:
    """Return the least and the greatest finite value of `dtype` that count between `low` and `high`.

    The ends are rounded to `dtype` first, as NumPy and PyTorch do where they compare an array with a number: of
    a depth range from 0.001 in float32 the end is the float32 nearest to 0.001. A depth of 0 never counts.
    """
    most = np.finfo(dtype).max
    least, greatest = dtype.type(low), dtype.type(min(high, float(most)))
    if least == 0 or not ends_count:
        least = np.nextafter(least, dtype.type(np.inf))
    if math.isfinite(high) and not ends_count:
        greatest = np.nextafter(greatest, dtype.type(-np.inf))
    return least, greatest


@njit(**STRICT)
def _flagged(depth, flags, bits, low, high, valid):  # type: ignore[no-untyped-def]
    d, f, v = depth.ravel(), flags.ravel(), valid.ravel()
    for i in range(d.size):
        # NaN fails every comparison.
        v[i] = ((f[i] & bits) == 0) & (d[i] >= low) & (d[i] <= high)


@njit(**STRICT)
def _erode_rows(mask, half):  # type: ignore[no-untyped-def]
    """Erode along the rows: a pixel stays if the last invalid one is further than `half` on either side."""
    out = np.empty_like(mask)
    height, width = mask.shape
    for r in range(height):
        last = -half - 1
        for c in range(width):
            if not mask[r, c]:
                last = c
            out[r, c] = c - last > half
        last = width + half
        for c in range(width - 1, -1, -1):
            if not mask[r, c]:
                last = c
            out[r, c] &= last - c > half
    return out
