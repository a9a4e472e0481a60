"""Minima and maxima made equal."""

from __future__ import annotations

from scopedepth.evaluation.alignment import Points, ratio
from scopedepth.evaluation.protocol import Terms
from scopedepth.vocabulary.alignments import Alignment

ALIGNMENT = Alignment(
    "were rescaled to the reference's minimum and maximum",
    parameters=2,
    drifts=False,
)


def fit(terms: Terms, points: Points) -> tuple[float, float]:
    """Return factor and offset."""
    (least_x, greatest_x), (least_y, greatest_y) = points.ends_x, points.ends_y
    scale = ratio(greatest_y - least_y, greatest_x - least_x)
    return scale, least_y - scale * least_x


def constant(points: Points) -> float:
    """Return the middle of the reference's range."""
    least, greatest = points.ends_y
    return (least + greatest) / 2
