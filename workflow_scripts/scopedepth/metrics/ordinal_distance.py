"""Ordinal accuracy by distance: who of two is nearer, of pixels close together and of pixels far apart.

A model may order the whole view rightly and miss the fold in front of the wall behind it, or the other way round.
Distances are shares of the frame's shorter side, so that they are the same at another resolution.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scopedepth.job.draws import generator
from scopedepth.metrics import AlignedFrame
from scopedepth.metrics.clouds import drawn
from scopedepth.vocabulary.metrics import Metric

# Depths that differ by less are no order: DA-2K's annotators pick pairs that they can tell.
RATIO = 1.05
PAIRS = 10_000
BANDS = {"short": (1 / 64, 1 / 16), "medium": (1 / 16, 1 / 4), "long": (1 / 4, 1.0)}
_DA2K = "after DA-2K (Depth Anything V2), by distance"
METRICS = (
    Metric(
        "ordinal_short", "Ordinal accuracy, short distance", "1", True,
        "share of drawn pixel pairs 1/64 to 1/16 of the frame's shorter side apart, of a depth ratio of 1.05 or more, "
        "whose nearer pixel is told rightly; a tie in the prediction counts one half",
        _DA2K, needs="order", chance=0.5,
    ),
    Metric(
        "ordinal_medium", "Ordinal accuracy, medium distance", "1", True,
        "share of drawn pixel pairs 1/16 to 1/4 of the frame's shorter side apart, of a depth ratio of 1.05 or more, "
        "whose nearer pixel is told rightly; a tie in the prediction counts one half",
        _DA2K, needs="order", chance=0.5,
    ),
    Metric(
        "ordinal_long", "Ordinal accuracy, long distance", "1", True,
        "share of drawn pixel pairs 1/4 to 1 of the frame's shorter side apart, of a depth ratio of 1.05 or more, "
        "whose nearer pixel is told rightly; a tie in the prediction counts one half",
        _DA2K, needs="order", chance=0.5,
    ),
)  # fmt: skip


def compute(frame: AlignedFrame) -> dict[str, float | None]:
    """Return the accuracy at each distance; None where no pair of valid pixels is clearly one before the other."""
    y, x = drawn(frame, PAIRS)
    side = min(frame.valid.shape)
    found: dict[str, float | None] = {}
    for name, (low, high) in BANDS.items():
        draws = generator(f"ordinal {name}", frame.take.name, frame.take.first + frame.number)
        reach = side * draws.uniform(low, high, len(y))
        turn = draws.uniform(0, 2 * np.pi, len(y))
        down, right = (np.rint(reach * one(turn)).astype(np.intp) for one in (np.sin, np.cos))
        found[f"ordinal_{name}"] = _accuracy(frame, y, x, y + down, x + right)
    return found


def _accuracy(
    frame: AlignedFrame,
    y1: NDArray[np.intp],
    x1: NDArray[np.intp],
    y2: NDArray[np.intp],
    x2: NDArray[np.intp],
) -> float | None:
    height, width = frame.valid.shape
    there = (y2 >= 0) & (y2 < height) & (x2 >= 0) & (x2 < width) & ((y1 != y2) | (x1 != x2))
    y1, x1, y2, x2 = y1[there], x1[there], y2[there], x2[there]
    g1, g2 = (frame.depth[y, x].astype(np.float64) for y, x in ((y1, x1), (y2, x2)))
    with np.errstate(invalid="ignore"):
        apart = frame.valid[y2, x2] & (np.maximum(g1, g2) >= RATIO * np.minimum(g1, g2))
    if not apart.any():
        return None
    one, other = frame.output[y1, x1][apart].astype(np.float64), frame.output[y2, x2][apart]
    told = np.sign(other - one) * (-1 if frame.turned else 1)
    return float(np.mean(0.5 + 0.5 * told * np.sign(g2[apart] - g1[apart])))
