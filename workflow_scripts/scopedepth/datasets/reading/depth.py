"""Depth files as a dataset's entry describes them: numbers times a scale, inverse depth, or disparity."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.base import DepthEncoding
from scopedepth.datasets.reading.headers import stated_missing
from scopedepth.datasets.reading.images import read_bytes, read_raw_depth
from scopedepth.datasets.reading.missing import cleared, is_missing
from scopedepth.datasets.reading.pfm import pfm_scale
from scopedepth.errors import ScopeDepthError, UnreadableFrame

ReadDepth = Callable[[Path], NDArray[np.generic]]
# Files looked at for one that reads.
TRIED = 20


def described(
    depth: Mapping[str, Any], paths: list[Path], camera: NDArray[np.float64] | None = None
) -> tuple[DepthEncoding, ReadDepth, list[str]]:
    """Return the encoding of a sequence's depth files, a function that reads one, and notes on them.

    depth: the entry's field `depth`; camera: the sequence's, whose focal length counts where the entry states none.
    """
    invalid, notes = list(depth["invalid"]), []
    stated = [number for number in declared_missing(paths) if number not in (0, *invalid)]
    if stated:
        notes.append(f"the depth files declare {', '.join(f'{one:.7g}' for one in stated)} to be no depth")
    if (unit := _pfm_scale(paths)) is not None:
        notes.append(f"the depth files declare a scale of {unit:.7g}, which is not applied; depth.scale is")
    encoding, read = depth_reader(
        paths,
        1.0 if depth["scale"] is None else depth["scale"],
        depth["unit"],
        [*invalid, *stated],
        depth["range"],
        depth["key"],
        numerator(depth, camera),
    )
    unscaled = depth["scale"] is None and depth["kind"] == "depth" and depth["unit"] == "mm"
    if unscaled and encoding.is_integer and paths:
        notes.append("depth.scale is not set: the stored numbers are taken for millimetres")
    return encoding, read, notes


def numerator(depth: Mapping[str, Any], camera: NDArray[np.float64] | None) -> float | None:
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
    return float(focal * depth["baseline"])


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


def depth_reader(
    paths: list[Path],
    scale: float,
    unit: str,
    invalid: Collection[float] = (),
    limits: Collection[float] | None = None,
    key: str | None = None,
    over: float | None = None,
) -> tuple[DepthEncoding, ReadDepth]:
    """Return the encoding of depth files like the first of `paths`, and a function that reads one.

    Integers of 8 and 16 bits stay what they are, with `scale` kept beside them; everything else becomes float32
    in `unit`. `invalid` are stored numbers that mean no depth, `limits` the least and greatest depth taken, in `unit`;
    `key` names the array of a file that holds several. With `over`, depth is `over` divided by a number times `scale`.
    """
    dtype = _first_dtype(paths, key)
    if dtype in (np.uint8, np.uint16) and over is None:
        encoding = DepthEncoding(np.dtype(dtype).name, scale, unit)

        def read_integer(path: Path) -> NDArray[np.generic]:
            stored = read_raw_depth(path, key)
            if stored.dtype != dtype:
                raise _of_another_kind(path, stored, paths[0], dtype)
            return cleared(stored, scale, invalid, limits)

        return encoding, read_integer

    def read_numbers(path: Path) -> NDArray[Any]:
        stored = read_raw_depth(path, key)
        if dtype is not None and (stored.dtype.kind == "f") != (dtype.kind == "f"):
            raise _of_another_kind(path, stored, paths[0], dtype)
        return stored

    def read_float(path: Path) -> NDArray[np.generic]:
        stored = read_numbers(path)
        with np.errstate(over="ignore"):  # what is too large for float32 is no depth
            depth = stored.astype(np.float32) * np.float32(scale)
        depth[~(np.isfinite(depth) & (depth > 0)) | is_missing(stored, scale, invalid, limits)] = np.nan
        return depth

    def read_quotient(path: Path) -> NDArray[np.generic]:
        assert over is not None
        stored = read_numbers(path)
        numbers = stored.astype(np.float64) * scale
        numbers[~(np.isfinite(numbers) & (numbers > 0)) | is_missing(stored, scale, invalid, None)] = np.nan
        with np.errstate(over="ignore"):
            depth = (over / numbers).astype(np.float32)
        depth[~np.isfinite(depth)] = np.nan
        if limits is not None:
            low, high = limits
            depth[~((depth >= low) & (depth <= high))] = np.nan
        return depth

    return DepthEncoding("float32", 1.0, unit), read_float if over is None else read_quotient


def _of_another_kind(path: Path, stored: NDArray[Any], first: Path, dtype: np.dtype[Any]) -> ScopeDepthError:
    return ScopeDepthError(
        f"{path} holds {stored.dtype}, {first} of the same sequence {dtype}: one of them was exported otherwise."
    )


def _first_dtype(paths: list[Path], key: str | None) -> np.dtype[Any] | None:
    for path in paths[:TRIED]:
        try:
            return read_raw_depth(path, key).dtype
        except UnreadableFrame:
            continue
    return None
