"""The compiled loops over pixels: from outputs to sums of errors, block by block, with no map in between.

Every kernel takes float32 or float64 and counts in float64, releases the GIL, and is compiled once into the
cache beside this file. Blocks of a few KB stay in the first-level cache, and each loop over a block is plain
enough to run in vector registers. `reassoc` lets sums run in several lanes; `nnan` holds because only finite
pixels are gathered.
"""

from __future__ import annotations

import math

import numpy as np

from scopedepth.evaluation.protocol import DEPTH, DISPARITY
from scopedepth.job.compiled import njit

SUMS = 12
(
    ABS_REL, SQ_REL, SQUARE, ABSOLUTE, LOG, LOG_SQUARE, LOG_ABSOLUTE, INVERSE_SQUARE, WITHIN_1, WITHIN_2, WITHIN_3,
    NOT_POSITIVE,
) = range(SUMS)  # fmt: skip

BLOCK = 512

STRICT = {"nogil": True, "cache": True, "error_model": "numpy"}
FAST = {**STRICT, "fastmath": {"reassoc", "nsz", "contract", "nnan"}}

_HALF = 1 << 51
_ALL_EIGHT = np.uint64(0x0101010101010101)
_LN2 = math.log(2.0)


@njit(**FAST)
def outputs_in_space(x, source, out):  # type: ignore[no-untyped-def]
    """Fill `out` with outputs `x` in the alignment's space (see protocol.Source), float64."""
    unit, low, high, epsilon = source.unit, source.low, source.high, source.epsilon
    for i in range(x.size):
        out[i] = np.float64(x[i]) * unit
    if low > -np.inf or high < np.inf:
        for i in range(x.size):
            out[i] = min(max(out[i], low), high)
    if source.flip and source.negative:
        for i in range(x.size):
            out[i] = 1.0 / (out[i] + epsilon)
    elif source.flip:
        for i in range(x.size):
            out[i] = 1.0 / (max(out[i], 0.0) + epsilon)
    if source.log:
        for i in range(x.size):
            out[i] = math.log(max(out[i], 1e-300))


@njit(**FAST)
def depths_in_space(y, space, out):  # type: ignore[no-untyped-def]
    """Fill `out` with reference depths `y` in the alignment's space, float64."""
    if space == DEPTH:
        for i in range(y.size):
            out[i] = np.float64(y[i])
    elif space == DISPARITY:
        for i in range(y.size):
            out[i] = 1.0 / np.float64(y[i])
    else:
        for i in range(y.size):
            out[i] = math.log(np.float64(y[i]))


@njit(**FAST)
def aligned_depths(x, source, scale, shift, limits, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the aligned depths of outputs `x`, within their limits (see protocol.Limits)."""
    low, high = limits.low, limits.high
    outputs_in_space(x, source, out)
    if limits.space == DEPTH:
        for i in range(x.size):
            out[i] = min(max(scale * out[i] + shift, low), high)
    elif limits.space == DISPARITY:
        floor = limits.disparity
        for i in range(x.size):
            out[i] = min(max(1.0 / max(scale * out[i] + shift, floor), low), high)
    else:
        for i in range(x.size):
            out[i] = min(max(math.exp(scale * out[i] + shift), low), high)


@njit(**STRICT)
def gather(prediction, depth, valid, x, y):  # type: ignore[no-untyped-def]
    """Copy the valid pixels' predictions and depths to the front of `x` and `y`.

    prediction, depth: (h, w). valid: bool (h, w). x, y: scratch of h * w + 1. Returns how many there are, how
    many of their predictions are not finite, and how many of these are zero or less.
    """
    p, d, keep = prediction.ravel(), depth.ravel(), valid.ravel().view(np.uint8)
    whole = keep.size // 8 * 8
    eights = keep[:whole].view(np.uint64)
    count = 0
    for eight in range(eights.size):
        start = 8 * eight
        if eights[eight] == _ALL_EIGHT:
            x_here, y_here = x[count : count + 8], y[count : count + 8]
            p_here, d_here = p[start : start + 8], d[start : start + 8]
            for i in range(8):
                x_here[i] = p_here[i]
            for i in range(8):
                y_here[i] = d_here[i]
            count += 8
        elif eights[eight]:
            for i in range(start, start + 8):
                # Writing always and advancing sometimes spares a branch.
                x[count] = p[i]
                y[count] = d[i]
                count += keep[i]
    for i in range(whole, keep.size):
        x[count] = p[i]
        y[count] = d[i]
        count += keep[i]
    finite = 0
    positive = 0
    for i in range(count):
        finite += abs(x[i]) < np.inf
        positive += x[i] > 0
    return count, count - finite, count - positive


@njit(**FAST)
def error_sums(x, y, source, scale, shift, limits):  # type: ignore[no-untyped-def]
    """Return the sums (constants above) over pixels of what the metrics need.

    x: outputs, y: reference depths in mm, both (n,), valid pixels only, n >= 1. The logarithms are summed
    against `pivot`, that of the first pixel, so that a small spread about a large mean keeps its digits.
    Pixels whose aligned depth is not positive are counted and left out of the sums with a logarithm or an inverse.
    """
    totals = np.zeros(SUMS)
    buffers = np.empty((5, BLOCK))
    pivot = 0.0
    for start in range(0, x.size, BLOCK):
        m = min(BLOCK, x.size - start)
        p, g, q = buffers[0, :m], buffers[1, :m], buffers[2, :m]
        e, inverses = buffers[3, :m], buffers[4, :m]
        aligned_depths(x[start : start + m], source, scale, shift, limits, p)
        depths_in_space(y[start : start + m], DEPTH, g)
        bad = 0.0
        if limits.low > 0.0:
            # Not `q = p`: with two arrays that q may be, the loops below leave the vector registers. Nor `q[:] = p`,
            # whose message for unlike sizes alone takes seconds to compile.
            for i in range(m):
                q[i] = p[i]
        else:
            for i in range(m):
                bad += 1.0 if p[i] <= 0.0 else 0.0
                q[i] = p[i] if p[i] > 0.0 else g[i]
        _log_ratios(q, g, e, inverses)
        if start == 0:
            pivot = e[0]
        # One loop for each few sums: more of them than registers would be slower.
        abs_rel = sq_rel = square = absolute = inverse_square = 0.0
        for i in range(m):
            d = p[i] - g[i]
            a = abs(d)
            relative = a * (q[i] * inverses[i])
            abs_rel += relative
            sq_rel += a * relative
            square += d * d
            absolute += a
            d = (q[i] - g[i]) * inverses[i]
            inverse_square += d * d
        one = two = three = 0.0
        for i in range(m):
            smaller, larger = min(p[i], g[i]), max(p[i], g[i])
            # No division, so that a ratio of exactly 1.25 stays outside.
            one += 1.0 if larger < 1.25 * smaller else 0.0
            two += 1.0 if larger < 1.5625 * smaller else 0.0
            three += 1.0 if larger < 1.953125 * smaller else 0.0
        log = log_square = log_absolute = 0.0
        for i in range(m):
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
        totals[INVERSE_SQUARE] += inverse_square
        totals[WITHIN_1] += one
        totals[WITHIN_2] += two
        totals[WITHIN_3] += three
        totals[NOT_POSITIVE] += bad
    return totals, pivot


@njit(**FAST)
def _log_ratios(q, g, e, inverses):  # type: ignore[no-untyped-def]
    """Fill e with ln(q / g) and inverses with 1 / (q g); all (m,), q and g positive and normal.

    One division serves both, and no call is made. With q / g = 2^k f, f in [2/3, 3/2],
    ln(q / g) = k ln 2 + 2 artanh(s), s = (f - 1) / (f + 1) = (2^-k q - g) / (2^-k q + g), |s| <= 0.2,
    by its Taylor series to s^17 (a relative 2e-14 at worst). k is the difference of the two numbers' bits in
    units of 2^52, rounded: it differs from log2(q / g) by less than 0.59. q = g gives exactly 0.
    """
    of_q, of_g = q.view(np.int64), g.view(np.int64)
    for i in range(q.size):
        k = (of_q[i] - of_g[i] + _HALF) >> 52
        near = np.int64(of_q[i] - (k << 52)).view(np.float64)
        product = q[i] * g[i]
        total = near + g[i]
        share = 1.0 / (product * total)
        s = (near - g[i]) * (product * share)
        z = s * s
        series = 1 / 11 + z * (1 / 13 + z * (1 / 15 + z * (1 / 17)))
        series = z * (1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9 + z * series))))
        e[i] = np.float64(k) * _LN2 + 2.0 * (s + s * series)
        inverses[i] = total * share
