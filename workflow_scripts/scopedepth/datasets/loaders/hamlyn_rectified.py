"""Loader `hamlyn_rectified`: the rectified Hamlyn videos with stereo depth (Recasens et al., RA-L 2021).

    rectifiedNN/image01/%010d.jpg     rectifiedNN/depth01/%010d.png (16-bit, millimetres; 0 is no depth)
    calibration/NN/intrinsics.txt     3 rows, sometimes with a fourth column of zeros

Unpacking may nest rectifiedNN/rectifiedNN. Depth is by stereo matching (Libelas); the copy with FoundationStereo
depth (BeileiCui/hamlyn) has it in depth01_fs: set options.depths to that. Options: images (image01), depths (depth01),
complete (false; true keeps a frame only where image01, image02, depth01 and depth02 all exist, as EndoDAC's and
Endo-GeDE's loaders do: BeileiCui/EndoDAC@22ec911, datasets/hamlyn_dataset.py).
rectified01's published calibration is for half its resolution: rectified06's is used, or it is doubled.
Sequences from 14 on are 720x288 with black borders, which are flagged.
Source: UZ-SLAMLab/Endo-Depth-and-Motion, README.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.base import DepthEncoding, FileSequence, FrameFiles, Sequence, origin
from scopedepth.datasets.reading.cameras import read_intrinsics
from scopedepth.datasets.reading.images import read_depth_of, read_image
from scopedepth.datasets.reading.listing import (
    files_in,
    find_files,
    natural_key,
    not_read,
    with_suffix,
    without_litter,
)
from scopedepth.datasets.reading.missing import cleared
from scopedepth.datasets.reading.pairing import unpaired
from scopedepth.errors import ScopeDepthError, UnreadableFrame
from scopedepth.job.extensions import read_options

if TYPE_CHECKING:
    from scopedepth.config.options import Folder
    from scopedepth.vocabulary import specs

# What is read of data used in place: other files there make nothing stale.
READS = (".jpg", ".png", "intrinsics.txt")
ALL_FOUR = (("image01", ".jpg"), ("image02", ".jpg"), ("depth01", ".png"), ("depth02", ".png"))
NAME = re.compile(r"rectified(\d+)")
HALF_CALIBRATED, WITH_SAME_CAMERA = "01", "06"


@dataclass(frozen=True)
class Options:
    """Names of the two folders; whether only frames with all four files count."""

    images: Folder = "image01"
    depths: Folder = "depth01"
    complete: bool = False


def find(raw: Path, spec: specs.Dataset) -> list[Sequence]:
    """Return one sequence for every rectifiedNN below `raw`."""
    options = read_options(spec, Options)
    images, depths = options.images, options.depths
    calibrations = _calibrations(raw)
    found = []
    for folder in (path for path in without_litter(raw.rglob(images), raw) if path.is_dir()):
        numbers = [
            match[1] for part in folder.relative_to(raw.parent).parts if (match := NAME.fullmatch(part))
        ]
        if numbers:
            found.append(_sequence(numbers[-1], folder, folder.parent / depths, calibrations, spec, options))
    if not found:
        raise ScopeDepthError(
            f"No rectifiedNN/{images} was found below {raw}; the rectified Hamlyn videos are laid out so."
        )
    return found


def _calibrations(raw: Path) -> dict[str, Path]:
    """Return the intrinsics file of each sequence number."""
    found: dict[str, Path] = {}
    for path in find_files(raw, "intrinsics.txt"):
        first = found.setdefault(path.parent.name, path)
        if not np.array_equal(read_intrinsics(first), read_intrinsics(path)):
            raise ScopeDepthError(f"{first} and {path} hold different cameras; keep one of them.")
    return found


def _sequence(
    number: str,
    images: Path,
    depths: Path,
    calibrations: Mapping[str, Path],
    spec: specs.Dataset,
    options: Options,
) -> Sequence:
    pictures = sorted(with_suffix(images, (".jpg", ".png")), key=lambda p: natural_key(p.name))
    if not pictures:
        raise ScopeDepthError(f"{images} holds no frame; was it unpacked to the end?")
    notes: list[str] = []
    if options.complete:
        whole = [path for path in pictures if _is_complete(images.parent, path.stem)]
        notes += [
            f"{len(pictures) - len(whole)} of {len(pictures)} frames lack one of their four files and are left out"
        ]
        pictures = whole
        if not pictures:
            raise ScopeDepthError(
                f"{images.parent} holds no frame with all of {', '.join(name for name, _ in ALL_FOUR)}; remove "
                "options.complete."
            )
    maps = {path.stem: path for path in files_in(depths, "*.png")}
    frames = [FrameFiles(path.stem, path, maps.get(path.stem)) for path in pictures]
    notes += unpaired(frames, maps)
    notes += not_read(images, (".jpg", ".png")) + not_read(depths, (".png",))
    camera, said = _camera(number, calibrations, frames[0].image)
    scale = spec["depth"]["scale"]
    return FileSequence.of(
        f"rectified{number}",
        frames,
        DepthEncoding("uint16", 1.0 if scale is None else scale, spec["depth"]["unit"]),
        read_depth=partial(_read_depth, depth=spec["depth"]),
        intrinsics=camera,
        depth_origin=origin(spec, "stereo"),
        notes=notes + said,
    )


def _is_complete(folder: Path, stem: str) -> bool:
    return all((folder / name / f"{stem}{suffix}").is_file() for name, suffix in ALL_FOUR)


def _camera(
    number: str, calibrations: Mapping[str, Path], first: Path
) -> tuple[NDArray[np.float64] | None, list[str]]:
    """Return a sequence's camera matrix and what had to be mended."""
    if number not in calibrations:
        return None, [f"no calibration/{number}/intrinsics.txt"]
    camera = read_intrinsics(calibrations[number])
    try:
        width = read_image(first).shape[1]
    except UnreadableFrame:
        return camera, []
    if number == HALF_CALIBRATED and camera[0, 2] < 0.3 * width:
        if WITH_SAME_CAMERA in calibrations:
            return read_intrinsics(calibrations[WITH_SAME_CAMERA]), [
                f"the calibration is for half the resolution; rectified{WITH_SAME_CAMERA}'s is used"
            ]
        doubled = camera.copy()
        doubled[:2] *= 2
        doubled[:2, 2] += 0.5  # pixel centres lie at whole numbers
        return doubled, ["the calibration is for half the resolution and was doubled"]
    return camera, []


def _read_depth(path: Path, depth: specs.Depth) -> NDArray[np.generic]:
    stored = read_depth_of(path, np.uint16, "the rectified Hamlyn data")
    return cleared(stored, depth["scale"] or 1.0, depth["invalid"], depth["range"])
