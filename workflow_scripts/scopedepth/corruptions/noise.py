"""Noise of the sensor and of the way to it, drawn anew for each frame and grain.

Gaussian and impulse noise are strong as in Hendrycks and Dietterich (2019) and EndoDepth, on the image's values; shot
noise and sensor noise are made in light, where they arise.
"""

from __future__ import annotations

import cv2
import numpy as np

from scopedepth.corruptions import Image, Shot, generator, light, shown, sized
from scopedepth.vocabulary.corruptions import Corruption

CORRUPTIONS = (
    Corruption(
        "gaussian_noise", "Gaussian noise", "standard deviation, of white", (0.08, 0.12, 0.18, 0.26, 0.38)
    ),
    Corruption("shot_noise", "Shot noise", "photons of a white grain", (400, 150, 60, 25, 10)),
    Corruption(
        "impulse_noise", "Impulse noise", "share of grains that say nothing", (0.03, 0.06, 0.09, 0.17, 0.27)
    ),
    Corruption(
        "sensor_noise", "Sensor noise", "gain: variance of white", (0.002, 0.005, 0.011, 0.022, 0.045)
    ),
)
# Read noise of a sensor, standard deviation as a part of that of white.
READ = 0.15


def gaussian_noise(shot: Shot) -> Image:
    """Return the frame with noise of one strength added to its values: electronic noise, as benchmarks draw it."""
    drawn = generator(shot.frame).standard_normal((*shot.grains(), 3), np.float32)
    return shot.rgb + sized(drawn * np.float32(shot.level), *shot.rgb.shape[:2])


def shot_noise(shot: Shot) -> Image:
    """Return the frame of a sensor that counts few photons: Poisson's law, in light (Schottky 1918)."""
    rows, columns = shot.grains()
    linear = light(shot.rgb)
    grains = cv2.resize(linear, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float64)
    counted = generator(shot.frame).poisson(np.clip(grains, 0, None) * shot.level) / shot.level
    return shown(linear + sized((counted - grains).astype(np.float32), *linear.shape[:2]))


def impulse_noise(shot: Shot) -> Image:
    """Return the frame with values that are lost on their way: black or white, each colour by itself."""
    drawn = generator(shot.frame).random((*shot.grains(), 3), np.float32)
    height, width = shot.rgb.shape[:2]
    lost = sized((drawn < shot.level).astype(np.float32), height, width)
    white = sized((drawn < shot.level / 2).astype(np.float32), height, width)
    return shot.rgb * (1 - lost) + white


def sensor_noise(shot: Shot) -> Image:
    """Return the frame of a sensor at high gain: variance a I + b^2 in light (Foi et al. 2008), photons and reading."""
    drawn = generator(shot.frame).standard_normal((*shot.grains(), 3), np.float32)
    linear = light(shot.rgb)
    spread = np.sqrt(np.float32(shot.level) * (linear + np.float32(READ**2)))
    return shown(linear + sized(drawn, *linear.shape[:2]) * spread)
