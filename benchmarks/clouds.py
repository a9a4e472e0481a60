"""Metrics of point clouds against Open3D's distances, on random and on rendered surfaces.

    pip install open3d        (in an environment of its own: it is no dependency of the project)
    python benchmarks/clouds.py

Open3D computes the distance from each point of a cloud to the nearest of another; accuracy, completeness, the ratio and
the F-score follow from these. The greatest difference is printed, and the run fails where one is above 1e-6.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import open3d  # type: ignore[import-not-found,unused-ignore]

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow_scripts"))

from scopedepth.metrics.clouds import NEAR, POINTS, compared, points

LIMIT = 1e-6


def cloud(places: np.ndarray) -> open3d.geometry.PointCloud:
    """Return Open3D's cloud of points (n, 3)."""
    return open3d.geometry.PointCloud(open3d.utility.Vector3dVector(places))


def by_open3d(predicted: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Return the metrics of two clouds from Open3D's distances."""
    there = np.asarray(cloud(predicted).compute_point_cloud_distance(cloud(reference)))
    back = np.asarray(cloud(reference).compute_point_cloud_distance(cloud(predicted)))
    precision, recall = float(np.mean(there < NEAR)), float(np.mean(back < NEAR))
    return {
        "cloud_accuracy": float(there.mean()),
        "cloud_completeness": float(back.mean()),
        "chamfer": float(there.mean() + back.mean()) / 2,
        "completeness_ratio": recall,
        "f_score": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
    }


def surfaces() -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return pairs of clouds: drawn ones, and a bent surface with errors of several kinds."""
    rng = np.random.Generator(np.random.PCG64(0))
    found = [("random", 40 * rng.random((POINTS, 3)), 40 * rng.random((POINTS // 2, 3)))]
    camera = np.array([[140.0, 0, 79.5], [0, 140.0, 79.5], [0, 0, 1]])
    y, x = (place.ravel() for place in np.mgrid[:100, :100])
    depth = 60 + 30 * np.sin(x / 25) * np.cos(y / 31)
    reference = points(camera, y, x, depth)
    for name, wrong in (
        ("scaled", depth * 1.1),
        ("noisy", depth * np.exp(0.05 * rng.standard_normal(depth.size))),
        ("constant", np.full(depth.size, 60.0)),
    ):
        found.append((name, points(camera, y, x, wrong), reference))
    return found


def main() -> None:
    """Compare and print."""
    worst = 0.0
    for name, predicted, reference in surfaces():
        began = time.perf_counter()
        ours = compared(predicted, reference)
        took = time.perf_counter() - began
        theirs = by_open3d(predicted, reference)
        difference = max(abs(float(ours[key] or 0.0) - value) for key, value in theirs.items())
        worst = max(worst, difference)
        numbers = ", ".join(f"{key} {value:.4f}" for key, value in theirs.items())
        print(f"{name:10} difference {difference:.1e}, ours in {1000 * took:.0f} ms; {numbers}")
    print(f"Open3D {open3d.__version__}, greatest difference {worst:.1e}")
    if worst > LIMIT:
        sys.exit(f"above {LIMIT}")


if __name__ == "__main__":
    main()
