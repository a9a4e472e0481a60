"""The compiled loops over pixels: from an output's numbers to sums of errors, one pass and no map between.

Every kernel takes float32 or float64 and counts in float64, releases the GIL, and is compiled once into the
cache beside this file. `reassoc` lets sums run in several lanes; nothing else about floating point is relaxed.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from scopedepth.evaluation.protocol import DEPTH, DISPARITY

SUMS = 14
(
    ABS_REL, SQ_REL, SQUARE, ABSOLUTE, LOG, LOG_SQUARE, LOG_ABSOLUTE, INVERSE_SQUARE, WITHIN_1, WITHIN_2, WITHIN_3,
    NOT_POSITIVE, LEAST, GREATEST,
) = range(SUMS)  # fmt: skip

BLOCK = 1024
_FAST = {"reassoc", "nsz", "contract"}


@njit(inline="always")
def to_space(value, source):  # type: ignore[no-untyped-def]
    """An output's number in the alignment's space (see protocol.Source), as float64."""
    v = np.float64(value) * source.unit
    v = min(max(v, source.low), source.high)
    if source.flip:
        v = 1.0 / (max(v, 0.0) + source.epsilon)
    if source.log:
        v = math.log(max(v, 1e-300))
    return v


@njit(inline="always")
def depth_to_space(depth, space):  # type: ignore[no-untyped-def]
    """A reference depth in the alignment's space, as float64."""
    d = np.float64(depth)
    if space == DEPTH:
        return d
    if space == DISPARITY:
        return 1.0 / d
    return math.log(d)


@njit(inline="always")
def to_depth(aligned, limits):  # type: ignore[no-untyped-def]
    """An aligned value of the alignment's space as depth, within its limits (see protocol.Limits)."""
    d = aligned
    if limits.space == DISPARITY:
        d = 1.0 / max(aligned, limits.disparity)
    elif limits.space != DEPTH:
        d = math.exp(aligned)
    return min(max(d, limits.low), limits.high)


@njit(nogil=True, cache=True)
def gather(prediction, depth, valid, low, high, x, y):  # type: ignore[no-untyped-def]
    """Copy the valid pixels' predictions and depths to the front of `x` and `y`.

    prediction, depth: (h, w). valid: bool (h, w). low, high: depths that count, both included.
    x, y: scratch of h * w. Returns how many there are, and how many of their predictions are not finite.
    """
    p, d, m = prediction.ravel(), depth.ravel(), valid.ravel()
    count = 0
    wrong = 0
    for i in range(d.size):
        # NaN fails both comparisons. Writing always and advancing sometimes spares a branch.
        x[count] = p[i]
        y[count] = d[i]
        keep = m[i] and d[i] >= low and d[i] <= high
        wrong += keep and not math.isfinite(p[i])
        count += keep
    return count, wrong


@njit(nogil=True, cache=True, fastmath=_FAST)
def error_sums(x, y, source, scale, shift, limits):  # type: ignore[no-untyped-def]
    """Return the sums (constants above) over pixels of what the metrics need.

    x: outputs, y: reference depths in mm, both (n,), valid pixels only, n >= 1. The logarithms are summed
    against `pivot`, that of the first pixel, so that a small spread about a large mean keeps its digits.
    Pixels whose aligned depth is not positive are counted and left out of the sums with a logarithm.
    """
    n = x.size
    totals = np.zeros(SUMS)
    p = np.empty(BLOCK)
    g = np.empty(BLOCK)
    e = np.empty(BLOCK)
    pivot = 0.0
    least, greatest = np.inf, -np.inf
    for start in range(0, n, BLOCK):
        m = min(BLOCK, n - start)
        for i in range(m):
            g[i] = np.float64(y[start + i])
            p[i] = to_depth(scale * to_space(x[start + i], source) + shift, limits)
        for i in range(m):
            e[i] = math.log(p[i] / g[i]) if p[i] > 0.0 else 0.0
        if start == 0:
            pivot = e[0]
        abs_rel = sq_rel = square = absolute = log = log_square = log_absolute = inverse = 0.0
        one = two = three = bad = 0
        for i in range(m):
            d = p[i] - g[i]
            r = 1.0 / g[i]
            a = abs(d)
            abs_rel += a * r
            sq_rel += d * d * r
            square += d * d
            absolute += a
            smaller, larger = min(p[i], g[i]), max(p[i], g[i])
            one += larger < 1.25 * smaller
            two += larger < 1.5625 * smaller
            three += larger < 1.953125 * smaller
            bad += p[i] <= 0.0
            least = min(least, g[i])
            greatest = max(greatest, g[i])
            i_d = d * r / p[i] if p[i] > 0.0 else 0.0
            inverse += i_d * i_d
            c = e[i] - pivot
            log += c
            log_square += c * c
            log_absolute += abs(e[i])
        totals[ABS_REL] += abs_rel
        totals[SQ_REL] += sq_rel
        totals[SQUARE] += square
        totals[ABSOLUTE] += absolute
        totals[LOG] += log
        totals[LOG_SQUARE] += log_square
        totals[LOG_ABSOLUTE] += log_absolute
        totals[INVERSE_SQUARE] += inverse
        totals[WITHIN_1] += one
        totals[WITHIN_2] += two
        totals[WITHIN_3] += three
        totals[NOT_POSITIVE] += bad
    totals[LEAST] = least
    totals[GREATEST] = greatest
    return totals, pivot


@njit(nogil=True, cache=True)
def middle(values, scratch):  # type: ignore[no-untyped-def]
    """Return the two middle values of `values` (n,), n >= 1; twice the same where n is odd.

    Exact selection: a sample gives a bracket about the middle, one pass counts what lies below it and copies
    what lies inside to `scratch` (n,), and so on with what is left.
    """
    n = values.size
    first = (n - 1) // 2
    second = n // 2
    low = _select(values, first, scratch)
    if second == first:
        return low, low
    # The next value up: the least above `low`, unless `low` itself comes again.
    not_above = 0
    above = np.inf
    for i in range(n):
        v = np.float64(values[i])
        if v <= low:
            not_above += 1
        else:
            above = min(above, v)
    return (low, low) if not_above > second else (low, above)


@njit(nogil=True, cache=True)
def _select(values, rank, scratch):  # type: ignore[no-untyped-def]
    """Return the value of `rank` (0 the least) as float64."""
    n = values.size
    source = values
    while n > 2048:
        # A strided sample of about 512 brackets the rank within three standard errors.
        step = n // 512
        sample = np.sort(source[:n:step])
        m = sample.size
        position = rank * m // n
        spread = int(1.5 * math.sqrt(m)) + 1
        low = sample[max(position - spread, 0)]
        high = sample[min(position + spread, m - 1)]
        below = 0
        inside = 0
        for i in range(n):
            v = source[i]
            scratch[inside] = v
            below += v < low
            inside += (v >= low) & (v <= high)
        if rank < below or rank >= below + inside or inside == n:
            break
        if low == high:
            return np.float64(low)
        source = scratch
        rank -= below
        n = inside
    return np.float64(np.partition(source[:n], rank)[rank])
