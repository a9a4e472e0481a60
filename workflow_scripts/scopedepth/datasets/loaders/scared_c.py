"""Loader `scared_c`: SCARED-C, frames of SCARED's videos with depth moved by re-estimated poses (Han et al., 2026).

    dataset_X/keyframe_Y/intrinsics_colmap.yaml        OpenCV: K, image_width, image_height
    dataset_X/keyframe_Y/data/rgb_frames.tar.gz        frameNNNNNN.png, undistorted left images
    dataset_X/keyframe_Y/data/scene_points.tar.gz      scene_pointsNNNNNN.tiff: float32 x, y, z in mm, 0 is unknown

A key frame is a sequence, of the frames that COLMAP could place; a frame's id is its number in the video, from 1.
Depth is the key frame's structured light, seen from the camera's new poses. The archives may stay packed.

Source: juseonghan/SCARED-C@243ebca, correct_scared.py (writes these files), eval/dataset.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.loaders.scared import POINTS, z_of
from scopedepth.datasets.reading.base import DepthEncoding, Frame, Sequence, origin, same_size
from scopedepth.datasets.reading.cameras import read_camera
from scopedepth.datasets.reading.images import decoded, to_rgb8
from scopedepth.datasets.reading.listing import find_files, natural_key
from scopedepth.datasets.reading.packed import PackedFrames
from scopedepth.errors import ScopeDepthError, UnreadableFrame
from scopedepth.job.extensions import read_options

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

DEPTH_IS_KNOWN = True
# What is read of data used in place: other files there make nothing stale.
READS = (".gz", ".png", ".tiff", ".yaml")
CAMERA = "intrinsics_colmap.yaml"
FRAMES = "rgb_frames.tar.gz"


@dataclass(frozen=True)
class Options:
    """None."""


def find(raw: Path, spec: specs.Dataset) -> list[Sequence]:
    """Return the frames of each key frame."""
    read_options(spec, Options)
    folders = sorted(
        (path.parent for path in find_files(raw, CAMERA)), key=lambda path: natural_key(str(path))
    )
    found = [one for folder in folders if (one := _sequence(folder, spec)) is not None]
    if not found:
        raise ScopeDepthError(
            f"No dataset_X/keyframe_Y/{CAMERA} with data/{FRAMES} was found below {raw}; SCARED-C is laid out so."
        )
    return found


@dataclass
class CorrectedVideo(Sequence):
    """Frames of a key frame's video, and its depth from their poses."""

    images: PackedFrames[NDArray[np.uint8]] = field(kw_only=True)
    points: PackedFrames[NDArray[np.float32]] | None = field(kw_only=True)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Return the image alone."""
        found = self.images.read(int(self.frame_ids[index]))
        if found is None:
            raise UnreadableFrame(f"frame {self.frame_ids[index]} is gone")
        return found

    def read(self, index: int) -> Frame:
        """Return one frame."""
        rgb = self.image(index)
        depth = None if self.points is None else self.points.read(int(self.frame_ids[index]))
        if depth is not None:
            here = Path(self.name, self.frame_ids[index])
            same_size(rgb, here / "image", depth, here / "depth")
        return Frame(rgb, depth)


def _sequence(folder: Path, spec: specs.Dataset) -> Sequence | None:
    """Return a key frame's sequence; None where it has no frames, as one without a video."""
    images = PackedFrames.of(folder / "data", "frame", FRAMES, ".png", _rgb)
    if images is None:
        return None
    points = PackedFrames.of(folder / "data", "scene_points", POINTS, ".tiff", z_of)
    notes = [
        "depth was moved from the key frame by poses of COLMAP, and holds for tissue that does not move"
        if points
        else "no scene_points, so no depth"
    ]
    return CorrectedVideo(
        f"{folder.parent.name}_{folder.name}",
        [f"{number:06d}" for number in images.numbers()],
        DepthEncoding("float32", 1.0, "mm"),
        read_camera(folder / CAMERA)[0],
        origin(spec, "structured_light"),
        notes,
        forward_only=images.is_packed,
        images=images,
        points=points,
    )


def _rgb(content: bytes, where: str) -> NDArray[np.uint8]:
    return to_rgb8(decoded(content, Path(where)), Path(where))
