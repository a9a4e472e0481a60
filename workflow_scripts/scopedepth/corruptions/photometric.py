"""How much light there is and how the camera shows it: darkness, over-exposure, contrast, white balance."""

from __future__ import annotations

import numpy as np

from scopedepth.corruptions import Image, Shot, light, shown
from scopedepth.vocabulary.corruptions import Corruption

CORRUPTIONS = (
    Corruption("darkness", "Darkness", "part of the light that is left", (0.6, 0.4, 0.25, 0.14, 0.07)),
    Corruption("over_exposure", "Over-exposure", "factor on the light", (1.4, 1.9, 2.6, 3.6, 5.0)),
    Corruption("contrast", "Low contrast", "part of the contrast that is left", (0.7, 0.5, 0.35, 0.22, 0.12)),
    Corruption(
        "white_balance",
        "White balance",
        "stops by which blue falls and red rises",
        (0.2, 0.4, 0.6, 0.85, 1.1),
    ),
)


def darkness(shot: Shot) -> Image:
    """Return the frame by a dimmer lamp: less light, linear (dark of RoboDepth, Kong et al. 2023)."""
    return shown(light(shot.rgb) * np.float32(shot.level))


def over_exposure(shot: Shot) -> Image:
    """Return the frame with a longer exposure: more light, linear, clipped where the sensor is full."""
    return shown(light(shot.rgb) * np.float32(shot.level))


def contrast(shot: Shot) -> Image:
    """Return the frame drawn to its mean (contrast of Hendrycks and Dietterich 2019): glare in the optics."""
    mean = shot.rgb.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
    return mean + (shot.rgb - mean) * np.float32(shot.level)


def white_balance(shot: Shot) -> Image:
    """Return the frame white-balanced for a bluer lamp: von Kries' gains on light, red up and blue down, green kept."""
    gain = 2.0 ** (shot.level / 2)
    return shown(light(shot.rgb) * np.array([gain, 1, 1 / gain**2], np.float32))
