"""What is in the scene: specular highlights, a tool in front."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.corruptions import Image, Shot, generator, light, shown, smooth
from scopedepth.vocabulary.corruptions import Corruption

CORRUPTIONS = (
    Corruption("specular", "Specular highlights", "share of the frame", (0.005, 0.01, 0.02, 0.04, 0.07)),
    Corruption("tool", "A tool in front", "share of the frame", (0.03, 0.06, 0.1, 0.16, 0.24), hides=True),
)
# Wet tissue's small waves, beside how much of the lamp's light a place sends back.
WAVES = 0.25


def specular(shot: Shot) -> Image:
    """Return the frame of wetter tissue: highlights where it is lit most.

    The lamp sits beside the lens, so tissue mirrors it where it faces the camera, which is where it is bright for its
    surroundings (Blinn 1977, light and eye in one place); small waves of the film break that up.
    """
    grey = shot.rgb.mean(axis=2)
    # What is black lies outside the image circle, and is no surrounding.
    lit = (grey > 0.02).astype(np.float32)
    near = cv2.GaussianBlur(grey, (0, 0), 0.006 * shot.side)
    wide = 0.08 * shot.side
    around = cv2.GaussianBlur(grey * lit, (0, 0), wide) / np.maximum(
        cv2.GaussianBlur(lit, (0, 0), wide), 1e-3
    )
    waves = smooth(generator(shot.frame), grey.shape, 40)
    facing = (near - around) + np.float32(0.5) * near + np.float32(WAVES) * waves
    edge = np.float32(np.quantile(facing, 1 - shot.level))
    bright = np.clip((facing - edge) / np.float32(0.04) + np.float32(0.5), 0, 1)[:, :, None]
    return shown(light(shot.rgb) * (1 - bright) + bright)


def tool(shot: Shot) -> Image:
    """Return the frame with a metal shaft in front, lit by the lamp. What it hides has no depth, and counts nowhere."""
    height, width = shot.rgb.shape[:2]
    _, across = _shaft(shot.lens, height, width)
    half = _half(across, shot.level)
    round_off = np.sqrt(np.clip(1 - (across / half) ** 2, 0, 1))
    metal = np.float32(0.08) + np.float32(0.35) * round_off + np.float32(0.5) * round_off**24
    hidden = hides("tool", shot.level, shot.lens, height, width)
    made = shot.rgb.copy()
    made[hidden] = shown(metal.astype(np.float32))[hidden][:, None]
    return made


def hides(kind: str, level: float, lens: str, height: int, width: int) -> NDArray[np.bool_]:
    """Return what the tool hides, (h, w): a shaft from beyond the rim to near the middle, over the level's share."""
    _, across = _shaft(lens, height, width)
    return np.abs(across) <= _half(across, level)


def _shaft(lens: str, height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each pixel's place along the shaft and across it, pixels; infinitely far across beyond the tip."""
    draws = generator(lens)
    angle = draws.uniform(0, 2 * np.pi)
    side = min(height, width)
    tip = np.array([width, height]) / 2 + draws.uniform(-0.12, 0.12, 2) * side
    y, x = np.mgrid[:height, :width] + 0.5
    along = (x - tip[0]) * np.cos(angle) + (y - tip[1]) * np.sin(angle)
    across = (y - tip[1]) * np.cos(angle) - (x - tip[0]) * np.sin(angle)
    return along, np.where(along < 0, np.inf, across)


def _half(across: NDArray[np.float64], level: float) -> float:
    """Return half the width that covers a share of the frame."""
    return float(np.quantile(np.abs(across), level))
