"""Fitting outputs to reference depths: factor and offset in the alignment's space.

The fitted model is  y ~ scale * x + shift,  x the output and y the reference, both in the alignment's space:
depth (mm), disparity (1/mm) or the logarithm of depth. In log space a factor on depth is an offset, so that
alignments of one parameter leave scale at 1 and give shift. How one fits stands in its file in alignments/. Here is
what they share: what is gathered of pixels, and which points have no fit.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation.kernels import BLOCK, FAST, depths_in_space, outputs_in_space
from scopedepth.evaluation.pixels import Pixels
from scopedepth.evaluation.protocol import DISPARITY, Source, Terms
from scopedepth.evaluation.selection import middle
from scopedepth.job.compiled import njit
from scopedepth.vocabulary import status as codes
from scopedepth.vocabulary.alignments import Alignment

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


class Points:
    """What a fit may ask of one frame's pixels, in the alignment's space; each is found when it is asked for."""

    def __init__(self, terms: Terms, pixels: Pixels) -> None:
        self.terms, self.pixels = terms, pixels
        self.count, self.not_positive = pixels.x.size, pixels.not_positive

    @cached_property
    def moments(self) -> Moments:
        """The moments of x and y, weighted as the terms say."""
        return frame_moments(self.terms, self.pixels)

    @cached_property
    def ends_x(self) -> tuple[float, float]:
        """The least and the greatest x."""
        xs = _outputs(self.terms, self.pixels.ends_x())
        return float(xs.min()), float(xs.max())

    @cached_property
    def ends_y(self) -> tuple[float, float]:
        """The least and the greatest y."""
        ys = _depths(self.terms, self.pixels.ends_y())
        return float(ys.min()), float(ys.max())

    @cached_property
    def middles(self) -> tuple[float, float]:
        """The medians of x and y."""
        terms, pixels = self.terms, self.pixels
        x, y = medians(terms, pixels.middle_x(), pixels.middle_y())
        moved = pixels.not_positive and terms.source.flip and terms.source.negative
        return _middle_in_space(terms, pixels) if moved else x, y

    @cached_property
    def deviations(self) -> tuple[float, float]:
        """The sums of absolute deviations of x and y from their medians."""
        return frame_deviations(self.terms, self.pixels, self.middles)

    def values(self, chosen: Any = slice(None)) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return x and y of all pixels, or of those `chosen` by an index, float64 (n,)."""
        x, y = self.pixels.x[chosen], self.pixels.y[chosen]
        u, v = np.empty(x.size), np.empty(y.size)
        outputs_in_space(x, self.terms.source, u)
        depths_in_space(y, self.terms.space, v)
        return u, v


class Gathered(Points):
    """What was gathered over the frames of a scope, as far as the alignment's head says that it needs it."""

    def __init__(
        self,
        moments: Moments,
        middles: tuple[float, float] | None = None,
        deviations: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.moments, self.deviations = moments, deviations
        self.count, self.not_positive = moments.points, moments.not_positive
        self.ends_x = moments.least_x, moments.greatest_x
        if middles is not None:
            self.middles = middles


def fit_frame(terms: Terms, pixels: Pixels) -> Fit:
    """Return the fit over one frame's valid pixels."""
    pixels = pixels.above(terms.fit_above)
    return fit_points(terms, pixels.x.size, Points(terms, pixels))


def fit_points(terms: Terms, n: int, points: Points) -> Fit:
    """Return the fit to points of `n` pixels: the alignment's, unless they have none."""
    if n < terms.min_pixels:
        return no_fit(n, codes.TOO_FEW_PIXELS if n else codes.NO_VALID_PIXELS)
    own = terms.alignment
    head: Alignment = own.ALIGNMENT
    source = terms.source
    turned = source.log or (source.flip and not source.negative)
    if head.parameters and turned and 2 * points.not_positive >= points.count:
        return no_fit(n, codes.DEGENERATE_FIT)
    if head.needs_ends:
        least, greatest = points.ends_x
        widest = max(abs(least), abs(greatest))
        if not math.isfinite(widest):  # zero has no inverse
            return no_fit(n, codes.DEGENERATE_FIT)
        if head.parameters == 2 and greatest - least <= CONSTANT * widest:
            scored = terms.constant_claimed or terms.score_constant
            return (
                Fit(0.0, own.constant(points), n, codes.OK)
                if scored
                else no_fit(n, codes.CONSTANT_PREDICTION)
            )
    scale, shift = own.fit(terms, points)
    return judge(scale, shift, n)


def judge(scale: float, shift: float, n: int) -> Fit:
    """Return the fit with its status: a factor that is negative, or none at all, is told."""
    if not (math.isfinite(scale) and math.isfinite(shift)) or scale == 0.0:
        return no_fit(n, codes.DEGENERATE_FIT)
    return Fit(scale, shift, n, codes.OK if scale > 0 else codes.NEGATIVE_SCALE)


def no_fit(n: int, status: int) -> Fit:
    return Fit(math.nan, math.nan, n, status)


def ratio(numerator: float, denominator: float) -> float:
    """Return a quotient, NaN over zero."""
    return numerator / denominator if denominator else math.nan


def frame_moments(terms: Terms, pixels: Pixels, head: Alignment | None = None) -> Moments:
    """Return the moments of one frame's pixels in the alignment's space; of an alignment, as far as it needs them."""
    n = pixels.x.size
    if not n:
        return NO_MOMENTS
    counted = NO_MOMENTS._replace(points=n, weight=float(n), not_positive=pixels.not_positive)
    if head is not None and not head.needs_ends:
        return counted
    least, greatest = Points(terms, pixels).ends_x
    counted = counted._replace(least_x=least, greatest_x=greatest)
    if head is not None and head.gathers != "sums":
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
    return sum(_outputs(terms, x).tolist()) / 2, sum(_depths(terms, y).tolist()) / 2


def _middle_in_space(terms: Terms, pixels: Pixels) -> float:
    """Return the median of outputs in the alignment's space where some of them change their place there."""

    def found() -> float:
        values = np.empty(pixels.x.size)
        outputs_in_space(pixels.x, terms.source, values)
        with np.errstate(invalid="ignore"):  # one middle value may be infinite, or each of another sign
            return float(np.mean(middle(values, np.empty(pixels.x.size))))

    return pixels.once(("middle", terms.source), found)


def frame_deviations(terms: Terms, pixels: Pixels, middles: tuple[float, float]) -> tuple[float, float]:
    """Return the sums of absolute deviations of x and y from given middles, in the alignment's space."""
    source = pixels.source(terms.source)
    key = ("deviations", source, terms.space, middles)
    return pixels.once(key, lambda: deviations(pixels.x, pixels.y, source, terms.space, *middles))


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
