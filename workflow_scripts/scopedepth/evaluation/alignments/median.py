"""The ratio of the medians; in log depth the difference of the medians."""

from __future__ import annotations

from scopedepth.evaluation.alignment import Points, ratio
from scopedepth.evaluation.protocol import LOG_DEPTH, Terms
from scopedepth.vocabulary.alignments import Alignment

ALIGNMENT = Alignment("were scaled by the ratio of medians", parameters=1, gathers="middles")


def fit(terms: Terms, points: Points) -> tuple[float, float]:
    """Return the factor, or the offset of a logarithm."""
    x, y = points.middles
    return (1.0, y - x) if terms.space == LOG_DEPTH else (ratio(y, x), 0.0)
