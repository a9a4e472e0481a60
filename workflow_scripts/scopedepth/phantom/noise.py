"""Gradient noise in three dimensions, compiled.

Perlin's construction (K. Perlin, "Improving noise", SIGGRAPH 2002): random gradients on an integer lattice,
blended with a quintic, so the noise and its first two derivatives are continuous and highlights on a wall
bumped with it have no facets. The gradients come from an integer hash instead of a table, so a seed is one
number and nothing is shared between threads.
"""

from __future__ import annotations

import math

import numpy as np

from scopedepth.phantom.inline import apart, inner

_X, _Y, _Z = np.uint32(0x8DA6B343), np.uint32(0xD8163841), np.uint32(0xCB1AB31F)


@inner
def _corner(h: np.uint32, x: float, y: float, z: float) -> tuple[float, float, float, float]:
    """The gradient of the lattice point with hash h, and its product with the offset (x, y, z) from there.

    Each direction of it is within 511.5 of 0, from 10 bits of the hash, well mixed by the finaliser of
    MurmurHash3.
    """
    h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    h = np.uint32((h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    h ^= h >> np.uint32(16)
    ten = np.uint32(1023)
    gx = np.int32(h & ten) - 511.5
    gy = np.int32((h >> np.uint32(10)) & ten) - 511.5
    gz = np.int32((h >> np.uint32(20)) & ten) - 511.5
    return gx, gy, gz, gx * x + gy * y + gz * z


@apart
def noise(x: float, y: float, z: float, seed: int) -> tuple[float, float, float, float]:
    """Value (roughly -0.7 to 0.7, mean 0) and gradient of the noise at a point, lattice spacing 1."""
    ix, iy, iz = math.floor(x), math.floor(y), math.floor(z)
    # wraps around at 32 bits, so a neighbour's is a sum
    h = np.uint32(ix * 0x8DA6B343 + iy * 0xD8163841 + iz * 0xCB1AB31F + seed * 0x9E3779B1)
    x, y, z = x - ix, y - iy, z - iz
    u = x * x * x * (x * (x * 6.0 - 15.0) + 10.0)
    v = y * y * y * (y * (y * 6.0 - 15.0) + 10.0)
    w = z * z * z * (z * (z * 6.0 - 15.0) + 10.0)
    du = 30.0 * x * x * (x * (x - 2.0) + 1.0)
    dv = 30.0 * y * y * (y * (y - 2.0) + 1.0)
    dw = 30.0 * z * z * (z * (z - 2.0) + 1.0)
    value = dx = dy = dz = 0.0
    for corner in range(4):  # of the cell's sides along x
        cy, cz = corner & 1, corner >> 1
        g = np.uint32(h + cy * _Y + cz * _Z)
        ax, ay, az, a = _corner(g, x, y - cy, z - cz)
        bx, by, bz, b = _corner(np.uint32(g + _X), x - 1.0, y - cy, z - cz)
        wy = v if cy else 1.0 - v
        wz = w if cz else 1.0 - w
        wyz = wy * wz
        here = a + u * (b - a)
        value += wyz * here
        dx += wyz * (ax + u * (bx - ax) + du * (b - a))
        dy += wyz * (ay + u * (by - ay)) + (dv if cy else -dv) * wz * here
        dz += wyz * (az + u * (bz - az)) + (dw if cz else -dw) * wy * here
    scale = 1.0 / 511.5
    return value * scale, dx * scale, dy * scale, dz * scale
