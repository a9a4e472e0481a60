"""Exact medians by selection: no sort of a whole frame, no approximation."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scopedepth.evaluation.kernels import STRICT

# At most this many values are simply sorted.
SMALL = 2048
RUN = 32

# Half the bracket's width in standard errors of a rank in the sample: how often does the sample mislead? Once
# in 16,000 times at 4 were it random; pixels are not, so there is a second, wider try.
TRIES = (4.0, 20.0)


def middle(values: NDArray[np.floating], scratch: NDArray[np.floating]) -> tuple[float, float]:
    """Return the two middle values of `values` (n,), finite, n >= 1; twice the same for odd n.

    scratch: (n,) or longer, of the same dtype, overwritten.

    A sorted sample brackets the two ranks; one pass counts what lies below the bracket and copies what lies
    inside it to `scratch`; and so on with what is left (after Floyd and Rivest 1975).
    """
    for errors in TRIES:
        found = _bracketed(values, scratch, errors)
        if found is not None:
            return found
    first, second = (values.size - 1) // 2, values.size // 2
    ordered = np.partition(values, (first, second))
    return float(ordered[first]), float(ordered[second])


def _bracketed(
    values: NDArray[np.floating], scratch: NDArray[np.floating], errors: float
) -> tuple[float, float] | None:
    """Return the two middle values, or None where a bracket missed them or held everything."""
    n = values.size
    first, second = (n - 1) // 2, n // 2
    source = values
    while n > SMALL:
        # NumPy sorts these few in vector registers, and without a compiler's help.
        sample = np.sort(source[: n : n // SMALL])
        m = sample.size
        spread = int(errors * 0.5 * math.sqrt(m)) + 1
        low = sample[max(first * m // n - spread, 0)]
        high = sample[min(second * m // n + spread, m - 1)]
        below, inside = _compact(source, n, low, high, scratch)
        if first < below or second >= below + inside or (inside == n and low < high):
            return None
        if low == high:
            return float(low), float(low)
        source = scratch
        first -= below
        second -= below
        n = inside
    ordered = np.sort(source[:n])
    return float(ordered[first]), float(ordered[second])


@njit(**STRICT)
def _compact(source, n, low, high, scratch):  # type: ignore[no-untyped-def]
    """Count values below `low` and copy those within [low, high] to the front of `scratch`.

    `scratch` may be `source`: writing never overtakes reading. Runs without a value inside, most of them since
    neighbours are alike, cost a few vector instructions.
    """
    below = 0
    inside = 0
    one, none = np.int32(1), np.int32(0)
    for start in range(0, n, RUN):
        run = source[start : min(start + RUN, n)]
        lower = hits = none
        for i in range(run.size):
            lower += one if run[i] < low else none
            hits += one if (run[i] >= low) & (run[i] <= high) else none
        below += lower
        if hits:
            for i in range(run.size):
                value = run[i]
                scratch[inside] = value
                inside += (value >= low) & (value <= high)
    return below, inside
