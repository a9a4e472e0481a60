"""The shape of a hollow organ, and the compiled march of a ray to its wall.

A lumen is a centreline of arc length s with a frame that does not twist (rotation minimising), and a map of
its radius R(s, angle). A point at distance rho from its nearest centreline point is inside where f = R(s,
angle) - rho > 0. Both ends
close with a dome: past the end of the centreline rho is the distance to its last point and s runs on along
the dome, so one map describes tube and ends without a pinch.

How far a ray may go at once: f changes by at most `lipschitz` for each millimetre, so f / lipschitz is safe,
but short where folds are steep. Beside R there is therefore a lower bound of it whose slope is at most 1
(`clear`, R with its valleys filled by cones); the distance to that is worth much longer steps, and only
within folds does the march go by R itself. A smallest step of a quarter of a pixel's width lets rays pass the
wall at last; the crossing is then bracketed to a nanometre. Lengths are millimetres.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scopedepth.compiled import njit

CENTRELINE_STEP = 0.25  # mm between samples of the centreline


class Lumen(NamedTuple):
    """A hollow organ, as the compiled code takes it.

    Attributes:
        frames: (n, 15) float64, every CENTRELINE_STEP mm: position, tangent, its derivative, and the frame's
            two normals.
        length: arc length of the centreline, mm.
        radius: (ns, na) float64, mm; rows from s = start every `step` mm, columns the angle from 0 to 2 pi.
        shade: (ns, na) float64, the share of surrounding light that reaches the wall (1 on a plain wall).
        clear: (ns, na) float32, mm, at most `radius` and of slope 1 at most, less what a cell's corner may
            differ.
        start: s of the first row of the maps, mm (negative: on the first dome).
        step: mm between rows.
        dome: radius that turns an angle on a dome into s, mm.
        lipschitz: how much R - rho can change in one millimetre.
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


@njit(cache=True, nogil=True)
def clearance(radius: NDArray[np.float64], step: float) -> NDArray[np.float32]:
    """The map `clear` of a radius map: the largest map below it with slope 1 at most along s and along the
    arc.

    Two sweeps over the rows and two turns around each row carry a cone of slope 1 out of every point (a
    chamfer transform).
    """
    rows, columns = radius.shape
    clear = radius.copy()
    turn = 2.0 * np.pi / columns
    for _ in range(2):
        for i in range(1, rows):
            for j in range(columns):
                clear[i, j] = min(clear[i, j], clear[i - 1, j] + step)
        for i in range(rows - 2, -1, -1):
            for j in range(columns):
                clear[i, j] = min(clear[i, j], clear[i + 1, j] + step)
        for i in range(rows):
            for j in range(1, 2 * columns):
                k = j % columns
                before = clear[i, (j - 1) % columns]
                clear[i, k] = min(clear[i, k], before * (1.0 + turn))
            for j in range(2 * columns - 2, -1, -1):
                k = j % columns
                before = clear[i, (j + 1) % columns]
                clear[i, k] = min(clear[i, k], before * (1.0 + turn))
    margin = 0.5 * step
    return (clear * (1.0 - 0.5 * turn) - margin).astype(np.float32)


@njit(cache=True, nogil=True)
def _clear_at(clear: NDArray[np.float32], row: float, angle: float) -> float:
    """The clear radius of the nearest cell."""
    rows, columns = clear.shape
    i = min(max(int(row + 0.5), 0), rows - 1)
    j = int(np.floor(angle * (columns / (2.0 * np.pi)) + 0.5))
    return clear[i, j + columns if j < 0 else (j if j < columns else j - columns)]


@njit(cache=True, nogil=True)
def nearest(lumen: Lumen, x: float, y: float, z: float, s: float, rounds: int) -> float:
    """Arc length of the centreline point nearest to (x, y, z), by Newton's method from the guess s."""
    frames = lumen.frames
    last = frames.shape[0] - 2
    for _ in range(rounds):
        position = s / CENTRELINE_STEP
        i = min(max(int(position), 0), last)
        w = position - i
        along = 0.0
        bend = 0.0
        for k in range(3):
            q = (x, y, z)[k] - (frames[i, k] * (1.0 - w) + frames[i + 1, k] * w)
            along += q * (frames[i, 3 + k] * (1.0 - w) + frames[i + 1, 3 + k] * w)
            bend += q * (frames[i, 6 + k] * (1.0 - w) + frames[i + 1, 6 + k] * w)
        s = min(max(s + along / max(1.0 - bend, 0.2), 0.0), lumen.length)
    return s


@njit(cache=True, nogil=True)
def place(lumen: Lumen, x: float, y: float, z: float, s: float) -> tuple[float, float, float]:
    """(map row, angle, rho) of a point whose nearest centreline point is at s."""
    frames = lumen.frames
    position = s / CENTRELINE_STEP
    i = min(max(int(position), 0), frames.shape[0] - 2)
    w = position - i
    along = a = b = square = 0.0
    for k in range(3):
        q = (x, y, z)[k] - (frames[i, k] * (1.0 - w) + frames[i + 1, k] * w)
        square += q * q
        along += q * (frames[i, 3 + k] * (1.0 - w) + frames[i + 1, 3 + k] * w)
        a += q * (frames[i, 9 + k] * (1.0 - w) + frames[i + 1, 9 + k] * w)
        b += q * (frames[i, 12 + k] * (1.0 - w) + frames[i + 1, 12 + k] * w)
    reach = s
    if (s <= 0.0 and along < 0.0) or (s >= lumen.length and along > 0.0):
        reach = s + lumen.dome * np.arctan2(along, np.sqrt(a * a + b * b))
    return (reach - lumen.start) / lumen.step, np.arctan2(b, a), np.sqrt(square)


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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
    for m in range(4):
        bu, su = _spline(m, u)
        for n in range(4):
            bv, sv = _spline(n, v)
            value = grid[min(max(i + m - 1, 0), rows - 1), (j + n - 1 + columns) % columns]
            by_row += su * bv * value
            by_column += bu * sv * value
    return by_row, by_column


@njit(cache=True, nogil=True)
def _spline(k: int, t: float) -> tuple[float, float]:
    """Weight and slope of the k-th of the four cubic B-spline pieces at t in [0, 1)."""
    if k == 0:
        return (1.0 - t) ** 3 / 6.0, -0.5 * (1.0 - t) ** 2
    if k == 1:
        return (3.0 * t**3 - 6.0 * t**2 + 4.0) / 6.0, 1.5 * t**2 - 2.0 * t
    if k == 2:
        return (-3.0 * t**3 + 3.0 * t**2 + 3.0 * t + 1.0) / 6.0, -1.5 * t**2 + t + 0.5
    return t**3 / 6.0, 0.5 * t**2


@njit(cache=True, nogil=True)
def march(
    lumen: Lumen,
    origin: NDArray[np.float64],
    dx: float,
    dy: float,
    dz: float,
    s: float,
    pixel: float,
    fineness: float,
) -> tuple[float, float]:
    """Where a ray from inside meets the wall.

    Args:
        lumen: the organ.
        origin: (3,) the ray's start, inside.
        dx, dy, dz: the ray's direction, of any length.
        s: arc length of the centreline point nearest to the start.
        pixel: width of a pixel at distance 1.
        fineness: 1 for the usual march; 8 steps eight times as finely (to judge the usual one against).

    Returns:
        (t, s): the wall is at origin + t * direction, beside the centreline at s.
    """
    norm = np.sqrt(dx * dx + dy * dy + dz * dz)
    share = 1.0 / (lumen.lipschitz * fineness)
    clear_share = 0.7 / fineness
    t = 0.0
    row, angle, rho = place(lumen, origin[0], origin[1], origin[2], s)
    low, f_low, high, f_high = 0.0, 1.0, 0.0, -1.0
    for _ in range(20000):
        clear = _clear_at(lumen.clear, row, angle) - rho
        if clear > 0.5:  # far from the wall R itself is not needed
            f = clear
        else:
            f = bilinear(lumen.radius, row, angle) - rho
            if f <= 0.0:
                high, f_high = t, f
                break
        low, f_low = t, f
        step = max(clear * clear_share, f * share, (0.01 + 0.25 * pixel * t * norm) / fineness) / norm
        t += step
        x, y, z = origin[0] + t * dx, origin[1] + t * dy, origin[2] + t * dz
        s = nearest(lumen, x, y, z, s, 1)
        row, angle, rho = place(lumen, x, y, z, s)
    side = 0
    for _ in range(30):  # regula falsi, Illinois variant
        t = (low * f_high - high * f_low) / (f_high - f_low)
        x, y, z = origin[0] + t * dx, origin[1] + t * dy, origin[2] + t * dz
        s = nearest(lumen, x, y, z, s, 2)
        row, angle, rho = place(lumen, x, y, z, s)
        f = bilinear(lumen.radius, row, angle) - rho
        if abs(f) < 1e-6 or (high - low) * norm < 1e-6:
            break
        if f > 0.0:
            low, f_low = t, f
            if side == 1:
                f_high *= 0.5
            side = 1
        else:
            high, f_high = t, f
            if side == -1:
                f_low *= 0.5
            side = -1
    return t, s


@njit(cache=True, nogil=True)
def wall(lumen: Lumen, x: float, y: float, z: float, s: float) -> tuple[float, float, float, float]:
    """Unit normal of the wall (towards the lumen) at a point on it, and the share of surrounding light
    there.
    """
    frames = lumen.frames
    row, angle, rho = place(lumen, x, y, z, s)
    by_row, by_column = spline_slopes(lumen.radius, row, angle)
    position = s / CENTRELINE_STEP
    i = min(max(int(position), 0), frames.shape[0] - 2)
    w = position - i
    qx = x - (frames[i, 0] * (1.0 - w) + frames[i + 1, 0] * w)
    qy = y - (frames[i, 1] * (1.0 - w) + frames[i + 1, 1] * w)
    qz = z - (frames[i, 2] * (1.0 - w) + frames[i + 1, 2] * w)
    tx = frames[i, 3] * (1.0 - w) + frames[i + 1, 3] * w
    ty = frames[i, 4] * (1.0 - w) + frames[i + 1, 4] * w
    tz = frames[i, 5] * (1.0 - w) + frames[i + 1, 5] * w
    bend = (
        qx * (frames[i, 6] * (1.0 - w) + frames[i + 1, 6] * w)
        + qy * (frames[i, 7] * (1.0 - w) + frames[i + 1, 7] * w)
        + qz * (frames[i, 8] * (1.0 - w) + frames[i + 1, 8] * w)
    )
    rx, ry, rz = qx / rho, qy / rho, qz / rho
    # unit vectors of growing s (on a dome: along the meridian) and of growing angle
    along = rx * tx + ry * ty + rz * tz
    sx, sy, sz = tx - along * rx, ty - along * ry, tz - along * rz
    length = max(np.sqrt(sx * sx + sy * sy + sz * sz), 1e-9)
    sx, sy, sz = sx / length, sy / length, sz / length
    ax, ay, az = ty * rz - tz * ry, tz * rx - tx * rz, tx * ry - ty * rx
    around = max(
        np.sqrt(ax * ax + ay * ay + az * az), 1e-3
    )  # sine of the angle to the tangent: 1 on the tube, 0 at a pole
    ax, ay, az = ax / around, ay / around, az / around
    on_dome = (s <= 0.0 and along < 0.0) or (s >= lumen.length and along > 0.0)
    slope_s = by_row / lumen.step * (lumen.dome / rho if on_dome else 1.0 / max(1.0 - bend, 0.2))
    slope_a = by_column * lumen.radius.shape[1] / (2.0 * np.pi) / (rho * around)
    nx = slope_s * sx + slope_a * ax - rx
    ny = slope_s * sy + slope_a * ay - ry
    nz = slope_s * sz + slope_a * az - rz
    norm = np.sqrt(nx * nx + ny * ny + nz * nz)
    return nx / norm, ny / norm, nz / norm, bilinear(lumen.shade, row, angle)
