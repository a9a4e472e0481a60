"""Point clouds: how far the predicted surface lies from the reference's in space, both seen through the camera.

A pixel (u, v) of depth z is the point z K^-1 (u, v, 1). Of the valid pixels `POINTS` are drawn, or all where there are
fewer, the same for both clouds and for every model; a distance is that to the nearest drawn point of the other cloud.
So exact depth scores 0, and no distance is longer than that between the two points of one pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scopedepth.job.draws import generator
from scopedepth.job.lean import let_in
from scopedepth.metrics import AlignedFrame
from scopedepth.vocabulary.metrics import Metric

# Points of a frame that are drawn.
POINTS = 10_000
# mm; DTU's evaluation as MVSNet prints it (Yao et al. 2018, table 1) has 1 and 2 mm, of objects of some decimetres.
NEAR = 2.0

_DTU = "DTU, as MVSNet prints it (Yao et al. 2018)"
METRICS = (
    Metric(
        "cloud_accuracy", "Accuracy (cloud)", "mm", False,
        "mean distance from a predicted point to the nearest reference point", _DTU, needs="shape",
    ),
    Metric(
        "cloud_completeness", "Completeness (cloud)", "mm", False,
        "mean distance from a reference point to the nearest predicted point", _DTU, needs="shape",
    ),
    Metric(
        "chamfer", "Chamfer", "mm", False,
        "mean of accuracy and completeness (others print their sum, or that of squared distances)",
        _DTU + ": its overall", needs="shape",
    ),
    Metric(
        "completeness_ratio", "Completeness < 2 mm", "1", True,
        "share of reference points with a predicted point nearer than 2 mm",
        "iMAP and NICE-SLAM (there 5 cm, of rooms), with DTU's threshold", needs="shape", in_mm=True,
    ),
    Metric(
        "f_score", "F-score 2 mm", "1", True,
        "2 P R / (P + R), P and R the shares of predicted and of reference points with one of the other cloud nearer "
        "than 2 mm; 0 where both are 0",
        "Tanks and Temples (Knapitsch et al. 2017), with DTU's threshold", needs="shape", in_mm=True,
    ),
)  # fmt: skip


def points(
    camera: NDArray[np.float64], y: NDArray[np.intp], x: NDArray[np.intp], z: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the points (n, 3), mm, of pixels in rows `y` and columns `x` (n,) with depths `z` (n,)."""
    seen = np.stack([x, y, np.ones(len(x))], axis=-1) @ np.linalg.inv(camera).T
    return np.asarray(seen * np.asarray(z, np.float64)[:, None])


def drawn(frame: AlignedFrame, most: int = POINTS) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of `most` valid pixels, or all; drawn by sequence and frame, the same for every model."""
    places = np.flatnonzero(frame.valid)
    if len(places) > most:
        draws = generator("points", frame.take.name, frame.take.first + frame.number)
        places = draws.choice(places, most, replace=False)
    rows, columns = np.unravel_index(places, frame.valid.shape)
    return rows, columns


def compute(frame: AlignedFrame) -> dict[str, float | None]:
    """Return all of a frame whose camera is known."""
    if frame.take.camera is None:
        return dict.fromkeys((metric.name for metric in METRICS), None)
    y, x = drawn(frame)
    predicted = points(frame.take.camera, y, x, frame.predicted[y, x])
    reference = points(frame.take.camera, y, x, frame.depth[y, x])
    return compared(predicted, reference)


def compared(predicted: NDArray[np.float64], reference: NDArray[np.float64]) -> dict[str, float | None]:
    """Return the metrics of two clouds, (n, 3) and (m, 3), mm, of at least one finite point each."""
    let_in("scipy")
    from scipy.spatial import KDTree

    to_reference, _ = KDTree(reference).query(predicted)
    to_predicted, _ = KDTree(predicted).query(reference)
    precision, recall = float(np.mean(to_reference < NEAR)), float(np.mean(to_predicted < NEAR))
    accuracy, completeness = float(to_reference.mean()), float(to_predicted.mean())
    return {
        "cloud_accuracy": accuracy,
        "cloud_completeness": completeness,
        "chamfer": (accuracy + completeness) / 2,
        "completeness_ratio": recall,
        "f_score": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
    }
