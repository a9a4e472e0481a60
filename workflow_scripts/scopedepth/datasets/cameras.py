"""Reading camera files: intrinsics and distortion as text, in the forms that datasets publish."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.text import read_text
from scopedepth.errors import ScopeDepthError

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def read_numbers(path: Path) -> list[float]:
    """Return all numbers in a text file, in order; # starts a comment."""
    text = read_text(path, "camera file")
    return [float(word) for line in text.splitlines() for word in NUMBER.findall(line.split("#")[0])]


def read_intrinsics(path: Path) -> NDArray[np.float64]:
    """Read a 3x3 camera matrix in pixels: 9 numbers row by row, 12 (a fourth column of zeros), or fx fy cx cy."""
    numbers = read_numbers(path)
    if len(numbers) == 12:
        matrix = np.array(numbers).reshape(3, 4)[:, :3]
    elif len(numbers) == 16:
        matrix = np.array(numbers).reshape(4, 4)[:3, :3]
    elif len(numbers) == 9:
        matrix = np.array(numbers).reshape(3, 3)
    elif len(numbers) == 4:
        fx, fy, cx, cy = numbers
        matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    else:
        raise ScopeDepthError(
            f"The camera file {path} holds {len(numbers)} numbers; a 3x3 matrix (9), a 3x4 one (12) or fx fy cx cy "
            "is read."
        )
    if not np.isfinite(matrix).all():
        raise ScopeDepthError(f"The camera file {path} holds numbers too large to be a camera's.")
    if not (matrix[0, 0] > 0 and matrix[1, 1] > 0 and abs(matrix[2, 2] - 1) < 1e-6):
        raise ScopeDepthError(
            f"The camera file {path} is no camera matrix: its focal lengths must be above 0 and its corner 1."
        )
    return matrix


def intrinsics_from(values: list[float] | list[list[float]] | None) -> NDArray[np.float64] | None:
    """Return a camera matrix from a spec: fx fy cx cy, or three rows of three; None stays None."""
    if values is None:
        return None
    flat = np.asarray(values, np.float64)
    if flat.shape == (4,):
        fx, fy, cx, cy = flat
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    if flat.shape == (3, 3):
        return flat
    raise ScopeDepthError(f"intrinsics are [fx, fy, cx, cy] or three rows of three numbers, not {values}.")
