"""Loader `endoslam_unity`: EndoSLAM's UnityCam, the rendered part with pixel-wise depth (Ozyoruk et al., 2021).

    UnityCam/{Colon,Stomach,Small Intestine}/Frames/image_NNNN.png                    320x320; five digits from 10000 on
    UnityCam/{Colon,Stomach,Small Intestine}/Pixelwise Depths/aov_image_NNNN.png      8-bit RGBA, all channels equal
    UnityCam/{Colon,Stomach,Small Intestine}/Poses/*_position_rotation.csv
    UnityCam/Calibration/cam.txt                                  9 numbers, row by row, or lines `fx: ...`

The whole record holds real cameras as well, with folders and a cam.txt of the same names: what lies below a folder
UnityCam counts alone, wherever there is one.
Unpacking may nest folders (`Frames/Frames`), so files are searched by name. Source: CapsuleEndoscope/EndoSLAM, README
and datatree.png; camera from unofficial readers.

The depth's unit is unresolved (the author: relative; readers: cm, mm, others), so the spec must say `relative`, or
`mm` with the scale that you assume. 0 is no depth; larger is farther. Image and depth are reported to be misaligned;
`undistort: true` follows the reading that the image carries the lens's distortion and the depth does not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.base import (
    DepthEncoding,
    FileSequence,
    FrameFiles,
    Sequence,
    origin,
)
from scopedepth.datasets.reading.cameras import read_camera
from scopedepth.datasets.reading.images import read_depth_of
from scopedepth.datasets.reading.listing import find_files, without_litter
from scopedepth.datasets.reading.missing import cleared
from scopedepth.datasets.reading.pairing import unpaired
from scopedepth.errors import ScopeDepthError

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

INTRINSICS = ((156.0418, 0.0, 178.5604), (0.0, 155.7529, 181.8043), (0.0, 0.0, 1.0))
DISTORTION = (-0.2486, 0.0614, 0.0, 0.0)
ORGANS = {
    "colon": "colon",
    "stomach": "stomach",
    "smallintestine": "small_intestine",
    "intestine": "small_intestine",
}
IMAGE, DEPTH = re.compile(r"image_(\d+)\.png", re.I), re.compile(r"aov_image_(\d+)\.png", re.I)
CAMERA = "unitycam"
OTHER_CAMERAS = frozenset({"cameras", "highcam", "lowcam", "pillcam", "mirocam", "olympuscam"})


@dataclass
class _Files:
    images: dict[int, Path] = field(default_factory=dict)
    depths: dict[int, Path] = field(default_factory=dict)
    poses: list[Path] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)


def find(raw: Path, spec: specs.Dataset) -> list[Sequence]:
    """Return one sequence an organ: colon, small_intestine, stomach."""
    depth = spec["depth"]
    if depth["unit"] == "mm" and depth["scale"] is None:
        raise ScopeDepthError(
            f"Dataset {spec['name']}: the unit of EndoSLAM's depth is not known. Set depth.unit to relative, or to mm "
            "with the depth.scale that you assume."
        )
    roots = _unity_folders(raw)
    organs = _collect(roots)
    if not organs:
        raise ScopeDepthError(
            f"No UnityCam frames (image_NNNN.png beside aov_image_NNNN.png) were found below {raw}."
        )
    camera, lens, said = _camera(roots)
    return [_sequence(name, files, camera, lens, said, spec) for name, files in sorted(organs.items())]


def _unity_folders(raw: Path) -> list[Path]:
    """Return the folders of UnityCam below `raw`; `raw` itself where none is named so."""
    found = [
        path for path in without_litter(raw.rglob("*"), raw) if path.is_dir() and path.name.lower() == CAMERA
    ]
    return [one for one in found if not any(other in one.parents for other in found)] or [raw]


def _own_files(root: Path, *patterns: str) -> list[Path]:
    """Return the files below `root` that lie in no folder of a real camera."""
    return [
        path
        for path in find_files(root, *patterns)
        if not OTHER_CAMERAS & {part.lower() for part in path.relative_to(root).parts}
    ]


def _camera(roots: list[Path]) -> tuple[NDArray[np.float64], tuple[float, ...], list[str]]:
    """Return UnityCam's matrix, its lens, and a note where the published numbers stand in for a file."""
    files = [path for root in roots for path in _own_files(root, "cam.txt")]
    if not files:
        return (
            np.array(INTRINSICS),
            DISTORTION,
            ["there is no UnityCam/Calibration/cam.txt; published numbers are used"],
        )
    cameras = [read_camera(path) for path in files]
    for path, (matrix, lens) in zip(files, cameras, strict=True):
        if not np.array_equal(matrix, cameras[0][0]) or lens != cameras[0][1]:
            raise ScopeDepthError(f"{files[0]} and {path} hold different cameras; keep UnityCam's.")
    return cameras[0][0], cameras[0][1] or DISTORTION, []


def _collect(roots: list[Path]) -> dict[str, _Files]:
    """Sort every frame, depth and pose file of UnityCam by organ; only organs with depth count."""
    organs: dict[str, _Files] = defaultdict(_Files)
    for root in roots:
        for path in _own_files(root, "image_*.png", "aov_image_*.png", "*_position_rotation.csv"):
            parts = path.relative_to(root.parent).parts[:-1]
            organ = next((o for o in map(_organ, reversed(parts)) if o), None)
            if organ is None:
                continue
            files = organs[organ]
            for pattern, kept in ((IMAGE, files.images), (DEPTH, files.depths)):
                match = pattern.fullmatch(path.name)
                if match and int(match[1]) in kept:
                    files.twice.append(path.name)
                elif match:
                    kept[int(match[1])] = path
            if path.suffix.lower() == ".csv":
                files.poses.append(path)
    return {name: files for name, files in organs.items() if files.images and files.depths}


def _organ(folder: str) -> str | None:
    return ORGANS.get(re.sub(r"[ _-]", "", folder.lower()))


def _sequence(
    name: str,
    files: _Files,
    camera: NDArray[np.float64],
    lens: tuple[float, ...],
    said: list[str],
    spec: specs.Dataset,
) -> Sequence:
    frames = [FrameFiles(path.stem, path, files.depths.get(n)) for n, path in sorted(files.images.items())]
    notes = ["depth has no known unit and few grey levels; image and depth are reported to be misaligned"]
    notes += unpaired(frames, files.depths)
    if files.twice:
        twice = (
            f"{len(files.twice)} files of a number found before are left out, the first one {files.twice[0]}"
        )
        notes.append(twice)
    notes += [note for path in files.poses for note in check_poses(path, len(frames))]
    depth = spec["depth"]
    scale = 1.0 if depth["scale"] is None else depth["scale"]
    return FileSequence.of(
        name,
        frames,
        DepthEncoding("uint8", scale, depth["unit"]),
        read_depth=lambda path: cleared(_read_depth(path), scale, depth["invalid"], depth["range"]),
        intrinsics=camera,
        distortion=lens,
        depth_origin=origin(spec, "rendered"),
        notes=notes + said,
    )


def _read_depth(path: Path) -> NDArray[Any]:
    stored = read_depth_of(path, np.uint8, "UnityCam")
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
