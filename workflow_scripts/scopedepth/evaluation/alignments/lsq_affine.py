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


def fit(terms: Terms, points: Points) -> tuple[float, float]:
    """Return factor and offset."""
    of = points.moments
    scale = ratio(of.sxy, of.sxx)
    return scale, of.mean_y - scale * of.mean_x


def constant(points: Points) -> float:
    """Return the mean of the reference, the best that one value can be."""
    return points.moments.mean_y
