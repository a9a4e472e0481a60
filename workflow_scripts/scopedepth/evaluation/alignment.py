"""Fitting outputs to reference depths: factor and offset in the alignment's space.

The fitted model is  y ~ scale * x + shift,  x the output and y the reference, both in the alignment's space:
depth (mm), disparity (1/mm) or the logarithm of depth. In log space a factor on depth is an offset, so the
methods that fit a factor alone leave scale at 1 and give shift.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scopedepth.evaluation import status as codes
from scopedepth.evaluation.kernels import depth_to_space, middle, to_space
from scopedepth.evaluation.protocol import LOG_DEPTH, SHIFTING, Plan

# An output whose values differ by less than this share of their size is a constant: float32 keeps no more.
CONSTANT = 1e-6


class Fit(NamedTuple):
    """A fit of one frame (or what a frame takes from its scope's fit). NaN where there is none."""

    scale: float
    shift: float
    n_pixels: int
    status: int


class Moments(NamedTuple):
    """Weighted moments of points (x, y): enough for every least-squares fit, and they can be put together."""

    count: int
    weight: float
    mean_x: float
    mean_y: float
    sxx: float
    sxy: float
    least_x: float
    greatest_x: float
    not_positive: int
    """Outputs of zero or less that had to be inverted."""


NO_MOMENTS = Moments(0, 0.0, 0.0, 0.0, 0.0, 0.0, math.inf, -math.inf, 0)


def fit_frame(plan: Plan, x: NDArray[np.floating], y: NDArray[np.floating], scratch: NDArray[np.floating]) -> Fit:
    """Return the fit over one frame's valid pixels.

    x: outputs (n,), y: reference depths (n,), of one dtype (float32 or float64); scratch: (n,) or longer.
    """
    n = x.size
    if n < plan.min_pixels:
        return no_fit(n, codes.TOO_FEW_PIXELS if n else codes.NO_VALID_PIXELS)
    if plan.method == "none":
        return Fit(1.0, 0.0, n, codes.OK)
    moments = frame_moments(plan, x, y)
    middles = spread = None
    if plan.method in ("median", "median_mad"):
        middles = medians(plan, middle(x, scratch), middle(y, scratch))
        if plan.method == "median_mad":
            spread = deviations(x, y, plan.source, plan.space, *middles)
    limits = extremes(plan, x, y) if plan.method == "minmax" else None
    return solve(plan, n, moments, middles, spread, limits)


def solve(
    plan: Plan,
    n: int,
    moments: Moments,
    middles: tuple[float, float] | None = None,
    spread: tuple[float, float] | None = None,
    limits: tuple[float, float, float, float] | None = None,
) -> Fit:
    """Return the fit from what was gathered over its scope.

    middles: medians of x and y. spread: sums of absolute deviations from them. limits: least and greatest
    x, least and greatest y. Which of them are needed follows from the method.
    """
    if 2 * moments.not_positive >= moments.count:
        return no_fit(n, codes.DEGENERATE_FIT)
    widest = max(abs(moments.least_x), abs(moments.greatest_x))
    if plan.method in SHIFTING and moments.greatest_x - moments.least_x <= CONSTANT * widest:
        best = middles[1] if middles else (limits[2] + limits[3]) / 2 if limits else moments.mean_y
        return Fit(0.0, best, n, codes.OK) if plan.constant_claimed else no_fit(n, codes.CONSTANT_PREDICTION)
    if plan.method == "lsq_affine":
        scale = _ratio(moments.sxy, moments.sxx)
        shift = moments.mean_y - scale * moments.mean_x
    elif plan.method == "lsq_scale" and plan.space == LOG_DEPTH:
        scale, shift = 1.0, moments.mean_y - moments.mean_x
    elif plan.method == "lsq_scale":
        about_zero = moments.weight * moments.mean_x
        scale = _ratio(moments.sxy + about_zero * moments.mean_y, moments.sxx + about_zero * moments.mean_x)
        shift = 0.0
    elif plan.method == "median":
        assert middles is not None
        if plan.space == LOG_DEPTH:
            scale, shift = 1.0, middles[1] - middles[0]
        else:
            scale, shift = _ratio(middles[1], middles[0]), 0.0
    elif plan.method == "median_mad":
        assert middles is not None
        assert spread is not None
        scale = _ratio(spread[1], spread[0])
        shift = middles[1] - scale * middles[0]
    elif plan.method == "minmax":
        assert limits is not None
        scale = _ratio(limits[3] - limits[2], limits[1] - limits[0])
        shift = limits[2] - scale * limits[0]
    else:
        raise ValueError(f"unknown alignment method {plan.method!r}")
    return judge(scale, shift, n)


def judge(scale: float, shift: float, n: int) -> Fit:
    """Return the fit with its status: a factor that is negative, or none at all, is told."""
    if not (math.isfinite(scale) and math.isfinite(shift)) or scale == 0.0:
        return no_fit(n, codes.DEGENERATE_FIT)
    return Fit(scale, shift, n, codes.OK if scale > 0 else codes.NEGATIVE_SCALE)


def no_fit(n: int, status: int) -> Fit:
    return Fit(math.nan, math.nan, n, status)


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan


def frame_moments(plan: Plan, x: NDArray[np.floating], y: NDArray[np.floating]) -> Moments:
    """Return the moments of one frame's pixels, n >= 1, in the alignment's space."""
    return Moments(*_moments(x, y, plan.source, plan.space, plan.weighted))


def merge(a: Moments, b: Moments) -> Moments:
    """Return the moments of two sets of points taken together (Chan, Golub and LeVeque 1979)."""
    if not a.count or not b.count:
        return a if a.count else b
    weight = a.weight + b.weight
    dx, dy = b.mean_x - a.mean_x, b.mean_y - a.mean_y
    share = b.weight / weight
    cross = a.weight * share
    return Moments(
        a.count + b.count,
        weight,
        a.mean_x + dx * share,
        a.mean_y + dy * share,
        a.sxx + b.sxx + dx * dx * cross,
        a.sxy + b.sxy + dx * dy * cross,
        min(a.least_x, b.least_x),
        max(a.greatest_x, b.greatest_x),
        a.not_positive + b.not_positive,
    )


def medians(plan: Plan, x: tuple[float, float], y: tuple[float, float]) -> tuple[float, float]:
    """Return the medians of x and y in the alignment's space from the two middle raw values of each.

    Space changes keep or turn the order of values, so the middle values stay the middle ones.
    """
    return (
        0.5 * (_to_space(x[0], plan.source) + _to_space(x[1], plan.source)),
        0.5 * (_depth_to_space(y[0], plan.space) + _depth_to_space(y[1], plan.space)),
    )


def extremes(plan: Plan, x: NDArray[np.floating], y: NDArray[np.floating]) -> tuple[float, float, float, float]:
    """Return least and greatest x, least and greatest y in the alignment's space."""
    xs = sorted(_to_space(float(v), plan.source) for v in (x.min(), x.max()))
    ys = sorted(_depth_to_space(float(v), plan.space) for v in (y.min(), y.max()))
    return xs[0], xs[1], ys[0], ys[1]


@njit(nogil=True, cache=True)
def _to_space(value, source):  # type: ignore[no-untyped-def]
    return to_space(value, source)


@njit(nogil=True, cache=True)
def _depth_to_space(value, space):  # type: ignore[no-untyped-def]
    return depth_to_space(value, space)


@njit(nogil=True, cache=True, fastmath={"reassoc", "nsz", "contract"})
def _moments(x, y, source, space, weighted):  # type: ignore[no-untyped-def]
    """Two passes: means first, then centred sums, so that a large mean costs no digits."""
    n = x.size
    weight = mean_x = mean_y = 0.0
    least, greatest = np.inf, -np.inf
    not_positive = 0
    for i in range(n):
        v = to_space(x[i], source)
        u = depth_to_space(y[i], space)
        w = 1.0 / np.float64(y[i]) if weighted else 1.0
        weight += w
        mean_x += w * v
        mean_y += w * u
        least = min(least, v)
        greatest = max(greatest, v)
        not_positive += x[i] <= 0
    mean_x /= weight
    mean_y /= weight
    sxx = sxy = 0.0
    for i in range(n):
        v = to_space(x[i], source) - mean_x
        u = depth_to_space(y[i], space) - mean_y
        w = 1.0 / np.float64(y[i]) if weighted else 1.0
        sxx += w * v * v
        sxy += w * v * u
    if not (source.flip or source.log):
        not_positive = 0
    return n, weight, mean_x, mean_y, sxx, sxy, least, greatest, not_positive


@njit(nogil=True, cache=True, fastmath={"reassoc", "nsz", "contract"})
def deviations(x, y, source, space, middle_x, middle_y):  # type: ignore[no-untyped-def]
    """Return the sums of absolute deviations of x and y from given middles, in the alignment's space."""
    of_x = of_y = 0.0
    for i in range(x.size):
        of_x += abs(to_space(x[i], source) - middle_x)
        of_y += abs(depth_to_space(y[i], space) - middle_y)
    return of_x, of_y
