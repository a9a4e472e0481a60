"""Fitting outputs to reference depths: factor and offset in the alignment's space.

The fitted model is  y ~ scale * x + shift,  x the output and y the reference, both in the alignment's space:
depth (mm), disparity (1/mm) or the logarithm of depth. In log space a factor on depth is an offset, so the
methods that fit a factor alone leave scale at 1 and give shift.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation.kernels import BLOCK, FAST, depths_in_space, outputs_in_space
from scopedepth.evaluation.least_absolute import least_absolute_line, spread_subset
from scopedepth.evaluation.pixels import Pixels
from scopedepth.evaluation.protocol import DISPARITY, LOG_DEPTH, SHIFTING, Source, Terms
from scopedepth.evaluation.selection import middle
from scopedepth.job.compiled import njit
from scopedepth.vocabulary import status as codes

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

    points: int
    weight: float
    mean_x: float
    mean_y: float
    sxx: float
    sxy: float
    least_x: float
    greatest_x: float
    not_positive: int
    """Outputs of zero or less, which have no inverse and no logarithm."""


NO_MOMENTS = Moments(0, 0.0, 0.0, 0.0, 0.0, 0.0, math.inf, -math.inf, 0)


def fit_frame(terms: Terms, pixels: Pixels) -> Fit:
    """Return the fit over one frame's valid pixels."""
    pixels = pixels.above(terms.fit_above)
    n = pixels.x.size
    if n < terms.min_pixels:
        return no_fit(n, codes.TOO_FEW_PIXELS if n else codes.NO_VALID_PIXELS)
    if terms.method == "none":
        return Fit(1.0, 0.0, n, codes.OK)
    moments = frame_moments(terms, pixels)
    middles = spread = None
    if terms.method in ("median", "median_mad"):
        middles = medians(terms, pixels.middle_x(), pixels.middle_y())
        if pixels.not_positive and terms.source.flip and terms.source.negative:
            middles = _middle_in_space(terms, pixels), middles[1]
        if terms.method == "median_mad":
            spread = frame_deviations(terms, pixels, middles)
    limits = extremes(terms, pixels) if terms.method == "minmax" else None
    line = least_absolute(terms, pixels) if terms.method == "l1_affine" else None
    return solve(terms, n, moments, middles, spread, limits, line)


def solve(
    terms: Terms,
    n: int,
    moments: Moments,
    middles: tuple[float, float] | None = None,
    spread: tuple[float, float] | None = None,
    limits: tuple[float, float, float, float] | None = None,
    line: tuple[float, float] | None = None,
) -> Fit:
    """Return the fit from what was gathered over its scope.

    middles: medians of x and y. spread: sums of absolute deviations from them. limits: least and greatest
    x, least and greatest y. line: of least absolute deviations. Which are needed follows from the method.
    """
    keeps_sign = terms.source.flip and terms.source.negative and not terms.source.log
    if (
        (terms.source.flip or terms.source.log)
        and 2 * moments.not_positive >= moments.points
        and not keeps_sign
    ):
        return no_fit(n, codes.DEGENERATE_FIT)
    widest = max(abs(moments.least_x), abs(moments.greatest_x))
    if terms.method in SHIFTING and moments.greatest_x - moments.least_x <= CONSTANT * widest:
        best = middles[1] if middles else (limits[2] + limits[3]) / 2 if limits else moments.mean_y
        scored = terms.constant_claimed or terms.score_constant
        return Fit(0.0, best, n, codes.OK) if scored else no_fit(n, codes.CONSTANT_PREDICTION)
    if terms.method == "lsq_affine":
        scale = _ratio(moments.sxy, moments.sxx)
        shift = moments.mean_y - scale * moments.mean_x
    elif terms.method == "lsq_scale" and terms.space == LOG_DEPTH:
        scale, shift = 1.0, moments.mean_y - moments.mean_x
    elif terms.method == "lsq_scale":
        about_zero = moments.weight * moments.mean_x
        scale = _ratio(moments.sxy + about_zero * moments.mean_y, moments.sxx + about_zero * moments.mean_x)
        shift = 0.0
    elif terms.method == "median":
        assert middles is not None
        if terms.space == LOG_DEPTH:
            scale, shift = 1.0, middles[1] - middles[0]
        else:
            scale, shift = _ratio(middles[1], middles[0]), 0.0
    elif terms.method == "median_mad":
        assert middles is not None
        assert spread is not None
        scale = _ratio(spread[1], spread[0])
        shift = middles[1] - scale * middles[0]
    elif terms.method == "minmax":
        assert limits is not None
        scale = _ratio(limits[3] - limits[2], limits[1] - limits[0])
        shift = limits[2] - scale * limits[0]
    elif terms.method == "l1_affine":
        assert line is not None
        scale, shift = line
    else:
        raise ValueError(f"unknown alignment method {terms.method!r}")
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


def frame_moments(terms: Terms, pixels: Pixels) -> Moments:
    """Return the moments of one frame's pixels in the alignment's space, as far as the method needs them."""
    n = pixels.x.size
    if not n:
        return NO_MOMENTS
    counted = NO_MOMENTS._replace(points=n, weight=float(n), not_positive=pixels.not_positive)
    if terms.method == "median":
        return counted
    least, greatest, _, _ = extremes(terms, pixels)
    counted = counted._replace(least_x=least, greatest_x=greatest)
    if terms.method in ("median_mad", "minmax"):
        return counted
    source = pixels.source(terms.source)
    key = ("moments", source, terms.space, terms.weighted, terms.depth_epsilon)
    weight, mean_x, mean_y, sxx, sxy = pixels.once(key, lambda: _frame_moments(terms, source, pixels))
    return counted._replace(weight=weight, mean_x=mean_x, mean_y=mean_y, sxx=sxx, sxy=sxy)


def _frame_moments(terms: Terms, source: Source, pixels: Pixels) -> tuple[float, float, float, float, float]:
    x, y = pixels.x, pixels.y
    if terms.depth_epsilon:
        x, y = x.astype(np.float64), y.astype(np.float64) + terms.depth_epsilon
    found: tuple[float, float, float, float, float] = _moments(x, y, source, terms.space, terms.weighted)
    return found


def merge(a: Moments, b: Moments) -> Moments:
    """Return the moments of two sets of points taken together (Chan, Golub and LeVeque 1979)."""
    if not a.points or not b.points:
        return a if a.points else b
    weight = a.weight + b.weight
    dx, dy = b.mean_x - a.mean_x, b.mean_y - a.mean_y
    share = b.weight / weight
    cross = a.weight * share
    return Moments(
        a.points + b.points,
        weight,
        a.mean_x + dx * share,
        a.mean_y + dy * share,
        a.sxx + b.sxx + dx * dx * cross,
        a.sxy + b.sxy + dx * dy * cross,
        min(a.least_x, b.least_x),
        max(a.greatest_x, b.greatest_x),
        a.not_positive + b.not_positive,
    )


def medians(terms: Terms, x: tuple[float, float], y: tuple[float, float]) -> tuple[float, float]:
    """Return the medians of x and y in the alignment's space from the two middle raw values of each.

    Space changes keep or turn the order of values, so the middle values stay the middle ones.
    """
    return float(np.mean(_outputs(terms, x))), float(np.mean(_depths(terms, y)))


def _middle_in_space(terms: Terms, pixels: Pixels) -> float:
    """Return the median of outputs in the alignment's space where some of them change their place there."""

    def found() -> float:
        values = np.empty(pixels.x.size)
        outputs_in_space(pixels.x, terms.source, values)
        with np.errstate(invalid="ignore"):  # one middle value may be infinite, or each of another sign
            return float(np.mean(middle(values, np.empty(pixels.x.size))))

    return pixels.once(("middle", terms.source), found)


def extremes(terms: Terms, pixels: Pixels) -> tuple[float, float, float, float]:
    """Return least and greatest x, least and greatest y in the alignment's space."""
    xs, ys = _outputs(terms, pixels.ends_x()), _depths(terms, pixels.ends_y())
    return float(xs.min()), float(xs.max()), float(ys.min()), float(ys.max())


def frame_deviations(terms: Terms, pixels: Pixels, middles: tuple[float, float]) -> tuple[float, float]:
    """Return the sums of absolute deviations of x and y from given middles, in the alignment's space."""
    source = pixels.source(terms.source)
    key = ("deviations", source, terms.space, middles)
    return pixels.once(key, lambda: deviations(pixels.x, pixels.y, source, terms.space, *middles))


def least_absolute(terms: Terms, pixels: Pixels) -> tuple[float, float]:
    """Return factor and offset of least absolute deviations, over all pixels or the terms' subset of them."""

    def found() -> tuple[float, float]:
        x, y = pixels.x, pixels.y
        if terms.points:
            chosen = spread_subset(pixels.valid, terms.points)
            x, y = x[chosen], y[chosen]
        u, v = np.empty(x.size), np.empty(y.size)
        outputs_in_space(x, terms.source, u)
        depths_in_space(y, terms.space, v)
        weight = 1.0 / y.astype(np.float64) if terms.weighted else np.ones(y.size)
        return least_absolute_line(u, v, weight, terms.truncation)

    return pixels.once(
        ("line", terms.source, terms.space, terms.weighted, terms.points, terms.truncation), found
    )


def _outputs(terms: Terms, values: tuple[float, float]) -> NDArray[np.float64]:
    out = np.empty(2)
    outputs_in_space(np.array(values, np.float64), terms.source, out)
    return out


def _depths(terms: Terms, values: tuple[float, float]) -> NDArray[np.float64]:
    out = np.empty(2)
    depths_in_space(np.array(values, np.float64), terms.space, out)
    return out


@njit(**FAST)
def _moments(x, y, source, space, weighted):  # type: ignore[no-untyped-def]
    """Two passes: means first, then centred sums, so that a large mean costs no digits."""
    buffers = np.empty((3, BLOCK))
    weight = mean_x = mean_y = 0.0
    sxx = sxy = 0.0
    for centred in range(2):
        for start in range(0, x.size, BLOCK):
            m = min(BLOCK, x.size - start)
            u, v, w = buffers[0, :m], buffers[1, :m], buffers[2, :m]
            outputs_in_space(x[start : start + m], source, u)
            depths_in_space(y[start : start + m], space, v)
            if weighted:
                depths_in_space(y[start : start + m], DISPARITY, w)
            else:
                w[:] = 1.0
            if centred:
                xx = xy = 0.0
                for i in range(m):
                    d = u[i] - mean_x
                    xx += w[i] * d * d
                    xy += w[i] * d * (v[i] - mean_y)
                sxx += xx
                sxy += xy
            else:
                of_w = of_x = of_y = 0.0
                for i in range(m):
                    of_w += w[i]
                    of_x += w[i] * u[i]
                    of_y += w[i] * v[i]
                weight += of_w
                mean_x += of_x
                mean_y += of_y
        if not centred:
            mean_x /= weight
            mean_y /= weight
    return weight, mean_x, mean_y, sxx, sxy


@njit(**FAST)
def deviations(x, y, source, space, middle_x, middle_y):  # type: ignore[no-untyped-def]
    """Return the sums of absolute deviations of x and y from given middles, in the alignment's space."""
    buffers = np.empty((2, BLOCK))
    of_x = of_y = 0.0
    for start in range(0, x.size, BLOCK):
        m = min(BLOCK, x.size - start)
        u, v = buffers[0, :m], buffers[1, :m]
        outputs_in_space(x[start : start + m], source, u)
        depths_in_space(y[start : start + m], space, v)
        part_x = part_y = 0.0
        for i in range(m):
            part_x += abs(u[i] - middle_x)
            part_y += abs(v[i] - middle_y)
        of_x += part_x
        of_y += part_y
    return of_x, of_y
