"""Corruptions of images: one file an idea, each with its kinds (`CORRUPTIONS`) and a function of the name of each.

A function takes a `Shot` and returns the image that the camera would have given, float32 (h, w, 3) from 0 to 1. What
it draws it takes from `Shot.frame` or `Shot.lens`: PCG64 keyed by seed, kind, sequence and frame, so that a frame
comes out the same in each process, whichever frames are read with it, and a higher severity is more of the same draw,
but of shot noise.

`python docs/describe_protocols.py` lists the kinds in docs/robustness.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.job.draws import generator as generator  # for the files of this folder, and one's own

Image = NDArray[np.float32]
# What is drawn or coded for each pixel is so for each grain, of which there are this many along the shorter side: a
# severity is then the same at each size.
GRAINS = 320
# An image's values are near to light to this power.
GAMMA = 2.2


@dataclass(frozen=True)
class Shot:
    """One frame to be corrupted.

    rgb: float32 (h, w, 3) from 0 to 1. level: the strength. depth: float32 (h, w), NaN where there is none, in a unit
    of its own; None where the kind needs none. frame, lens: keys of what is drawn anew for each frame, and of what
    stays in its place through the sequence.
    """

    rgb: Image
    level: float
    depth: Image | None
    frame: str
    lens: str

    @property
    def side(self) -> int:
        """The shorter side, pixels."""
        return min(self.rgb.shape[:2])

    def grains(self) -> tuple[int, int]:
        """Return rows and columns of grains."""
        height, width = self.rgb.shape[:2]
        return max(1, round(height * GRAINS / self.side)), max(1, round(width * GRAINS / self.side))


def sized(values: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Return a map of grains (h, w, ...) at a frame's size: repeated where that is larger, averaged where smaller."""
    if values.shape[:2] == (height, width):
        return values
    way = cv2.INTER_NEAREST if height >= values.shape[0] else cv2.INTER_AREA
    return np.asarray(cv2.resize(values, (width, height), interpolation=way), np.float32)


def smooth(draws: np.random.Generator, shape: tuple[int, int], across: float) -> NDArray[np.float32]:
    """Return a smooth map (h, w) of drawn values from 0 to 1 with about `across` bumps along the shorter side."""
    height, width = shape
    cell = min(shape) / across
    rows, columns = round(height / cell) + 1, round(width / cell) + 1
    coarse = draws.random((rows, columns), np.float32)
    # Sampled at pixels' middles, cells at their corners: the same map whatever the frame's size.
    y = (np.arange(height, dtype=np.float32) + 0.5) * (rows - 1) / height
    x = (np.arange(width, dtype=np.float32) + 0.5) * (columns - 1) / width
    grid = np.broadcast_to(x, shape).copy(), np.broadcast_to(y[:, None], shape).copy()
    return np.clip(cv2.remap(coarse, *grid, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101), 0, 1)


def light(rgb: Image) -> Image:
    """Return an image's values as light, linear."""
    return np.power(rgb, np.float32(GAMMA))


def shown(linear: Image) -> Image:
    """Return light as an image's values; more light than the sensor holds is clipped."""
    return np.power(np.clip(linear, 0, 1), np.float32(1 / GAMMA))
