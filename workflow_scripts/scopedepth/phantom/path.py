"""A camera's way through an organ: forward along the centreline, swaying, looking about and rolling, all
smoothly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scopedepth.phantom.geometry import CENTRELINE_STEP
from scopedepth.phantom.scene import Scene


def poses(
    scene: Scene,
    count: int,
    seed: int,
    *,
    start: float = 1.2,
    travel: float = 2.0,
    sway: float = 0.22,
    look: float = 14.0,
    roll: float = 35.0,
) -> list[NDArray[np.float64]]:
    """Camera-to-world matrices (4, 4), mm, of a video of `count` frames.

    Args:
        scene: the organ.
        count: frames.
        seed: of the movement.
        start: where on the centreline the video starts, in units of the organ's calibre.
        travel: how far it goes, in the same unit.
        sway: how far the camera leaves the centreline, as a share of the calibre.
        look: how far it looks away from where it goes, degrees.
        roll: how far it rolls, degrees.
    """
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 77])))
    time = np.linspace(0.0, 1.0, count) if count > 1 else np.zeros(1)
    wobble = _smooth_noise(random, time, 7)
    s = scene.calibre * (
        start + travel * (time + 0.035 * np.sin(2 * np.pi * 2 * time + random.uniform(0, 6.28)))
    )
    result = []
    for k in range(count):
        here, ahead = _frame(scene, s[k]), _frame(scene, s[k] + 0.8 * scene.calibre)
        offset = sway * scene.calibre * (wobble[0, k] * here[2] + wobble[1, k] * here[3])
        offset *= min(1.0, 0.5 * _room(scene, s[k]) / max(float(np.linalg.norm(offset)), 1e-9))
        position = here[0] + offset
        forward = ahead[0] + 0.3 * offset - position
        forward /= np.linalg.norm(forward)
        side, up = np.radians(look) * wobble[2, k], np.radians(look) * wobble[3, k]
        turn = np.radians(roll) * wobble[4, k]
        x = here[2] - forward * (forward @ here[2])
        x /= np.linalg.norm(x)
        basis = np.stack([x, np.cross(forward, x), forward], axis=1)
        pose = np.eye(4)
        pose[:3, :3] = basis @ rotation(1, side) @ rotation(0, up) @ rotation(2, turn)
        pose[:3, 3] = position
        result.append(pose)
    return result


def _smooth_noise(random: np.random.Generator, time: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """(rows, n) smooth random curves over a video, within about -1 to 1."""
    total = np.zeros((rows, len(time)))
    for cycles in (0.5, 1.0, 1.7, 2.6):
        phase = random.uniform(0, 2 * np.pi, (rows, 1))
        total += np.sin(2 * np.pi * cycles * time + phase) / (0.6 + cycles)
    return total / 1.7


def _frame(scene: Scene, s: float) -> NDArray[np.float64]:
    """(4, 3): position, tangent and the two normals of the centreline at s."""
    frames = scene.lumen.frames
    position = float(np.clip(s, 0.0, scene.lumen.length)) / CENTRELINE_STEP
    i = min(int(position), len(frames) - 2)
    w = position - i
    row = (1 - w) * frames[i] + w * frames[i + 1]
    return row[:12].reshape(4, 3)


def _room(scene: Scene, s: float) -> float:
    """Radius around the centreline at s that is free of folds, mm."""
    lumen = scene.lumen
    row = round((s - lumen.start) / lumen.step)
    return float(lumen.clear[min(max(row, 0), len(lumen.clear) - 1)].min())


def rotation(axis: int, angle: float) -> NDArray[np.float64]:
    """Rotation matrix (3, 3) about axis 0, 1 or 2 by an angle in radians."""
    c, s = np.cos(angle), np.sin(angle)
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    turn = np.eye(3)
    turn[i, i] = turn[j, j] = c
    turn[i, j], turn[j, i] = -s, s
    return turn
