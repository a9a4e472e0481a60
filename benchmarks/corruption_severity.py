"""How strong each corruption is at each severity, by SSIM, at 320 and at 640 pixels; and pictures of them.

    python benchmarks/corruption_severity.py [--sheet FILE.png]

Phantom frames rendered at both sizes, without noise of their own. SSIM is that of Wang et al. (2004), the mean of the
three colours, with a Gaussian window of 1.5 pixels, after both images are brought to 320 pixels along the shorter side,
so that its window is a share of the frame. Prints the table of docs/robustness.md; about a minute. Where a corruption
moves pixels, SSIM says little: it compares what is no longer in one place.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from scopedepth.phantom.scene import render_frame
from scopedepth.phantom.video import mono
from scopedepth.views import Planes
from scopedepth.views.corrupt import Corrupt
from scopedepth.vocabulary.corruptions import CORRUPTIONS, SEVERITIES, Corruption
from scopedepth.vocabulary.flags import BORDER

SIDE = 320


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean structural similarity of two uint8 images (h, w, 3)."""
    small = SIDE / min(a.shape[:2])
    x, y = (
        cv2.resize(image.astype(np.float64), None, fx=small, fy=small, interpolation=cv2.INTER_AREA)
        for image in (a, b)
    )
    blurred = partial(cv2.GaussianBlur, ksize=(11, 11), sigmaX=1.5)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mx, my = blurred(x), blurred(y)
    vx, vy, cov = blurred(x * x) - mx * mx, blurred(y * y) - my * my, blurred(x * y) - mx * my
    index = (2 * mx * my + c1) * (2 * cov + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    return float(index[5:-5, 5:-5].mean())


def corrupted(kind: Corruption, severity: int, rgb: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Return an image (h, w, 3) as a view of this kind and severity shows it."""
    outside = np.where(depth > 0, 0, BORDER).astype(np.uint8)
    step = Corrupt(kind.name, kind.file, severity, 0, "phantom")
    return step.rgb(rgb[None], 0, Planes(lambda: depth[None], lambda: outside[None]))[0]


def frames(side: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the images and depths of the phantoms' first frames."""
    found = []
    for video in mono(1, side, side, seed=0):
        frame = render_frame(
            video.scene, video.poses[0], video.camera, exposure=video.exposures[0], noise_seed=None
        )
        found.append((frame.rgb, frame.depth))
    return found


def sheet(shown: tuple[np.ndarray, np.ndarray], path: Path) -> None:
    """Write a picture with a row a kind: clean, severities 1, 3 and 5."""
    rgb, depth = shown
    rows = []
    for kind in CORRUPTIONS.values():
        row = [rgb, *(corrupted(kind, severity, rgb, depth) for severity in (1, 3, 5))]
        row = [cv2.resize(image, (200, 200 * image.shape[0] // image.shape[1])) for image in row]
        cv2.putText(row[0], kind.name, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
        rows.append(np.hstack(row))
    half = (len(rows) + 1) // 2
    rows += [np.zeros_like(rows[0])] * (2 * half - len(rows))
    both = np.hstack([np.vstack(rows[:half]), np.vstack(rows[half:])])
    cv2.imwrite(str(path), both[:, :, ::-1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    small, large = frames(SIDE), frames(2 * SIDE)
    if options.sheet:
        sheet(small[0], options.sheet)
    print("| kind | SSIM at severities 1 to 5, 320 px | largest difference at 640 px |")
    print("| --- | --- | --- |")
    for kind in CORRUPTIONS.values():
        at = {
            size: [
                np.mean([ssim(rgb, corrupted(kind, severity, rgb, depth)) for rgb, depth in of_size])
                for severity in SEVERITIES
            ]
            for size, of_size in (("small", small), ("large", large))
        }
        apart = np.abs(np.subtract(at["small"], at["large"])).max()
        falls = "" if (np.diff(at["small"]) < 0).all() else " (not monotone)"
        print(
            f"| `{kind.name}` | {', '.join(f'{value:.2f}' for value in at['small'])}{falls} | {apart:.3f} |"
        )


if __name__ == "__main__":
    main()
