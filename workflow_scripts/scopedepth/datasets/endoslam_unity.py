"""Loader `endoslam_unity`: EndoSLAM's UnityCam, the rendered part with pixel-wise depth (Ozyoruk et al., 2021).

    UnityCam/{Colon,Stomach,Small Intestine}/Frames/image_NNNN.png                    320x320; five digits from 10000 on
    UnityCam/{Colon,Stomach,Small Intestine}/Pixelwise Depths/aov_image_NNNN.png      8-bit RGBA, all channels equal
    UnityCam/{Colon,Stomach,Small Intestine}/Poses/*_position_rotation.csv
    UnityCam/Calibration/cam.txt                                                      9 numbers, row by row

Unpacking may nest folders (`Frames/Frames`), so files are searched by name. Source: CapsuleEndoscope/EndoSLAM, README
and datatree.png; camera from unofficial readers.

The depth's unit is unresolved (the author: relative; readers: cm, mm, others), so the spec must say `relative`, or
`mm` with the scale that you assume. 0 is no depth; larger is farther. Image and depth are reported to be misaligned;
`undistort: true` follows the reading that the image carries the lens's distortion and the depth does not.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    origin,
)
from scopedepth.datasets.cameras import read_intrinsics
from scopedepth.datasets.images import read_raw_depth
from scopedepth.errors import ScopeDepthError

INTRINSICS = ((156.0418, 0.0, 178.5604), (0.0, 155.7529, 181.8043), (0.0, 0.0, 1.0))
DISTORTION = (-0.2486, 0.0614, 0.0, 0.0)
ORGANS = {
    "colon": "colon",
    "stomach": "stomach",
    "smallintestine": "small_intestine",
    "intestine": "small_intestine",
}
IMAGE, DEPTH = re.compile(r"image_(\d+)\.png"), re.compile(r"aov_image_(\d+)\.png")


@dataclass
class _Files:
    images: dict[int, Path] = field(default_factory=dict)
    depths: dict[int, Path] = field(default_factory=dict)
    poses: list[Path] = field(default_factory=list)
    twice: int = 0


def find(raw: Path, spec: Mapping[str, Any]) -> list[Sequence]:
    """Return one sequence an organ: colon, small_intestine, stomach."""
    depth = spec["depth"]
    if depth["unit"] == "mm" and depth["scale"] is None:
        raise ScopeDepthError(
            f"Dataset {spec['name']}: the unit of EndoSLAM's depth is not known. Set depth.unit to relative, or to mm "
            "with the depth.scale that you assume."
        )
    organs = _collect(raw)
    if not organs:
        raise ScopeDepthError(
            f"No UnityCam frames (image_NNNN.png beside aov_image_NNNN.png) were found below {raw}."
        )
    calibrations = sorted(raw.rglob("cam.txt"))
    camera = read_intrinsics(calibrations[0]) if calibrations else np.array(INTRINSICS)
    return [_sequence(name, files, camera, spec) for name, files in sorted(organs.items())]


def _collect(raw: Path) -> dict[str, _Files]:
    """Sort every frame, depth and pose file below `raw` by organ.

    Only organs with depth count: the real cameras' folders have none.
    """
    organs: dict[str, _Files] = defaultdict(_Files)
    for folder, folders, names in os.walk(raw):
        folders.sort()
        organ = next((o for o in map(_organ, reversed(Path(folder).relative_to(raw).parts)) if o), None)
        if organ is None:
            continue
        files = organs[organ]
        for name in sorted(names):
            for pattern, kept in ((IMAGE, files.images), (DEPTH, files.depths)):
                match = pattern.fullmatch(name)
                if match and int(match[1]) in kept:
                    files.twice += 1
                elif match:
                    kept[int(match[1])] = Path(folder, name)
            if name.endswith("_position_rotation.csv"):
                files.poses.append(Path(folder, name))
    return {name: files for name, files in organs.items() if files.images and files.depths}


def _organ(folder: str) -> str | None:
    return ORGANS.get(re.sub(r"[ _-]", "", folder.lower()))


def _sequence(name: str, files: _Files, camera: NDArray[np.float64], spec: Mapping[str, Any]) -> Sequence:
    frames = [FrameFiles(path.stem, path, files.depths.get(n)) for n, path in sorted(files.images.items())]
    without = sum(frame.depth is None for frame in frames)
    unused = len(files.depths.keys() - files.images.keys())
    notes = ["depth has no known unit and few grey levels; image and depth are reported to be misaligned"]
    notes += [f"{without} of {len(frames)} frames have no depth file"] if without else []
    notes += [f"{unused} depth files have no frame and are left out"] if unused else []
    notes += [f"{files.twice} files of the same name in nested folders are left out"] if files.twice else []
    notes += [note for path in files.poses for note in check_poses(path, len(frames))]
    scale = spec["depth"]["scale"]
    return FileSequence.of(
        name,
        frames,
        DepthEncoding("uint8", 1.0 if scale is None else scale, spec["depth"]["unit"]),
        read_depth=_read_depth,
        intrinsics=camera,
        distortion=DISTORTION,
        depth_origin=origin(spec, "rendered"),
        notes=notes,
    )


def _read_depth(path: Path) -> NDArray[np.generic]:
    stored = read_raw_depth(path)
    if stored.dtype != np.uint8:
        raise UnreadableFrame(f"{path}: {stored.dtype} where UnityCam has 8 bits (was it converted?)")
    return stored


def check_poses(path: Path, n_frames: int) -> list[str]:
    """Return what is wrong with a pose file (tX,tY,tZ,rX,rY,rZ,rW,time a row); poses themselves are not used."""
    rows: list[list[float]] = []
    cut = 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = [word for word in line.replace(";", ",").split(",") if word.strip()]
        try:
            row = [float(word) for word in words]
        except ValueError:
            cut += bool(rows)  # the first line is the header
            continue
        if len(row) >= 7 and np.isfinite(row).all():
            rows.append(row)
        elif row:
            cut += 1
    notes = [f"{path.name}: {cut} truncated or non-finite pose rows"] if cut else []
    if len(rows) != n_frames:
        notes.append(f"{path.name}: {len(rows)} poses for {n_frames} frames")
    if len(rows) > 1 and len({tuple(row[3:7]) for row in rows}) == 1:
        notes.append(f"{path.name}: all rotations are identical")
    return notes
