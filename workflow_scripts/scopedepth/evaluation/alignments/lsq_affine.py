"""The least-squares factor and offset."""

from __future__ import annotations

from scopedepth.evaluation.alignment import Points, ratio
from scopedepth.evaluation.protocol import Terms
from scopedepth.vocabulary.alignments import Alignment

ALIGNMENT = Alignment(
    "were fitted by a least-squares factor and offset",
    parameters=2,
    gathers="sums",
    takes=("weight", "pool", "depth_epsilon", "constant"),
)


# A factor that moves no point by more than this share of the reference is rounding: the reference is constant, and
# whether the factor comes out positive, zero or negative would be the processor's choice.
ROUNDING = 1e-12


def fit(terms: Terms, points: Points) -> tuple[float, float]:
    """Return factor and offset; factor 0 where the reference is constant."""
    of = points.moments
    scale = ratio(of.sxy, of.sxx)
    least, greatest = points.ends_x
    if abs(scale) * (greatest - least) <= ROUNDING * abs(of.mean_y):
        return 0.0, of.mean_y
    return scale, of.mean_y - scale * of.mean_x


def constant(points: Points) -> float:
    """Return the mean of the reference, the best that one value can be."""
    return points.moments.mean_y
