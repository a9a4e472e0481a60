"""Lens distortion of a single camera: map a distorted image onto a pinhole camera with the same matrix.

Model: OpenCV's radial and tangential coefficients k1 k2 p1 p2 [k3 ...] (Brown, Photogrammetric Engineering, 1966;
Bradski and Kaehler, Learning OpenCV, chapter 11), or Kannala and Brandt's k1 k2 k3 k4 (`FisheyeLens`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.base import DerivedSequence, Frame, Sequence, without_overlays
from scopedepth.datasets.reading.cameras import FisheyeLens
from scopedepth.errors import ScopeDepthError
from scopedepth.vocabulary.flags import BORDER, NO_DEPTH


class Undistorter:
    """Resamples images of one size, (w, h), from a distorted camera onto the pinhole camera with the same matrix."""

    def __init__(
        self, camera: NDArray[np.float64], distortion: tuple[float, ...], size: tuple[int, int]
    ) -> None:
        lens = np.asarray(distortion, np.float64)
        if isinstance(distortion, FisheyeLens):
            self._maps = cv2.fisheye.initUndistortRectifyMap(
                camera, lens, np.eye(3), camera, size, cv2.CV_32FC1
            )
        else:
            self._maps = cv2.initUndistortRectifyMap(camera, lens, None, camera, size, cv2.CV_32FC1)
        x, y = self._maps
        width, height = size
        self.seen = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)

    def image(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the undistorted image, uint8 (h, w, 3); black where the camera saw nothing."""
        return np.asarray(cv2.remap(rgb, *self._maps, cv2.INTER_LINEAR))

    def marks(self, flags: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the flags of the nearest pixels, uint8 (h, w); 0 where the camera saw nothing."""
        return np.asarray(cv2.remap(flags, *self._maps, cv2.INTER_NEAREST))


class UndistortedSequence(DerivedSequence):
    """A sequence whose images are undistorted while its depth, pinhole already, stays as it is.

    Masks of what the image shows are undistorted with it; those that say where depth is valid belong to the depth.
    """

    def __init__(self, source: Sequence, camera: NDArray[np.float64], distortion: tuple[float, ...]) -> None:
        super().__init__(without_overlays(source), distortion=None, overlays=source.overlays)

        @lru_cache(maxsize=1)
        def undistorter(size: tuple[int, int]) -> Undistorter:
            return Undistorter(camera, distortion, size)

        self._undistorter: Any = undistorter

    def image(self, index: int) -> NDArray[np.uint8]:
        """Return the undistorted image alone."""
        rgb = self.source.image(index)
        lens: Undistorter = self._undistorter((rgb.shape[1], rgb.shape[0]))
        return lens.image(rgb)

    def read(self, index: int) -> Frame:
        """Return a frame with its image undistorted, and what the lens never saw flagged as border."""
        frame = self.source.read(index)
        lens = self._undistorter((frame.rgb.shape[1], frame.rgb.shape[0]))
        unseen = np.where(lens.seen, np.uint8(0), np.uint8(BORDER))
        flags = unseen if frame.flags is None else frame.flags | unseen
        depth, confidence = frame.depth, frame.confidence
        for overlay in self.overlays:
            marked = overlay(index, Frame(frame.rgb, depth), self.encoding)
            depth = marked.depth
            if marked.confidence is not None:
                confidence = lens.marks(marked.confidence)
            if marked.flags is not None:
                flags |= marked.flags & NO_DEPTH | lens.marks(marked.flags & ~np.uint8(NO_DEPTH))
        return Frame(lens.image(frame.rgb), depth, flags, confidence)


def undistorted(sequence: Sequence) -> Sequence:
    """Return `sequence` with its images mapped onto the depth's pinhole camera."""
    if sequence.intrinsics is None or not sequence.distortion:
        raise ScopeDepthError(
            f"Sequence {sequence.name}: undistort is true, but its lens is not known. Give options.intrinsics and "
            "options.distortion, or set undistort to false."
        )
    return UndistortedSequence(sequence, sequence.intrinsics, sequence.distortion)
