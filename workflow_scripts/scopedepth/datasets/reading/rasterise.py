"""A z-buffer: the depth of triangles, or of points, that a pinhole camera sees in its frame (x right, y down, z ahead).

A triangle is met along the ray of a pixel's centre, so depth is right in perspective, what lies behind the camera needs
no clipping, and either side counts as surface. With P the matrix of its corners and d the ray with d_z = 1, the weights
w = P^-1 d are the barycentric ones over z; they sum to 1 / z (Olano and Greer, Triangle Scan Conversion Using 2D
Homogeneous Coordinates, Graphics Hardware 1997).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# Pixels, and rows of triangles, looked at at once: bounds what a thread holds to some 50 MB beside the surface.
AT_ONCE = 2**18
# Rays along the edge of two triangles meet one of them at least.
EDGE = 1e-9
# Nearer than this share of the largest coordinate is not looked for where a triangle passes the camera's plane.
NEAR = 1e-6


def rasterise(
    points: NDArray[np.float64],
    triangles: NDArray[np.int64],
    camera: NDArray[np.float64],
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """Return the least positive z in each pixel, float32 `size` = (h, w), in the points' unit; NaN where there is none.

    points: (n, 3) in the camera's frame; triangles: (m, 3), places in `points`; none make each point one pixel of its
    own. camera: 3x3 without skew, pixel centres at whole numbers.
    """
    depth = np.full(size, np.inf)
    if len(triangles):
        _fill(depth, points, triangles, camera)
    else:
        _splat(depth, points, camera)
    depth[np.isinf(depth)] = np.nan
    with np.errstate(over="ignore"):  # beyond float32 is no depth
        return depth.astype(np.float32)


def _splat(depth: NDArray[np.float64], points: NDArray[np.float64], camera: NDArray[np.float64]) -> None:
    height, width = depth.shape
    x, y, z = points[points[:, 2] > 0].T
    with np.errstate(over="ignore", invalid="ignore"):
        column, row = (
            np.rint(camera[0, 0] * x / z + camera[0, 2]),
            np.rint(camera[1, 1] * y / z + camera[1, 2]),
        )
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    np.minimum.at(depth, (row[inside].astype(np.int64), column[inside].astype(np.int64)), z[inside])


def _fill(
    depth: NDArray[np.float64],
    points: NDArray[np.float64],
    triangles: NDArray[np.int64],
    camera: NDArray[np.float64],
) -> None:
    height, width = depth.shape
    near = NEAR * float(np.abs(points).max(initial=0))
    for start in range(0, len(triangles), AT_ONCE):
        corners = points[triangles[start : start + AT_ONCE]]
        a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
        faces = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)
        volume = np.einsum("ni,ni->n", a, faces[:, 0])
        left, top, right, bottom = _boxes(corners, camera, near, (height, width))
        shown = np.flatnonzero((volume != 0) & (left <= right) & (top <= bottom))
        inverse = faces[shown] / volume[shown, None, None]
        left, top, right, bottom = left[shown], top[shown], right[shown], bottom[shown]
        for some in _chunks(bottom - top + 1):
            which, row = _spread(bottom[some] - top[some] + 1)
            which = which + some.start
            row = row + top[which]
            widths = right[which] - left[which] + 1
            for few in _chunks(widths):
                line, column = _spread(widths[few])
                line = line + few.start
                one = which[line]
                column, at = column + left[one], row[line]
                x, y = (column - camera[0, 2]) / camera[0, 0], (at - camera[1, 2]) / camera[1, 1]
                rays = np.stack([x, y, np.ones_like(x)], axis=1)
                weights = np.einsum("nij,nj->ni", inverse[one], rays)
                total = weights.sum(axis=1)
                met = (total > 0) & (weights.min(axis=1) >= -EDGE * total)
                np.minimum.at(depth, (at[met], column[met]), 1 / total[met])


def _boxes(
    corners: NDArray[np.float64], camera: NDArray[np.float64], near: float, size: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (left, top, right, bottom): the columns and rows where triangles (n, 3, 3) may be seen."""
    after = np.roll(corners, -1, axis=1)
    here, there = corners[..., 2], after[..., 2]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = (near - here) / (there - here)
        crossing = corners + share[..., None] * (after - corners)
        crossing[..., 2] = near
        ends = np.concatenate([corners, crossing], axis=1)
        counts = np.concatenate([here > near, (here > near) != (there > near)], axis=1)
        u = camera[0, 0] * ends[..., 0] / ends[..., 2] + camera[0, 2]
        v = camera[1, 1] * ends[..., 1] / ends[..., 2] + camera[1, 2]
    limits = []
    for place, most in ((u, size[1] - 1), (v, size[0] - 1)):
        first = np.floor(np.where(counts, place, np.inf).min(axis=1))
        last = np.ceil(np.where(counts, place, -np.inf).max(axis=1))
        limits += [np.clip(first, 0, most + 1).astype(np.int64), np.clip(last, -1, most).astype(np.int64)]
    return limits[0], limits[2], limits[1], limits[3]


def _chunks(counts: NDArray[np.int64]) -> Iterator[slice]:
    """Yield slices of `counts` that sum up to `AT_ONCE` at most, or hold one."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + AT_ONCE, "right")))
        yield slice(start, stop)
        start = stop


def _spread(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each of sum(counts) entries whose it is, and its number among those, from 0."""
    whose = np.repeat(np.arange(len(counts)), counts)
    return whose, np.arange(len(whose)) - np.repeat(np.cumsum(counts) - counts, counts)
