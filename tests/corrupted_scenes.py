"""A scene to be corrupted, the same one at each size, and what comes out of it."""

from __future__ import annotations

import hashlib

import numpy as np

from scopedepth.views import Planes
from scopedepth.views.corrupt import Corrupt
from scopedepth.vocabulary.corruptions import CORRUPTIONS, SEVERITIES


def scene(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image and a depth of a bent tube, the same scene at each size; lit by a lamp at the lens."""
    y, x = ((np.mgrid[:side, :side] + 0.5) / side - 0.5).astype(np.float64)
    radius, angle = np.hypot(x - 0.1, y + 0.05), np.arctan2(y + 0.05, x - 0.1)
    depth = 6 / (radius + 0.08) + 3 * np.sin(40 * radius) + 2 * np.cos(3 * angle)
    light = np.clip((12 / depth) ** 1.2, 0, 1) * (0.85 + 0.15 * np.sin(45 * x) * np.sin(38 * y))
    vessels = 1 - 0.3 * np.exp(-((np.sin(9 * x + 4 * y) / 0.12) ** 2))
    rgb = np.stack([light, light * 0.6 * vessels, light * 0.5 * vessels], axis=2)
    return np.rint(rgb * 220).astype(np.uint8), depth.astype(np.float32)


def shown(
    name: str, severity: int, rgb: np.ndarray, depth: np.ndarray, first: int = 0, seed: int = 0
) -> np.ndarray:
    step = Corrupt(name, CORRUPTIONS[name].file, severity, seed, "tube")
    return step.rgb(rgb[None], first, Planes(lambda: depth[None], lambda: None))[0]


def digest(seed: int = 0) -> str:
    """Return a digest of all corruptions of a small scene."""
    rgb, depth = scene(64)
    made = [shown(name, severity, rgb, depth, 3, seed) for name in CORRUPTIONS for severity in SEVERITIES]
    return hashlib.sha256(b"".join(one.tobytes() for one in made)).hexdigest()
