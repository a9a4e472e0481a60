"""Loader `video`: your own videos, a sequence each; most have no depth, and are predicted and timed all the same.

    {folders}/{name}.mp4|.avi|.mov|.mkv|...        {folders}/{name}/depth/NNNNNN.png|.npy|.tiff|.exr|...

Options: `videos`, a pattern of the files, in any folder. `views`: `one` picture a frame, or the two of a stereo
recorder, `side_by_side` or one `above` the other, of which the left or upper one is taken, or the `second`; to match
the two, use the loader `stereo`. `depths`: the folder of the depth files beside a video, in which `{name}` stands for
the video's own name; the last number in a file's name is the frame's, counted from `first` (0 or 1). `masks` as in the
loader `folder`; their `files` is a folder as `depths` is. `intrinsics` and `distortion`, too; else intrinsics.txt
beside a video is read.

A frame is decoded once, in its order, and its name is its number, from 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.base import Frame, Sequence, file_safe, origin, same_size
from scopedepth.datasets.reading.cameras import intrinsics_from, read_camera
from scopedepth.datasets.reading.depth import ReadDepth, described
from scopedepth.datasets.reading.images import DEPTH_SUFFIXES
from scopedepth.datasets.reading.listing import find_files, not_read, with_suffix
from scopedepth.datasets.reading.mask_files import MASK_SUFFIXES, Masks
from scopedepth.datasets.reading.pairing import last_number, left_over, unique_by
from scopedepth.datasets.reading.video import VIDEO_SUFFIXES, Video
from scopedepth.datasets.reading.views import one_view
from scopedepth.errors import ScopeDepthError
from scopedepth.job.extensions import read_options

if TYPE_CHECKING:
    from scopedepth.config.options import Camera, Count, Lens, MaskList, Place
    from scopedepth.vocabulary import specs

# What is read of data used in place: other files there make nothing stale.
READS = (
    ".avi", ".bmp", ".exr", ".h5", ".hdf5", ".jpeg", ".jpg", ".m4v", ".mat", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
    ".npy", ".npz", ".pfm", ".png", ".tif", ".tiff", "intrinsics.txt",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """The videos, which of their pictures is taken, where their depth lies and how it is counted, the camera."""

    videos: Place = "*"
    views: Literal["one", "side_by_side", "above"] = "one"
    view: Literal["first", "second"] = "first"
    depths: Place = "{name}/depth"
    first: Count = 0
    intrinsics: Camera | None = None
    distortion: Lens | None = None
    masks: MaskList | None = None

    def __post_init__(self) -> None:
        if "/" in self.videos:
            raise ValueError("videos is a pattern of file names, such as *_left.mp4, in any folder")


def find(raw: Path, spec: specs.Dataset) -> list[Sequence]:
    """Return one sequence for every video below `raw`."""
    options = read_options(spec, Options)
    videos = [path for path in find_files(raw, options.videos) if path.suffix.lower() in VIDEO_SUFFIXES]
    if not videos:
        raise ScopeDepthError(
            f"No video {options.videos} was found below {raw} (read are {', '.join(VIDEO_SUFFIXES)}). Correct "
            "options.videos, or use the loader `folder` for images."
        )
    return [_sequence(path, raw, spec, options) for path in videos]


@dataclass
class VideoSequence(Sequence):
    """A video's frames, with a depth file for some or none of them."""

    video: Video = field(kw_only=True)
    options: Options = field(kw_only=True)
    depths: dict[int, Path] = field(kw_only=True)
    read_depth: ReadDepth = field(kw_only=True)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Return a frame's picture alone."""
        picture = self.video.read(index)
        if self.options.views == "one":
            return picture
        return one_view(picture, self.options.views, self.options.view == "second", str(self.video.path))

    def read(self, index: int) -> Frame:
        """Return a frame."""
        rgb = self.image(index)
        path = self.depths.get(index)
        if path is None:
            return self.overlaid(index, Frame(rgb, None))
        depth = self.read_depth(path)
        same_size(rgb, self.video.path, depth, path)
        return self.overlaid(index, Frame(rgb, depth))


def _sequence(path: Path, raw: Path, spec: specs.Dataset, options: Options) -> Sequence:
    video = Video(path)
    depths: dict[int, Path] = {}
    notes: list[str] = []
    if spec["depth"]["kind"] != "none":
        depths, notes = _depths(path, video.n_frames, options)
    camera = intrinsics_from(options.intrinsics)
    distortion = tuple(options.distortion or ()) or None
    for candidate in (path.parent / "intrinsics.txt", raw / "intrinsics.txt"):
        if camera is None and candidate.is_file():
            camera, lens = read_camera(candidate)
            distortion = distortion or lens
    encoding, read, said = described(spec["depth"], [depths[n] for n in sorted(depths)], camera)
    masks = [
        Masks([files.get(index) for index in range(video.n_frames)], entry)
        for entry in options.masks or []
        for files in [_numbered(path, entry["files"], MASK_SUFFIXES, video.n_frames, options)]
    ]
    return VideoSequence(
        file_safe(path.relative_to(raw).with_suffix("").as_posix()),
        [f"{index:06d}" for index in range(video.n_frames)],
        encoding,
        camera,
        origin(spec, "unknown"),
        notes + said + [note for mask in masks for note in mask.note()],
        distortion,
        forward_only=True,
        overlays=list(masks),
        has_confidence=any("full" in mask.entry for mask in masks),
        video=video,
        options=options,
        depths=depths,
        read_depth=read,
    )


def _depths(path: Path, frames: int, options: Options) -> tuple[dict[int, Path], list[str]]:
    """Return a video's depth files by frame, and notes."""
    place = options.depths.replace("{name}", path.stem)
    folder = path.parent / place
    if not folder.is_dir():
        return {}, [f"no frame has depth: there is no folder {place}/ beside {path.name}"]
    found = _numbered(path, options.depths, DEPTH_SUFFIXES, frames, options)
    without = frames - len(found)
    notes = [f"{without} of {frames} frames have no depth file"] if without else []
    return found, [
        *notes,
        *left_over(with_suffix(folder, DEPTH_SUFFIXES), found.values()),
        *not_read(folder, DEPTH_SUFFIXES),
    ]


def _numbered(
    path: Path, place: str, suffixes: tuple[str, ...], frames: int, options: Options
) -> dict[int, Path]:
    """Return the files of a folder beside a video by the frame, counted from 0, whose number they have."""
    folder = path.parent / place.replace("{name}", path.stem)
    numbered = unique_by(with_suffix(folder, suffixes), last_number)
    if not numbered:
        raise ScopeDepthError(
            f"{folder} holds no file with a frame's number in its name ({', '.join(suffixes)})."
        )
    beyond = [
        file for number, file in numbered.items() if not options.first <= number < frames + options.first
    ]
    if beyond:
        other = 0 if options.first else 1
        fits = all(other <= number < frames + other for number in numbered)
        raise ScopeDepthError(
            f"{beyond[0]} is of no frame of {path.name}, which has {frames}, counted from {options.first}. "
            + (f"Set options.first to {other}." if fits else "Remove it, or correct the folder.")
        )
    return {number - options.first: file for number, file in numbered.items()}
