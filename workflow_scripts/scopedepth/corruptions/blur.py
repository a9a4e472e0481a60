"""Blur: by focus, by motion of the camera, by glass in front of the lens.

Blur adds light, so it is made in linear light. Each kernel lies evenly about its pixel: the image is smeared and stays
where it is, and depth with it. Widths are shares of the shorter side.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.corruptions import Image, Shot, generator, light, shown, sized
from scopedepth.vocabulary.corruptions import Corruption

CORRUPTIONS = (
    Corruption(
        "defocus", "Defocus", "radius of the circle of confusion", (0.004, 0.007, 0.011, 0.016, 0.023)
    ),
    Corruption("motion", "Motion blur", "way during the exposure", (0.015, 0.03, 0.05, 0.08, 0.12)),
    Corruption(
        "zoom_blur", "Zoom blur", "way along the axis, part of the distance", (0.02, 0.04, 0.07, 0.11, 0.16)
    ),
    Corruption("glass", "Frosted glass", "sideways scatter", (0.002, 0.0035, 0.0055, 0.008, 0.012)),
)
# Moments of an exposure.
MOMENTS = 15


def defocus(shot: Shot) -> Image:
    """Return the frame out of focus: each point becomes a disc (thin lens; Hendrycks and Dietterich 2019)."""
    radius = shot.level * shot.side
    x, y = _around(radius)
    return _filtered(shot, np.clip(radius + 0.5 - np.hypot(x, y), 0, 1))


def motion(shot: Shot) -> Image:
    """Return the frame with the camera moving sideways during the exposure, each frame in a direction of its own."""
    angle = generator(shot.frame).uniform(0, np.pi)
    half = shot.level * shot.side / 2
    x, y = _around(half)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return _filtered(shot, np.clip(half + 0.5 - np.abs(along), 0, 1) * np.clip(1 - np.abs(across), 0, 1))


def zoom_blur(shot: Shot) -> Image:
    """Return the frame with the camera moving along its axis; depth is that of the middle of the exposure."""
    height, width = shot.rgb.shape[:2]
    linear, total = light(shot.rgb), np.zeros_like(shot.rgb)
    for moment in np.linspace(-0.5, 0.5, MOMENTS):
        factor = float(np.exp(moment * shot.level))
        there = np.array(
            [[factor, 0, (1 - factor) * (width - 1) / 2], [0, factor, (1 - factor) * (height - 1) / 2]],
            np.float64,
        )
        total += cv2.warpAffine(
            linear, there, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return shown(total / np.float32(MOMENTS))


def glass(shot: Shot) -> Image:
    """Return the frame through frosted glass: each grain shows what lies a little beside it, the same in each frame."""
    height, width = shot.rgb.shape[:2]
    scatter = generator(shot.lens).standard_normal((*shot.grains(), 2), np.float32)
    shift = sized(scatter, height, width) * np.float32(shot.level * shot.side)
    x = np.arange(width, dtype=np.float32)[None, :] + shift[:, :, 0]
    y = np.arange(height, dtype=np.float32)[:, None] + shift[:, :, 1]
    # One point of the glass is seen through a wide pupil.
    soft = cv2.GaussianBlur(light(shot.rgb), (0, 0), shot.side * 0.003)
    return shown(
        np.asarray(cv2.remap(soft, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101), np.float32)
    )


def _around(radius: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the places of a kernel that reaches `radius` pixels far, x and y from its middle."""
    reach = int(np.ceil(radius + 1))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    return x, y


def _filtered(shot: Shot, kernel: NDArray[np.float64]) -> Image:
    weights = (kernel / kernel.sum()).astype(np.float32)
    return shown(
        np.asarray(cv2.filter2D(light(shot.rgb), -1, weights, borderType=cv2.BORDER_REFLECT_101), np.float32)
    )
