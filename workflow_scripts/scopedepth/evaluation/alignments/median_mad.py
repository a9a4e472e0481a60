"""Medians, and mean absolute deviations from them, made equal."""

from __future__ import annotations

from scopedepth.evaluation.alignment import Points, ratio
from scopedepth.evaluation.protocol import Terms
from scopedepth.vocabulary.alignments import Alignment

ALIGNMENT = Alignment(
    "were fitted by matching median and mean absolute deviation",
    parameters=2,
    gathers="deviations",
)


def fit(terms: Terms, points: Points) -> tuple[float, float]:
    """Return factor and offset."""
    (x, y), (of_x, of_y) = points.middles, points.deviations
    scale = ratio(of_y, of_x)
    return scale, y - scale * x


def constant(points: Points) -> float:
    """Return the median of the reference."""
    return points.middles[1]
