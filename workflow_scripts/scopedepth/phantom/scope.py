"""Another scope: the same tissue in green-blue light, with smoke between it and the lens.

Networks that were trained on plain frames take the smoke's brightness, which grows with depth, for nearness.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scopedepth.phantom.scene import Frame

# Share of the light that is left of each colour, red, green, blue.
LIGHT = np.array([0.25, 1.0, 1.1])
# Linear grey of the smoke, and the depth (mm) at which 1 / e of the light gets through.
SMOKE, REACH = 0.5, 45.0
# Of the screen's curve: 2.2 in plain frames.
CURVE, DARKER = 2.2, 1.7


def through(scope: str, frame: Frame) -> Frame:
    """Return a frame as seen through a scope: `plain`, unchanged, or `shifted`. What has no depth stays black."""
    if scope == "plain":
        return frame
    light = (frame.rgb / 255) ** CURVE * LIGHT
    left = np.exp(-frame.depth / REACH)[..., None]
    seen = np.clip(light * left + SMOKE * (1 - left), 0, 1) ** (1 / DARKER)
    levels = np.rint(seen * 255) * (frame.depth > 0)[..., None]
    return replace(frame, rgb=levels.astype(np.uint8))
