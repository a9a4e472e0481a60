"""Loader `folder`: your own images beside their depth.

Layout, with the folders' names free to choose (options `images` and `depths`):

    {sequence}/rgb/NNNN.png      {sequence}/depth/NNNN.png|.npy|.tiff|.exr      {sequence}/intrinsics.txt

Image and depth belong together by file name without suffix, or by the last number in it. One folder without sequences
(`rgb/` and `depth/` at the top) is the sequence named after the dataset. Images without depth are kept (they can
be predicted, not scored); depth without an image is left out; both are noted.

Depth in millimetres is number times `depth.scale`. 0, negative numbers, NaN and infinity mean no depth.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.base import (
    DepthEncoding,
    FileSequence,
    FrameFiles,
    Sequence,
    UnreadableFrame,
    file_safe,
    origin,
)
from scopedepth.datasets.cameras import intrinsics_from, read_intrinsics
from scopedepth.datasets.choose import natural_key
from scopedepth.datasets.images import DEPTH_SUFFIXES, IMAGE_SUFFIXES, read_raw_depth
from scopedepth.errors import ScopeDepthError

OPTIONS = ("images", "depths", "intrinsics", "distortion")
# What is read of data used in place: other files there make nothing stale.
READS = (".bmp", ".exr", ".jpeg", ".jpg", ".npy", ".png", ".tif", ".tiff", "intrinsics.txt")


def find(raw: Path, spec: Mapping[str, Any]) -> list[Sequence]:
    """Return the sequences below `raw`."""
    options = spec["options"]
    images, depths = options.get("images", "rgb"), options.get("depths", "depth")
    folders = sorted(
        folder for folder in raw.rglob(images) if folder.is_dir() and not _inside(folder, raw, depths)
    )
    if not folders:
        raise ScopeDepthError(
            f"No folder named {images} was found below {raw}. The loader `folder` reads SEQUENCE/{images}/ and "
            f"SEQUENCE/{depths}/; set options.images and options.depths if yours are named otherwise."
        )
    return [_sequence(folder, folder.parent / depths, raw, spec) for folder in folders]


def _inside(folder: Path, raw: Path, name: str) -> bool:
    return name in folder.relative_to(raw).parts


def _sequence(images: Path, depths: Path, raw: Path, spec: Mapping[str, Any]) -> Sequence:
    place = images.parent.relative_to(raw).as_posix()
    name = spec["name"] if place == "." else file_safe(place)
    files, notes = pair(images, depths)
    scale, unit = spec["depth"]["scale"], spec["depth"]["unit"]
    with_depth = [file.depth for file in files if file.depth is not None]
    encoding, read = depth_reader(with_depth, 1.0 if scale is None else scale, unit)
    if scale is None and unit == "mm" and encoding.is_integer:
        notes.append("depth.scale is not set: the stored numbers are taken for millimetres")
    camera = intrinsics_from(spec["options"].get("intrinsics"))
    for candidate in (images.parent / "intrinsics.txt", raw / "intrinsics.txt"):
        if camera is None and candidate.is_file():
            camera = read_intrinsics(candidate)
    distortion = spec["options"].get("distortion")
    return FileSequence.of(
        name,
        files,
        encoding,
        read_depth=read,
        intrinsics=camera,
        distortion=tuple(distortion) if distortion else None,
        depth_origin=origin(spec, "unknown"),
        notes=notes,
    )


def pair(images: Path, depths: Path) -> tuple[list[FrameFiles], list[str]]:
    """Return the frames of two folders, matched by name or else by number, in natural order, and notes."""
    pictures = _files(images, IMAGE_SUFFIXES)
    maps = _files(depths, DEPTH_SUFFIXES) if depths.is_dir() else {}
    if not pictures:
        raise ScopeDepthError(f"{images} holds no image ({', '.join(IMAGE_SUFFIXES)}).")
    by_name = {_bare(stem): path for stem, path in maps.items()}
    by_number = _unique_numbers(maps)
    numbers = _unique_numbers(pictures)
    frames = []
    for stem, path in pictures.items():
        depth = by_name.get(_bare(stem))
        if depth is None and numbers.get(_number(stem)) == path:
            depth = by_number.get(_number(stem))
        frames.append(FrameFiles(stem, path, depth))
    notes = []
    without = sum(frame.depth is None for frame in frames)
    if without:
        notes.append(f"{without} of {len(frames)} images have no depth file")
    unused = set(maps.values()) - {frame.depth for frame in frames}
    if unused:
        notes.append(f"{len(unused)} depth files have no image and are left out")
    return frames, notes


def _files(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    found = [
        path for path in folder.iterdir() if path.suffix.lower() in suffixes and not path.name.startswith(".")
    ]
    chosen: dict[str, Path] = {}
    for path in sorted(found, key=lambda path: natural_key(path.name)):
        if path.stem in chosen:
            raise ScopeDepthError(f"{chosen[path.stem]} and {path} have one name; keep one of them.")
        chosen[path.stem] = path
    return chosen


def _bare(stem: str) -> str:
    """Return a file's name without the words by which exporters tell image from depth."""
    return re.sub(r"[_-]?(rgb|color|colour|image|img|depth|frame)[_-]?", "", stem.lower())


def _number(stem: str) -> int | None:
    match = re.search(r"(\d+)(?=\D*$)", stem)
    return int(match[1]) if match else None


def _unique_numbers(files: Mapping[str, Path]) -> dict[int | None, Path]:
    """Return files by the last number in their name; numbers that several files share are left out."""
    numbers = [_number(stem) for stem in files]
    shared = Counter(numbers)
    return {
        number: path
        for number, path in zip(numbers, files.values(), strict=True)
        if number is not None and shared[number] == 1
    }


def depth_reader(paths: list[Path], scale: float, unit: str) -> tuple[DepthEncoding, Any]:
    """Return the encoding of depth files like the first of `paths`, and a function that reads one.

    Integers of 8 and 16 bits stay what they are, with `scale` kept beside them; everything else becomes float32
    in `unit`.
    """
    dtype = _first_dtype(paths)
    if dtype in (np.uint8, np.uint16):
        encoding = DepthEncoding(np.dtype(dtype).name, scale, unit)

        def read_integer(path: Path) -> NDArray[np.generic]:
            stored = read_raw_depth(path)
            if stored.dtype != dtype:
                raise ScopeDepthError(
                    f"{path} holds {stored.dtype}, {paths[0]} of the same sequence {dtype}: one of them was "
                    "exported otherwise."
                )
            return stored

        return encoding, read_integer

    def read_float(path: Path) -> NDArray[np.generic]:
        with np.errstate(over="ignore"):  # what is too large for float32 is no depth
            depth = read_raw_depth(path).astype(np.float32) * np.float32(scale)
        depth[~(np.isfinite(depth) & (depth > 0))] = np.nan
        return depth

    return DepthEncoding("float32", 1.0, unit), read_float


def _first_dtype(paths: list[Path]) -> np.dtype[Any] | None:
    for path in paths[:20]:
        try:
            return read_raw_depth(path).dtype
        except UnreadableFrame:
            continue
    return None
