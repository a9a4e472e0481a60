"""What temporal consistency (TAE) costs exact depth: rounding to pixels, and points that the other camera does not see.

    python benchmarks/consistency.py [--sizes 168 240 320] [--frames 20 40]

Two pairs of neighbouring frames of each of the phantom's organs are rendered, at each size and with each number of
frames for the same way of the camera. A line has the range over the six pairs: `tae`, `tae_z`, the error of the points
that the other camera sees, and the share of the others. A point counts as hidden where it lies more than 2 % behind the
other frame's depth, read between pixels at the point's own place.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow_scripts"))

from scopedepth.metrics import Kept
from scopedepth.metrics.clouds import points
from scopedepth.metrics.consistency import errors, moved
from scopedepth.phantom.scene import render_depth
from scopedepth.phantom.video import Video, mono

BEHIND = 1.02


def both_ways(video: Video, first: int) -> NDArray[np.float64]:
    """Return tae, tae_z, the visible points' error and the share of hidden ones of a pair, in percent."""
    poses, camera = video.poses[first : first + 2], video.camera.matrix
    kept = []
    for number, pose in enumerate(poses):
        depth = render_depth(video.scene, pose, video.camera).astype(np.float32).astype(np.float64)
        kept.append(Kept(number, depth, depth, depth > 0, None))
    forward = np.linalg.inv(poses[1]) @ poses[0]
    found = []
    for one, other, way in ((*kept, forward), (*kept[::-1], np.linalg.inv(forward))):
        last, nearest = (
            errors(moved(one, camera, way, nearest=wanted), other).relative for wanted in (False, True)
        )
        found.append((last, nearest, *visible(one, other, camera, way)))
    return 100 * np.mean(found, axis=0)


def visible(
    one: Kept, other: Kept, camera: NDArray[np.float64], way: NDArray[np.float64]
) -> tuple[float, float]:
    """Return the relative error of the points that the other camera sees, at the pixels that they are rounded to, and
    the share of those that it does not see."""
    y, x = np.nonzero(one.valid)
    there = points(camera, y, x, one.depth[y, x]) @ way[:3, :3].T + way[:3, 3]
    there = there[there[:, 2] > 0]
    z, place = there[:, 2], ((there @ camera.T)[:, 1::-1] / there[:, 2:]).T
    seen = np.where(other.valid, other.depth, np.nan)
    between, rounded = (map_coordinates(seen, at, order=1, cval=np.nan) for at in (place, np.rint(place)))
    known = np.isfinite(between) & np.isfinite(rounded)
    shown = known & (z <= BEHIND * between)
    wrong = np.abs(z[shown] - rounded[shown]) / rounded[shown]
    return float(wrong.mean()), 1 - int(shown.sum()) / int(known.sum())


def main() -> None:
    """Print a table of what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[168, 240, 320])
    parser.add_argument("--frames", type=int, nargs="+", default=[20, 40])
    asked = parser.parse_args()
    print("| pixels | frames | `tae` (%) | `tae_z` (%) | points seen (%) | points hidden (%) |")
    print("|---|---|---|---|---|---|")
    for size in asked.sizes:
        for frames in asked.frames:
            videos = mono(frames, size, size, 0)
            pairs = np.array([both_ways(video, first) for video in videos for first in (0, frames // 2)])
            ranges = zip(pairs.min(0), pairs.max(0), strict=True)
            print(f"| {size}x{size} | {frames} | {' | '.join(f'{a:.2f} to {b:.2f}' for a, b in ranges)} |")


if __name__ == "__main__":
    main()
