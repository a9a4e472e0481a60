"""Exact medians by selection: no sort of a whole frame, no approximation."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation.kernels import BLOCK, STRICT
from scopedepth.job.compiled import njit

# At most this many values are simply sorted, and so many are drawn from more of them.
SMALL, SAMPLE = 2048, 1024

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
        sample = np.sort(source[: n : n // SAMPLE])
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

    `scratch` may be `source`: writing never overtakes reading. Whether a value is inside is found in vector
    registers, a byte for each; then eight bytes are looked at together, and most eights hold nothing.
    """
    below = 0
    inside = 0
    one, none = np.int32(1), np.int32(0)
    flags = np.empty(BLOCK, np.uint8)
    eights = flags.view(np.uint64)
    for start in range(0, n, BLOCK):
        block = source[start : min(start + BLOCK, n)]
        lower = none
        for i in range(block.size):
            flags[i] = (block[i] >= low) & (block[i] <= high)
        for i in range(block.size):
            lower += one if block[i] < low else none
        below += lower
        for eight in range(block.size // 8):
            if eights[eight]:
                for i in range(8 * eight, 8 * eight + 8):
                    # Writing always and advancing sometimes spares a branch.
                    scratch[inside] = block[i]
                    inside += flags[i]
        for i in range(block.size // 8 * 8, block.size):
            scratch[inside] = block[i]
            inside += flags[i]
    return below, inside
