"""The specular flag against highlights that are known: its precision and recall on phantoms.

    python benchmarks/specular.py [--frames 4] [--size 320] [--brighter 1 1.5 2]

Each frame of the phantoms is rendered twice, with the wet film's gloss and without it, with one exposure and the same
noise; what the gloss adds is the highlight. A highlight is where it adds `added` levels of grey or more to the picture;
the flag is `find_specular`'s, which grows by a pixel, so that precision is also given for highlights grown likewise.
`brighter` multiplies the exposure, as where tissue is close to the lamp. `clipped`: the share of the picture that is
over-exposed and no highlight (`find_clipped`), and how much of it the flag covers.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow_scripts"))

ADDED = (20, 40, 80)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--brighter", type=float, nargs="+", default=[1.0, 1.5, 2.0])
    options = parser.parse_args()
    print(
        "organ     brighter  added  highlights  flagged  precision  (grown)  recall  clipped  of it flagged"
    )
    for brighter in options.brighter:
        measure(options.frames, options.size, brighter)


def measure(frames: int, size: int, brighter: float) -> None:
    """Print one row an organ and strength of highlight, for one exposure."""
    from scopedepth.datasets.reading.masks import find_clipped, find_specular
    from scopedepth.phantom.scene import render_frame
    from scopedepth.phantom.video import mono

    grown = np.ones((3, 3), np.uint8)
    for video in mono(frames, size, size, 0):
        dull = replace(video.scene, mucosa=video.scene.mucosa._replace(gloss=0.0))
        visible = video.camera.visible()
        counts = {added: np.zeros(5) for added in ADDED}
        clipped = np.zeros(3)
        for k, pose in enumerate(video.poses):
            exposure = video.exposures[k] * brighter
            wet, dry = (
                render_frame(scene, pose, video.camera, exposure=exposure, noise_seed=k).rgb
                for scene in (video.scene, dull)
            )
            flagged = find_specular(wet) & visible
            gain = grey(wet) - grey(dry)
            for added in ADDED:
                true = (gain >= added) & visible
                around = cv2.dilate(true.astype(np.uint8), grown) > 0
                counts[added] += (
                    true.sum(), flagged.sum(), (flagged & true).sum(), (flagged & around).sum(), visible.sum(),
                )  # fmt: skip
            over = find_clipped(wet) & visible & (gain < ADDED[0])
            clipped += (over.sum(), (over & flagged).sum(), visible.sum())
        for added, (true, found, hit, near, all_of_it) in counts.items():
            print(
                f"{video.name:<9} {brighter:>8g} {added:>6} {true / all_of_it:>11.2%} {found / all_of_it:>8.2%} "
                f"{hit / max(found, 1):>10.1%} {near / max(found, 1):>8.1%} {hit / max(true, 1):>7.1%} "
                f"{clipped[0] / clipped[2]:>8.1%} {clipped[1] / max(clipped[0], 1):>14.1%}"
            )


def grey(rgb: np.ndarray) -> np.ndarray:
    """Return grey levels, float."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.float64)


if __name__ == "__main__":
    main()
