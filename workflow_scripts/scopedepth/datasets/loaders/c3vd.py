"""Loader `c3vd`: C3VD, a colonoscope filming a silicone colon, with registered depth (Bobrow et al., 2023).

    {sequence}/NNNN_color.png, {sequence}/NNNN_depth.tiff      1350x1080, 16 bits: 0 to 65535 is 0 to 100 mm
    {sequence}/rgb/NNNN*.png, {sequence}/depth/NNNN*.tiff      the same in C3VDv2
    {sequence}/pose.txt                                        a line a frame from 0: 16 numbers, commas between them

0 and 65535 are invalid (nothing there; beyond 100 mm) and both become missing. The camera is omnidirectional
(Scaramuzza's model), so no 3x3 matrix is given. Source: DurrLab/C3VD, README.

A pose is camera to world in mm; the camera's axes are right, down, ahead (the dataset's page, on its revision of 2023).
The page calls the numbers row by row; they are column by column, and numbers 13 to 15 are the position.
Source: DurrLab/C3VD@02dc9d5, utils/exampleDataLoader.py, which multiplies rows of points with the matrix.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

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
from scopedepth.datasets.reading.images import read_depth_of
from scopedepth.datasets.reading.listing import files_in, find_files, natural_key, not_read, without_litter
from scopedepth.datasets.reading.pairing import unique_by, unpaired
from scopedepth.datasets.reading.poses import poses_in
from scopedepth.datasets.reading.text import read_text
from scopedepth.errors import ScopeDepthError

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

DEPTH_IS_KNOWN = True
# What is read of data used in place: other files there make nothing stale.
READS = (".png", ".tif", ".tiff", "pose.txt")
MILLIMETRES_A_STEP = 100.0 / 65535.0
CLIPPED = 65535
FLAT = ("*_depth.tif", "*_depth.tiff")


def find(raw: Path, spec: specs.Dataset) -> list[Sequence]:
    """Return one sequence for every folder below `raw` with frames."""
    folders = {path.parent for path in find_files(raw, "*_depth.tif", "*_depth.tiff", "*_color.png")}
    places = {folder.parent if folder.name in ("depth", "rgb") else folder for folder in folders}
    rgb = without_litter(raw.rglob("rgb"), raw)
    places |= {folder.parent for folder in rgb if (folder.parent / "depth").is_dir()}
    if not places:
        raise ScopeDepthError(
            f"No NNNN_color.png with NNNN_depth.tiff was found below {raw}; C3VD's frames are named so."
        )
    return [_sequence(place, raw, spec) for place in sorted(places)]


def _sequence(place: Path, raw: Path, spec: specs.Dataset) -> Sequence:
    in_folders = (place / "rgb").is_dir()
    images = files_in(place / "rgb", "*.png") if in_folders else files_in(place, "*_color.png")
    maps = files_in(place / "depth" if in_folders else place, *(["*.tif*"] if in_folders else FLAT))
    depths: dict[int | None, Path] = {**unique_by(maps, _number)}
    frames = [
        FrameFiles(re.sub("_color$", "", path.stem, flags=re.IGNORECASE), path, depths.get(_number(path)))
        for path in sorted(images, key=lambda path: natural_key(path.name))
    ]
    notes = ["the camera is omnidirectional; no pinhole matrix holds for the whole image"]
    notes += unpaired(frames, depths)
    notes += not_read(place / "depth", (".tif", ".tiff")) if in_folders else []
    poses, said = _poses(place / "pose.txt", [_number(frame.image) for frame in frames])
    where = place.relative_to(raw).as_posix()
    return FileSequence.of(
        spec["name"] if where == "." else file_safe(place.name),
        frames,
        DepthEncoding("uint16", MILLIMETRES_A_STEP, "mm"),
        read_depth=_read_depth,
        depth_origin=origin(spec, "registered"),
        notes=notes + said,
        poses=poses,
    )


def _poses(path: Path, numbers: list[int | None]) -> tuple[NDArray[np.float64] | None, list[str]]:
    """Return the camera-to-world matrices of frames by their numbers, and a note where the file does not hold them."""
    if not path.is_file():
        return None, []
    lines = [line for line in read_text(path, "poses").splitlines() if line.strip()]
    known = [lines[number] for number in numbers if number is not None and number < len(lines)]
    if len(known) < len(numbers):
        return None, [f"pose.txt has {len(lines)} lines, and frames lie beyond them: no poses are taken"]
    return poses_in(known, path, len(known), "mm", by_columns=True), []


def _number(path: Path) -> int | None:
    match = re.match(r"(\d+)", path.stem) or re.search(r"(\d+)(?=\D*$)", path.stem)
    return int(match[1]) if match else None


def _read_depth(path: Path) -> NDArray[np.generic]:
    stored = read_depth_of(path, np.uint16, "C3VD")
    return np.where(stored == CLIPPED, np.uint16(0), stored)
