"""What a loader gives: sequences of frames, each with an image, its depth and what is known of both.

A loader is a module with one function, ``find(raw, spec) -> list[Sequence]``. It only lists files; frames are
read later, one by one, from several threads at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs


@dataclass(frozen=True)
class DepthEncoding:
    """How depth is stored: ``dtype`` uint8, uint16 (0 is missing) or float32 (NaN is missing).

    ``scale`` is what one step of an integer type means, in `unit`: ``mm``, or ``relative`` where no unit is known.
    """

    dtype: str = "float32"
    scale: float = 1.0
    unit: str = "mm"

    def __post_init__(self) -> None:
        if self.dtype not in ("uint8", "uint16", "float32"):
            raise ValueError(f"depth dtype {self.dtype!r} is none of uint8, uint16, float32")

    @property
    def is_integer(self) -> bool:
        return self.dtype != "float32"

    def missing(self) -> float | int:
        """Return the stored value that means `no depth here`."""
        return 0 if self.is_integer else float("nan")

    def valid(self, stored: NDArray[np.generic]) -> NDArray[np.bool_]:
        """Return where `stored` holds a depth."""
        return stored != 0 if self.is_integer else np.isfinite(stored)

    def decode(self, stored: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return `stored` in `unit` as float32, NaN where there is no depth."""
        decoded = stored.astype(np.float32)
        if self.is_integer:
            decoded *= np.float32(self.scale)
            decoded[stored == 0] = np.nan
        return decoded


@dataclass
class Frame:
    """One frame as read: rgb uint8 (h, w, 3); depth (h, w) in the sequence's encoding, None if there is none.

    `flags` holds bits that only the loader can know (occluded, tool, border), uint8 (h, w), or None; `confidence` how
    sure the depth is, uint8 (h, w), of 255, or None where no map says so.
    """

    rgb: NDArray[np.uint8]
    depth: NDArray[np.generic] | None
    flags: NDArray[np.uint8] | None = None
    confidence: NDArray[np.uint8] | None = None


# What is put over a frame when it is read (a mask): its number, the frame as it was, the depth's encoding.
Overlay = Callable[[int, Frame, DepthEncoding], Frame]


@dataclass
class Sequence(ABC):
    """One video: frames of one size from one camera.

    `notes` are the oddities found, one sentence each; `check-dataset` prints them and the store keeps them. `poses` are
    camera-to-world matrices, float64 (n, 4, 4), translations in mm, where they are known; NaN for a frame without one.
    """

    name: str
    frame_ids: list[str]
    encoding: DepthEncoding
    intrinsics: NDArray[np.float64] | None = None
    depth_origin: str = ""
    notes: list[str] = field(default_factory=list)
    distortion: tuple[float, ...] | None = None
    # Frames come fast only one after the other (a video, a tar archive).
    forward_only: bool = False
    poses: NDArray[np.float64] | None = None
    overlays: list[Overlay] = field(default_factory=list)
    # Indices of frames that are shown to models without their depth, for a list leaves them out.
    unlisted: frozenset[int] = frozenset()
    # Frames have a map of confidence, or some do.
    has_confidence: bool = False

    def overlaid(self, index: int, frame: Frame) -> Frame:
        """Return frame number `index` with what is put over it."""
        for overlay in self.overlays:
            frame = overlay(index, frame, self.encoding)
        return frame

    @abstractmethod
    def read(self, index: int) -> Frame:
        """Return frame number `index` of `frame_ids`. Called from several threads.

        Raises `UnreadableFrame` where a file is missing or broken, `ScopeDepthError` where image and depth
        do not belong together.
        """

    def image(self, index: int) -> NDArray[np.uint8]:
        """Return a frame's image alone, uint8 (h, w, 3). Loaders for which depth is work override this."""
        return self.read(index).rgb

    def problems(self, indices: list[int]) -> list[str]:
        """Return what is wrong with the sequence as some of its frames show it (a calibration), a sentence each."""
        return []

    def findings(self, indices: list[int]) -> list[str]:
        """Return what `check-dataset` says of the sequence besides, from some of its frames, a sentence each."""
        return []

    def __len__(self) -> int:
        return len(self.frame_ids)


class DerivedSequence(Sequence):
    """A sequence whose frames are another one's, changed when they are read: what is known of `source` holds for it.

    `known` is what does not: fields of a sequence by name.
    """

    def __init__(self, source: Sequence, **known: object) -> None:
        of_source = {one.name: getattr(source, one.name) for one in fields(Sequence)}
        super().__init__(**{**of_source, **known})
        self.source = source


class WithoutDepth(DerivedSequence):
    """A sequence of which the depth is not looked at."""

    def image(self, index: int) -> NDArray[np.uint8]:
        """Return the image alone."""
        return self.source.image(index)

    def read(self, index: int) -> Frame:
        """Return a frame without depth."""
        return Frame(self.image(index), None)


def without_overlays(sequence: Sequence) -> Sequence:
    """Return a sequence that puts nothing over its frames: who reads it does that."""
    bare = copy(sequence)
    bare.overlays = []
    return bare


class DepthOfListed(DerivedSequence):
    """A sequence whose depth is not looked at in the frames `unlisted`."""

    def __init__(self, source: Sequence, unlisted: frozenset[int]) -> None:
        super().__init__(without_overlays(source), overlays=source.overlays, unlisted=unlisted)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Return the image alone."""
        return self.source.image(index)

    def read(self, index: int) -> Frame:
        """Return a frame, with its depth where it is listed."""
        hidden = index in self.unlisted
        return self.overlaid(index, Frame(self.image(index), None) if hidden else self.source.read(index))

    def problems(self, indices: list[int]) -> list[str]:
        """Return the source's."""
        return self.source.problems(indices)

    def findings(self, indices: list[int]) -> list[str]:
        """Return the source's."""
        return self.source.findings(indices)


@dataclass(frozen=True)
class FrameFiles:
    """The files of one frame. `extra` is a loader's own (an occlusion map, a tool mask)."""

    id: str
    image: Path
    depth: Path | None = None
    extra: Path | None = None


@dataclass
class FileSequence(Sequence):
    """A sequence whose frames are files. `read_depth` and `read_extra` turn a file into arrays.

    `read_depth` returns the depth in the sequence's encoding; `read_extra` a uint8 map of flag bits.
    """

    files: list[FrameFiles] = field(default_factory=list)
    read_image: Callable[[Path], NDArray[np.uint8]] | None = None
    read_depth: Callable[[Path], NDArray[np.generic]] | None = None
    read_extra: Callable[[Path], NDArray[np.uint8]] | None = None

    @classmethod
    def of(cls, name: str, files: list[FrameFiles], encoding: DepthEncoding, **known: object) -> FileSequence:
        """Make a sequence of `files`, taking the frames' ids from them."""
        return cls(name, [file.id for file in files], encoding, files=files, **known)  # type: ignore[arg-type]

    def image(self, index: int) -> NDArray[np.uint8]:
        """Return a frame's image alone."""
        from scopedepth.datasets.reading.images import read_image

        return (self.read_image or read_image)(self.files[index].image)

    def read(self, index: int) -> Frame:
        """Return one frame from its files."""
        files = self.files[index]
        rgb = self.image(index)
        depth = flags = None
        if files.depth is not None:
            if self.read_depth is None:
                raise TypeError(f"sequence {self.name} has depth files and no read_depth")
            depth = self.read_depth(files.depth)
            same_size(rgb, files.image, depth, files.depth)
        if files.extra is not None and self.read_extra is not None:
            flags = self.read_extra(files.extra)
            same_size(rgb, files.image, flags, files.extra)
        return self.overlaid(index, Frame(rgb, depth, flags))


def same_size(rgb: NDArray[np.generic], image: Path, other: NDArray[np.generic], path: Path) -> None:
    """Raise a `ScopeDepthError` that names both files and sizes unless the two arrays have one size."""
    if rgb.shape[:2] != other.shape[:2]:
        raise ScopeDepthError(
            f"Image and depth differ in size: {image} is {size_text(rgb)}, {path} is {size_text(other)}. "
            "They must show the same pixels; crop or export them alike."
        )


def size_text(array: NDArray[np.generic]) -> str:
    """Return an image's size as people write it: width x height."""
    return f"{array.shape[1]}x{array.shape[0]}"


def origin(spec: specs.Dataset, known: str) -> str:
    """Return how the depth was made: what the spec says, else what the loader knows of its dataset."""
    stated = spec["depth"]["origin"]
    return known if stated == "unknown" else stated


def file_safe(name: str) -> str:
    """Return a sequence's name as it can stand in file names and wildcards."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
