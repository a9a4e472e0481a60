"""The line of least absolute deviations, solved exactly, with weights and, if wanted, truncation.

Minimise  sum_i min(cut, w_i |a x_i + b - y_i|)  over a and b: the robust alignment of MoGe (Wang et al. 2024).
The objective is piecewise linear, and its only convex creases are the lines in the (a, b) plane on which a
residual is zero. So some optimum lies where two of them cross: the best line goes through two points.

Option `truncation`: weighted residuals above this count as much as this. `points`: fit on the nearest valid pixel of
each cell of a grid this wide and high.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation.alignment import Points
from scopedepth.evaluation.kernels import STRICT
from scopedepth.evaluation.protocol import Terms
from scopedepth.job.compiled import njit
from scopedepth.vocabulary.alignments import Alignment

if TYPE_CHECKING:
    from scopedepth.config.options import Cells, Positive

Array = NDArray[np.float64]

ALIGNMENT = Alignment(
    "were fitted by a factor and offset of weighted least absolute deviations",
    parameters=2,
    takes=("weight",),
)


@dataclass(frozen=True)
class Options:
    """Where residuals are cut, and how many cells of a grid give a point each; without, none and all pixels."""

    truncation: Positive | None = None
    points: Cells | None = None

    def check_alignment(self, fit_above: float | None) -> None:
        """Refuse a choice of pixels that the grid does not know."""
        if fit_above is not None and self.points is not None:
            raise ValueError("fit_above and points do not go together")


# A residual counts as zero below this share of the values' size.
ZERO = 1e-13


def fit(terms: Terms, points: Points) -> tuple[float, float]:
    """Return factor and offset."""
    options, pixels = terms.options, points.pixels

    def found() -> tuple[float, float]:
        chosen = slice(None) if options.points is None else spread_subset(pixels.valid, options.points)
        x, y = points.values(chosen)
        weight = 1.0 / pixels.y[chosen].astype(np.float64) if terms.weighted else np.ones(y.size)
        return least_absolute_line(x, y, weight, options.truncation or math.inf)

    return pixels.once(("line", terms.source, terms.space, terms.weighted, options), found)


def constant(points: Points) -> float:
    """Return the mean of the reference."""
    return points.moments.mean_y


def least_absolute_line(x: Array, y: Array, weight: Array, cut: float = math.inf) -> tuple[float, float]:
    """Return a, b. x, y, weight: float64 (n,), finite, weight > 0; (nan, nan) where all x are the same.

    Without a cut the problem is convex, and a descent from crossing to crossing takes some tens of sorts.
    With one it is not, and every point is tried as an anchor: n sorts of 3 n numbers, for small n.
    """
    if x.size < 2 or x.min() == x.max():
        return math.nan, math.nan
    return _descend(x, y, weight) if math.isinf(cut) else _try_all(x, y, weight, cut)


def objective(x: Array, y: Array, weight: Array, a: float, b: float, cut: float = math.inf) -> float:
    """Return what is minimised, at (a, b)."""
    return float(np.minimum(weight * np.abs(a * x + b - y), cut).sum())


def _descend(x: Array, y: Array, weight: Array) -> tuple[float, float]:
    """Go from crossing to crossing along the creases through the present one, while the objective falls.

    Round a crossing the objective is linear between neighbouring creases, so where none of the creases
    through it leads down, nothing does, and by convexity it is the optimum (after Bloomfield and Steiger 1980;
    all creases through a crossing are tried, so points on one line do no harm).
    """
    total = weight.sum()
    dx = x - (weight @ x) / total
    a = float((weight * dx) @ y / ((weight * dx) @ dx))
    b = float((weight @ (y - a * x)) / total)
    anchor = int(np.argmin(np.abs(a * x + b - y)))
    a = _best_slope(x, y, weight, anchor)
    b = float(y[anchor] - a * x[anchor])
    best = objective(x, y, weight, a, b)
    size = float(np.abs(y).max())
    while True:
        through = np.flatnonzero(np.abs(a * x + b - y) <= ZERO * (size + abs(a) * np.abs(x)))
        # Points that are equal have the same crease.
        _, first = np.unique(np.stack([x[through], y[through]]), axis=1, return_index=True)
        for anchor in through[first]:
            slope = _best_slope(x, y, weight, int(anchor))
            offset = float(y[anchor] - slope * x[anchor])
            value = objective(x, y, weight, slope, offset)
            if value < best * (1 - 1e-15):
                a, b, best = slope, offset, value
                break
        else:
            return a, b


def _best_slope(x: Array, y: Array, weight: Array, anchor: int) -> float:
    """Return the slope of the best line through a point: a weighted median of the slopes to all others."""
    dx, dy = x - x[anchor], y - y[anchor]
    apart = dx != 0
    slopes = dy[apart] / dx[apart]
    order = np.argsort(slopes)
    mass = np.cumsum((weight[apart] * np.abs(dx[apart]))[order])
    return float(slopes[order[np.searchsorted(mass, 0.5 * mass[-1])]])


def _try_all(x: Array, y: Array, weight: Array, cut: float) -> tuple[float, float]:
    """Return the best over all anchors of the best line through each."""
    best = (math.inf, math.nan, math.nan)
    for anchor in range(x.size):
        dx, dy = x - x[anchor], y - y[anchor]
        apart = dx != 0
        steep = weight[apart] * np.abs(dx[apart])
        zero = dy[apart] / dx[apart]
        reach = cut / steep
        # Where each term comes down from the cut, touches zero, and is back at the cut.
        places = np.concatenate([zero - reach, zero, zero + reach])
        turns = np.concatenate([-steep, 2 * steep, -steep])
        order = np.argsort(places)
        above_start = float(np.minimum(weight[~apart] * np.abs(dy[~apart]), cut).sum()) + cut * steep.size
        value, slope = _sweep(places[order], turns[order], above_start)
        if value < best[0]:
            best = value, slope, float(y[anchor] - slope * x[anchor])
    return best[1], best[2]


@njit(**STRICT)
def _sweep(places, turns, value):  # type: ignore[no-untyped-def]
    """Follow a piecewise linear function from its flat left end; return its least value and where it is."""
    best, where = np.inf, 0.0
    slope = 0.0
    for i in range(places.size):
        if i:
            value += slope * (places[i] - places[i - 1])
        slope += turns[i]
        if turns[i] > 0 and value < best:
            best, where = value, places[i]
    return best, where


@njit(**STRICT)
def spread_subset(valid, cells):  # type: ignore[no-untyped-def]
    """Return which of the gathered pixels (row by row) is nearest to the middle of each cell of a square grid.

    valid: bool (h, w). cells: how many cells wide and high. Cells without a valid pixel give none.
    """
    height, width = valid.shape
    nearest = np.full(cells * cells, np.inf)
    index = np.full(cells * cells, -1, np.int64)
    count = 0
    for r in range(height):
        row = (r + 0.5) * cells / height
        for c in range(width):
            if not valid[r, c]:
                continue
            column = (c + 0.5) * cells / width
            cell = int(row) * cells + int(column)
            dr = (row - int(row) - 0.5) * height / cells
            dc = (column - int(column) - 0.5) * width / cells
            distance = dr * dr + dc * dc
            if distance < nearest[cell]:
                nearest[cell] = distance
                index[cell] = count
            count += 1
    return index[index >= 0]
