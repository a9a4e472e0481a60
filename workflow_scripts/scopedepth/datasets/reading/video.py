"""Frames of a video by number, read forward, for several threads at once."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError, UnreadableFrame

VIDEO_SUFFIXES = (".avi", ".mp4", ".mov", ".mkv", ".mpg", ".mpeg", ".m4v")
# Threads ask for neighbouring frames out of order; this many decoded frames are kept for them.
KEPT = 32


class Video:
    """A video file. `read(i)` returns frame i; frames asked for roughly in order are decoded once.

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
                # Frames on the way are only unpacked when a neighbouring thread may still ask for them.
                near = index - self._next < KEPT
                if not self._capture.grab():
                    raise UnreadableFrame(f"{self.path}: frame {self._next} does not decode")
                if near:
                    good, frame = self._capture.retrieve()
                    if not good:
                        raise UnreadableFrame(f"{self.path}: frame {self._next} does not decode")
                    self._kept[self._next] = np.ascontiguousarray(frame[:, :, ::-1])
                self._next += 1
            while len(self._kept) > KEPT:
                del self._kept[min(self._kept)]
            return self._kept[index]
