"""Loader `folder`: your own images beside their depth.

Layout, with the folders' names free to choose (options `images` and `depths`):

    {sequence}/rgb/NNNN.png      {sequence}/depth/NNNN.png|.npy|.tiff|.exr      {sequence}/intrinsics.txt

Image and depth belong together by file name without suffix, else by the name without words such as rgb and depth,
else by the numbers in the name (see `pairing`). One folder without sequences (`rgb/` and `depth/` at the top) is the
sequence named after the dataset. Images without depth are kept (they can be predicted, not scored); depth without an
image is left out; both are noted.

Depth is number times `depth.scale` in `depth.unit`. 0, negative numbers, NaN, infinity, the numbers of `depth.invalid`,
what lies outside of `depth.range` and what a file itself declares to be missing (GDAL's tag) mean no depth.
Option `bits`: how many of the 16 bits of an image's channels are used.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.base import (
    DepthEncoding,
    FileSequence,
    FrameFiles,
    Sequence,
    file_safe,
    origin,
)
from scopedepth.datasets.reading.cameras import intrinsics_from, read_camera
from scopedepth.datasets.reading.headers import stated_missing
from scopedepth.datasets.reading.images import (
    DEPTH_SUFFIXES,
    IMAGE_SUFFIXES,
    check_bits,
    read_bytes,
    read_image,
    read_raw_depth,
)
from scopedepth.datasets.reading.listing import natural_key, not_read, with_suffix, without_litter
from scopedepth.datasets.reading.missing import cleared, is_missing
from scopedepth.datasets.reading.pairing import pair_by_name, unpaired
from scopedepth.errors import ScopeDepthError, UnreadableFrame
from scopedepth.job.extensions import read_options

if TYPE_CHECKING:
    from scopedepth.config.options import Bits, Camera, Folder, Lens

# What is read of data used in place: other files there make nothing stale.
READS = (".bmp", ".exr", ".jpeg", ".jpg", ".npy", ".png", ".tif", ".tiff", "intrinsics.txt")


@dataclass(frozen=True)
class Options:
    """Names of the two folders; camera and lens where no file has them; used bits of an image's 16."""

    images: Folder = "rgb"
    depths: Folder = "depth"
    intrinsics: Camera | None = None
    distortion: Lens | None = None
    bits: Bits | None = None


def find(raw: Path, spec: Mapping[str, Any]) -> list[Sequence]:
    """Return the sequences below `raw`."""
    options = read_options(spec, Options)
    images, depths = options.images, options.depths
    folders = [
        folder
        for folder in without_litter(raw.rglob(images), raw)
        if folder.is_dir() and not _inside(folder, raw, depths)
    ]
    if not folders:
        raise ScopeDepthError(
            f"No folder named {images} was found below {raw}. The loader `folder` reads SEQUENCE/{images}/ and "
            f"SEQUENCE/{depths}/; set options.images and options.depths if yours are named otherwise."
        )
    return [_sequence(folder, folder.parent / depths, raw, spec, options) for folder in folders]


def _inside(folder: Path, raw: Path, name: str) -> bool:
    return name in folder.relative_to(raw).parts


def _sequence(images: Path, depths: Path, raw: Path, spec: Mapping[str, Any], options: Options) -> Sequence:
    place = images.parent.relative_to(raw).as_posix()
    name = spec["name"] if place == "." else file_safe(place)
    files, notes = pair(images, depths)
    depth = spec["depth"]
    scale, unit, invalid = depth["scale"], depth["unit"], list(depth["invalid"])
    with_depth = [file.depth for file in files if file.depth is not None]
    stated = [number for number in declared_missing(with_depth) if number not in (0, *invalid)]
    if stated:
        notes.append(f"the depth files declare {', '.join(f'{one:.7g}' for one in stated)} to be no depth")
    encoding, read = depth_reader(
        with_depth, 1.0 if scale is None else scale, unit, [*invalid, *stated], depth["range"]
    )
    if scale is None and unit == "mm" and encoding.is_integer and with_depth:
        notes.append("depth.scale is not set: the stored numbers are taken for millimetres")
    check_bits([file.image for file in files], options.bits)
    camera = intrinsics_from(options.intrinsics)
    distortion = tuple(options.distortion or ()) or None
    for candidate in (images.parent / "intrinsics.txt", raw / "intrinsics.txt"):
        if camera is None and candidate.is_file():
            camera, lens = read_camera(candidate)
            distortion = distortion or lens
    return FileSequence.of(
        name,
        files,
        encoding,
        read_image=partial(read_image, bits=options.bits),
        read_depth=read,
        intrinsics=camera,
        distortion=distortion,
        depth_origin=origin(spec, "unknown"),
        notes=notes,
    )


def pair(images: Path, depths: Path) -> tuple[list[FrameFiles], list[str]]:
    """Return the frames of two folders, images with their depth, in natural order, and notes."""
    pictures = _files(images, IMAGE_SUFFIXES)
    maps = _files(depths, DEPTH_SUFFIXES)
    others = not_read(images, IMAGE_SUFFIXES) + not_read(depths, DEPTH_SUFFIXES)
    if not pictures:
        found = f"; {others[0]}" if others else ""
        raise ScopeDepthError(f"{images} holds no image ({', '.join(IMAGE_SUFFIXES)}){found}.")
    pairs = pair_by_name(pictures, maps)
    frames = [FrameFiles(path.stem, path, pairs.get(path)) for path in pictures]
    notes = unpaired(frames, maps)
    if not depths.is_dir():
        notes.append(f"there is no folder {depths.name}/ beside {images.name}/")
    return frames, notes + others


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    chosen: dict[str, Path] = {}
    for path in sorted(with_suffix(folder, suffixes), key=lambda path: natural_key(path.name)):
        if path.stem in chosen:
            raise ScopeDepthError(f"{chosen[path.stem]} and {path} have one name; keep one of them.")
        chosen[path.stem] = path
    return list(chosen.values())


def declared_missing(paths: list[Path]) -> list[float]:
    """Return the numbers that the first of some depth files that reads declares to be no depth."""
    for path in paths[:20]:
        try:
            return stated_missing(read_bytes(path))
        except UnreadableFrame:
            continue
    return []


def depth_reader(
    paths: list[Path],
    scale: float,
    unit: str,
    invalid: Collection[float] = (),
    limits: Collection[float] | None = None,
) -> tuple[DepthEncoding, Callable[[Path], NDArray[np.generic]]]:
    """Return the encoding of depth files like the first of `paths`, and a function that reads one.

    Integers of 8 and 16 bits stay what they are, with `scale` kept beside them; everything else becomes float32
    in `unit`. `invalid` are stored numbers that mean no depth, `limits` the least and greatest depth taken, in `unit`.
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
            return cleared(stored, scale, invalid, limits)

        return encoding, read_integer

    def read_float(path: Path) -> NDArray[np.generic]:
        stored = read_raw_depth(path)
        with np.errstate(over="ignore"):  # what is too large for float32 is no depth
            depth = stored.astype(np.float32) * np.float32(scale)
        depth[~(np.isfinite(depth) & (depth > 0)) | is_missing(stored, scale, invalid, limits)] = np.nan
        return depth

    return DepthEncoding("float32", 1.0, unit), read_float


def _first_dtype(paths: list[Path]) -> np.dtype[Any] | None:
    for path in paths[:20]:
        try:
            return read_raw_depth(path).dtype
        except UnreadableFrame:
            continue
    return None
