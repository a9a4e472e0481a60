"""Loader `stereo`: raw calibrated stereo pairs or videos; depth comes from rectifying and matching them.

    {sequence}/left/NNNN.png   {sequence}/right/NNNN.png       or   *_L_NNNN.png, *_R_NNNN.png
                                                               or   NNNNl.png, NNNNr.png (StereoMIS)
                                                               or   *_L.avi, *_R.avi   or   left.mp4, right.mp4
                                                               or   one video with both views (options.views)
    calib.left.intrinsic.txt  calib.left.distortion.txt  calib.right....txt  calib.l2r.4x4    (Hamlyn, originals)
    or one OpenCV file (.yaml, .yml, .xml) with M1 D1 M2 D2 R T                               (da Vinci, SCARED)

`calib.l2r.4x4` takes a point from the left to the right camera, in mm. Options: `left` and `right` (patterns below
the sequence's folder), `views` (`side_by_side` or `above`: both views lie in one picture, the left one on the left or
above; `left` is then the pattern of the files, any video or image by default), `calibration` (file or folder), `alpha`
(0 crops to what was seen, 1 keeps all), `bits` (how many of the 16 bits of an image's channels are used).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.base import DepthEncoding, Frame, Sequence, file_safe, origin, size_text
from scopedepth.datasets.reading.cameras import read_intrinsics, read_numbers
from scopedepth.datasets.reading.images import IMAGE_SUFFIXES, check_bits, read_image
from scopedepth.datasets.reading.listing import files_in, natural_key, without_litter
from scopedepth.datasets.reading.opencv_file import read_matrices
from scopedepth.datasets.reading.pairing import unique_by
from scopedepth.datasets.reading.video import VIDEO_SUFFIXES, Video
from scopedepth.datasets.reading.views import one_view
from scopedepth.datasets.rectify.stereo import (
    Rectifier,
    StereoCamera,
    calibration_problem,
    depth_from_disparity,
    disparity_limit,
    match,
)
from scopedepth.errors import ScopeDepthError, UnreadableFrame
from scopedepth.job.extensions import read_options
from scopedepth.vocabulary.flags import BORDER

if TYPE_CHECKING:
    from scopedepth.config.options import Alpha, Bits, Place

DEPTH_IS_KNOWN = True
PATTERNS = (
    ("left/*", "right/*"),
    ("*_L_*", "*_R_*"),
    ("*_L.*", "*_R.*"),
    ("*[0-9]l.*", "*[0-9]r.*"),
    ("left.*", "right.*"),
)
Side = Callable[[int], NDArray[np.uint8]]


@dataclass(frozen=True)
class Options:
    """Patterns of both sides, the calibration's file or folder, what rectifying keeps, used bits of an image's 16."""

    left: Place | None = None
    right: Place | None = None
    calibration: Place | None = None
    alpha: Alpha = 0.0
    bits: Bits | None = None
    views: Literal["apart", "side_by_side", "above"] = "apart"

    def __post_init__(self) -> None:
        if self.views != "apart" and self.right is not None:
            raise ValueError(f"views {self.views} means that one file holds both sides; leave `right` out")
        if self.views == "apart" and (self.left is None) != (self.right is None):
            raise ValueError("left and right are given together: the patterns of both sides")


def find(raw: Path, spec: Mapping[str, Any]) -> list[Sequence]:
    """Return one sequence for every folder below `raw` that holds pairs."""
    options = read_options(spec, Options)
    patterns = ((options.left, options.right),) if options.left and options.right else PATTERNS
    sequences: list[Sequence] = []
    folders = [raw, *(path for path in without_litter(raw.rglob("*"), raw) if path.is_dir())]
    for folder in folders:
        if options.views != "apart":
            both = _listed(folder, options.left or "*")
            videos = [path for path in both if path.suffix.lower() in VIDEO_SUFFIXES]
            sequences += [_sequence(folder, [path], [], raw, spec, options, path.stem) for path in videos]
            images = [path for path in both if path not in videos]
            sequences += [_sequence(folder, images, [], raw, spec, options)] if images else []
            continue
        for left_pattern, right_pattern in patterns:
            left, right = _listed(folder, left_pattern), _listed(folder, right_pattern)
            if left and right:
                sequences.append(_sequence(folder, left, right, raw, spec, options))
                break
    if not sequences:
        raise ScopeDepthError(
            f"No stereo pair was found below {raw}: looked for left/ and right/, *_L_* and *_R_*, or videos *_L.avi "
            "and *_R.avi. Set options.left and options.right to your patterns, or options.views where one picture "
            "holds both."
        )
    return sequences


def _listed(folder: Path, pattern: str) -> list[Path]:
    suffixes = IMAGE_SUFFIXES + VIDEO_SUFFIXES
    found = [
        path
        for path in without_litter(folder.glob(pattern), folder)
        if path.is_file() and path.suffix.lower() in suffixes
    ]
    return sorted(found, key=lambda path: natural_key(path.name))


def _sequence(
    folder: Path,
    left: list[Path],
    right: list[Path],
    raw: Path,
    spec: Mapping[str, Any],
    options: Options,
    of: str = "",
) -> Sequence:
    is_video = left[0].suffix.lower() in VIDEO_SUFFIXES
    uneven = 0
    if options.views != "apart":
        ids, size, sides = _halves(left, options)
    elif is_video:
        videos = Video(left[0]), Video(right[0])
        count = min(video.n_frames for video in videos)
        uneven = abs(videos[0].n_frames - videos[1].n_frames)
        ids, size = [f"{index:06d}" for index in range(count)], videos[0].size
        sides = (videos[0].read, videos[1].read)
    else:
        ids, pairs, uneven = _pairs(left, right)
        if not pairs:
            raise ScopeDepthError(f"{folder}: no left image has a right one of the same name or number.")
        shape = _first_image([pair[0] for pair in pairs]).shape
        size = (shape[1], shape[0])
        for side in (0, 1):
            check_bits([pair[side] for pair in pairs], options.bits)
        sides = (
            lambda index: read_image(pairs[index][0], options.bits),
            lambda index: read_image(pairs[index][1], options.bits),
        )
    stated = options.calibration
    camera = read_calibration([raw / stated] if stated else [folder, folder.parent, raw], size)
    place = folder.relative_to(raw).as_posix()
    notes = [f"{uneven} frames have only one side and are left out"] if uneven else []
    return StereoSequence(
        file_safe(of) or (spec["name"] if place == "." else file_safe(folder.name)),
        ids,
        DepthEncoding("float32", 1.0, "mm"),
        depth_origin=origin(spec, "stereo"),
        notes=notes,
        forward_only=is_video,
        sides=sides,
        rectifier=Rectifier(camera, options.alpha),
        settings=dict(spec["stereo"]),
    )


def _halves(files: list[Path], options: Options) -> tuple[list[str], tuple[int, int], tuple[Side, Side]]:
    """Return ids, size (w, h) and the two sides of a video, or of images, whose pictures hold both views."""
    if files[0].suffix.lower() in VIDEO_SUFFIXES:
        video = Video(files[0])
        ids, picture = [f"{index:06d}" for index in range(video.n_frames)], video.read
        width, height = video.size
    else:
        check_bits(files, options.bits)
        ids = [path.stem for path in files]
        height, width = _first_image(files).shape[:2]

        def picture(index: int) -> NDArray[np.uint8]:
            return read_image(files[index], options.bits)

    def side(second: bool) -> Side:
        return lambda index: one_view(picture(index), options.views, second, str(files[0]))

    size = (width // 2, height) if options.views == "side_by_side" else (width, height // 2)
    return ids, size, (side(False), side(True))


def _first_image(paths: list[Path]) -> NDArray[np.uint8]:
    for path in paths:
        try:
            return read_image(path)
        except UnreadableFrame:
            continue
    raise ScopeDepthError(f"{paths[0].parent}: no image decodes, the first one is {paths[0].name}.")


def _pairs(left: list[Path], right: list[Path]) -> tuple[list[str], list[tuple[Path, Path]], int]:
    """Match two lists by name with the side's word taken out; return ids, pairs, and how many are alone."""

    def key(path: Path) -> str | None:
        words = re.split(r"[_\-. ]", re.sub(r"left|right", "", path.stem, flags=re.IGNORECASE))
        bare = "_".join(word for word in words if word.lower() not in ("l", "r", ""))
        return re.sub(r"(?<=\d)[lr]$", "", bare, flags=re.IGNORECASE)  # 000123l.png, 000123r.png

    exact = unique_by(right, lambda path: path.stem)
    pairs_of = {path: exact[path.stem] for path in left if path.stem in exact and exact[path.stem] != path}
    taken = set(pairs_of.values())
    partners = unique_by([path for path in right if path not in taken], key)
    alone = unique_by([path for path in left if path not in pairs_of], key)
    pairs_of |= {path: partners[name] for name, path in alone.items() if name in partners}
    pairs = [(path, pairs_of[path]) for path in left if path in pairs_of]
    ids = [path.stem for path, _ in pairs]
    return ids, pairs, len(left) + len(right) - 2 * len(pairs)


@dataclass
class StereoSequence(Sequence):
    """Pairs that become one rectified left image with matched depth."""

    sides: tuple[Side, Side] = field(kw_only=True)
    rectifier: Rectifier = field(kw_only=True)
    settings: dict[str, Any] = field(kw_only=True)

    def __post_init__(self) -> None:
        self.intrinsics = self.rectifier.intrinsics

    @cached_property
    def limit(self) -> int:
        """Number of disparities searched."""
        return disparity_limit(self.rectifier, self.settings)

    def problems(self, indices: list[int]) -> list[str]:
        """Return what of the calibration the raw images of some frames contradict."""
        if not self.settings.get("check_calibration", True):
            return []
        width, height = self.rectifier.camera.size
        pairs = []
        for index in indices:
            try:
                pair = self.sides[0](index), self.sides[1](index)
            except UnreadableFrame:
                continue  # told of where the frames themselves are read
            if all(image.shape[:2] == (height, width) for image in pair):
                pairs.append(pair)
        found = calibration_problem(self.rectifier.camera, pairs, self.settings)
        return [] if found is None else [found]

    def pair(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return a frame's two rectified images, uint8 RGB (h, w, 3)."""
        left, right = self.sides[0](index), self.sides[1](index)
        width, height = self.rectifier.camera.size
        for name, image in (("left", left), ("right", right)):
            if image.shape[:2] != (height, width):
                raise ScopeDepthError(
                    f"Sequence {self.name}, frame {self.frame_ids[index]}: the {name} image is {size_text(image)}, "
                    f"the sequence {width}x{height}. A pair needs two images of one size."
                )
        return self.rectifier.left(left), self.rectifier.right(right)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Return the rectified left image."""
        return self.rectifier.left(self.sides[0](index))

    def read(self, index: int) -> Frame:
        """Rectify and match one pair."""
        left, right = self.pair(index)
        depth = depth_from_disparity(
            match(left, right, self.limit, self.settings), self.rectifier, self.settings
        )
        outside = ~self.rectifier.seen
        depth[outside] = np.nan
        return Frame(left, depth, np.where(outside, np.uint8(BORDER), np.uint8(0)))


def read_calibration(places: list[Path], size: tuple[int, int]) -> StereoCamera:
    """Return the calibration found in the first of `places` (files or folders) that has one; `size` is (w, h)."""
    for place in places:
        if (place / "calib.l2r.4x4").is_file():
            return _read_hamlyn(place, size)
        files = [place]
        if place.is_dir():
            files = files_in(place, "*.yaml", "*.yml", "*.xml")
        cameras = {file: camera for file in files if (camera := read_opencv(file, size)) is not None}
        if cameras:
            return _the_one(cameras)
    raise ScopeDepthError(
        f"No stereo calibration was found in {places[0]}: calib.left.intrinsic.txt, calib.right.intrinsic.txt and "
        "calib.l2r.4x4, or one OpenCV file with M1 D1 M2 D2 R T."
    )


def _the_one(cameras: Mapping[Path, StereoCamera]) -> StereoCamera:
    """Return the calibration that all files of a place hold; two that differ are a `ScopeDepthError`."""
    first, *others = cameras
    for other in others:
        if not all(
            np.array_equal(getattr(cameras[first], part.name), getattr(cameras[other], part.name))
            for part in fields(StereoCamera)
        ):
            raise ScopeDepthError(
                f"{first} and {other.name} hold different calibrations. Name the right one in options.calibration."
            )
    return cameras[first]


def _read_hamlyn(folder: Path, size: tuple[int, int]) -> StereoCamera:
    extrinsic = read_numbers(folder / "calib.l2r.4x4")
    if len(extrinsic) not in (12, 16):
        raise ScopeDepthError(
            f"{folder / 'calib.l2r.4x4'} holds {len(extrinsic)} numbers; a 4x4 matrix has 16."
        )
    matrix = np.array(extrinsic).reshape(-1, 4)
    if len(matrix) == 4 and np.abs(matrix[3] - (0, 0, 0, 1)).max() > 1e-6:
        raise ScopeDepthError(
            f"{folder / 'calib.l2r.4x4'} has a last row other than 0 0 0 1. Is it written column by column? "
            "Transpose it."
        )
    lenses = []
    for side in ("left", "right"):
        file = folder / f"calib.{side}.distortion.txt"
        lenses.append(np.array(read_numbers(file) if file.is_file() else [0.0] * 5))
    return StereoCamera(
        read_intrinsics(folder / "calib.left.intrinsic.txt"),
        read_intrinsics(folder / "calib.right.intrinsic.txt"),
        lenses[0],
        lenses[1],
        matrix[:3, :3],
        matrix[:3, 3],
        size,
    )


def read_opencv(path: Path, size: tuple[int, int]) -> StereoCamera | None:
    """Read an OpenCV calibration (M1 D1 M2 D2 R T); None where the file holds something else."""
    found = read_matrices(path)
    if not {"M1", "D1", "M2", "D2", "R", "T"} <= found.keys():
        return None
    return StereoCamera(
        found["M1"],
        found["M2"],
        found["D1"].ravel(),
        found["D2"].ravel(),
        found["R"],
        found["T"].ravel(),
        size,
    )
