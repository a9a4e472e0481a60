"""Loader `simcol3d`: SimCol3D, rendered colonoscopy with exact depth (Rau et al., UCL RDR 24077763).

    {sequence}/FrameBuffer_NNNN.png   16-bit RGBA, 475x475
    {sequence}/Depth_NNNN.png         16-bit grey: centimetres = number / 65280 * 20
    SavedPosition_S1.txt, SavedRotationQuaternion_S1.txt
        beside Frames_S1, a line a frame from 0: x y z in cm; x y z w

Source of the encoding: anitarau/simcol, README (number / 255 / 256 is 0 to 1, times 20 is centimetres).
The camera's way is left-handed: y is turned round in the world and in the camera (data_helpers/visualize_3D_data.py).
Pinhole, fx = fy = 227.6, cx = cy = 237.5 at 475x475. A sequence is a folder that holds frames.

Lists of frames with `layout: simcol3d` are spelled as Endo-GeDE's splits are, `1 5 2`: SyntheticColon_I, Frames_S5,
Depth_0001.png, whose number is one less. Source: BaymaxShao/Endo-GeDE@33a236b, export_gt_depth.py; its loader shows the
network FrameBuffer_0001 for the first line too, whose depth is Depth_0000; here image and depth are of one frame.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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
from scopedepth.datasets.reading.listing import files_in, find_files, natural_key
from scopedepth.datasets.reading.lists import NoFrame
from scopedepth.datasets.reading.pairing import unpaired
from scopedepth.datasets.reading.poses import poses_in
from scopedepth.datasets.reading.text import read_text
from scopedepth.errors import ScopeDepthError

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

DEPTH_IS_KNOWN = True
# What is read of data used in place: other files there make nothing stale.
READS = (".png", ".txt")
MILLIMETRES_A_STEP = 20.0 * 10.0 / 65280.0
# The parts that a list counts from 1: the names of their sequences begin so.
PARTS = {"1": "Frames_S", "2": "Frames_B", "3": "Frames_O"}
INTRINSICS = ((227.6, 0.0, 237.5), (0.0, 227.6, 237.5), (0.0, 0.0, 1.0))


def find(raw: Path, spec: specs.Dataset) -> list[Sequence]:
    """Return one sequence for every folder below `raw` that holds FrameBuffer_*.png."""
    folders = sorted({path.parent for path in find_files(raw, "FrameBuffer_*.png")})
    if not folders:
        raise ScopeDepthError(f"No FrameBuffer_*.png was found below {raw}; SimCol3D's frames are named so.")
    return [_sequence(folder, raw, spec) for folder in folders]


def listed(words: list[str], sequences: Mapping[str, Sequence]) -> tuple[str, str]:
    """Return the sequence and the frame that a line ``part sequence number`` of a published split names."""
    if (
        len(words) != 3
        or words[0] not in PARTS
        or not all(re.fullmatch(r"[0-9]{1,10}", word) for word in words)
    ):
        raise NoFrame("a line is spelled part (1 to 3), sequence, number from 1, as in 1 5 1")
    name, frame_id = f"{PARTS[words[0]]}{int(words[1])}", f"{int(words[2]) - 1:04d}"
    if name not in sequences:
        raise NoFrame(f"there is no sequence {name}")
    return name, frame_id


def _sequence(folder: Path, raw: Path, spec: specs.Dataset) -> Sequence:
    images = sorted(files_in(folder, "FrameBuffer_*.png"), key=lambda path: natural_key(path.name))
    depths = {path.stem.lower(): path for path in files_in(folder, "Depth_*.png")}
    files = []
    for image in images:
        number = image.stem[len("FrameBuffer_") :]
        files.append(FrameFiles(number, image, depths.get(f"depth_{number}".lower())))
    place = folder.relative_to(raw).as_posix()
    poses, said = _poses(folder, [int(file.id) for file in files])
    return FileSequence.of(
        spec["name"] if place == "." else file_safe(folder.name),
        files,
        DepthEncoding("uint16", MILLIMETRES_A_STEP, "mm"),
        read_depth=_read_depth,
        intrinsics=np.array(INTRINSICS),
        depth_origin=origin(spec, "rendered"),
        notes=unpaired(files, depths) + said,
        poses=poses,
    )


def _poses(folder: Path, numbers: list[int]) -> tuple[NDArray[np.float64] | None, list[str]]:
    """Return the camera-to-world matrices of frames by their numbers, and a note where their files do not hold them."""
    part = folder.name.removeprefix("Frames_")
    paths = [folder.parent / f"Saved{kind}_{part}.txt" for kind in ("Position", "RotationQuaternion")]
    if not all(path.is_file() for path in paths):
        return None, []
    places, turns = (
        [line.split() for line in read_text(path, "poses").splitlines() if line.strip()] for path in paths
    )
    count = min(len(places), len(turns))
    if max(numbers) >= count:
        return None, [f"poses of {count} frames, and frame {max(numbers)} is there: none are taken"]
    # As lines of TUM's layout, which read_poses checks.
    lines = [" ".join(["0", *places[number], *turns[number]]) for number in numbers]
    poses = poses_in(lines, paths[0], len(numbers), "cm")
    turned = np.diag([1.0, -1.0, 1.0, 1.0])
    return turned @ poses @ turned, []


def _read_depth(path: Path) -> NDArray[np.generic]:
    stored = read_depth_of(path, np.uint16, "SimCol3D")
    return stored
