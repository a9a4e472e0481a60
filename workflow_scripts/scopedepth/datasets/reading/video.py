"""Frames of a video by number, decoded once, in order."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError, UnreadableFrame, one_line

VIDEO_SUFFIXES = (".avi", ".mp4", ".mov", ".mkv", ".mpg", ".mpeg", ".m4v")
# Of the frames asked for last so many are kept: those at the beginning are looked at before they are all read.
KEPT = 16


class Video:
    """A video file. `read(i)` returns frame i; frames asked for in order are decoded once.

    Seeking by frame number is inexact with many codecs, so a frame before those kept is reached from the start.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._kept: dict[int, NDArray[np.uint8]] = {}
        self._capture: cv2.VideoCapture | None = None
        self._next = 0
        capture = self._open()
        self.n_frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.size = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        capture.release()
        if self.n_frames <= 0:
            raise ScopeDepthError(
                f"{path}: the video does not say how many frames it has; convert it (ffmpeg -i)."
            )
        # Every frame has an entry of some bytes in its container; a damaged header can claim thousands of millions.
        if self.n_frames > path.stat().st_size:
            raise ScopeDepthError(
                f"{path} says that it has {self.n_frames} frames, more than the file has bytes. It is damaged."
            )

    def _open(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self.path))
        if not capture.isOpened():
            raise ScopeDepthError(
                f"{self.path} does not open as a video; it is damaged or of an unknown codec."
            )
        return capture

    def read(self, index: int) -> NDArray[np.uint8]:
        """Return frame `index` as uint8 RGB (h, w, 3)."""
        with self._lock:
            if index in self._kept:
                return self._kept[index]
            if self._capture is None or index < self._next:
                self._capture, self._next = self._open(), 0
                self._kept.clear()
            while self._next <= index:
                # Frames on the way are decoded, for later ones need them, and not turned into pictures.
                if not self._capture.grab():
                    raise UnreadableFrame(f"{self.path}: frame {self._next} does not decode")
                self._next += 1
            good, frame = self._capture.retrieve()
            if not good:
                raise UnreadableFrame(f"{self.path}: frame {index} does not decode")
            self._kept[index] = np.asarray(
                cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            )  # NumPy takes ten times as long
            while len(self._kept) > KEPT:
                del self._kept[min(self._kept)]
            if index == self.n_frames - 1 and self._capture.grab():
                self._next += 1
                said = f"{self.path} says that it has {self.n_frames} frames and has more, which are left out"
                print(one_line(f"{said}; convert it (ffmpeg -i) to have them"), file=sys.stderr)
            return self._kept[index]
