"""What raw pairs say of their calibration: whether it fits as it is written, and which other reading of it would.

Calibrations state R and T in several conventions, and files are exchanged. Points that are followed from left to right
must lie in one row once the pair is rectified, further right in the left image, at depths that are looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.rectify.stereo import Rectifier, StereoCamera, grey
from scopedepth.errors import ScopeDepthError

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# A pair's points are compared with the calibration only where so many were followed from left to right.
LEAST_POINTS = 50
# Where rectification costs so many times the points, it does not show the same scene any more.
POINTS_LOST = 4
# Rows that miss each other by more than this share of the height are not a rectified pair's.
ROWS_MISS = 0.01
# Another reading of a calibration is named only where it explains the rows so many times better, to within a pixel.
TIMES_BETTER, ROWS_MEET = 3.0, 1.0
# Readings whose rows miss by no more than this further, pixels, are not told apart.
AS_GOOD = 0.1
# How many of the points must lie at impossible depths before a calibration is called wrong.
NEARLY_ALL = 0.9
# What a calibration's R and T may do, and the words that say so of a reading.
EXTRINSICS = {
    "left_to_right": "",
    "R_transposed": "with R transposed: it turns the right camera's points into the left one's. Transpose it, or set "
    "options.extrinsics: R_transposed",
    "right_to_left": "with R and T inverted: they lead from the right camera to the left one. Set options.extrinsics: "
    "right_to_left",
    "position": "with T as the place of the right camera. Set options.extrinsics: position",
}
EXCHANGE = (
    "exchange options.left and options.right, or the files, or set options.view where a picture holds both"
)
IMAGES = f"with left and right exchanged. To do so, {EXCHANGE}"
CAMERAS = "with the calibration's two cameras exchanged: its first one is the right one. Set options.exchanged: true"
BOTH = (
    "with left and right exchanged, images and cameras both: the files called left are the right camera's, and the "
    f"calibration knows it. Set options.exchanged: true, and {EXCHANGE}"
)
# Units of T that are tried where its depths are impossible: what T is to be multiplied by.
UNITS = {"m": 1000.0, "cm": 10.0}

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def read_as(camera: StereoCamera, extrinsics: str, exchanged: bool) -> StereoCamera:
    """Return a camera whose R and T lead from left to right (`StereoCamera`), from one in another convention.

    `extrinsics`: `left_to_right` as it is; `right_to_left` the other direction; `R_transposed` with T as it is;
    `position` where T is the right camera's place in the left one's frame, so that T becomes -R T. `exchanged`: the
    first camera is the right one.
    """
    turn, moved = camera.rotation, camera.translation
    if extrinsics in ("right_to_left", "R_transposed"):
        turn = turn.T.copy()
    if extrinsics in ("right_to_left", "position"):
        moved = -turn @ moved
    read = replace(camera, rotation=turn, translation=moved)
    if not exchanged:
        return read
    return StereoCamera(
        read.right,
        read.left,
        read.right_distortion,
        read.left_distortion,
        turn.T.copy(),
        -turn.T @ moved,
        read.size,
    )


@dataclass(frozen=True)
class Fit:
    """What pairs say of a reading: by how many pixels points lie further right and down in the left image, (n, 2)."""

    moved: NDArray[np.float32]
    focal_times_baseline: float

    @property
    def rows(self) -> float:
        """By how much rows miss each other, pixels, in the median."""
        return float(np.median(np.abs(self.moved[:, 1]))) if self.enough else float("inf")

    @property
    def enough(self) -> bool:
        """Whether so many points were followed that they say something."""
        return len(self.moved) >= LEAST_POINTS

    @property
    def behind(self) -> float:
        """Share of the points that lie behind all distance."""
        return float((self.moved[:, 0] <= 0).mean()) if len(self.moved) else 0.0

    @property
    def depth(self) -> NDArray[np.float32]:
        """Depth of the points before the cameras, mm."""
        before = self.moved[:, 0] > 0
        return np.asarray(self.focal_times_baseline / self.moved[before, 0], np.float32)


def moves(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return by how much points of a pair lie further right and further down in the left image, pixels, (n, 2).

    Corners of the left image are followed into the right one by Lucas-Kanade flow, forward and back; what comes back
    within half a pixel counts. Independent of the matcher, which only ever looks along rows.
    """
    grey_left, grey_right = grey(left), grey(right)
    corners = cv2.goodFeaturesToTrack(grey_left, 800, 0.01, 7)
    if corners is None:
        return np.empty((0, 2), np.float32)
    options: dict[str, Any] = {"winSize": (21, 21), "maxLevel": 4}
    there, found, _ = cv2.calcOpticalFlowPyrLK(grey_left, grey_right, corners, None, **options)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(grey_right, grey_left, there, None, **options)
    closes = np.linalg.norm(back - corners, axis=-1).ravel() < 0.5
    moved = (corners - there).reshape(-1, 2)
    return np.asarray(moved[(found.ravel() == 1) & (found_back.ravel() == 1) & closes], np.float32)


def fit_of(camera: StereoCamera, pairs: Sequence[Pair]) -> Fit:
    """Rectify raw pairs and follow their points."""
    rectifier = Rectifier(camera)
    found = [moves(rectifier.left(left), rectifier.right(right)) for left, right in pairs]
    moved = np.concatenate([np.empty((0, 2), np.float32), *found])
    return Fit(moved, rectifier.focal * rectifier.baseline)


def measured(camera: StereoCamera, pairs: Sequence[Pair]) -> str | None:
    """Return what raw pairs say of a calibration in one line; None where too few points can be followed."""
    fit = fit_of(camera, pairs)
    if not fit.enough:
        return None
    depth = f", at {np.median(fit.depth):.3g} mm in the median" if len(fit.depth) else ""
    return (
        f"rectified, rows miss each other by {fit.rows:.2f} px in the median ({len(fit.moved)} points), and "
        f"{1 - fit.behind:.0%} of the points lie further right in the left image{depth}"
    )


def calibration_problem(camera: StereoCamera, pairs: Sequence[Pair], settings: specs.Stereo) -> str | None:
    """Return what of a calibration some raw pairs contradict, and which reading of it would fit; None where nothing.

    `settings` are the spec's `stereo`.
    """
    if camera.translation[0] > 0:
        return _wrong_side(camera, pairs)
    fit = fit_of(camera, pairs)
    if not fit.enough:
        raw = sum(len(moves(*pair)) for pair in pairs)
        if raw < max(LEAST_POINTS, POINTS_LOST * len(fit.moved)):
            return None
        return (
            f"the calibration does not fit the images: {raw} points can be followed from left to right, and "
            f"{len(fit.moved)} once the pair is rectified. Is it another pair's, or another size's?"
        )
    allowed = ROWS_MISS * camera.size[1]
    behind = fit.behind > NEARLY_ALL
    if fit.rows > ROWS_MEET or behind:
        limit = ROWS_MEET if behind else min(ROWS_MEET, fit.rows / TIMES_BETTER)
        best = _better_reading(camera, pairs, limit)
        missed = f"rows miss each other by {fit.rows:.1f} px in the median"
        if behind:
            missed = f"{fit.behind:.0%} of the points lie behind all distance, {missed}"
        if best is not None:
            return f"the calibration does not fit the images: {missed}, and by {best[1]:.1f} px {best[0]}"
    if fit.rows > allowed:
        return (
            f"the calibration does not fit the images: rows miss each other by {fit.rows:.1f} px in the median "
            f"(allowed: {allowed:.1f}), and neither with R transposed or inverted nor with left and right exchanged do "
            "they meet. Is it another pair's, or another size's?"
        )
    if behind:
        return (
            f"the calibration does not fit the images: {fit.behind:.0%} of the points lie further left in the left "
            "image, behind all distance. Check the sign of T and the two cameras' principal points"
        )
    return _impossible_depths(fit, settings)


def _impossible_depths(fit: Fit, settings: specs.Stereo) -> str | None:
    depth, low, high = fit.depth, settings["min_depth"], settings["max_depth"]
    outside = float(((depth < low) | (depth > high)).mean())
    if outside <= NEARLY_ALL:
        return None
    middle = float(np.median(depth))
    remedy = "correct them, or the calibration's T (mm)"
    for unit, factor in UNITS.items():
        if low <= factor * middle <= high:
            word = {"m": "metres", "cm": "centimetres"}[unit]
            remedy = f"is T in {word}? It must be in mm, or set options.unit: {unit}"
            break
        if low <= middle / factor <= high:
            remedy = f"is T {factor:g} times too long, in mm where {unit} was taken for its unit? Set options.unit: mm"
            break
    return (
        f"{outside:.0%} of the points lie outside of stereo.min_depth to max_depth ({low:g} to {high:g} mm), at "
        f"{middle:.3g} mm in the median: {remedy}"
    )


def _wrong_side(camera: StereoCamera, pairs: Sequence[Pair]) -> str:
    """Return what is to be done of a calibration whose right camera stands left of the left one."""
    said = (
        "the stereo calibration puts the right camera to the left of the left one (translation x = "
        f"{camera.translation[0]:.3g})"
    )
    best = _better_reading(camera, pairs, ROWS_MEET)
    if best is None:
        return f"{said}. Exchange left and right, or invert the extrinsic"
    return f"{said}, and rows miss each other by {best[1]:.1f} px {best[0]}"


def _readings(camera: StereoCamera) -> Iterator[tuple[str, StereoCamera, bool]]:
    """Yield what a calibration may mean besides what it says, the likeliest first: words, camera, images exchanged."""
    for extrinsics, words in list(EXTRINSICS.items())[1:]:
        yield words, read_as(camera, extrinsics, False), False
    yield IMAGES, camera, True
    yield CAMERAS, read_as(camera, "left_to_right", True), False
    yield BOTH, read_as(camera, "left_to_right", True), True


def _better_reading(camera: StereoCamera, pairs: Sequence[Pair], limit: float) -> tuple[str, float] | None:
    """Return the reading whose rows meet best, to `limit` pixels, and by how much they miss; None without one.

    Readings that do as well are named after the first: images with hardly any rotation cannot tell them apart.
    """
    exchanged = [(right, left) for left, right in pairs]
    fits: list[tuple[str, float]] = []
    for words, other, swap in _readings(camera):
        if other.translation[0] > 0:
            continue
        try:
            fit = fit_of(other, exchanged if swap else pairs)
        except ScopeDepthError:
            continue
        if fit.rows <= limit and fit.behind <= NEARLY_ALL:
            fits.append((words, fit.rows))
    if not fits:
        return None
    least = min(rows for _, rows in fits)
    (first, rows), *others = [one for one in fits if one[1] <= least + AS_GOOD]
    if others:
        first += "; these images do not tell that from: " + "; ".join(words for words, _ in others)
    return first, rows
