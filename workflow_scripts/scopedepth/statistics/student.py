"""Student's t distribution in NumPy, so that the summary needs no SciPy."""

from __future__ import annotations

from math import lgamma
from statistics import NormalDist

import numpy as np

_ITERATIONS = 300
_TINY = 1e-300
_NEWTON_STEPS = 8


def student_cdf(t: np.ndarray | float, df: np.ndarray | float) -> np.ndarray:
    """Return P(T <= t) for `df` > 0 degrees of freedom (any real number), elementwise.

    P(|T| > t) is the regularised incomplete beta function I_x(df / 2, 1 / 2) at x = df / (df + t^2)
    (Abramowitz and Stegun 26.7.1).
    """
    t, df = np.broadcast_arrays(np.asarray(t, np.float64), np.asarray(df, np.float64))
    finite = np.where(np.isinf(t), 0.0, t)
    total = df + finite**2
    outside = _incomplete_beta(df / 2, np.full(df.shape, 0.5), df / total, finite**2 / total)
    outside = np.where(np.isinf(t), 0.0, outside)
    return np.where(t > 0, 1 - outside / 2, outside / 2)


def student_quantile(p: float, df: np.ndarray | float) -> np.ndarray:
    """Return the `p` quantile, 0.5 < p < 1, for `df` >= 1 degrees of freedom, elementwise.

    Newton's method for ln(tail) as a function of ln(t), which is nearly straight in a heavy tail, from the
    normal distribution's quantile.
    """
    df, where = np.unique(np.asarray(df, np.float64), return_inverse=True)
    constant = np.exp(_log_gamma((df + 1) / 2) - _log_gamma(df / 2)) / np.sqrt(df * np.pi)
    t = np.full(df.shape, NormalDist().inv_cdf(p))
    for _ in range(_NEWTON_STEPS):
        tail = student_cdf(-t, df)
        density = constant * (1 + t**2 / df) ** (-(df + 1) / 2)
        t = t * np.exp(np.log(tail / (1 - p)) * tail / (density * t))
    return t[where]


def _incomplete_beta(a: np.ndarray, b: np.ndarray, x: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Return the regularised I_x(a, b), by its continued fraction on the side where that converges fast.

    rest: 1 - x, which the caller knows without the loss of digits that the subtraction costs near 1.
    """
    swap = x > (a + 1) / (a + b + 2)
    a, b = np.where(swap, b, a), np.where(swap, a, b)
    x, rest = np.where(swap, rest, x), np.where(swap, x, rest)
    log_beta = _log_gamma(a) + _log_gamma(b) - _log_gamma(a + b)
    with np.errstate(divide="ignore"):
        front = np.exp(a * np.log(x) + b * np.log(rest) - log_beta) / a
    value = np.clip(front * _beta_fraction(a, b, x), 0.0, 1.0)
    return np.where(swap, 1 - value, value)


def _beta_fraction(a: np.ndarray, b: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the continued fraction of Abramowitz and Stegun 26.5.8, evaluated by Lentz's method."""

    def guarded(value: np.ndarray) -> np.ndarray:
        return np.where(np.abs(value) < _TINY, _TINY, value)

    c = np.ones_like(x)
    d = 1 / guarded(1 - (a + b) * x / (a + 1))
    fraction = d.copy()
    going = np.ones(x.shape, bool)
    for m in range(1, _ITERATIONS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = np.ones_like(x)
        for coefficient in (even, odd):
            d = 1 / guarded(1 + coefficient * d)
            c = guarded(1 + coefficient / c)
            change = c * d
            fraction = np.where(going, fraction * change, fraction)
        # Each by itself, so that no result depends on what else is asked for.
        going &= np.abs(change - 1) >= 1e-14
        if not going.any():
            break
    return fraction


_log_gamma = np.vectorize(lgamma, otypes=[np.float64])
