"""Loader `scared`: SCARED, porcine abdomens under a da Vinci endoscope, structured light (Allan et al., 2021).

    dataset_X/keyframe_Y/Left_Image.png              1280x1024
    dataset_X/keyframe_Y/left_depth_map.tiff         float32 x, y, z in mm a pixel, NaN is unknown
    dataset_X/keyframe_Y/endoscope_calibration.yaml  OpenCV: M1 D1 M2 D2 R T
    dataset_X/keyframe_Y/data/rgb.mp4                left on top of right
    dataset_X/keyframe_Y/data/scene_points.tar.gz    scene_pointsNNNNNN.tiff: as above, left on top of right, 0 unknown
    dataset_X/keyframe_Y/data/frame_data.tar.gz      frame_dataNNNNNN.json: `camera-pose`, 4x4, mm

Options: `frames` keyframes (default; one sequence a dataset), video (one sequence a keyframe; its depth is the key
frame's, moved by the robot's kinematics, and drifts with the frame number) or extracted (the same from the video's
left frames as files, below); `rectify` true turns image and depth into the rectified left camera (default: the raw left
image, as published). The archives may stay packed.
Source: dimitrisPs/scared_toolkit, README; known: datasets 4 and 5 have a bad calibration.

A `camera-pose` takes points of the key frame's left camera to those of the frame's; its inverse is camera to world.
Sources: dimitrisPs/scared_toolkit@8ee8e49, scripts/generate_sequence_dataset.py, moves the key frame's cloud by it;
ShuweiShao/AF-SfMLearner@53d01a4, export_gt_pose.py, takes the next pose times the inverse of one for the way between.

Extracted, as the makers of AF-SfMLearner and EndoDAC lay them out (frames of a video are counted from 0):

    datasetX/keyframeY/image_02/data/%010d.png                frame n has the number n + 1
    datasetX/keyframeY/image_02/data/groundtruth/scene_points%06d.tiff      frame n has the number n
    datasetX/keyframeY/image_02/data/frame_data/frame_data%06d.json         frame n has the number n
    {train,test}/datasetX/keyframeY/data/left/frame_data%06d.png            frame n has the number n
    {train,test}/datasetX/keyframeY/data/scene_points/scene_points%06d.tiff
    {train,test}/datasetX/keyframeY/data/frame_data/frame_data%06d.json

Lists of frames with `layout: scared` are spelled as AF-SfMLearner's splits are, `dataset3/keyframe4 390 l`: the left
frame 389 of that video, whose depth is scene_points000389. Its datasets 8 and 9 count key frames from 1, SCARED's own
folders from 0. Source: ShuweiShao/AF-SfMLearner@53d01a4, README, datasets/scared_dataset.py, export_gt_depth.py.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray

from scopedepth.datasets.reading.base import (
    DepthEncoding,
    FileSequence,
    Frame,
    FrameFiles,
    Sequence,
    origin,
    same_size,
)
from scopedepth.datasets.reading.headers import lacks_bytes, pages_of
from scopedepth.datasets.reading.images import MOST_NUMBERS, read_bytes, read_image
from scopedepth.datasets.reading.listing import find_files, natural_key
from scopedepth.datasets.reading.lists import NoFrame
from scopedepth.datasets.reading.packed import PackedFrames
from scopedepth.datasets.reading.poses import check_pose
from scopedepth.datasets.reading.video import Video
from scopedepth.datasets.rectify.calibration import read_opencv
from scopedepth.datasets.rectify.stereo import Rectifier
from scopedepth.errors import ScopeDepthError, UnreadableFrame
from scopedepth.job.extensions import read_options
from scopedepth.vocabulary.flags import BORDER

if TYPE_CHECKING:
    from scopedepth.config.options import Alpha
    from scopedepth.vocabulary import specs

DEPTH_IS_KNOWN = True
# What is read of data used in place: other files there make nothing stale.
READS = (".gz", ".jpeg", ".jpg", ".json", ".mp4", ".png", ".tiff", ".yaml")
BADLY_CALIBRATED = ("dataset_4", "dataset_5")
TEST_SETS = ("dataset_8", "dataset_9")
SIZE = (1280, 1024)
# In SCARED's own folders; AF-SfMLearner's instructions rename them.
COUNTED_FROM_ZERO = (8, 9)
EXTRACTED = re.compile(r"dataset_?([0-9]+)/keyframe_?([0-9]+)/(image_02/data|data/left)")
IMAGES = (".png", ".jpg", ".jpeg")
POINTS = "scene_points.tar.gz"
POSES = "frame_data.tar.gz"


@dataclass(frozen=True)
class Options:
    """Which frames; whether they are rectified, and what that keeps."""

    frames: Literal["keyframes", "video", "extracted"] = "keyframes"
    rectify: bool = False
    alpha: Alpha = 0.0


def find(raw: Path, spec: specs.Dataset) -> list[Sequence]:
    """Return the key frames of each dataset, or the video of each key frame."""
    options = read_options(spec, Options)
    if options.frames == "extracted":
        return _all_extracted(raw, spec, options)
    calibrations = find_files(raw, "endoscope_calibration.yaml")
    folders = sorted((path.parent for path in calibrations), key=lambda path: natural_key(str(path)))
    if not folders:
        raise ScopeDepthError(
            f"No endoscope_calibration.yaml was found below {raw}; SCARED is laid out as dataset_X/keyframe_Y/."
        )
    if options.frames == "video":
        videos = [folder for folder in folders if (folder / "data" / "rgb.mp4").is_file()]
        if not videos:
            raise ScopeDepthError(f"No data/rgb.mp4 was found below {raw}; set options.frames to keyframes.")
        return [_video(folder, spec, options) for folder in videos]
    groups: dict[Path, list[Path]] = {}
    for folder in folders:
        groups.setdefault(folder.parent, []).append(folder)
    return [_keyframes(parent, keyframes, spec, options) for parent, keyframes in groups.items()]


def listed(words: list[str], sequences: Mapping[str, Sequence]) -> tuple[str, str]:
    """Return the video and the frame that a line ``dataset3/keyframe4 390 l`` of a published split names."""
    place = re.fullmatch(r"dataset_?([0-9]{1,3})/keyframe_?([0-9]{1,3})", words[0])
    if place is None or len(words) not in (2, 3) or not re.fullmatch(r"[0-9]{1,10}", words[1]):
        raise NoFrame("a line is spelled datasetX/keyframeY, number, l, as in dataset3/keyframe4 390 l")
    if words[2:] not in ([], ["l"]):
        raise NoFrame(f"it is of the camera {words[2]}; the left one, l, alone is read")
    dataset, keyframe = int(place[1]), int(place[2])
    if dataset in COUNTED_FROM_ZERO and video_name(dataset, 0) in sequences:
        keyframe -= 1
    name = video_name(dataset, keyframe)
    if name not in sequences:
        raise NoFrame(f"there is no video {name} (options.frames is to be video or extracted)")
    return name, f"{int(words[1]) - 1:06d}"


def video_name(dataset: int, keyframe: int) -> str:
    """Return the name of a key frame's video as a sequence."""
    return f"dataset_{dataset}_keyframe_{keyframe}"


def _lens(folder: Path, options: Options) -> Rectifier:
    camera = read_opencv(folder / "endoscope_calibration.yaml", SIZE)
    if camera is None:
        raise ScopeDepthError(f"{folder / 'endoscope_calibration.yaml'} lacks one of M1 D1 M2 D2 R T.")
    return Rectifier(camera, options.alpha)


def _notes(dataset: str) -> list[str]:
    notes = ["its published calibration is known to be bad"] if dataset in BADLY_CALIBRATED else []
    return notes + (["it is one of the challenge's two test sets"] if dataset in TEST_SETS else [])


@dataclass
class ScaredSequence(Sequence):
    """Left images with point maps; rectified where a rectifier is given."""

    rectifiers: list[Rectifier] | None = None

    def raw_image(self, index: int) -> NDArray[np.uint8]:
        """Return the raw left image."""
        raise NotImplementedError

    def raw_depth(self, index: int) -> NDArray[np.float32] | None:
        """Return z at the raw left image's pixels, float32 mm, NaN unknown; None where there is none."""
        raise NotImplementedError

    def _rectifier(self, index: int) -> Rectifier | None:
        return None if self.rectifiers is None else self.rectifiers[min(index, len(self.rectifiers) - 1)]

    def image(self, index: int) -> NDArray[np.uint8]:
        """Return the image alone."""
        raw, lens = self.raw_image(index), self._rectifier(index)
        return raw if lens is None else lens.left(raw)

    def read(self, index: int) -> Frame:
        """Return one frame."""
        raw, depth, lens = self.raw_image(index), self.raw_depth(index), self._rectifier(index)
        if depth is not None:
            here = Path(self.name, self.frame_ids[index])
            same_size(raw, here / "image", depth, here / "depth")
        if lens is None:
            return Frame(raw, depth)
        unseen = np.where(lens.seen, np.uint8(0), np.uint8(BORDER))
        return Frame(lens.left(raw), None if depth is None else lens.depth(depth), unseen)


@dataclass
class Keyframes(ScaredSequence):
    """The key frames of one dataset: structured light, the only directly measured depth."""

    folders: list[Path] = field(kw_only=True)

    def raw_image(self, index: int) -> NDArray[np.uint8]:
        """Return the raw left image."""
        return read_image(self.folders[index] / "Left_Image.png")

    def raw_depth(self, index: int) -> NDArray[np.float32] | None:
        """Return z of the point map beside the image."""
        path = self.folders[index] / "left_depth_map.tiff"
        return z_of(read_bytes(path), str(path)) if path.is_file() else None


def _keyframes(parent: Path, folders: list[Path], spec: specs.Dataset, options: Options) -> Sequence:
    lenses = [_lens(folder, options) for folder in folders]
    cameras = [lens.intrinsics if options.rectify else lens.camera.left for lens in lenses]
    alike = np.ptp(cameras, axis=0).max() < 1e-6
    without = sum(not (folder / "left_depth_map.tiff").is_file() for folder in folders)
    notes = _notes(parent.name) + (
        [] if alike else ["the key frames have different cameras; the first one is stated"]
    )
    notes += [f"{without} of {len(folders)} key frames have no left_depth_map.tiff"] if without else []
    return Keyframes(
        parent.name,
        [folder.name for folder in folders],
        DepthEncoding("float32", 1.0, "mm"),
        cameras[0],
        origin(spec, "structured_light"),
        notes,
        rectifiers=lenses if options.rectify else None,
        folders=folders,
    )


@dataclass
class ScaredVideo(ScaredSequence):
    """A key frame's video, with the depth maps moved along."""

    video: Video = field(kw_only=True)
    points: PackedFrames[NDArray[np.float32]] | None = None

    def raw_image(self, index: int) -> NDArray[np.uint8]:
        """Return the upper half of the video's frame."""
        frame = self.video.read(index)
        return np.ascontiguousarray(frame[: frame.shape[0] // 2])

    def raw_depth(self, index: int) -> NDArray[np.float32] | None:
        """Return the upper half of the frame's point map."""
        return None if self.points is None else self.points.read(index)


def _video(folder: Path, spec: specs.Dataset, options: Options) -> Sequence:
    lens = _lens(folder, options)
    video = Video(folder / "data" / "rgb.mp4")
    points = scene_points(folder / "data")
    notes = [
        *_notes(folder.parent.name),
        "depth was moved from the key frame by kinematics and drifts with the frame number",
    ]
    notes += [] if points else ["no scene_points, so no depth"]
    poses, said = _poses(folder / "data", list(range(video.n_frames)))
    if poses is not None and options.rectify:
        poses[:, :3, :3] = poses[:, :3, :3] @ lens.R1.T
    return ScaredVideo(
        f"{folder.parent.name}_{folder.name}",
        [f"{index:06d}" for index in range(video.n_frames)],
        DepthEncoding("float32", 1.0, "mm"),
        lens.intrinsics if options.rectify else lens.camera.left,
        origin(spec, "structured_light"),
        notes + said,
        forward_only=True,
        poses=poses,
        rectifiers=[lens] if options.rectify else None,
        video=video,
        points=points,
    )


def _all_extracted(raw: Path, spec: specs.Dataset, options: Options) -> list[Sequence]:
    """Return the videos whose left frames lie below `raw` as files."""
    if options.rectify:
        raise ScopeDepthError(
            f"Dataset {spec['name']}: options.rectify is for keyframes and video; extracted frames stay as they are."
        )
    found = []
    for folder in sorted([*raw.rglob("image_02/data"), *raw.rglob("data/left")]):
        place = EXTRACTED.fullmatch("/".join(folder.parts[-4:]))
        if place and folder.is_dir():
            found.append(_extracted(folder, int(place[1]), int(place[2]), spec, options))
    if not found:
        raise ScopeDepthError(
            f"No datasetX/keyframeY/image_02/data was found below {raw}; extracted frames of SCARED are laid out so."
        )
    return found


def _extracted(images: Path, dataset: int, keyframe: int, spec: specs.Dataset, options: Options) -> Sequence:
    """Return one video from its left frames; a frame's id is its number in the video, from 0, of six digits."""
    from_one = images.name == "data"
    maps = images / "groundtruth" if from_one else images.parent / "scene_points"
    name = re.compile(r"([0-9]+)" if from_one else r"frame_data([0-9]+)")
    files, unnamed = [], 0
    for path in sorted(images.iterdir(), key=lambda path: natural_key(path.name)):
        if path.name.startswith(".") or path.suffix.lower() not in IMAGES:
            continue
        number = name.fullmatch(path.stem)
        if number is None or (from_one and int(number[1]) == 0):
            unnamed += 1
            continue
        frame = f"{int(number[1]) - from_one:06d}"
        depth = maps / f"scene_points{frame}.tiff"
        files.append(FrameFiles(frame, path, depth if depth.is_file() else None))
    if not files:
        raise ScopeDepthError(f"{images} holds no frame named as extracted ones are, such as 0000000001.png.")
    for one, next_one in pairwise(files):
        if one.id == next_one.id:
            raise ScopeDepthError(f"{one.image} and {next_one.image} are one frame; keep one of them.")
    without = sum(file.depth is None for file in files)
    notes = _notes(f"dataset_{dataset}")
    notes += [f"{without} of {len(files)} frames have no scene_points file"] if without else []
    notes += [f"{unnamed} images are not named as frames are and are left out"] if unnamed else []
    numbers = [int(file.id) for file in files]
    poses, said = _poses(images, numbers)
    if poses is None:
        poses, said = _poses(images.parent.parent / "data", numbers)
    return FileSequence.of(
        video_name(dataset, keyframe),
        files,
        DepthEncoding("float32", 1.0, "mm"),
        read_depth=_read_points,
        intrinsics=_camera(images, options),
        depth_origin=origin(spec, "structured_light"),
        notes=notes + said,
        poses=poses,
    )


def _poses(data: Path, numbers: list[int]) -> tuple[NDArray[np.float64] | None, list[str]]:
    """Return the camera-to-world matrices of frames by their numbers, NaN where there is none, and what lacks."""
    stated = PackedFrames.of(data, "frame_data", POSES, ".json", _pose)
    if stated is None:
        return None, []
    poses = np.full((len(numbers), 4, 4), np.nan)
    try:
        for place, number in enumerate(numbers):
            pose = stated.read(number)
            if pose is not None:
                poses[place] = pose
    except UnreadableFrame as error:
        raise ScopeDepthError(
            f"{error}. Unpack {POSES} anew, or take it away: then there are no poses."
        ) from error
    without = int(np.isnan(poses[:, 0, 0]).sum())
    return poses, [f"{without} of {len(numbers)} frames have no camera-pose"] if without else []


def _pose(content: bytes, where: str) -> NDArray[np.float64]:
    """Return the camera-to-world matrix of a frame's JSON, translation in mm."""
    try:
        pose = np.array(json.loads(content)["camera-pose"], np.float64)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ScopeDepthError(
            f"{where}: holds no camera-pose of numbers ({type(error).__name__})."
        ) from error
    if pose.shape != (4, 4) or not np.isfinite(pose).all():
        raise ScopeDepthError(f"{where}: its camera-pose is not 4x4 finite numbers.")
    check_pose(pose, where)
    return np.asarray(np.linalg.inv(pose), np.float64)


def _camera(images: Path, options: Options) -> NDArray[np.float64] | None:
    """Return the left camera, where its calibration lies beside the extracted frames."""
    folder = images.parent.parent
    return _lens(folder, options).camera.left if (folder / "endoscope_calibration.yaml").is_file() else None


def _read_points(path: Path) -> NDArray[np.generic]:
    """Return z of the left camera, the upper half of a map of both."""
    return upper_half(z_of(read_bytes(path), str(path)))


def scene_points(data: Path) -> PackedFrames[NDArray[np.float32]] | None:
    """Return z of the left camera by frame number, from below a key frame's data folder; None where there is none."""
    return PackedFrames.of(
        data, "scene_points", POINTS, ".tiff", lambda content, where: upper_half(z_of(content, where))
    )


def z_of(data: bytes, where: str) -> NDArray[np.float32]:
    """Return the third channel of a point map, NaN where unknown (NaN in key frames, 0 in videos)."""
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page: Any = file.pages[0]
            if len(list(pages_of(file))) > 1 or page.size > MOST_NUMBERS or lacks_bytes(page):
                raise ValueError("several pages, too large, or bytes are missing")
            points = page.asarray()
    except Exception as error:  # what its parser stumbles over has many types
        raise UnreadableFrame(f"{where}: does not decode ({error})") from error
    if points.ndim != 3 or points.shape[2] != 3:
        raise UnreadableFrame(
            f"{where}: an array of {points.shape} where points (height, width, 3) are expected"
        )
    z = np.ascontiguousarray(points[:, :, 2], np.float32)
    z[~(np.isfinite(z) & (z > 0))] = np.nan
    return z


def upper_half(stacked: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the left camera's half of a map of both cameras."""
    return np.ascontiguousarray(stacked[: stacked.shape[0] // 2])
