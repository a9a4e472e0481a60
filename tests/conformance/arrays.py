"""The arrays on which published protocols are set against their sources' own code, made from a name and a seed.

Only additions, multiplications and divisions of IEEE numbers make them, so that they are the same bits on every
machine; `digest` says whether they are.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]

SIZE = (37, 53)

# Frames of others, which are not part of the repository.
SAMPLES = Path(__file__).parents[3] / "shared" / "samples"


@dataclass(frozen=True)
class Frames:
    """depth: float32 (n, h, w), mm, NaN where missing. output: float32 (n, v, u), in the output's own numbers."""

    depth: Array
    output: Array

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.depth.tobytes() + self.output.tobytes()).hexdigest()[:16]


@dataclass(frozen=True)
class Case:
    """One set of arrays for one protocol.

    dataset, sequence: whose layout it has, which choose range and crop. kind, unit: what the output claims.
    recipe: a name in RECIPES. ends: depths, mm, at which the recipe `ends` puts pixels. span: least and greatest
    depth of the rest. grid: of the output; None: the depth's.
    """

    recipe: str
    kind: str = "scaled_disparity"
    unit: str | None = None
    dataset: str = "scared"
    sequence: str = "s"
    ends: tuple[float, ...] = ()
    span: tuple[float, float] = (4.0, 190.0)
    size: tuple[int, int] = SIZE
    grid: tuple[int, int] | None = None
    frames: int = 1
    holes: float = 0.15
    """Share of the pixels without a depth."""
    step: float = 0.0
    """Depths are multiples of this, mm, as a file of whole numbers holds them; 0: they are not."""

    @property
    def name(self) -> str:
        parts = [self.dataset, self.recipe, self.kind]
        if self.grid:
            parts.append(f"{self.grid[1]}x{self.grid[0]}")
        if self.frames > 1:
            parts.append(f"{self.frames} frames")
        return ", ".join(parts)


def make(case: Case) -> Frames:
    """Return the arrays of `case`."""
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    depth = _sample(case) if case.recipe == "sample" else _depth(rng, case)
    output = _output(rng, case, depth)
    RECIPES[case.recipe](rng, case, depth, output)
    return Frames(_rounded(depth, case.step), output.astype(np.float32))


def _rounded(depth: Array, step: float) -> Array:
    """Return depth as a store gives it: float32, or whole numbers times a float64 step, then float32."""
    if not step:
        return depth.astype(np.float32)
    return (np.rint(depth / step) * step).astype(np.float32)


def _triangle(position: Array) -> Array:
    """A wave between 0 and 1 of period 2."""
    return np.abs(position - 2 * np.floor(position / 2) - 1)


def _scene(rng: np.random.Generator, size: tuple[int, int], frames: int) -> Array:
    """Smooth surfaces between 0 and 1, (n, h, w)."""
    y, x = np.arange(size[0])[:, None] / size[0], np.arange(size[1])[None, :] / size[1]
    a, b, c = rng.random(3)
    return np.stack(
        [
            0.6 * _triangle(2.1 * x + a + 0.13 * n) * _triangle(1.7 * y + b + 0.05 * n)
            + 0.4 * _triangle(3.3 * x + 2.9 * y + c)
            for n in range(frames)
        ]
    )


def _depth(rng: np.random.Generator, case: Case) -> Array:
    low, high = case.span
    scene = 0.9 * _scene(rng, case.size, case.frames) + 0.1 * rng.random((case.frames, *case.size))
    depth = low + (high - low) * scene * scene
    depth[rng.random(depth.shape) < case.holes] = np.nan
    return depth


def _sample(case: Case) -> Array:
    """Return the depth of the first frames of a sample of `case.dataset`, mm, NaN where missing."""
    if case.dataset == "simcol3d":
        paths = sorted((SAMPLES / "simcol3d").glob("Depth_*.png"))[: case.frames]
        return np.stack([np.asarray(Image.open(path), np.float64) * case.step for path in paths])
    paths = sorted((SAMPLES / "c3vd").glob("*_depth.tiff"))[: case.frames]
    stored = np.stack([np.asarray(Image.open(path), np.float64)[180:900, 200:1150] for path in paths])
    return np.where((stored == 0) | (stored == 65535), np.nan, stored * case.step)


def _output(rng: np.random.Generator, case: Case, depth: Array) -> Array:
    """An output that knows something of the scene: noisy, up to the factor that its kind leaves open."""
    low, high = case.span
    whole = np.where(np.isnan(depth), low + 0.3 * (high - low), depth)
    if case.grid:
        rows = np.arange(case.grid[0]) * case.size[0] // case.grid[0]
        columns = np.arange(case.grid[1]) * case.size[1] // case.grid[1]
        whole = whole[:, rows][:, :, columns]
    noise = 0.75 + 0.5 * rng.random(whole.shape)
    if case.kind == "scaled_disparity":
        return 7.0 * noise / whole
    if case.kind == "disparity":
        return 300.0 * noise / whole + 5.0
    if case.unit == "mm":
        return whole * noise
    return 0.02 * whole * noise


Change = Callable[[np.random.Generator, Case, Array, Array], None]


def _some(rng: np.random.Generator, values: Array, share: float) -> NDArray[np.bool_]:
    return rng.random(values.shape) < share


def _nothing(rng: np.random.Generator, case: Case, depth: Array, output: Array) -> None:
    pass


def _even(rng: np.random.Generator, case: Case, depth: Array, output: Array) -> None:
    """An even number of depths."""
    for frame in depth:
        if np.count_nonzero(np.isfinite(frame)) % 2:
            frame.flat[np.flatnonzero(np.isfinite(frame))[0]] = np.nan


def _odd(rng: np.random.Generator, case: Case, depth: Array, output: Array) -> None:
    _even(rng, case, depth, output)
    for frame in depth:
        frame.flat[np.flatnonzero(np.isfinite(frame))[0]] = np.nan


def _ends(rng: np.random.Generator, case: Case, depth: Array, output: Array) -> None:
    """Depths at, just below and just above the ends of the range."""
    for end in case.ends:
        at = np.float32(end)
        for value in (at, np.nextafter(at, np.float32(0)), np.nextafter(at, np.float32(1e9))):
            depth[_some(rng, depth, 0.03)] = float(value)


def _zeros(rng: np.random.Generator, case: Case, depth: Array, output: Array) -> None:
    output[_some(rng, output, 0.06)] = 0.0


def _negatives(rng: np.random.Generator, case: Case, depth: Array, output: Array) -> None:
    """Outputs below zero, near it and far from it, and zeros."""
    _zeros(rng, case, depth, output)
    for factor in (-0.001, -0.2, -3.0):
        output[_some(rng, output, 0.03)] *= factor
    output += 0.0  # no zero with a sign


def _mostly_negative(rng: np.random.Generator, case: Case, depth: Array, output: Array) -> None:
    output[_some(rng, output, 0.6)] *= -1.0
    output += 0.0  # no zero with a sign


def _constant(rng: np.random.Generator, case: Case, depth: Array, output: Array) -> None:
    output[:] = 0.75


def _outlier(rng: np.random.Generator, case: Case, depth: Array, output: Array) -> None:
    output[:, 5, 7] *= 4096.0
    output[:, 9, 2] /= 4096.0


def _mostly_missing(rng: np.random.Generator, case: Case, depth: Array, output: Array) -> None:
    depth[_some(rng, depth, 0.95)] = np.nan


def _near(rng: np.random.Generator, case: Case, depth: Array, output: Array) -> None:
    """Depths of less than a millimetre."""
    depth[_some(rng, depth, 0.1)] *= 1 / 1024


def _pixels(number: int) -> Change:
    def keep(rng: np.random.Generator, case: Case, depth: Array, output: Array) -> None:
        for frame in depth:
            inside = np.flatnonzero(frame < 100)
            kept = rng.permutation(inside)[:number]
            values = frame.flat[kept]
            frame[:] = np.nan
            frame.flat[kept] = values

    return keep


RECIPES: dict[str, Change] = {
    "ordinary": _nothing,
    "even": _even,
    "odd": _odd,
    "ends": _ends,
    "zeros": _zeros,
    "negatives": _negatives,
    "mostly negative": _mostly_negative,
    "constant": _constant,
    "outlier": _outlier,
    "mostly missing": _mostly_missing,
    "near": _near,
    "half precision": _nothing,
    "missing": _nothing,
    "sample": _nothing,
    "one pixel": _pixels(1),
    "three pixels": _pixels(3),
    "nine pixels": _pixels(9),
    "no pixel": _pixels(0),
}
