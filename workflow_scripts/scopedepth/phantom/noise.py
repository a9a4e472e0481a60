"""Gradient noise in three dimensions, compiled.

Perlin's construction (K. Perlin, "Improving noise", SIGGRAPH 2002): random gradients on an integer lattice,
blended with a quintic, so the noise and its first two derivatives are continuous and highlights on a wall
bumped with it have no facets. The gradients come from an integer hash instead of a table, so a seed is one
number and nothing is shared between threads.
"""

from __future__ import annotations

import numpy as np

from scopedepth.compiled import njit


@njit(cache=True, nogil=True)
def _hash(x: int, y: int, z: int, seed: int) -> int:
    """32 well mixed bits of a lattice point (the finaliser is that of MurmurHash3)."""
    h = np.uint32(x * 0x8DA6B343 + y * 0xD8163841 + z * 0xCB1AB31F + seed * 0x9E3779B1)
    h ^= h >> np.uint32(16)
    h = np.uint32(h * np.uint32(0x85EBCA6B))
    h ^= h >> np.uint32(13)
    h = np.uint32(h * np.uint32(0xC2B2AE35))
    h ^= h >> np.uint32(16)
    return h  # type: ignore[return-value]


@njit(cache=True, nogil=True)
def noise(x: float, y: float, z: float, seed: int) -> tuple[float, float, float, float]:
    """Value (roughly -0.7 to 0.7, mean 0) and gradient of the noise at a point, lattice spacing 1."""
    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
    ix, iy, iz = np.int64(fx), np.int64(fy), np.int64(fz)
    x, y, z = x - fx, y - fy, z - fz
    u = x * x * x * (x * (x * 6.0 - 15.0) + 10.0)
    v = y * y * y * (y * (y * 6.0 - 15.0) + 10.0)
    w = z * z * z * (z * (z * 6.0 - 15.0) + 10.0)
    du = 30.0 * x * x * (x * (x - 2.0) + 1.0)
    dv = 30.0 * y * y * (y * (y - 2.0) + 1.0)
    dw = 30.0 * z * z * (z * (z - 2.0) + 1.0)
    value = dx = dy = dz = 0.0
    for corner in range(8):
        cx, cy, cz = corner & 1, (corner >> 1) & 1, corner >> 2
        h = _hash(ix + cx, iy + cy, iz + cz, seed)
        gx = ((h & 1023) - 511.5) / 511.5
        gy = (((h >> 10) & 1023) - 511.5) / 511.5
        gz = (((h >> 20) & 1023) - 511.5) / 511.5
        dot = gx * (x - cx) + gy * (y - cy) + gz * (z - cz)
        wx = u if cx else 1.0 - u
        wy = v if cy else 1.0 - v
        wz = w if cz else 1.0 - w
        value += wx * wy * wz * dot
        dx += wx * wy * wz * gx + (du if cx else -du) * wy * wz * dot
        dy += wx * wy * wz * gy + (dv if cy else -dv) * wx * wz * dot
        dz += wx * wy * wz * gz + (dw if cz else -dw) * wx * wy * dot
    return value, dx, dy, dz
