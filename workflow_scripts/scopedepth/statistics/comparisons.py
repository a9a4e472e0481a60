"""Paired differences between models: p values, and their adjustment for how many there are."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtr

SIGNIFICANCE = 0.05
# The approximations behind a p value do not hold further out in the tail.
SMALLEST_P = 1e-6


def two_sided_p(difference: np.ndarray, error: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Return P(|T| >= |difference| / error), elementwise; NaN where there is no standard error.

    `error` is the bootstrap's standard error and `df` its degrees of freedom. Without any spread, p is 1 for
    a difference of 0 and as small as it gets otherwise.
    """
    known = ~np.isnan(error)
    spread = known & (error > 0)
    t = np.divide(np.abs(difference), error, out=np.where(difference == 0, 0.0, np.inf), where=spread)
    p = 2 * stdtr(np.where(known, df, 1.0), -t)
    return np.where(known, np.clip(p, SMALLEST_P, 1.0), np.nan)


def holm(p: np.ndarray) -> np.ndarray:
    """Return `p` adjusted so that the chance of any false rejection in the family stays below the level.

    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6,
    1979. NaN stays NaN and does not count.
    """
    adjusted = np.full(p.shape, np.nan)
    order = np.flatnonzero(~np.isnan(p))
    order = order[np.argsort(p[order], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p[order]))
    return adjusted


def pairs(count: int) -> np.ndarray:
    """Return the pairs (first, second), first < second, of `count` things, (pair, 2)."""
    return np.array([(a, b) for a in range(count) for b in range(a + 1, count)], np.int64).reshape(-1, 2)
