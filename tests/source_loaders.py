"""Small trees in published layouts that a seed makes, for the sources' loaders and ours; and how an answer is kept.

What the sources' own loaders answer stands in source_loaders.json; benchmarks/source_loaders.py writes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

import dataset_trees as trees

ANSWERS = Path(__file__).with_name("source_loaders.json")
# Input of the network, height and width: small, so that all of it can be kept.
FED = (6, 8)
HAMLYN_SIZES = {"04": (288, 360), "12": (288, 360), "14": (288, 720), "27": (288, 720)}
SCARED_LINES = [
    "dataset3/keyframe4 3 l",
    "dataset7/keyframe4 12 l",
    "dataset3/keyframe4 1 l",
    "dataset7/keyframe4 5 l",
]
SIMCOL_LINES = ["1 5 1", "1 5 3", "2 10 2", "3 1 3"]


def noise(size: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """Return an image of blocks of chance, which is small as a file and has no two windows alike."""
    rows, columns = size[0] // 8 + 1, size[1] // 8 + 1
    blocks = np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), np.uint8)
    return np.repeat(np.repeat(blocks, 8, axis=0), 8, axis=1)[: size[0], : size[1]]


def depth(size: tuple[int, int], top: int, seed: int) -> NDArray[np.uint16]:
    """Return depth of blocks of chance, up to and including `top`, some of it 0."""
    blocks = np.random.default_rng(seed).integers(0, top + 1, (size[0] // 8 + 1, size[1] // 8 + 1))
    whole = np.repeat(np.repeat(blocks, 8, axis=0), 8, axis=1)[: size[0], : size[1]].astype(np.uint16)
    whole[::9, ::5] = 0
    whole[::7, ::3] = top
    return whole


def hamlyn(root: Path) -> None:
    """Write four videos; of frame 7 of the third the right camera's depth is not there."""
    for number, size in HAMLYN_SIZES.items():
        for frame in (0, 7):
            base, name = root / f"rectified{number}", f"{frame:010d}"
            for side in ("01", "02"):
                trees.write_image(base / f"image{side}/{name}.jpg", noise(size, int(number) + frame))
                if (number, frame, side) != ("14", 7, "02"):
                    trees.write_image(base / f"depth{side}/{name}.png", depth(size, 400, int(number) + frame))


def c3vd(root: Path) -> None:
    """Write two frames of one video, of the published size."""
    size = (1080, 1350)
    for frame in (1, 4):
        trees.write_image(root / f"trans_t1_a/{frame:04d}_color.png", noise(size, frame))
        trees.write_tiff(root / f"trans_t1_a/{frame:04d}_depth.tiff", depth(size, 65535, frame))


def scared(root: Path) -> None:
    """Write two videos of 12 frames as AF-SfMLearner's instructions leave them: narrow, but of the published height."""
    size = (1024, 16)
    for dataset in (3, 7):
        base = root / f"dataset{dataset}/keyframe4/image_02/data"
        (base / "groundtruth").mkdir(parents=True)
        for frame in range(12):
            seed = 100 * dataset + frame
            trees.write_image(base / f"{frame + 1:010d}.png", noise(size, seed))
            both = np.vstack(
                [trees.points(depth(size, 200, seed + part).astype(np.float64)) for part in (0, 1)]
            )
            tifffile.imwrite(base / f"groundtruth/scene_points{frame:06d}.tiff", both, photometric="rgb")


def simcol(root: Path) -> None:
    """Write three frames of a sequence of each part."""
    size = (12, 16)
    for folder in (
        "SyntheticColon_I/Frames_S5",
        "SyntheticColon_II/Frames_B10",
        "SyntheticColon_III/Frames_O1",
    ):
        for frame in range(3):
            seed = len(folder) + frame
            trees.write_image(root / folder / f"FrameBuffer_{frame:04d}.png", noise(size, seed))
            trees.write_image(root / folder / f"Depth_{frame:04d}.png", depth(size, 65280, seed))


TREES = {"hamlyn": hamlyn, "c3vd": c3vd, "scared": scared, "simcol": simcol}


def answer(fed: NDArray[Any], reference: NDArray[np.floating], low: float, high: float) -> dict[str, Any]:
    """Return what is kept of a frame: all of the network's input (h, w, 3) in grey levels, and sums of its depth.

    `reference`: depth (h, w) in mm; pixels within (low, high) count. Sums are over them, of their depth and of it times
    their row and their column, so that a moved window shows.
    """
    counts = (reference > low) & (reference < high)
    rows, columns = np.nonzero(counts)
    values = reference[counts].astype(np.float64)
    return {
        "fed": np.rint(fed).astype(int).ravel().tolist(),
        "size": list(reference.shape),
        "pixels": len(values),
        "sums": [float(values.sum()), float((values * rows).sum()), float((values * columns).sum())],
    }
