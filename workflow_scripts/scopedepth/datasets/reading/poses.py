"""Camera poses of a sequence, one line a frame: KITTI's 3x4 matrices, 4x4 matrices, TUM's quaternions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.text import read_text
from scopedepth.errors import ScopeDepthError

MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
# How far a rotation may be from one: files have six digits and fewer.
TOLERANCE = 1e-2


def read_poses(path: Path, frames: int, unit: str) -> NDArray[np.float64]:
    """Return the camera-to-world matrix of each frame, float64 (frames, 4, 4), translations in mm.

    A line has 12 numbers (KITTI: the rows of a 3x4 matrix), 16 (of 4x4), or 8 (TUM: time, tx ty tz, qx qy qz qw);
    spaces or commas between them, and what follows a # is no line. `unit`: of the translations, mm, cm or m.
    """
    return poses_in(read_text(path, "poses").splitlines(), path, frames, unit)


def poses_in(
    lines: list[str], path: Path, frames: int, unit: str, *, by_columns: bool = False
) -> NDArray[np.float64]:
    """Return the poses that lines of a file hold, see `read_poses`; `by_columns`: 16 numbers, column by column."""
    words_of = [line.partition("#")[0].replace(",", " ").split() for line in lines]
    rows = [(number, words) for number, words in enumerate(words_of, 1) if words]
    if len(rows) != frames:
        raise ScopeDepthError(
            f"{path} holds {len(rows)} poses, the sequence {frames} frames; one line a frame is read."
        )
    poses = np.tile(np.eye(4), (frames, 1, 1))
    for place, (number, words) in enumerate(rows):
        try:
            values = np.array([float(word) for word in words])
        except ValueError as error:
            raise ScopeDepthError(f"{path}, line {number}: {error}.") from error
        wanted = (16,) if by_columns else (8, 12, 16)
        if len(values) not in wanted or not np.isfinite(values).all():
            said = "12 (3x4), 16 (4x4) or 8 finite ones (time, tx ty tz, qx qy qz qw) are read."
            raise ScopeDepthError(
                f"{path}, line {number} holds {len(values)} numbers; "
                + ("16 finite ones (4x4, column by column) are read." if by_columns else said)
            )
        if len(values) == 8:
            length = np.linalg.norm(values[4:])
            if abs(length - 1) > TOLERANCE:
                raise ScopeDepthError(
                    f"{path}, line {number}: a quaternion of length {length:g} is no rotation."
                )
            poses[place, :3, :3], poses[place, :3, 3] = rotation_of(*values[4:]), values[1:4]
        else:
            rows_of = values.reshape(-1, 4)
            poses[place, : len(rows_of)] = rows_of.T if by_columns else rows_of
        check_pose(poses[place], f"{path}, line {number}")
    poses[:, :3, 3] *= MILLIMETRES[unit]
    return poses


def check_pose(pose: NDArray[np.float64], where: str) -> None:
    """Raise a `ScopeDepthError` unless a matrix (4, 4) is a rotation with a translation."""
    rotation = pose[:3, :3]
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > TOLERANCE or np.linalg.det(rotation) < 0:
        raise ScopeDepthError(f"{where} is no pose: its first 3x3 numbers are no rotation.")
    if np.abs(pose[3] - (0, 0, 0, 1)).max() > TOLERANCE:
        raise ScopeDepthError(f"{where} is no pose: its last row is not 0 0 0 1.")


def rotation_of(x: float, y: float, z: float, w: float) -> NDArray[np.float64]:
    """Return the matrix (3, 3) of a quaternion that is not zero, w its real part."""
    x, y, z, w = np.array([x, y, z, w]) / np.linalg.norm([x, y, z, w])
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
