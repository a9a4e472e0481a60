"""Loader `serv_ct`: SERV-CT, 16 rectified stereo pairs of porcine cadavers with CT depth (Edwards et al., 2022).

    Experiment_{1,2}/Left_rectified/NNN.png                       720x576
    Experiment_{1,2}/Ground_truth_CT/DepthL/NNN.png               16 bits: millimetres x 256, 0 is no depth
    Experiment_{1,2}/Ground_truth_CT/OcclusionL/NNN.png           colours: see below
    Experiment_{1,2}/Rectified_calibration/NNN.json               P1, P2, Q

Some copies say Reference_CT for Ground_truth_CT. Experiment 2 also has Ground_truth_RGB (a structured-light scan): set
options.reference to RGB. In the occlusion map, red (not visible in the right image) and yellow (outside the overlap)
are flagged `occluded`; blue lies outside the reference surface and has no depth.
Source: surgical-vision/servcttk, README.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.base import (
    DepthEncoding,
    FileSequence,
    Frame,
    FrameFiles,
    Sequence,
    origin,
)
from scopedepth.datasets.reading.images import read_depth_of, read_image
from scopedepth.datasets.reading.listing import files_in, without_litter
from scopedepth.datasets.reading.pairing import unpaired
from scopedepth.errors import ScopeDepthError
from scopedepth.job.extensions import read_options
from scopedepth.vocabulary.flags import NO_DEPTH, OCCLUDED

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

DEPTH_IS_KNOWN = True
# What is read of data used in place: other files there make nothing stale.
READS = (".json", ".png")


@dataclass(frozen=True)
class Options:
    """Which of the two references."""

    reference: Literal["CT", "RGB"] = "CT"


def find(raw: Path, spec: specs.Dataset) -> list[Sequence]:
    """Return one sequence an experiment."""
    reference = read_options(spec, Options).reference
    folders = sorted(
        {path.parent for path in without_litter(raw.rglob("Left_rectified"), raw) if path.is_dir()}
    )
    if not folders:
        raise ScopeDepthError(
            f"No Left_rectified was found below {raw}; SERV-CT is laid out as Experiment_1/Left_rectified."
        )
    found = []
    for folder in folders:
        truths = [folder / f"{word}_{reference}" for word in ("Ground_truth", "Reference")]
        truth = next((path for path in truths if path.is_dir()), None)
        if truth is not None:
            found.append(_sequence(folder, truth, spec))
    if not found:
        raise ScopeDepthError(
            f"No Ground_truth_{reference} was found below {raw}; options.reference is CT or RGB."
        )
    return found


def _sequence(folder: Path, truth: Path, spec: specs.Dataset) -> Sequence:
    depths, occlusions = (
        {path.stem: path for path in files_in(truth / part, "*.png")} for part in ("DepthL", "OcclusionL")
    )
    frames = []
    for image in files_in(folder / "Left_rectified", "*.png"):
        frames.append(FrameFiles(image.stem, image, depths.get(image.stem), occlusions.get(image.stem)))
    notes = unpaired(frames, depths)
    camera, said = _camera(folder / "Rectified_calibration")
    return ServCtSequence(
        folder.name,
        [frame.id for frame in frames],
        DepthEncoding("uint16", 1.0 / 256.0, "mm"),
        files=frames,
        read_depth=_read_depth,
        read_extra=_read_occlusion,
        intrinsics=camera,
        depth_origin=origin(spec, "ct"),
        notes=notes + said,
    )


@dataclass
class ServCtSequence(FileSequence):
    """Frames whose depth outside the reference surface is taken away."""

    def read(self, index: int) -> Frame:
        """Return one frame."""
        frame = super().read(index)
        if frame.flags is not None and frame.depth is not None:
            frame.depth = np.where(frame.flags & NO_DEPTH, np.uint16(0), frame.depth)
        return frame


def _camera(folder: Path) -> tuple[NDArray[np.float64] | None, list[str]]:
    """Return the left camera's matrix; a note where the frames' cameras differ, which then get none."""
    cameras = []
    for path in files_in(folder, "*.json"):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ScopeDepthError(f"The calibration {path} cannot be read ({error}).") from error
        numbers = np.array(_numbers(content.get("P1", [])), np.float64)
        if numbers.size != 12:
            raise ScopeDepthError(f"The calibration {path} has no P1 of 3x4 numbers.")
        cameras.append(numbers.reshape(3, 4)[:, :3])
    if not cameras:
        return None, ["no calibration"]
    if np.ptp(cameras, axis=0).max() > 1e-6:
        return None, ["the frames have different cameras, so the sequence states none"]
    return cameras[0], []


def _numbers(value: Any) -> list[float]:
    """Return all numbers in nested lists or in an OpenCV matrix written as JSON."""
    if isinstance(value, Mapping):
        value = value.get("data", [])
    if isinstance(value, list):
        return [number for part in value for number in _numbers(part)]
    return [float(value)]


def _read_depth(path: Path) -> NDArray[np.generic]:
    stored = read_depth_of(path, np.uint16, "SERV-CT")
    return stored


def _read_occlusion(path: Path) -> NDArray[np.uint8]:
    red, green, blue = (read_image(path)[:, :, channel] > 127 for channel in range(3))
    flags = np.where(red & ~blue, np.uint8(OCCLUDED), np.uint8(0))  # red and yellow
    flags[blue & ~red & ~green] = NO_DEPTH
    return flags
