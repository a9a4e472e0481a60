"""A reference drawn in all ways that may be stated, for a test that compares processes."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from scopedepth.evaluation.reference import StatedError

NORMAL: dict[str, Any] = {"sigma": 0.3, "probabilities": None, "classes": [], "grain": 3}
ERROR: Any = {
    "focal": 300.0, "baseline": 5.0, "reach": 4, "disparity": NORMAL, "depth": {**NORMAL, "grain": 1},
    "quantisation": {"of": "depth", "step": 1.0}, "calibration": {"of": "disparity", "offset": 0.4, "tilt": 0.2},
    "registration": {"shift": 1.0, "rotation": 1.0}, "drift": {"depth": 0.1, "shift": 0.1},
}  # fmt: skip


def digest() -> str:
    """Return a digest of some draws of a plane."""
    error = StatedError(ERROR, "d", None)
    y, x = np.mgrid[:48, :64].astype(np.float32)
    points = error.points(40 + x + y / 2, np.zeros(x.shape, np.uint8), np.arange(0, x.size, 3), "s", 7)
    drawn = [kind(points, draw).tobytes() for kind in (error.local, error.shared) for draw in range(3)]
    assert len(set(drawn)) == len(drawn)
    return hashlib.sha256(b"".join(drawn)).hexdigest()


if __name__ == "__main__":
    print(digest())
