"""Reading camera files: intrinsics and distortion as text, in the forms that datasets publish."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.text import read_text
from scopedepth.errors import ScopeDepthError

# A number, not the digit of a name such as k1.
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])")
# A line such as `fx: 156.04` or `k1 = -0.25`.
NAMED = re.compile(rf"\s*([A-Za-z]\w*)\s*[:=]\s*({NUMBER.pattern})\s*[,;]?\s*")
# OpenCV's order of a lens's coefficients.
LENS = ("k1", "k2", "p1", "p2", "k3")


def read_numbers(path: Path) -> list[float]:
    """Return all numbers in a text file, in order; # starts a comment."""
    text = read_text(path, "camera file")
    return [float(word) for line in text.splitlines() for word in NUMBER.findall(line.split("#")[0])]


def read_intrinsics(path: Path) -> NDArray[np.float64]:
    """Read a 3x3 camera matrix in pixels, as `read_camera` does, and leave the lens alone."""
    return read_camera(path)[0]


def read_camera(path: Path) -> tuple[NDArray[np.float64], tuple[float, ...] | None]:
    """Read a 3x3 camera matrix in pixels, and the lens's coefficients k1 k2 p1 p2 (k3) where the file names them.

    Forms: lines `fx: ...`, `fy: ...`, `cx: ...`, `cy: ...`; 9 numbers row by row; 12 (a fourth column) or 16; or
    fx fy cx cy. Raises `ScopeDepthError` for anything else and for numbers that are no camera.
    """
    named = _named_numbers(path)
    lens = None
    if named:
        matrix, lens = _from_names(named, path)
    else:
        matrix = _from_numbers(read_numbers(path), path)
    if not np.isfinite(matrix).all():
        raise ScopeDepthError(f"The camera file {path} holds numbers too large to be a camera's.")
    if not (matrix[0, 0] > 0 and matrix[1, 1] > 0 and abs(matrix[2, 2] - 1) < 1e-6):
        raise ScopeDepthError(
            f"The camera file {path} is no camera matrix: its focal lengths must be above 0 and its corner 1."
        )
    if np.abs(matrix[[1, 2, 2], [0, 0, 1]]).max() > 1e-6:
        raise ScopeDepthError(
            f"The camera file {path} is no camera matrix: what stands below the diagonal must be 0. Is it written "
            "column by column? Transpose it."
        )
    return matrix, lens


def _named_numbers(path: Path) -> dict[str, float]:
    """Return the numbers of lines `name: number`; none where the file has another form."""
    lines = [line.split("#")[0] for line in read_text(path, "camera file").splitlines()]
    found = [match for line in lines if (match := NAMED.fullmatch(line))]
    named = {match[1].lower(): float(match[2]) for match in found}
    if len(named) < len(found):
        raise ScopeDepthError(f"The camera file {path} names a number twice; keep one of them.")
    return named


def _from_names(
    named: Mapping[str, float], path: Path
) -> tuple[NDArray[np.float64], tuple[float, ...] | None]:
    missing = [name for name in ("fx", "fy", "cx", "cy") if name not in named]
    if missing:
        raise ScopeDepthError(
            f"The camera file {path} names {', '.join(named)} and lacks {', '.join(missing)}; fx, fy, cx and cy are "
            "needed."
        )
    matrix = np.array(
        [[named["fx"], named.get("skew", 0.0), named["cx"]], [0, named["fy"], named["cy"]], [0, 0, 1]]
    )
    if not any(name in named for name in LENS):
        return matrix, None
    return matrix, tuple(named.get(name, 0.0) for name in (LENS if "k3" in named else LENS[:4]))


def _from_numbers(numbers: list[float], path: Path) -> NDArray[np.float64]:
    if len(numbers) == 12:
        return np.array(numbers).reshape(3, 4)[:, :3]
    if len(numbers) == 16:
        return np.array(numbers).reshape(4, 4)[:3, :3]
    if len(numbers) == 9:
        return np.array(numbers).reshape(3, 3)
    if len(numbers) == 4:
        fx, fy, cx, cy = numbers
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    raise ScopeDepthError(
        f"The camera file {path} holds {len(numbers)} numbers; a 3x3 matrix (9), a 3x4 one (12), fx fy cx cy or lines "
        "`fx: ...` are read."
    )


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
