"""What a camera with lamps beside it sees of an organ's wall: the compiled renderer.

A point of the wall receives from each lamp light that falls off with the square of the distance and with the
angle from the lamp's axis. It sends back a diffuse part (wrapped a little round the shape, as light scattered
inside tissue is), light from the wall around it (redder, less of it in valleys), and a highlight of the wet
surface (Blinn's model). Its colour is
made of gradient noise in space: patches, grain and two nets of vessels, which are the lines where a noise is
zero. Texture finer than a pixel fades out, or a video would sparkle and a stereo pair disagree.

The fine bumps of the mucosa (below 0.1 mm) turn the normal that light sees and do not move the wall, so depth
does not hold them. Pixels at edges get their colour from four more rays; the depth of a pixel is always that
of its centre.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scopedepth.phantom.geometry import Lumen, advance, march, wall
from scopedepth.phantom.inline import apart, inner, whole
from scopedepth.phantom.noise import noise

# The rays of GROUP x GROUP pixels are marched together as far as they are free together, from there on those of
# TILE x TILE, and from there on each. A group is some whole tiles.
GROUP = 16
TILE = 4

Colour = tuple[float, float, float]


class Mucosa(NamedTuple):
    """How a wall looks. Colours are linear RGB, lengths millimetres.

    Attributes:
        tissue, blood: colours of the wall and of the vessels on it.
        patch: share by which wide patches lighten and darken the wall; patch_size: their size.
        grain: the same for the finest texture; grain_size: its size.
        vessel: strength of the vessels (0 to 1); vessel_size: the mesh of the wide net; vessel_width: its
            widest vessel.
        bump: slope of the fine bumps; bump_size: their size.
        gloss: strength of highlights; sharpness: Blinn's exponent.
        bounce: share of the light that comes from the wall around.
        seed: of the noise.
    """

    tissue: Colour
    blood: Colour
    patch: float
    patch_size: float
    grain: float
    grain_size: float
    vessel: float
    vessel_size: float
    vessel_width: float
    bump: float
    bump_size: float
    gloss: float
    sharpness: float
    bounce: float
    seed: int


@inner
def _smooth(low: float, high: float, x: float) -> float:
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@inner
def _turned(x: float, y: float, z: float, times: int) -> tuple[float, float, float]:
    """A point turned by the rotation [[2, 2, 1], [-2, 1, 2], [1, -2, 2]] / 3 once and then `times` times
    more.
    """
    for _ in range(times + 1):
        x, y, z = (2 * x + 2 * y + z) / 3, (-2 * x + y + 2 * z) / 3, (x - 2 * y + 2 * z) / 3
    return x, y, z


@inner
def _turned_back(x: float, y: float, z: float, times: int) -> tuple[float, float, float]:
    """The inverse of `_turned`."""
    for _ in range(times + 1):
        x, y, z = (2 * x - 2 * y + z) / 3, (2 * x + y - 2 * z) / 3, (x + 2 * y + 2 * z) / 3
    return x, y, z


@inner
def _vessel_net(
    x: float,
    y: float,
    z: float,
    nx: float,
    ny: float,
    nz: float,
    size: float,
    width: float,
    pixel: float,
    seed: int,
) -> float:
    """How much of a pixel is covered by the vessels of one net (0 to 1)."""
    thick = noise(0.6 * x / size, 0.6 * y / size, 0.6 * z / size, seed + 1)[0]
    width *= _smooth(-0.25, 0.35, thick)  # vessels taper and break off
    if width <= 0.0:
        return 0.0
    a = noise(1.7 * x / size + 7.3, 1.7 * y / size, 1.7 * z / size, seed + 2)[0]
    b = noise(1.7 * x / size, 1.7 * y / size + 3.9, 1.7 * z / size, seed + 3)[0]
    value, gx, gy, gz = noise(x / size + 0.35 * a, y / size + 0.35 * b, z / size - 0.35 * a, seed)
    along = gx * nx + gy * ny + gz * nz
    gx, gy, gz = gx - along * nx, gy - along * ny, gz - along * nz
    distance = abs(value) * size / max(math.sqrt(gx * gx + gy * gy + gz * gz), 0.15)
    blur = 0.35 * width + pixel
    return (1.0 - _smooth(0.5 * width - 0.5 * blur, 0.5 * width + 0.5 * blur, distance)) * min(
        1.0, width / blur
    )


@inner
def _albedo(
    m: Mucosa, x: float, y: float, z: float, nx: float, ny: float, nz: float, pixel: float
) -> tuple[float, float, float]:
    """Colour of the wall at a point with normal n that a pixel `pixel` mm wide looks at."""
    wide = noise(x / m.patch_size, y / m.patch_size, z / m.patch_size, m.seed + 10)[0]
    middle = noise(3.1 * x / m.patch_size, 3.1 * y / m.patch_size, 3.1 * z / m.patch_size, m.seed + 11)[0]
    light = 1.0 + m.patch * (1.3 * wide + 0.7 * middle)
    size = m.grain_size
    share = m.grain
    for octave in range(3):
        seen = _smooth(0.8, 2.5, size / pixel)
        if seen > 0.0:
            light += seen * share * noise(x / size, y / size, z / size, m.seed + 12 + octave)[0]
        size *= 0.5
        share *= 0.75
    light = max(light, 0.2)
    flush = 1.0 - 0.5 * m.patch * (wide - 0.6 * middle)  # patches differ in redness too
    red, green, blue = m.tissue[0] * light, m.tissue[1] * light * flush, m.tissue[2] * light * flush
    if m.vessel > 0.0:
        net = _vessel_net(x, y, z, nx, ny, nz, m.vessel_size, m.vessel_width, pixel, m.seed + 20)
        fine = _vessel_net(
            x, y, z, nx, ny, nz, 0.42 * m.vessel_size, 0.45 * m.vessel_width, pixel, m.seed + 30
        )
        cover = m.vessel * (1.0 - (1.0 - net) * (1.0 - 0.7 * fine))
        red = red * (1.0 - cover) + cover * m.blood[0] * light
        green = green * (1.0 - cover) + cover * m.blood[1] * light
        blue = blue * (1.0 - cover) + cover * m.blood[2] * light
    return red, green, blue


@inner
def _radiance(
    m: Mucosa,
    lamps: NDArray[np.float64],
    axis: tuple[float, float, float],
    point: tuple[float, float, float],
    normal: tuple[float, float, float],
    view: tuple[float, float, float],
    open_share: float,
    pixel: float,
) -> tuple[float, float, float]:
    """Linear light from a point of the wall towards the camera."""
    x, y, z = point
    nx, ny, nz = normal
    vx, vy, vz = view
    red, green, blue = _albedo(m, x, y, z, nx, ny, nz, pixel)
    bx, by, bz = nx, ny, nz
    size = m.bump_size
    share = m.bump
    for octave in range(3):
        seen = _smooth(1.0, 3.0, size / pixel)
        if seen > 0.0:
            # each octave on a lattice turned otherwise, or highlights would show the lattice as a weave
            tx, ty, tz = _turned(x, y, z, octave)
            _, gx, gy, gz = noise(tx / size, ty / size, tz / size, m.seed + 40 + octave)
            gx, gy, gz = _turned_back(gx, gy, gz, octave)
            bx, by, bz = bx - seen * share * gx, by - seen * share * gy, bz - seen * share * gz
        size *= 0.53
        share *= 0.75
    norm = math.sqrt(bx * bx + by * by + bz * bz)
    bx, by, bz = bx / norm, by / norm, bz / norm
    direct = around = shine = 0.0
    for lamp in range(lamps.shape[0]):
        lx, ly, lz = lamps[lamp, 0] - x, lamps[lamp, 1] - y, lamps[lamp, 2] - z
        square = lx * lx + ly * ly + lz * lz
        distance = math.sqrt(square)
        lx, ly, lz = lx / distance, ly / distance, lz / distance
        spread = max(-(lx * axis[0] + ly * axis[1] + lz * axis[2]), 0.0)
        light = lamps[lamp, 3] * (0.25 + 0.75 * spread) / (square + 4.0)
        facing = bx * lx + by * ly + bz * lz
        direct += light * max((facing + 0.15) / 1.15, 0.0)
        around += light
        hx, hy, hz = lx + vx, ly + vy, lz + vz
        norm = math.sqrt(hx * hx + hy * hy + hz * hz)
        half = (bx * hx + by * hy + bz * hz) / norm
        if half > 0.0 and facing > 0.0:
            shine += light * half**m.sharpness
    around *= m.bounce * open_share
    direct *= 0.35 + 0.65 * open_share
    shine *= m.gloss * (m.sharpness + 8.0) / 60.0
    return (
        red * (direct + 1.15 * around) + shine,
        green * (direct + 0.75 * around) + shine,
        blue * (direct + 0.65 * around) + 0.95 * shine,
    )


@apart
def _shoot(
    lumen: Lumen,
    mucosa: Mucosa,
    lamps: NDArray[np.float64],
    pose: NDArray[np.float64],
    rx: float,
    ry: float,
    t: float,
    s: float,
    pixel: float,
    fineness: float,
) -> tuple[float, float, float, float]:
    """(depth along the optical axis, red, green, blue) of the ray (x, y, 1) of the camera."""
    dx, dy, dz = _direction(pose, rx, ry)
    depth, s = march(lumen, pose[0, 3], pose[1, 3], pose[2, 3], dx, dy, dz, t, s, pixel, fineness)
    x, y, z = pose[0, 3] + depth * dx, pose[1, 3] + depth * dy, pose[2, 3] + depth * dz
    nx, ny, nz, open_share = wall(lumen, x, y, z, s)
    norm = math.sqrt(dx * dx + dy * dy + dz * dz)
    view = (-dx / norm, -dy / norm, -dz / norm)
    slant = max(nx * view[0] + ny * view[1] + nz * view[2], 0.1)
    footprint = pixel * depth / math.sqrt(slant)
    axis = (pose[0, 2], pose[1, 2], pose[2, 2])
    red, green, blue = _radiance(mucosa, lamps, axis, (x, y, z), (nx, ny, nz), view, open_share, footprint)
    return depth, red, green, blue


@inner
def _direction(pose: NDArray[np.float64], rx: float, ry: float) -> tuple[float, float, float]:
    """The ray (x, y, 1) of the camera in the world."""
    return (
        pose[0, 0] * rx + pose[0, 1] * ry + pose[0, 2],
        pose[1, 0] * rx + pose[1, 1] * ry + pose[1, 2],
        pose[2, 0] * rx + pose[2, 1] * ry + pose[2, 2],
    )


@inner
def _advance_tile(
    lumen: Lumen,
    pose: NDArray[np.float64],
    rays: NDArray[np.float64],
    top: int,
    left: int,
    size: int,
    t: float,
    s: float,
    pixel: float,
    fineness: float,
) -> tuple[float, float]:
    """`advance` for the pixels of a square, from (t, s)."""
    height, width, _ = rays.shape
    bottom, right = min(top + size, height) - 1, min(left + size, width) - 1
    i, j = (top + bottom) // 2, (left + right) // 2
    rx, ry = rays[i, j, 0], rays[i, j, 1]
    square = 0.0
    for i in range(top, bottom + 1):
        for j in range(left, right + 1):
            square = max(square, (rays[i, j, 0] - rx) ** 2 + (rays[i, j, 1] - ry) ** 2)
    spread = math.sqrt(square) + pixel  # as much again for the rays about a pixel that smooth edges
    dx, dy, dz = _direction(pose, rx, ry)
    return advance(lumen, pose[0, 3], pose[1, 3], pose[2, 3], dx, dy, dz, spread, t, s, fineness)


@whole
def render_rays(
    lumen: Lumen,
    mucosa: Mucosa,
    lamps: NDArray[np.float64],
    pose: NDArray[np.float64],
    rays: NDArray[np.float64],
    seen: NDArray[np.bool_],
    s: float,
    pixel: float,
    smooth_edges: bool,
    fineness: float,
    depth: NDArray[np.float64],
    light: NDArray[np.float64],
    starts: NDArray[np.float64],
    centre: NDArray[np.float64],
) -> None:
    """Render a picture into `depth` and `light`.

    Args:
        lumen, mucosa: the organ.
        lamps: (n, 4) position in the world, mm, and strength.
        pose: (4, 4) camera to world; camera axes x right, y down, z ahead.
        rays: (h, w, 2) the point of each pixel's ray at z = 1.
        seen: (h, w) pixels to render; the others are left as they are.
        s: arc length of the centreline point nearest to the camera.
        pixel: width of a pixel at z = 1.
        smooth_edges: give pixels at depth edges and at highlights the mean colour of five rays.
        fineness: as for `march`.
        depth: (h, w) float64 to fill, mm along the optical axis.
        light: (h, w, 3) float64 to fill, linear.
        starts: (h / TILE, w / TILE, 2) float64, rounded up, for what `advance` returns for each tile.
        centre: (h, w) float64, for the pixels' green before edges are smoothed.
    """
    height, width = depth.shape
    for top in range(0, height, GROUP):
        for left in range(0, width, GROUP):
            tg, sg = _advance_tile(lumen, pose, rays, top, left, GROUP, 0.0, s, pixel, fineness)
            for i in range(top // TILE, min((top + GROUP) // TILE, starts.shape[0])):
                for j in range(left // TILE, min((left + GROUP) // TILE, starts.shape[1])):
                    starts[i, j, 0], starts[i, j, 1] = _advance_tile(
                        lumen, pose, rays, i * TILE, j * TILE, TILE, tg, sg, pixel, fineness
                    )
    for i in range(height):
        for j in range(width):
            if seen[i, j]:
                start = starts[i // TILE, j // TILE, 0], starts[i // TILE, j // TILE, 1]
                d, r, g, b = _shoot(
                    lumen,
                    mucosa,
                    lamps,
                    pose,
                    rays[i, j, 0],
                    rays[i, j, 1],
                    start[0],
                    start[1],
                    pixel,
                    fineness,
                )
                depth[i, j] = d
                light[i, j, 0], light[i, j, 1], light[i, j, 2] = r, g, b
                centre[i, j] = g
    if not smooth_edges:
        return
    for i in range(1, height - 1):
        for j in range(1, width - 1):
            if not (seen[i, j] and seen[i - 1, j] and seen[i + 1, j] and seen[i, j - 1] and seen[i, j + 1]):
                continue
            d, c = depth[i, j], centre[i, j]
            edge = False
            for k in range(4):
                m, n = i + (-1, 1, 0, 0)[k], j + (0, 0, -1, 1)[k]
                edge |= abs(depth[m, n] - d) > 0.1 * d or abs(centre[m, n] - c) > 0.25 * (centre[m, n] + c)
            if not edge:
                continue
            start = starts[i // TILE, j // TILE, 0], starts[i // TILE, j // TILE, 1]
            r, g, b = light[i, j, 0], light[i, j, 1], light[i, j, 2]
            for k in range(4):
                rx = rays[i, j, 0] + pixel * (-0.375, 0.125, 0.375, -0.125)[k]
                ry = rays[i, j, 1] + pixel * (-0.125, -0.375, 0.125, 0.375)[k]
                _, r2, g2, b2 = _shoot(
                    lumen, mucosa, lamps, pose, rx, ry, start[0], start[1], pixel, fineness
                )
                r, g, b = r + r2, g + g2, b + b2
            light[i, j, 0], light[i, j, 1], light[i, j, 2] = 0.2 * r, 0.2 * g, 0.2 * b
