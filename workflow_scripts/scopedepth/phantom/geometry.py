"""The shape of a hollow organ, and the compiled march of a ray to its wall.

A lumen is a centreline of arc length s with a frame that does not twist (rotation minimising), and a map of
its radius R(s, angle). A point at distance rho from its nearest centreline point is inside where f = R(s,
angle) - rho > 0. Both ends
close with a dome: past the end of the centreline rho is the distance to its last point and s runs on along
the dome, so one map describes tube and ends without a pinch.

How far a ray may go at once: f changes by at most `lipschitz` for each millimetre, so f / lipschitz is safe,
but short, as the steepest fold sets it. Each block of the map has a bound of its own (`shares`), good for a step
that stays among its neighbours. Beside R there is a lower bound of it whose slope is at most 1 (`clear`, R with
its valleys filled by cones); the distance to that is worth much longer steps, and only within folds does the
march go by R itself. Rays close together go the clear part of their way as one bundle. A smallest step of a
quarter of a pixel's width lets rays pass the wall at last; the crossing is then bracketed to a nanometre. Lengths
are millimetres.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scopedepth.phantom.inline import inner

CENTRELINE_STEP = 0.25  # mm between samples of the centreline
BLOCK = 8  # rows and columns of a radius map for which the longest safe step is known together
CLEAR_SHARE = 0.7  # of the distance to the map `clear` that a step may be long


class Lumen(NamedTuple):
    """A hollow organ, as the compiled code takes it.

    Attributes:
        frames: (n, 14) float64, every CENTRELINE_STEP mm: position, tangent, the frame's two normals, and the
            bend towards each of them (1/mm).
        length: arc length of the centreline, mm.
        radius: (ns, na) float64, mm; rows from s = start every `step` mm, columns the angle from 0 to 2 pi.
        shade: (ns, na) float64, the share of surrounding light that reaches the wall (1 on a plain wall).
        clear: (ns, na) float32, mm, at most `radius` and of slope 1 at most, less what a cell's corner may
            differ.
        start: s of the first row of the maps, mm (negative: on the first dome).
        step: mm between rows.
        dome: radius that turns an angle on a dome into s, mm.
        lipschitz: how much R - rho can change in one millimetre.
        shares: float32, for each block of BLOCK x BLOCK cells of `radius` how far a step may go within it and its
            neighbours, as a share of R - rho; 1 / lipschitz at least.
        reach: mm from any point of a block that its neighbours reach.
    """

    frames: NDArray[np.float64]
    length: float
    radius: NDArray[np.float64]
    shade: NDArray[np.float64]
    clear: NDArray[np.float32]
    start: float
    step: float
    dome: float
    lipschitz: float
    shares: NDArray[np.float32]
    reach: float


def clearance(radius: NDArray[np.float64], step: float) -> NDArray[np.float32]:
    """The map `clear` of a radius map: the largest map below it with slope 1 at most along s and along the
    arc.

    Two sweeps over the rows and two turns around each row carry a cone of slope 1 out of every point (a
    chamfer transform).
    """
    rows, columns = radius.shape
    clear = radius.copy()
    turn = 2.0 * np.pi / columns
    # Divided by this, a cone around the arc is flat, and the lowest so far is a running minimum.
    cone = (1.0 + turn) ** np.arange(2 * columns)
    for _ in range(2):
        for i in range(1, rows):
            np.minimum(clear[i], clear[i - 1] + step, out=clear[i])
        for i in range(rows - 2, -1, -1):
            np.minimum(clear[i], clear[i + 1] + step, out=clear[i])
        for _ in range(2):  # up the angle, then down
            twice = np.concatenate([clear, clear], axis=1)
            lowest = np.minimum.accumulate(twice / cone, axis=1) * cone
            clear = lowest[:, columns:][:, ::-1]
    margin = 0.5 * step
    return np.ascontiguousarray(clear * (1.0 - 0.5 * turn) - margin, dtype=np.float32)


@inner
def _clear_at(clear: NDArray[np.float32], row: float, angle: float) -> float:
    """The clear radius of the nearest cell."""
    rows, columns = clear.shape
    i = min(max(int(row + 0.5), 0), rows - 1)
    j = math.floor(angle * (columns / (2.0 * np.pi)) + 0.5)
    return clear[i, j + columns if j < 0 else (j if j < columns else j - columns)]


@inner
def _project(
    lumen: Lumen, x: float, y: float, z: float, dx: float, dy: float, dz: float, s: float
) -> tuple[float, float, float, float, float, float]:
    """A point seen from the centreline, by one step of Newton's method from the guess that s is beside it.

    Returns:
        (s, pace, along, a, b, rho): arc length of the nearest point, which runs on beyond the ends as along a
        straight line; how it changes along the direction d; the offset along the tangent past an end (else
        0) and along the two normals; the distance.
    """
    frames = lumen.frames
    along = a = b = pace = square = 0.0
    for _ in range(2):
        at = min(max(s, 0.0), lumen.length)
        position = at * (1.0 / CENTRELINE_STEP)
        i = min(int(position), frames.shape[0] - 2)
        w = position - i
        v = 1.0 - w
        qx = x - (frames[i, 0] * v + frames[i + 1, 0] * w)
        qy = y - (frames[i, 1] * v + frames[i + 1, 1] * w)
        qz = z - (frames[i, 2] * v + frames[i + 1, 2] * w)
        tx = frames[i, 3] * v + frames[i + 1, 3] * w
        ty = frames[i, 4] * v + frames[i + 1, 4] * w
        tz = frames[i, 5] * v + frames[i + 1, 5] * w
        a = (
            qx * (frames[i, 6] * v + frames[i + 1, 6] * w)
            + qy * (frames[i, 7] * v + frames[i + 1, 7] * w)
            + qz * (frames[i, 8] * v + frames[i + 1, 8] * w)
        )
        b = (
            qx * (frames[i, 9] * v + frames[i + 1, 9] * w)
            + qy * (frames[i, 10] * v + frames[i + 1, 10] * w)
            + qz * (frames[i, 11] * v + frames[i + 1, 11] * w)
        )
        along = qx * tx + qy * ty + qz * tz
        stretch = 1.0 / max(1.0 - a * frames[i, 12] - b * frames[i, 13], 0.2)
        pace = (dx * tx + dy * ty + dz * tz) * stretch
        square = a * a + b * b + along * along
        s = at + along * stretch
        if 0.0 <= s <= lumen.length:  # beside the tube: `along` is what the guess was off
            square -= along * along * stretch
            along = 0.0
            break
        if at == (0.0 if s < 0.0 else lumen.length):
            break
    return s, pace, along, a, b, math.sqrt(square)


@inner
def _row(lumen: Lumen, s: float, along: float, a: float, b: float) -> float:
    """The row of the maps for what `_project` returned."""
    if along != 0.0:
        end = 0.0 if s < 0.0 else lumen.length
        s = end + lumen.dome * math.atan2(along, math.sqrt(a * a + b * b))
    return (s - lumen.start) / lumen.step


@inner
def bilinear(grid: NDArray[np.float64], row: float, angle: float) -> float:
    """A map at a fractional row and an angle (which wraps around)."""
    rows, columns = grid.shape
    row = min(max(row, 0.0), rows - 1.001)
    i = int(row)
    u = row - i
    column = angle * (columns / (2.0 * np.pi))
    if column < 0.0:
        column += columns
    j = int(column)
    v = column - j
    if j >= columns:
        j -= columns
    k = j + 1 if j + 1 < columns else 0
    return (1.0 - u) * ((1.0 - v) * grid[i, j] + v * grid[i, k]) + u * (
        (1.0 - v) * grid[i + 1, j] + v * grid[i + 1, k]
    )


@inner
def spline_slopes(grid: NDArray[np.float64], row: float, angle: float) -> tuple[float, float]:
    """Slopes of a map by row and by column, from a uniform cubic B-spline: smooth where the bilinear map has
    kinks.
    """
    rows, columns = grid.shape
    row = min(max(row, 1.0), rows - 2.001)
    i = int(row)
    u = row - i
    column = angle * (columns / (2.0 * np.pi))
    if column < 0.0:
        column += columns
    j = int(column)
    v = column - j
    by_row = by_column = 0.0
    for n in range(4):
        k = j + n - 1
        k = k + columns if k < 0 else (k if k < columns else k - columns)
        value = slope = 0.0  # of the spline along the column
        for m in range(4):
            weight, change = _spline(m, u)
            value += weight * grid[i + m - 1, k]
            slope += change * grid[i + m - 1, k]
        weight, change = _spline(n, v)
        by_row += weight * slope
        by_column += change * value
    return by_row, by_column


@inner
def _spline(k: int, t: float) -> tuple[float, float]:
    """Weight and slope of the k-th of the four cubic B-spline pieces at t in [0, 1)."""
    if k == 0:
        return (1.0 - t) * (1.0 - t) * (1.0 - t) / 6.0, -0.5 * (1.0 - t) * (1.0 - t)
    if k == 1:
        return (0.5 * t - 1.0) * t * t + 2.0 / 3.0, (1.5 * t - 2.0) * t
    if k == 2:
        return ((-0.5 * t + 0.5) * t + 0.5) * t + 1.0 / 6.0, (-1.5 * t + 1.0) * t + 0.5
    return t * t * t / 6.0, 0.5 * t * t


@inner
def advance(
    lumen: Lumen,
    x: float,
    y: float,
    z: float,
    dx: float,
    dy: float,
    dz: float,
    spread: float,
    t: float,
    s: float,
    fineness: float,
) -> tuple[float, float]:
    """How far a bundle of rays may go together from inside.

    Args:
        lumen: the organ.
        x, y, z: where the rays start.
        dx, dy, dz: the middle ray's direction.
        spread: how much a ray's direction differs from the middle one's at most.
        t: how far the bundle is known to be free, in units of the direction.
        s: arc length of the centreline point beside the middle ray there.
        fineness: as for `march`.

    Returns:
        (t, s): the rays are free as far as t; the centreline point beside the middle ray there.
    """
    norm = math.sqrt(dx * dx + dy * dy + dz * dz)
    for _ in range(200):
        s, pace, along, a, b, rho = _project(lumen, x + t * dx, y + t * dy, z + t * dz, dx, dy, dz, s)
        clear = _clear_at(lumen.clear, _row(lumen, s, along, a, b), math.atan2(b, a)) - rho
        free = CLEAR_SHARE / fineness * clear - t * spread
        if free < 0.2 + 0.2 * t * spread:
            break
        step = free / (norm + spread)
        t += step
        s += pace * step
    return t, s


@inner
def march(
    lumen: Lumen,
    x: float,
    y: float,
    z: float,
    dx: float,
    dy: float,
    dz: float,
    t: float,
    s: float,
    pixel: float,
    fineness: float,
) -> tuple[float, float]:
    """Where a ray from inside meets the wall.

    Args:
        lumen: the organ.
        x, y, z: the ray's start, inside.
        dx, dy, dz: the ray's direction, of any length.
        t: how far the ray is known to be free, in units of the direction.
        s: arc length of the centreline point about beside the ray there.
        pixel: width of a pixel at distance 1.
        fineness: 1 for the usual march; 8 steps eight times as finely (to judge the usual one against).

    Returns:
        (t, s): the wall is at start + t * direction, beside the centreline at s.
    """
    norm = math.sqrt(dx * dx + dy * dy + dz * dz)
    share = 1.0 / lumen.lipschitz
    block_rows, block_columns = lumen.shares.shape
    clear_share = CLEAR_SHARE / fineness
    low, f_low, s_low, f = t, 1.0, s, -1.0
    for _ in range(20000):
        s, pace, along, a, b, rho = _project(lumen, x + t * dx, y + t * dy, z + t * dz, dx, dy, dz, s)
        row, angle = _row(lumen, s, along, a, b), math.atan2(b, a)
        clear = _clear_at(lumen.clear, row, angle) - rho
        safe = 0.0
        if clear > 0.5:  # far from the wall R itself is not needed
            f = clear
        else:
            f = bilinear(lumen.radius, row, angle) - rho
            if f <= 0.0:
                break
            i = min(max(int(row) // BLOCK, 0), block_rows - 1)
            j = int((angle / (2.0 * math.pi) + 1.0) * block_columns) % block_columns
            safe = max(f * share, min(f * lumen.shares[i, j], lumen.reach))
        low, f_low, s_low = t, f, s
        step = max(clear * clear_share, safe / fineness, (0.01 + 0.25 * pixel * t * norm) / fineness) / norm
        t += step
        s += pace * step
    high, f_high, s_high = t, f, s
    side = 0
    for _ in range(30):  # regula falsi, Illinois variant
        w = f_low / (f_low - f_high)
        t = low + w * (high - low)
        s = s_low + w * (s_high - s_low)
        s, _, along, a, b, rho = _project(lumen, x + t * dx, y + t * dy, z + t * dz, dx, dy, dz, s)
        f = bilinear(lumen.radius, _row(lumen, s, along, a, b), math.atan2(b, a)) - rho
        if abs(f) < 1e-6 or (high - low) * norm < 1e-6:
            break
        if f > 0.0:
            low, f_low, s_low = t, f, s
            if side == 1:
                f_high *= 0.5
            side = 1
        else:
            high, f_high, s_high = t, f, s
            if side == -1:
                f_low *= 0.5
            side = -1
    return t, s


@inner
def wall(lumen: Lumen, x: float, y: float, z: float, s: float) -> tuple[float, float, float, float]:
    """Unit normal of the wall (towards the lumen) at a point on it, and the share of surrounding light
    there.
    """
    frames = lumen.frames
    s, _, past, a, b, rho = _project(lumen, x, y, z, 0.0, 0.0, 0.0, s)
    row, angle = _row(lumen, s, past, a, b), math.atan2(b, a)
    by_row, by_column = spline_slopes(lumen.radius, row, angle)
    position = min(max(s, 0.0), lumen.length) * (1.0 / CENTRELINE_STEP)
    i = min(int(position), frames.shape[0] - 2)
    w = position - i
    v = 1.0 - w
    # the outward direction in the frame (tangent, normals), and those of growing s (on a dome: along the
    # meridian) and growing angle
    rt, ra, rb = past / rho, a / rho, b / rho
    # sine of the angle to the tangent: 1 on the tube, 0 at a pole
    around = max(math.sqrt(ra * ra + rb * rb), 1e-3)
    stretch = lumen.dome / rho if past != 0.0 else 1.0 / max(1.0 - a * frames[i, 12] - b * frames[i, 13], 0.2)
    slope_s = by_row / lumen.step * stretch
    slope_a = by_column * lumen.radius.shape[1] / (2.0 * np.pi) / (rho * around)
    nt = slope_s * around - rt
    na = -slope_s * rt * ra / around - slope_a * rb / around - ra
    nb = -slope_s * rt * rb / around + slope_a * ra / around - rb
    norm = math.sqrt(nt * nt + na * na + nb * nb)
    nt, na, nb = nt / norm, na / norm, nb / norm
    nx = (
        nt * (frames[i, 3] * v + frames[i + 1, 3] * w)
        + na * (frames[i, 6] * v + frames[i + 1, 6] * w)
        + nb * (frames[i, 9] * v + frames[i + 1, 9] * w)
    )
    ny = (
        nt * (frames[i, 4] * v + frames[i + 1, 4] * w)
        + na * (frames[i, 7] * v + frames[i + 1, 7] * w)
        + nb * (frames[i, 10] * v + frames[i + 1, 10] * w)
    )
    nz = (
        nt * (frames[i, 5] * v + frames[i + 1, 5] * w)
        + na * (frames[i, 8] * v + frames[i + 1, 8] * w)
        + nb * (frames[i, 11] * v + frames[i + 1, 11] * w)
    )
    return nx, ny, nz, bilinear(lumen.shade, row, angle)


def arc_length(lumen: Lumen, x: float, y: float, z: float) -> float:
    """Arc length of the centreline point nearest to (x, y, z), searched over the whole centreline; mm."""
    squares = ((lumen.frames[:, :3] - (x, y, z)) ** 2).sum(axis=1)
    i = int(squares.argmin())
    frame = lumen.frames[i]
    offset = np.array([x, y, z]) - frame[:3]
    bend = float(frame[12:] @ (frame[6:12].reshape(2, 3) @ offset))
    s = i * CENTRELINE_STEP + float(offset @ frame[3:6]) / max(1.0 - bend, 0.2)
    return float(min(max(s, 0.0), lumen.length))
