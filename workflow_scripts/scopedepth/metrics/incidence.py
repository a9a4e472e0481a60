"""Error by the lamp's angle: an endoscope's lamp sits beside its camera, so a surface is lit as it is seen.

The angle is that between the reference surface's normal (metrics.normals) and the way to the camera: at 0 degrees the
wall faces the lamp, towards 90 it is grazed, dark, and stretched over few pixels.
"""

from __future__ import annotations

import numpy as np

from scopedepth.metrics import AlignedFrame
from scopedepth.metrics.clouds import drawn, points
from scopedepth.metrics.normals import normals, with_neighbours
from scopedepth.vocabulary.metrics import Metric

# Degrees at which the bands end.
BANDS = {"frontal": (0.0, 30.0), "oblique": (30.0, 60.0), "grazing": (60.0, 90.0)}
_LAMBERT = "AbsRel, by the angle of Lambert's cosine law with the lamp at the camera"
METRICS = (
    Metric(
        "abs_rel_frontal", "AbsRel, lit frontally", "1", False,
        "mean(|p - g| / g) of the drawn pixels whose reference surface makes an angle below 30 degrees with the way to "
        "the camera",
        _LAMBERT,
    ),
    Metric(
        "abs_rel_oblique", "AbsRel, lit obliquely", "1", False,
        "mean(|p - g| / g) of the drawn pixels whose reference surface makes an angle from 30 to below 60 degrees with "
        "the way to the camera",
        _LAMBERT,
    ),
    Metric(
        "abs_rel_grazing", "AbsRel, grazed", "1", False,
        "mean(|p - g| / g) of the drawn pixels whose reference surface makes an angle of 60 degrees or more with the "
        "way to the camera",
        _LAMBERT,
    ),
)  # fmt: skip


def compute(frame: AlignedFrame) -> dict[str, float | None]:
    """Return the AbsRel of each band of angles; None without a camera, or where a band has no drawn pixel."""
    found: dict[str, float | None] = {f"abs_rel_{name}": None for name in BANDS}
    camera = frame.take.camera
    if camera is None:
        return found
    y, x = with_neighbours(frame.valid, *drawn(frame))
    g = frame.depth[y, x].astype(np.float64)
    normal, way = normals(camera, frame.depth, y, x), points(camera, y, x, g)
    # By sine and cosine, whichever side the normal is on.
    sine = np.linalg.norm(np.cross(normal, way), axis=1)
    angle = np.degrees(np.arctan2(sine, np.abs((normal * way).sum(axis=1))))
    error = np.abs(frame.predicted[y, x] - g) / g
    for name, (low, high) in BANDS.items():
        inside = (angle >= low) & ((angle < high) | (high == 90.0))
        if inside.any():
            found[f"abs_rel_{name}"] = float(error[inside].mean())
    return found
