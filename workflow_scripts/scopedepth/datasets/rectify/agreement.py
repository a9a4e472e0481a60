"""How well image and depth show the same pixels: the agreement of their edges, and what would improve it.

Where depth jumps, an image mostly has an edge (a fold before the far wall). So the map of depth's edges is laid over
the map of image edges at every shift of a few pixels, and their normalised correlation over the pixels with depth is
taken, averaged over frames. Well registered data peak near no shift; a peak elsewhere is the misregistration in
pixels. The same is done for images undistorted by a range of radial coefficients: agreement that is best away from 0
is a lens distortion that only the image carries.

It says nothing about scenes without depth edges: `peak_height` (the peak over the surface's spread) is low there.
Lit from beside the camera, an edge's bright side pulls a peak by a fraction of a pixel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.masks import find_border

# Larger frames are reduced to this width first.
WIDTH = 320
# Shifts up to this are tried, pixels of the reduced frame in each direction.
REACH = 12
# Edges are taken at this scale (pixels, standard deviation): above depth's quantisation, below a fold.
SCALE = 1.5
# Radial coefficients k1 tried, for a pinhole camera with the focal length of half the image's width.
RADIAL = tuple(round(-0.40 + 0.08 * step, 2) for step in range(8))
# Below this many times the surface's spread, a peak is not told from chance.
CLEAR_PEAK = 3.5

Pair = tuple[NDArray[np.uint8], NDArray[np.float32]]


@dataclass(frozen=True)
class Agreement:
    """Edge agreement of some frames; None where there is too little to say.

    `at_zero`, `best`: correlation (-1 to 1) with no shift and at the peak. `shift`: (x, y) pixels by which the image
    is displaced from the depth. `peak_height`: the peak above the surface's mean, in its standard deviations.
    `radial`, `radial_best`: the coefficient k1 that makes images agree best, and the correlation with it.
    """

    frames: int
    at_zero: float | None = None
    best: float | None = None
    shift: tuple[float, float] | None = None
    peak_height: float | None = None
    radial: float | None = None
    radial_best: float | None = None

    def facts(self) -> dict[str, Any]:
        """Return the numbers, rounded to what they can carry."""
        numbers = {name: value for name, value in vars(self).items() if name not in ("frames", "shift")}
        rounded = {name: None if value is None else round(value, 3) for name, value in numbers.items()}
        shift = None if self.shift is None else [round(pixels, 2) for pixels in self.shift]
        return {"frames": self.frames, "shift": shift, "clear": self.is_clear, **rounded}

    @property
    def is_clear(self) -> bool:
        """Whether the peak stands out from the surface."""
        return self.peak_height is not None and self.peak_height >= CLEAR_PEAK


def edge_agreement(pairs: Iterable[Pair]) -> Agreement:
    """Measure pairs of image, uint8 (h, w, 3), and depth, float32 (h, w) with NaN missing, all of one size."""
    surfaces: list[NDArray[np.float32]] = []
    radial: list[list[float]] = []
    factor = 1.0
    for rgb, depth in pairs:
        factor = max(1.0, rgb.shape[1] / WIDTH)
        if factor > 1:
            rgb, depth = reduced(rgb, depth)
        edges = depth_edges(rgb, depth)
        if edges is None:
            continue
        surfaces.append(correlate(image_edges(rgb), *edges))
        radial.append([_agreement_undistorted(rgb, *edges, k1) for k1 in RADIAL])
    surfaces = [one for one in surfaces if np.isfinite(one).all()]
    if not surfaces:
        return Agreement(0)
    mean = np.mean(surfaces, axis=0)
    best, (x, y), height = peak(mean)
    by_k1 = np.mean(radial, axis=0)
    at = int(np.argmax(by_k1))
    k1 = RADIAL[at] + _vertex(by_k1, at) * (RADIAL[1] - RADIAL[0])
    shift = (x * factor, y * factor)
    return Agreement(len(surfaces), float(mean[REACH, REACH]), best, shift, height, k1, float(by_k1[at]))


def reduced(rgb: NDArray[np.uint8], depth: NDArray[np.float32]) -> Pair:
    """Return a frame at `WIDTH`. Depth keeps single pixels: a mean over an edge or a hole is no depth."""
    size = (WIDTH, max(1, round(rgb.shape[0] * WIDTH / rgb.shape[1])))
    image = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return np.asarray(image, np.uint8), np.asarray(
        cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST_EXACT)
    )


def depth_edges(
    rgb: NDArray[np.uint8], depth: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Return the strength of depth's edges and where it is known (1 or 0), float32 (h, w); None without edges."""
    known = np.isfinite(depth) & (depth > 0)
    if min(depth.shape) <= 4 * REACH or known.mean() < 0.05:
        return None
    # Keep away from holes, whose rims are no edges, and from the image circle by as far as the image is shifted.
    inner = cv2.erode(known.astype(np.uint8), np.ones((9, 9), np.uint8), borderValue=0)
    border = find_border([rgb])
    if border is not None and border.any():
        away = np.ones((2 * REACH + 5, 2 * REACH + 5), np.uint8)
        inner &= cv2.erode((~border).astype(np.uint8), away, borderValue=1)
    inside = inner > 0
    inside[:REACH], inside[-REACH:], inside[:, :REACH], inside[:, -REACH:] = False, False, False, False
    if inside.mean() < 0.02:
        return None
    filled = np.where(known, np.log(np.where(known, depth, 1)), np.log(depth[known]).mean())
    strength = gradient(filled.astype(np.float32))
    # The strongest fifth of the gradients are jumps; a wall that slopes is no edge.
    floor, ceiling = np.quantile(strength[inside], [0.8, 0.99])
    if ceiling - floor < 1e-6:
        return None
    strength = np.clip(strength - floor, 0, ceiling - floor)
    return np.where(inside, strength, 0).astype(np.float32), inside.astype(np.float32)


def image_edges(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the strength of an image's edges, each against its surroundings, float32 (h, w)."""
    strength = gradient(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32))
    around = cv2.GaussianBlur(strength, (0, 0), 12.0) + 1.0
    return np.minimum(strength / around, 4.0).astype(np.float32)


def gradient(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the gradient's length of a smoothed map, float32 (h, w)."""
    smooth = cv2.GaussianBlur(values, (0, 0), SCALE)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.magnitude(across, down))


def correlate(
    image: NDArray[np.float32], depth: NDArray[np.float32], inside: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the correlation over the pixels `inside` at each shift, (2 REACH + 1, 2 REACH + 1)."""
    crop = (slice(REACH, -REACH), slice(REACH, -REACH))
    template, mask = np.ascontiguousarray(depth[crop]), np.ascontiguousarray(inside[crop])
    return np.asarray(cv2.matchTemplate(image, template, cv2.TM_CCOEFF_NORMED, mask=mask))


def _agreement_undistorted(
    rgb: NDArray[np.uint8], depth: NDArray[np.float32], inside: NDArray[np.float32], k1: float
) -> float:
    """Return the correlation at no shift for the image undistorted by `k1`."""
    height, width = depth.shape
    camera = np.array([[width / 2, 0, width / 2], [0, width / 2, height / 2], [0, 0, 1]], np.float64)
    maps = cv2.initUndistortRectifyMap(
        camera, np.array([k1, 0, 0, 0]), None, camera, (width, height), cv2.CV_32FC1
    )
    edges = image_edges(np.asarray(cv2.remap(rgb, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)))
    known = inside > 0
    return float(np.corrcoef(edges[known], depth[known])[0, 1])


def peak(correlation: NDArray[np.float32]) -> tuple[float, tuple[float, float], float]:
    """Return the peak's value, its shift (x, y) to a fraction of a pixel (parabola), and its height."""
    row, column = (int(place) for place in np.unravel_index(int(np.argmax(correlation)), correlation.shape))
    x = column + _vertex(correlation[row, :], column)
    y = row + _vertex(correlation[:, column], row)
    best, spread = float(correlation[row, column]), float(correlation.std()) or 1e-9
    return best, (x - REACH, y - REACH), (best - float(correlation.mean())) / spread


def _vertex(line: NDArray[np.floating[Any]], at: int) -> float:
    """Return where the parabola through a maximum and its neighbours has its top, -0.5 to 0.5 steps from it."""
    if not 0 < at < len(line) - 1:
        return 0.0
    before, here, after = (float(value) for value in line[at - 1 : at + 2])
    bend = before - 2 * here + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0
