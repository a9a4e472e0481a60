"""Frames that a seed makes, and what of an array is kept of it: for the numbers that published code gave on them."""

from __future__ import annotations

from typing import Any

import numpy as np

# Height and width: EndoSLAM's, Hamlyn's as given out and side by side, a common one, SCARED's and C3VD's.
SIZES = ((320, 320), (288, 360), (288, 720), (480, 640), (1024, 1280), (1080, 1350))
# So many values of an array are kept, spread over it.
KEPT = 61


def frame(height: int, width: int) -> np.ndarray:
    """Return uint8 (height, width, 3): noise, which no two filters treat alike, highlights and a black border."""
    made = np.random.default_rng(height * 10_000 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    made[: height // 16], made[:, : width // 20] = 0, 0
    made[height // 3 : height // 3 + 9, width // 2 : width // 2 + 23] = 255
    # A smooth part beside the noise: a ramp of grey levels.
    ramp = (np.arange(width // 4) * 255 // max(width // 4 - 1, 1)).astype(np.uint8)
    made[height // 2 :, width // 4 : width // 4 + width // 4] = ramp[None, :, None]
    return made


def places(shape: tuple[int, ...]) -> np.ndarray:
    """Return the flat places of the values that are kept: corners, and others spread unevenly."""
    count = int(np.prod(shape))
    spread = np.random.default_rng(count).integers(0, count, KEPT - 2)
    return np.concatenate([[0, count - 1], spread])


def sample(values: np.ndarray) -> dict[str, Any]:
    """Return what is kept of an array: shape, mean, mean square and the values at `places`."""
    exact = values.astype(np.float64)
    return {
        "shape": list(values.shape),
        "mean": round(float(exact.mean()), 9),
        "square": round(float((exact**2).mean()), 9),
        "values": [round(float(value), 7) for value in exact.ravel()[places(values.shape)]],
    }
