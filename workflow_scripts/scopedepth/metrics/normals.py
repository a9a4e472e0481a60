"""Normals: the angle between the predicted surface's and the reference's, which a rough surface of right depth shows.

The normal at a pixel is (P(u+1, v) - P(u-1, v)) x (P(u, v+1) - P(u, v-1)), P the pixels' points in space.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scopedepth.metrics import AlignedFrame
from scopedepth.metrics.clouds import drawn, points
from scopedepth.vocabulary.metrics import Metric

METRICS = (
    Metric(
        "normals_angle", "Normals' angle", "deg", False,
        "mean angle between the normals of prediction and reference, each the cross product of the central differences "
        "of its points in space, at drawn valid pixels whose four neighbours are valid",
        "as surface normals are scored (Eigen and Fergus 2015: mean angle); normals from depth by central differences",
        needs="shape",
    ),
)  # fmt: skip


def normals(
    camera: NDArray[np.float64], depth: NDArray[np.floating], y: NDArray[np.intp], x: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the unit normals (n, 3) of a map of depths (h, w) at inner pixels; NaN where the surface has none."""

    def point(down: int, right: int) -> NDArray[np.float64]:
        return points(camera, y + down, x + right, depth[y + down, x + right])

    across = np.cross(point(0, 1) - point(0, -1), point(1, 0) - point(-1, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(across / np.linalg.norm(across, axis=1, keepdims=True))


def with_neighbours(
    valid: NDArray[np.bool_], y: NDArray[np.intp], x: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return those of some pixels whose four neighbours are valid."""
    height, width = valid.shape
    inner = (y > 0) & (y < height - 1) & (x > 0) & (x < width - 1)
    y, x = y[inner], x[inner]
    for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        there = valid[y + down, x + right]
        y, x = y[there], x[there]
    return y, x


def compute(frame: AlignedFrame) -> dict[str, float | None]:
    """Return the mean angle in degrees; None without a camera, or without a pixel among valid neighbours."""
    nothing: dict[str, float | None] = {"normals_angle": None}
    if frame.take.camera is None:
        return nothing
    y, x = with_neighbours(frame.valid, *drawn(frame))
    if not len(y):
        return nothing
    one, other = (normals(frame.take.camera, depth, y, x) for depth in (frame.predicted, frame.depth))
    # By sine and cosine: the cosine alone cannot tell small angles.
    sine = np.linalg.norm(np.cross(one, other), axis=1)
    return {"normals_angle": float(np.degrees(np.arctan2(sine, (one * other).sum(axis=1))).mean())}
