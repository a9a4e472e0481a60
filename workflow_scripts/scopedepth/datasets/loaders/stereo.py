"""Loader `stereo`: raw calibrated stereo pairs or videos; depth comes from rectifying and matching them.

    {sequence}/left/NNNN.png   {sequence}/right/NNNN.png       or   *_L_NNNN.png, *_R_NNNN.png
                                                               or   NNNNl.png, NNNNr.png (StereoMIS)
                                                               or   *_L.avi, *_R.avi   or   left.mp4, right.mp4
                                                               or   one video with both views (options.views)
    and a calibration in one of the formats of rectify/calibration.py, in the sequence's folder or in one above it

Options: `left` and `right` (patterns below the sequence's folder), `views` (`side_by_side` or `above`: both views lie
in one picture; `left` is then the pattern of the files, any video or image by default), `view` (whether the `first` of
them, on the left or above, is the left camera's, or the `second`), `calibration` (file or folder), `extrinsics` (what
the calibration's R and T do), `exchanged` (whether its first camera is the right one), `unit` (of its T), `alpha` (0
crops to what was seen, 1 keeps all), `bits` (how many of the 16 bits of an image's channels are used), `window` (x, y,
width and height of the part of a view that the calibration is for).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.base import DepthEncoding, Frame, Sequence, file_safe, origin, size_text
from scopedepth.datasets.reading.images import IMAGE_SUFFIXES, check_bits, read_image
from scopedepth.datasets.reading.listing import natural_key, without_litter
from scopedepth.datasets.reading.pairing import unique_by
from scopedepth.datasets.reading.video import VIDEO_SUFFIXES, Video
from scopedepth.datasets.reading.views import one_view
from scopedepth.datasets.rectify.calibration import read_calibration
from scopedepth.datasets.rectify.readings import calibration_problem, measured, read_as
from scopedepth.datasets.rectify.stereo import (
    Rectifier,
    depth_from_disparity,
    disparity_limit,
    match,
)
from scopedepth.errors import ScopeDepthError, UnreadableFrame
from scopedepth.job.extensions import read_options
from scopedepth.vocabulary.flags import BORDER

if TYPE_CHECKING:
    from scopedepth.config.options import Alpha, Bits, Place, Window
    from scopedepth.vocabulary import specs

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
    """Patterns of both sides; the calibration and how it is meant; which part and bits of an image, what is kept."""

    left: Place | None = None
    right: Place | None = None
    calibration: Place | None = None
    extrinsics: Literal["left_to_right", "right_to_left", "R_transposed", "position"] = "left_to_right"
    exchanged: bool = False
    unit: Literal["mm", "cm", "m"] | None = None
    window: Window | None = None
    alpha: Alpha = 0.0
    bits: Bits | None = None
    views: Literal["apart", "side_by_side", "above"] = "apart"
    view: Literal["first", "second"] = "first"

    def __post_init__(self) -> None:
        if self.views != "apart" and self.right is not None:
            raise ValueError(f"views {self.views} means that one file holds both sides; leave `right` out")
        if self.views == "apart" and self.view == "second":
            raise ValueError("view says which half of a picture is the left camera's; set `views` too")
        if self.views == "apart" and (self.left is None) != (self.right is None):
            raise ValueError("left and right are given together: the patterns of both sides")


def find(raw: Path, spec: specs.Dataset) -> list[Sequence]:
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
    spec: specs.Dataset,
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
    if options.window:
        sides, size = _windowed(sides, size, options.window, folder)
    stated = options.calibration
    places = [raw / stated] if stated else [folder, folder.parent, raw]
    camera = read_as(read_calibration(places, size, options.unit), options.extrinsics, options.exchanged)
    settings = spec["stereo"].copy()
    if camera.translation[0] > 0:
        # Points of some pairs say what is to be done; a video is read from its start.
        looked_at = range(min(2, len(ids))) if is_video else sorted({0, len(ids) // 2, len(ids) - 1})
        problem = calibration_problem(camera, pairs_of(sides, looked_at, size), settings)
        raise ScopeDepthError(f"{folder}: {problem}.")
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
        settings=settings,
    )


def _windowed(
    sides: tuple[Side, Side], size: tuple[int, int], window: list[int], folder: Path
) -> tuple[tuple[Side, Side], tuple[int, int]]:
    """Return both sides cut to a window, and its size."""
    x, y, width, height = window
    if x + width > size[0] or y + height > size[1]:
        raise ScopeDepthError(
            f"{folder}: options.window ({width}x{height} at {x}, {y}) leaves the images of {size[0]}x{size[1]}."
        )

    def cut(side: Side) -> Side:
        return lambda index: np.ascontiguousarray(side(index)[y : y + height, x : x + width])

    return (cut(sides[0]), cut(sides[1])), (width, height)


def pairs_of(
    sides: tuple[Side, Side], indices: Iterable[int], size: tuple[int, int]
) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Return the raw pairs of some frames, those that can be read and have the right size, (w, h)."""
    pairs = []
    for index in indices:
        try:
            pair = sides[0](index), sides[1](index)
        except UnreadableFrame:
            continue  # told of where the frames themselves are read
        if all(image.shape[1::-1] == size for image in pair):
            pairs.append(pair)
    return pairs


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
    return ids, size, (side(options.view == "second"), side(options.view == "first"))


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
    settings: specs.Stereo = field(kw_only=True)

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
        pairs = pairs_of(self.sides, indices, self.rectifier.camera.size)
        found = calibration_problem(self.rectifier.camera, pairs, self.settings)
        return [] if found is None else [found]

    def findings(self, indices: list[int]) -> list[str]:
        """Return how well the calibration fits the raw images of some frames, in a sentence."""
        found = measured(self.rectifier.camera, pairs_of(self.sides, indices, self.rectifier.camera.size))
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
