"""The lens and what is on it: its distortion, digital zoom, dirt, blood. What is on it stays through a sequence.

Distortion and zoom move pixels, and the nearest pixel's depth and flags with them: depth along the axis is what it was.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.corruptions import Image, Shot, generator, light, shown, smooth
from scopedepth.vocabulary.corruptions import Corruption

CORRUPTIONS = (
    Corruption(
        "lens_distortion",
        "Lens distortion",
        "k of r (1 + k r^2) / (1 + k)",
        (0.05, 0.1, 0.18, 0.28, 0.42),
        moves=True,
    ),
    Corruption("zoom", "Digital zoom", "magnification", (1.1, 1.25, 1.4, 1.65, 2.0), moves=True),
    Corruption("dirt", "Dirt on the lens", "share of the frame", (0.04, 0.08, 0.14, 0.22, 0.32)),
    Corruption("blood", "Blood on the lens", "share of the frame", (0.04, 0.08, 0.14, 0.22, 0.32)),
)
# Light that dirt lets through, and that a film of blood does: oxygenated blood swallows green and blue.
DIRT = 0.35
BLOOD = (0.55, 0.06, 0.05)


def moved(
    kind: str, level: float, height: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where each pixel of a frame comes from: columns and rows (h, w), none outside of it."""
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x, y = x - middle[0], y - middle[1]
    if kind == "zoom":
        factor: NDArray[np.float64] = np.full((height, width), 1 / level)
    else:
        factor = (1 + level * (x**2 + y**2) / (middle**2).sum()) / (1 + level)
    return (x * factor + middle[0]).astype(np.float32), (y * factor + middle[1]).astype(np.float32)


def lens_distortion(shot: Shot) -> Image:
    """Return the frame by a lens with barrel distortion (Brown 1971, one term); the corners stay in their place."""
    return _moved(shot, "lens_distortion")


def zoom(shot: Shot) -> Image:
    """Return the middle of the frame, enlarged: what a camera's digital zoom shows."""
    return _moved(shot, "zoom")


def dirt(shot: Shot) -> Image:
    """Return the frame through a lens with dried drops on it: darker and out of focus where they are."""
    there = _spots(shot, 9)
    blurred = cv2.GaussianBlur(light(shot.rgb), (0, 0), 0.02 * shot.side)
    return shown(light(shot.rgb) * (1 - there) + np.float32(DIRT) * blurred * there)


def blood(shot: Shot) -> Image:
    """Return the frame through a film of blood: Beer's law, green and blue swallowed."""
    through = np.power(np.array(BLOOD, np.float32), _spots(shot, 5))
    return shown(light(shot.rgb) * through)


def _spots(shot: Shot, across: float) -> Image:
    """Return how far each pixel is covered, (h, w, 1): spots over the level's share of the frame, out of focus."""
    field = smooth(generator(shot.lens), shot.rgb.shape[:2], across)
    edge = np.float32(np.quantile(field, 1 - shot.level))
    return np.clip((field - edge) / np.float32(0.1) + np.float32(0.5), 0, 1)[:, :, None]


def _moved(shot: Shot, kind: str) -> Image:
    x, y = moved(kind, shot.level, *shot.rgb.shape[:2])
    return np.asarray(
        cv2.remap(shot.rgb, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )
