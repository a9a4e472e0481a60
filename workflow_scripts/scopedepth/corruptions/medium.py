"""What is between lens and tissue, by depth: smoke and murky water.

Koschmieder's law (1924), as dehazing states it (He, Sun and Tang 2009): I t + A (1 - t) with t = exp(-b z). b is given
by the optical depth b z at the frame's median depth, so that a severity has no unit and means the same on each dataset.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.corruptions import Image, Shot, generator, light, shown, smooth
from scopedepth.vocabulary.corruptions import Corruption

CORRUPTIONS = (
    Corruption(
        "smoke", "Smoke", "optical depth at the median depth", (0.1, 0.2, 0.35, 0.55, 0.85), needs_depth=True
    ),
    Corruption(
        "murky_water",
        "Murky water",
        "optical depth at the median depth, green",
        (0.15, 0.3, 0.5, 0.8, 1.2),
        needs_depth=True,
    ),
)
# Light that smoke scatters back, of that of a white surface at the lens.
SMOKE_LIGHT = 0.55
# Stained water: how much stronger than green red, green, blue are swallowed, and the colour that comes back.
WATER = (0.7, 1.0, 1.5)
WATER_LIGHT = (0.28, 0.22, 0.1)


def smoke(shot: Shot) -> Image:
    """Return the frame behind surgical smoke: Koschmieder's law, the smoke's density uneven from frame to frame."""
    density = np.float32(0.6) + np.float32(0.8) * smooth(generator(shot.frame), shot.rgb.shape[:2], 4)
    through: Image = np.exp(-np.float32(shot.level) * distance(shot) * density)[:, :, None]
    return shown(light(shot.rgb) * through + np.float32(SMOKE_LIGHT) * (1 - through))


def murky_water(shot: Shot) -> Image:
    """Return the frame under murky water: Koschmieder's law with a colour's own loss (Akkaynak and Treibitz 2018)."""
    through = np.exp(-np.float32(shot.level) * distance(shot)[:, :, None] * np.array(WATER, np.float32))
    return shown(light(shot.rgb) * through + np.array(WATER_LIGHT, np.float32) * (1 - through))


def distance(shot: Shot) -> NDArray[np.float32]:
    """Return depth over its median, float32 (h, w); where there is none, that of the nearest pixel with one."""
    assert shot.depth is not None
    unknown = ~np.isfinite(shot.depth)
    whole = shot.depth
    if unknown.any():
        _, nearest = cv2.distanceTransformWithLabels(
            unknown.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        by_label = np.zeros(int(nearest.max()) + 1, np.float32)
        by_label[nearest[~unknown]] = shot.depth[~unknown]
        whole = by_label[nearest]
    return whole / np.median(shot.depth[~unknown])
