"""Depth files as a dataset's entry describes them: numbers times a scale, inverse depth, or disparity."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.base import DepthEncoding
from scopedepth.datasets.reading.headers import stated_missing
from scopedepth.datasets.reading.images import read_bytes, read_raw_depth
from scopedepth.datasets.reading.missing import cleared, is_missing
from scopedepth.datasets.reading.pfm import pfm_scale
from scopedepth.errors import ScopeDepthError, UnreadableFrame

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

ReadDepth = Callable[[Path], NDArray[np.generic]]
# Files looked at for one that reads.
TRIED = 20


@dataclass(frozen=True)
class Meaning:
    """What stored numbers mean: depth is a number times `scale`, in `unit`, or `over` divided by that.

    Integers of 8 and 16 bits stay what they are, with `scale` kept beside them; everything else becomes float32
    in `unit`. `invalid` are stored numbers that mean no depth, `limits` the least and greatest depth taken, in `unit`.
    `dtype` is that of `first`, which all of a sequence have; None where none of those looked at reads.
    """

    dtype: np.dtype[Any] | None
    first: Path | None
    scale: float = 1.0
    unit: str = "mm"
    invalid: Collection[float] = ()
    limits: Collection[float] | None = None
    over: float | None = None

    @classmethod
    def of(
        cls,
        depth: specs.Depth,
        dtype: np.dtype[Any] | None,
        first: Path | None,
        camera: NDArray[np.float64] | None = None,
        missing: Collection[float] = (),
    ) -> Meaning:
        """Return what an entry's field `depth` says of numbers; `missing` are further ones that mean no depth."""
        scale = 1.0 if depth["scale"] is None else depth["scale"]
        invalid = [*depth["invalid"], *missing]
        return cls(dtype, first, scale, depth["unit"], invalid, depth["range"], numerator(depth, camera))

    @property
    def _stays(self) -> bool:
        return self.dtype in (np.uint8, np.uint16) and self.over is None

    @property
    def encoding(self) -> DepthEncoding:
        """How the depth is stored."""
        if self._stays:
            return DepthEncoding(np.dtype(self.dtype).name, self.scale, self.unit)
        return DepthEncoding("float32", 1.0, self.unit)

    def depth(self, stored: NDArray[Any], where: Path) -> NDArray[np.generic]:
        """Return stored numbers (h, w) in that encoding; `where` is named where they are of another kind."""
        alike = (
            stored.dtype == self.dtype if self._stays else _is_float(stored.dtype) == _is_float(self.dtype)
        )
        if self.dtype is not None and not alike:
            raise ScopeDepthError(
                f"{where} holds {stored.dtype}, {self.first} of the same sequence {self.dtype}: one of them was "
                "exported otherwise."
            )
        if self._stays:
            return cleared(stored, self.scale, self.invalid, self.limits)
        if self.over is not None:
            return self._quotient(stored)
        with np.errstate(over="ignore"):  # what is too large for float32 is no depth
            depth = stored.astype(np.float32) * np.float32(self.scale)
        missing = is_missing(stored, self.scale, self.invalid, self.limits)
        depth[~(np.isfinite(depth) & (depth > 0)) | missing] = np.nan
        return depth

    def _quotient(self, stored: NDArray[Any]) -> NDArray[np.generic]:
        assert self.over is not None
        numbers = stored.astype(np.float64) * self.scale
        missing = is_missing(stored, self.scale, self.invalid, None)
        numbers[~(np.isfinite(numbers) & (numbers > 0)) | missing] = np.nan
        with np.errstate(over="ignore"):
            depth = (self.over / numbers).astype(np.float32)
        depth[~np.isfinite(depth)] = np.nan
        if self.limits is not None:
            low, high = self.limits
            depth[~((depth >= low) & (depth <= high))] = np.nan
        return depth


def _is_float(dtype: np.dtype[Any] | None) -> bool:
    return dtype is not None and dtype.kind == "f"


def described(
    depth: specs.Depth, paths: list[Path], camera: NDArray[np.float64] | None = None
) -> tuple[DepthEncoding, ReadDepth, list[str]]:
    """Return the encoding of a sequence's depth files, a function that reads one, and notes on them.

    depth: the entry's field `depth`; camera: the sequence's, whose focal length counts where the entry states none.
    """
    notes, key = [], depth["key"]
    stated = [number for number in declared_missing(paths) if number not in (0, *depth["invalid"])]
    if stated:
        notes.append(f"the depth files declare {', '.join(f'{one:.7g}' for one in stated)} to be no depth")
    if (unit := _pfm_scale(paths)) is not None:
        notes.append(f"the depth files declare a scale of {unit:.7g}, which is not applied; depth.scale is")
    first = paths[0] if paths else None
    meaning = Meaning.of(depth, _first_dtype(paths, key), first, camera, stated)
    unscaled = depth["scale"] is None and depth["kind"] == "depth" and depth["unit"] == "mm"
    if unscaled and meaning.encoding.is_integer and paths:
        notes.append("depth.scale is not set: the stored numbers are taken for millimetres")
    return meaning.encoding, lambda path: meaning.depth(read_raw_depth(path, key), path), notes


def numerator(depth: specs.Depth, camera: NDArray[np.float64] | None) -> float | None:
    """Return what depth is when divided by a number times `scale`; None where the number is depth itself.

    Depth is focal length (px) times baseline over disparity (px), in the baseline's unit; and 1 over inverse depth.
    """
    if depth["kind"] != "disparity":
        return 1.0 if depth["kind"] == "inverse" else None
    focal = depth["focal"]
    if focal is None:
        if camera is None:
            raise ScopeDepthError(
                "depth.kind disparity needs the focal length in pixels: set depth.focal, or options.intrinsics."
            )
        focal = float(camera[0, 0])
    # A disparity without baseline is refused.
    return float(focal * depth["baseline"])  # type: ignore[operator]


def declared_missing(paths: list[Path]) -> list[float]:
    """Return the numbers that the first of some depth files that reads declares to be no depth."""
    content = _first_content(paths)
    return [] if content is None else stated_missing(content)


def _pfm_scale(paths: list[Path]) -> float | None:
    content = _first_content([path for path in paths if path.suffix.lower() == ".pfm"])
    return None if content is None else pfm_scale(content)


def _first_content(paths: list[Path]) -> bytes | None:
    for path in paths[:TRIED]:
        try:
            return read_bytes(path)
        except UnreadableFrame:
            continue
    return None


def _first_dtype(paths: list[Path], key: str | None) -> np.dtype[Any] | None:
    for path in paths[:TRIED]:
        try:
            return read_raw_depth(path, key).dtype
        except UnreadableFrame:
            continue
    return None
