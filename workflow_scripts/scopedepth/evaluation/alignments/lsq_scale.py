"""The least-squares factor; in log depth the mean difference."""

from __future__ import annotations

from scopedepth.evaluation.alignment import Points, ratio
from scopedepth.evaluation.protocol import LOG_DEPTH, Terms
from scopedepth.vocabulary.alignments import Alignment

ALIGNMENT = Alignment(
    "were fitted by a least-squares factor",
    parameters=1,
    gathers="sums",
    takes=("weight", "pool", "depth_epsilon"),
)


def fit(terms: Terms, points: Points) -> tuple[float, float]:
    """Return the factor, or the offset of a logarithm."""
    of = points.moments
    if terms.space == LOG_DEPTH:
        return 1.0, of.mean_y - of.mean_x
    about_zero = of.weight * of.mean_x
    return ratio(of.sxy + about_zero * of.mean_y, of.sxx + about_zero * of.mean_x), 0.0
