"""Temporal consistency with known poses: what a frame's points are as depths of the next one, and the other way round.

Of two frames each one's valid pixels are taken into space, moved by the camera's way and rounded to the other's pixels;
there both depths are compared where that frame's pixel is valid. Where several points fall on one pixel, the one that
comes last, row by row, stands in `tae` and `tas`, as in their sources, and the nearest in `tae_z`. Exact depth does not
score zero: it pays for the rounding, and `tae` for points that are hidden in the other frame.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scopedepth.metrics import AlignedFrame, Kept
from scopedepth.metrics.clouds import points
from scopedepth.vocabulary.metrics import Metric

_TAE = "100 mean(|p - q| / p), q the depth of the points of the other frame there, mean of both directions"
METRICS = (
    Metric(
        "tae", "TAE", "%", False, _TAE,
        "Video Depth Anything (benchmark/eval/eval_tae.py); frames without common pixels have no number (there 0), "
        "and points behind the camera do not count",
        needs="shape", pair=True,
    ),
    Metric(
        "tae_z", "TAE, nearest point", "%", False, _TAE + "; of several points on one pixel the nearest",
        "after Video Depth Anything, with a z-buffer", needs="shape", pair=True,
    ),
    Metric(
        "tas", "TAS", "1", True, "share of pixels with max(p/q, q/p) < 1.25, p and q as for tae",
        "EndoDAV (utils/eval_utils.py), which rounds pixels' centres at halves; here they are whole numbers",
        needs="shape", in_mm=True, pair=True,
    ),
)  # fmt: skip


class Errors(NamedTuple):
    """The mean relative error of one direction, and the share of pixels within 1.25."""

    relative: float
    within: float


def compute(frame: AlignedFrame) -> dict[str, float | None]:
    """Return all of a frame and the one before it; None without that, a camera or poses."""
    before, camera, poses = frame.before, frame.take.camera, frame.take.poses
    if before is None or camera is None or poses is None:
        return dict.fromkeys((metric.name for metric in METRICS), None)
    now = frame.kept()
    forward = np.linalg.inv(poses[now.number]) @ poses[before.number]
    ways = ((before, now, forward), (now, before, np.linalg.inv(forward)))
    last = [errors(moved(one, camera, way, nearest=False), other) for one, other, way in ways]
    nearest = [errors(moved(one, camera, way, nearest=True), other) for one, other, way in ways]
    return {
        "tae": 100 * (last[0].relative + last[1].relative) / 2,
        "tae_z": 100 * (nearest[0].relative + nearest[1].relative) / 2,
        "tas": (last[0].within + last[1].within) / 2,
    }


def moved(
    frame: Kept, camera: NDArray[np.float64], way: NDArray[np.float64], *, nearest: bool
) -> NDArray[np.float64]:
    """Return the depths (h, w) at which another camera sees a frame's valid points, NaN where none falls.

    way: (4, 4), takes points of the frame's axes to the other's. nearest: of several the nearest stands, not the last.
    """
    y, x = np.nonzero(frame.valid & (frame.predicted > 0))
    there = points(camera, y, x, frame.predicted[y, x]) @ way[:3, :3].T + way[:3, 3]
    there = there[there[:, 2] > 0]
    column, row = np.rint((there @ camera.T)[:, :2].T / there[:, 2])
    height, width = frame.valid.shape
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    z = there[inside, 2]
    places = row[inside].astype(np.intp) * width + column[inside].astype(np.intp)
    if nearest:
        order = np.argsort(-z, kind="stable")
        z, places = z[order], places[order]
    seen = np.full(height * width, np.nan)
    # Of several the last one is kept.
    seen[places] = z
    return seen.reshape(height, width)


def errors(seen: NDArray[np.float64], frame: Kept) -> Errors:
    """Return the errors of a frame's depths against those `seen` from the other; NaN where they share no pixel."""
    both = frame.valid & (frame.predicted > 0) & np.isfinite(seen)
    if not both.any():
        return Errors(np.nan, np.nan)
    p, q = frame.predicted[both], seen[both]
    return Errors(float(np.mean(np.abs(p - q) / p)), float(np.mean(np.maximum(p / q, q / p) < 1.25)))
