"""A scene (an organ, ready to be rendered) and one frame of it.

scene = organs.colon(seed=3)
frame = render_frame(scene, path.poses(scene, 40, seed=3)[0], camera.endoscope(320, 320))
frame.rgb, frame.depth
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scopedepth.phantom.camera import Camera
from scopedepth.phantom.geometry import BLOCK, CENTRELINE_STEP, Lumen, arc_length, clearance
from scopedepth.phantom.shading import TILE, Mucosa, render_rays

ANGLES = 512  # columns of a radius map


@dataclass(frozen=True)
class Scene:
    """An organ: its shape and its look. `calibre` is its typical inner radius in mm, to which camera paths
    are scaled.
    """

    name: str
    lumen: Lumen
    mucosa: Mucosa
    calibre: float


@dataclass(frozen=True)
class Frame:
    """One rendered picture.

    Attributes:
        rgb: (h, w, 3) uint8; black outside the border.
        depth: (h, w) float32, mm along the optical axis, exact for the pixel's centre; 0 outside the border.
    """

    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32]


def build_lumen(
    curvature: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    radius: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
    length: float,
    dome: float,
    step: float,
) -> Lumen:
    """A lumen from its curvature and its radius.

    Args:
        curvature: of s (n,) -> (n, 2), the bend in 1/mm towards each of the frame's two normals; stay below
            0.6 / radius.
        radius: of s (ns, 1) and angle (1, na) -> (ns, na), mm. On the domes (s < 0 and s > length) it must
            lose its dependence on the angle towards the pole, which is pi/2 * dome beyond the end.
        length: of the centreline, mm.
        dome: radius of the domes, mm (about the radius at the ends).
        step: mm between rows of the map: the finest fold needs about ten rows.
    """
    from scipy.ndimage import gaussian_filter, maximum_filter

    count = int(np.ceil(length / CENTRELINE_STEP)) + 1
    frames = _centreline(curvature(np.arange(2.0 * count - 1) * (CENTRELINE_STEP / 2)), count)
    reach = dome * np.pi / 2
    s = np.arange(-reach, length + reach + step, step, dtype=np.float64)
    angle = np.arange(ANGLES, dtype=np.float64) * (2 * np.pi / ANGLES)
    grid = np.ascontiguousarray(np.broadcast_to(radius(s[:, None], angle[None, :]), (len(s), ANGLES)))
    slope_s = np.abs(np.diff(grid, axis=0, append=grid[-1:])) / step
    slope_a = np.abs(np.diff(grid, axis=1, append=grid[:, :1])) / (grid * (2 * np.pi / ANGLES))
    steepest = np.hypot(np.percentile(slope_s.max(axis=1), 99), np.percentile(slope_a.max(axis=1), 99))
    lipschitz = float(np.hypot(1.0, steepest))
    steep = maximum_filter(_block_max(np.hypot(slope_s, slope_a)), 3, mode=("nearest", "wrap"))
    shares = np.maximum(0.9 / np.hypot(1.0, steep), 1.0 / lipschitz).astype(np.float32)
    reach = BLOCK * min(step, float(grid.min()) * 2 * np.pi / ANGLES)
    width = 0.12 * dome  # a valley about this wide or narrower gets less light from around
    sigma = (width / step, width / (dome * 2 * np.pi / ANGLES))
    valley = (grid - gaussian_filter(grid, sigma, mode=("nearest", "wrap"))) / width
    shade = np.clip(1.0 - 0.9 * valley, 0.3, 1.25)
    clear = clearance(grid, step)
    return Lumen(
        frames,
        (count - 1) * CENTRELINE_STEP,
        grid,
        shade,
        clear,
        float(s[0]),
        step,
        dome,
        lipschitz,
        shares,
        reach,
    )


def _block_max(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest value of each block of BLOCK rows and columns (fewer rows in the last)."""
    by_row = np.maximum.reduceat(grid, np.arange(0, grid.shape[0], BLOCK), axis=0)
    return np.asarray(np.maximum.reduceat(by_row, np.arange(0, grid.shape[1], BLOCK), axis=1))


def _centreline(bends: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Integrate a rotation minimising frame (T' = a N + b B, N' = -a T, B' = -b T) with Runge and Kutta's
    fourth order rule, from the bends (a, b) at both ends and the middle of each step.

    The equations are linear in the state (position, T, N, B), so a step is a matrix; all are made at once.
    """
    slope = np.zeros((len(bends), 4, 4))
    slope[:, 0, 1] = 1.0
    slope[:, 1, 2:] = bends
    slope[:, 2:, 1] = -bends
    first, middle, last = slope[:-2:2], slope[1::2], slope[2::2]
    h, one = CENTRELINE_STEP, np.eye(4)
    k1 = first
    k2 = middle @ (one + 0.5 * h * k1)
    k3 = middle @ (one + 0.5 * h * k2)
    k4 = last @ (one + h * k3)
    steps = one + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    states = np.zeros((count, 4, 3))
    states[0, 1:] = np.eye(3)[[2, 0, 1]]  # T = z, N = x, B = y
    for i in range(count - 1):
        states[i + 1] = steps[i] @ states[i]
    return np.concatenate([states.reshape(count, 12), bends[::2]], axis=1)


def expose(scene: Scene, pose: NDArray[np.float64], camera: Camera) -> float:
    """The exposure that an automatic control would choose for a view; from a picture of about 40 pixels a
    side.
    """
    shrink = 40.0 / max(camera.width, camera.height)
    small = Camera(
        max(int(camera.width * shrink), 8),
        max(int(camera.height * shrink), 8),
        camera.fx * shrink,
        camera.fy * shrink,
        (camera.cx + 0.5) * shrink - 0.5,
        (camera.cy + 0.5) * shrink - 0.5,
        camera.distortion,
        None if camera.border is None else camera.border * shrink,
        camera.lamps,
    )
    _, light = _render(scene, pose, small, False, 1.0)
    grey = light[small.visible()].mean(axis=1)
    return float(0.62 / np.percentile(grey, 88))


def render_frame(
    scene: Scene,
    pose: NDArray[np.float64],
    camera: Camera,
    *,
    exposure: float | None = None,
    noise_seed: int | None = 0,
    fineness: float = 1.0,
) -> Frame:
    """One picture with its depth.

    Args:
        scene: the organ.
        pose: (4, 4) camera to world, mm; the camera must be inside the organ.
        camera: the camera.
        exposure: factor on the light; None chooses it from the picture itself.
        noise_seed: of the sensor's noise; None for no noise.
        fineness: divides the march's steps; above 1 only to judge the usual march.
    """
    if exposure is None:
        exposure = expose(scene, pose, camera)
    depth, light = _render(scene, pose, camera, True, fineness)
    return Frame(develop(light * exposure, camera, noise_seed), depth.astype(np.float32))


def render_depth(scene: Scene, pose: NDArray[np.float64], camera: Camera) -> NDArray[np.float64]:
    """Exact depth alone, (h, w) in mm; for instance through a rectified camera."""
    return _render(scene, pose, camera, False, 1.0)[0]


def _render(
    scene: Scene, pose: NDArray[np.float64], camera: Camera, smooth_edges: bool, fineness: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    pose = np.ascontiguousarray(pose, dtype=np.float64)
    lamps = np.array(camera.lamps, dtype=np.float64)
    lamps[:, :3] = lamps[:, :3] @ pose[:3, :3].T + pose[:3, 3]
    depth = np.zeros((camera.height, camera.width))
    light = np.zeros((camera.height, camera.width, 3))
    s = arc_length(scene.lumen, pose[0, 3], pose[1, 3], pose[2, 3])
    render_rays(
        scene.lumen,
        scene.mucosa,
        lamps,
        pose,
        camera.rays(),
        camera.visible(),
        s,
        1.0 / camera.fx,
        smooth_edges,
        fineness,
        depth,
        light,
        np.empty((-(-camera.height // TILE), -(-camera.width // TILE), 2)),
        np.empty(depth.shape),
    )
    return depth, light


def develop(light: NDArray[np.float64], camera: Camera, noise_seed: int | None) -> NDArray[np.uint8]:
    """Linear light (h, w, 3) to an 8-bit picture: shoulder above 0.6, gamma 2.2, the sensor's noise, black
    border.
    """
    knee = 0.6
    over = np.maximum(light - knee, 0.0) / (1.0 - knee)
    bright = np.where(light < knee, light, knee + (1.0 - knee) * (1.0 - np.exp(-over)))
    picture = 0.015 + 0.985 * bright ** (1 / 2.2)
    if noise_seed is not None:
        sensor = np.random.Generator(np.random.PCG64(noise_seed))
        grain = sensor.standard_normal(picture.shape)
        picture = picture + grain * (0.004 + 0.007 * np.sqrt(picture))
    visible = camera.visible()
    picture = np.clip(picture, 0.0, 1.0) * 255.0
    return np.where(visible[..., None], np.rint(picture), 2.0).astype(np.uint8)
