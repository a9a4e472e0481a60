"""Training pictures: phantoms of many seeds, none of them the demonstration's, seen through cameras of many
kinds.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scopedepth.job.progress import progress
from scopedepth.phantom import organs, path
from scopedepth.phantom.camera import Camera, endoscope
from scopedepth.phantom.scene import Scene, render_frame

SIDE = 192  # pixels of a training picture's side
FIRST_SEED = 10_000  # the demonstration's organs have seeds below 1,000
SHOTS = 5  # pictures of one organ
UNIT = 0.01  # mm for one step of the stored depth


def training_frames(folder: Path, scenes: int, workers: int) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Render training pictures, or read those rendered before.

    Args:
        folder: where rgb.npy and depth.npy are kept between runs.
        scenes: organs; each gives SHOTS pictures.
        workers: threads.

    Returns:
        rgb (n, SIDE, SIDE, 3) uint8 and depth (n, SIDE, SIDE) uint16 in steps of UNIT mm, 0 outside the
        border.
    """
    files = folder / "rgb.npy", folder / "depth.npy"
    if all(file.is_file() for file in files):
        rgb, depth = (np.load(file) for file in files)
        if len(rgb) == scenes * SHOTS:
            return rgb, depth
    folder.mkdir(parents=True, exist_ok=True)
    rgb = np.zeros((scenes, SHOTS, SIDE, SIDE, 3), np.uint8)
    depth = np.zeros((scenes, SHOTS, SIDE, SIDE), np.uint16)
    with ThreadPoolExecutor(workers) as pool, progress("training scenes", scenes, "scenes") as advance:
        for k, (pictures, depths) in enumerate(pool.map(shots, range(FIRST_SEED, FIRST_SEED + scenes))):
            rgb[k], depth[k] = pictures, depths
            advance()
    rgb, depth = rgb.reshape(-1, SIDE, SIDE, 3), depth.reshape(-1, SIDE, SIDE)
    np.save(files[0], rgb)
    np.save(files[1], depth)
    return rgb, depth


def shots(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """SHOTS pictures of one organ, (SHOTS, SIDE, SIDE, 3) and (SHOTS, SIDE, SIDE)."""
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 31])))
    kind = list(organs.ORGANS)[seed % 3]
    scene, camera = organs.ORGANS[kind](seed), endoscope(SIDE, SIDE, random.uniform(88.0, 104.0))
    if random.random() < 0.2:  # as in the demonstration's stereo pairs
        scene, camera = _wide(random, seed, kind)
    start, travel = (0.2, 1.3) if kind == "stomach" else (1.0, 3.0)
    look = random.uniform(8.0, 24.0)
    poses = path.poses(scene, SHOTS, seed, start=start, travel=travel, sway=0.3, look=look)
    frames = [render_frame(scene, pose, camera, noise_seed=seed * SHOTS + k) for k, pose in enumerate(poses)]
    depth = np.stack([np.clip(np.rint(frame.depth / UNIT), 0, 65535) for frame in frames])
    return np.stack([frame.rgb for frame in frames]), depth.astype(np.uint16)


def _wide(random: np.random.Generator, seed: int, kind: str) -> tuple[Scene, Camera]:
    """A wide organ with coarse grain, through a narrower lens without border."""
    scene = organs.ORGANS[kind](seed, random.uniform(1.2, 1.6))
    grain, grain_size = random.uniform(0.2, 0.4), random.uniform(2.0, 3.0)
    scene = replace(scene, mucosa=scene.mucosa._replace(grain=grain, grain_size=grain_size))
    focal = SIDE * random.uniform(0.85, 1.1)
    middle = (SIDE - 1) / 2
    return scene, Camera(SIDE, SIDE, focal, focal, middle, middle)
