"""Cameras: a pinhole with Brown's lens distortion, with a circular border or not, and lamps beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Camera:
    """A camera and its lamps.

    Attributes:
        width, height: pixels.
        fx, fy, cx, cy: intrinsics, pixels; the centre of the first pixel is (0, 0).
        distortion: k1, k2, p1, p2, k3 in OpenCV's convention.
        border: radius of the visible circle in pixels about the image's middle; None shows the whole image.
        lamps: position (mm, camera axes: x right, y down, z ahead) and strength of each lamp.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    border: float | None = None
    lamps: tuple[tuple[float, float, float, float], ...] = ((-2.6, -1.0, 0.0, 0.6), (2.4, 1.2, 0.0, 0.4))

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The 3x3 matrix of intrinsics."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def rays(self) -> NDArray[np.float64]:
        """(height, width, 2): where the ray of each pixel's centre crosses the plane z = 1."""
        return _rays(self)

    def visible(self) -> NDArray[np.bool_]:
        """(height, width): pixels inside the border."""
        if self.border is None:
            return np.ones((self.height, self.width), bool)
        y, x = np.mgrid[: self.height, : self.width]
        return np.hypot(x - (self.width - 1) / 2, y - (self.height - 1) / 2) <= self.border


def endoscope(width: int, height: int, field_of_view: float = 96.0) -> Camera:
    """A pinhole endoscope whose circular picture nearly fills the image, `field_of_view` degrees across."""
    radius = 0.49 * min(width, height)
    focal = radius / float(np.tan(np.radians(field_of_view / 2)))
    return Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2, border=radius)


@lru_cache(maxsize=8)
def _rays(camera: Camera) -> NDArray[np.float64]:
    y, x = np.mgrid[: camera.height, : camera.width].astype(np.float64)
    seen = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy], axis=-1)
    k1, k2, p1, p2, k3 = camera.distortion
    plain = seen.copy()
    if any(camera.distortion):
        # the distortion has no inverse in closed form; as a fixed point it settles to 1e-12 within 40 rounds
        # for such lenses
        for _ in range(40):
            u, v = plain[..., 0], plain[..., 1]
            r2 = u * u + v * v
            radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
            du = 2 * p1 * u * v + p2 * (r2 + 2 * u * u)
            dv = p1 * (r2 + 2 * v * v) + 2 * p2 * u * v
            plain = np.stack([(seen[..., 0] - du) / radial, (seen[..., 1] - dv) / radial], axis=-1)
    plain.flags.writeable = False
    return plain
