"""Metrics of order, which need no alignment: rank correlation, and who of two is nearer."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation.kernels import STRICT
from scopedepth.job.compiled import njit


def spearman(x: NDArray[np.floating], y: NDArray[np.floating]) -> float | None:
    """Return Spearman's rank correlation of `x` and `y` (n,), None where either is constant.

    Ties share their mean rank; the coefficient is Pearson's on the ranks (the definition that holds with ties).
    """
    a, b = tied_ranks(x), tied_ranks(y)
    middle = (x.size + 1) / 2.0
    a -= middle
    b -= middle
    spread = math.sqrt(float(a @ a) * float(b @ b))
    return min(max(float(a @ b) / spread, -1.0), 1.0) if spread > 0 else None


def tied_ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the ranks of finite `values` (n,), from 1, equal values given the mean of theirs."""
    ranks = np.empty(values.size)
    _spread_ranks(values, np.argsort(values), ranks)
    return ranks


@njit(**STRICT)
def _spread_ranks(values, order, ranks):  # type: ignore[no-untyped-def]
    first = 0
    while first < order.size:
        last = first
        while last + 1 < order.size and values[order[last + 1]] == values[order[first]]:
            last += 1
        rank = 0.5 * (first + last) + 1.0
        for i in range(first, last + 1):
            ranks[order[i]] = rank
        first = last + 1


def ordinal_accuracy(
    output: NDArray[np.floating],
    depth: NDArray[np.floating],
    valid: NDArray[np.bool_],
    *,
    turned: bool,
    pairs: int,
    min_ratio: float,
    seed: int,
    frame: int,
) -> float | None:
    """Return the share of drawn pixel pairs whose nearer pixel the output tells, None where no pair counts.

    output, depth, valid: (h, w). turned: the output grows where depth falls. Pairs count where both pixels are
    valid and their depths differ by `min_ratio` or more. A tie in the output counts one half, so that a
    constant map gets 0.5 as guessing does.
    """
    one, other = drawn_pairs(depth.size, pairs, seed, frame)
    mask, g, p = valid.ravel(), depth.ravel(), output.ravel()
    both = mask[one] & mask[other]
    one, other = one[both], other[both]
    g1, g2 = g[one].astype(np.float64), g[other].astype(np.float64)
    apart = np.maximum(g1, g2) >= min_ratio * np.minimum(g1, g2)
    apart &= g1 != g2
    if not apart.any():
        return None
    told = np.sign(p[other[apart]].astype(np.float64) - p[one[apart]])
    true = np.sign(g2[apart] - g1[apart])
    return float(np.mean(0.5 + 0.5 * (-told if turned else told) * true))


def drawn_pairs(size: int, pairs: int, seed: int, frame: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return `pairs` pairs of positions below `size`, the same on every machine and for every model.

    A counter run through the mixing function of SplitMix64 (Steele, Lea and Flood 2014): no state, and no
    dependence on a library's generator.
    """
    counter = np.arange(2 * pairs, dtype=np.uint64)
    # Frames are 2^24 counts apart: pairs are fewer.
    counter += np.uint64(((seed << 48) + (frame << 24)) & 0xFFFFFFFFFFFFFFFF)
    z = (counter + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    # The upper 32 bits, stretched to [0, size): as even as 2^32 allows.
    positions = ((z >> np.uint64(32)) * np.uint64(size) >> np.uint64(32)).astype(np.int64)
    return positions[:pairs], positions[pairs:]
