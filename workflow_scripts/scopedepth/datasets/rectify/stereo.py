"""A raw stereo pair to depth: rectify, match, check, and turn disparity into millimetres.

Rectification is Bouguet's (cv2.stereoRectify): both cameras are turned so that a point lies in one row of both
images, with one focal length f. Depth is then Z = f B / d for baseline B and disparity d (Hartley and Zisserman,
Multiple View Geometry, 2nd ed., section 11.12). Matching is semi-global (Hirschmueller, PAMI 2008), in OpenCV's form.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# A pixel is matched only where its surroundings have texture: in a 9x9 window, a standard deviation of grey above
# twice the image's noise. Without it, semi-global matching fills in a smooth guess that no check of its own catches.
TEXTURE_WINDOW = 9
TEXTURE_TO_NOISE = 2.0
# Below one grey level there is nothing but quantisation.
LEAST_TEXTURE = 1.0
# Specks of disparity smaller than this (pixels), differing by more than this (pixels) from around, are dropped.
SPECKLE_SIZE = 100
SPECKLE_RANGE = 2
# Calibrations are published with few digits; beyond this their R is no rotation.
TURN_TOLERANCE = 1e-2
# How many coefficients OpenCV's model of a lens may have.
DISTORTIONS = (4, 5, 8, 12, 14)


@dataclass(frozen=True)
class StereoCamera:
    """A calibrated pair. A point in the right camera's frame is ``rotation @ point_in_left + translation`` (mm).

    `left` and `right` are 3x3 camera matrices, the distortions OpenCV's coefficients (4 to 14 numbers), `size`
    (width, height) in pixels.
    """

    left: NDArray[np.float64]
    right: NDArray[np.float64]
    left_distortion: NDArray[np.float64]
    right_distortion: NDArray[np.float64]
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    size: tuple[int, int]

    def __post_init__(self) -> None:
        shapes = {"left": (3, 3), "right": (3, 3), "rotation": (3, 3), "translation": (3,)}
        for name, shape in shapes.items():
            if np.shape(getattr(self, name)) != shape:
                raise ScopeDepthError(
                    f"The stereo calibration's {name} has the shape {np.shape(getattr(self, name))}, not {shape}."
                )
        for side in ("left", "right"):
            count = np.size(getattr(self, f"{side}_distortion"))
            if count not in DISTORTIONS:
                raise ScopeDepthError(
                    f"The stereo calibration has {count} distortion coefficients for the {side} camera; OpenCV's "
                    f"model has {', '.join(map(str, DISTORTIONS))}."
                )
        numbers = (*(getattr(self, name) for name in shapes), self.left_distortion, self.right_distortion)
        if not all(np.isfinite(one).all() for one in numbers):
            raise ScopeDepthError("The stereo calibration holds numbers that are not finite.")
        turn = self.rotation
        if np.abs(turn @ turn.T - np.eye(3)).max() > TURN_TOLERANCE or np.linalg.det(turn) < 0:
            raise ScopeDepthError(
                "The stereo calibration's R is no rotation: its rows must have length 1 and stand square to each "
                "other, right-handed. Is it the essential matrix, or cut short?"
            )


class Rectifier:
    """Maps both raw images of a pair onto common rows.

    `alpha` 0 zooms so that every pixel of the result was seen, 1 keeps every pixel of the source (cv2.stereoRectify).
    """

    def __init__(self, camera: StereoCamera, alpha: float = 0.0) -> None:
        self.camera, self.alpha = camera, alpha
        baseline = camera.translation
        if abs(baseline[0]) < abs(baseline[1]):
            raise ScopeDepthError(
                "The stereo calibration's baseline is vertical; only side-by-side pairs are matched."
            )
        if baseline[0] > 0:
            raise ScopeDepthError(
                "The stereo calibration puts the right camera to the left of the left one (translation x > 0). "
                "Exchange left and right, or invert the extrinsic."
            )
        # Rectification is computed once, and the maps of a size are the same for all frames.
        try:
            self.R1, self.R2, self.P1, self.P2, *_ = cv2.stereoRectify(
                camera.left,
                camera.left_distortion,
                camera.right,
                camera.right_distortion,
                camera.size,
                camera.rotation,
                camera.translation.reshape(3, 1),
                flags=cv2.CALIB_ZERO_DISPARITY,
                alpha=alpha,
            )
        except cv2.error as error:
            raise ScopeDepthError(f"The stereo calibration cannot be rectified ({error.err}).") from error
        if not all(np.isfinite(matrix).all() for matrix in (self.R1, self.R2, self.P1, self.P2)):
            raise ScopeDepthError(
                "The stereo calibration cannot be rectified: its numbers are no cameras'. Are the files complete?"
            )

    @property
    def intrinsics(self) -> NDArray[np.float64]:
        """The rectified left camera, 3x3, pixels."""
        return np.asarray(self.P1[:, :3], np.float64)

    @property
    def focal(self) -> float:
        """Focal length of the rectified pair, pixels."""
        return float(self.P1[0, 0])

    @property
    def baseline(self) -> float:
        """Distance of the two cameras, mm."""
        return float(-self.P2[0, 3] / self.P2[0, 0])

    @cached_property
    def _maps(self) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        camera = self.camera
        return (
            cv2.initUndistortRectifyMap(
                camera.left, camera.left_distortion, self.R1, self.P1, camera.size, cv2.CV_32FC1
            ),
            cv2.initUndistortRectifyMap(
                camera.right, camera.right_distortion, self.R2, self.P2, camera.size, cv2.CV_32FC1
            ),
        )

    def left(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Rectify a left image, uint8 (h, w, 3)."""
        return np.asarray(cv2.remap(image, *self._maps[0], cv2.INTER_LINEAR))

    def right(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Rectify a right image, uint8 (h, w, 3)."""
        return np.asarray(cv2.remap(image, *self._maps[1], cv2.INTER_LINEAR))

    def depth(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring depth known at the raw left image's pixels, float32 (h, w) mm, NaN missing, onto the rectified image.

        Turning a camera changes depth: each pixel's point is turned by the rectifying rotation, and its new depth
        taken from the nearest raw pixel (a mean of two surfaces would be on neither).
        """
        camera = self.camera
        height, width = raw.shape
        columns, rows = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
        pixels = np.stack([columns, rows], axis=-1).reshape(-1, 1, 2)
        rays = cv2.undistortPoints(pixels, camera.left, camera.left_distortion).reshape(height, width, 2)
        turned = raw * (rays @ self.R1[2, :2] + self.R1[2, 2])
        nearest = cv2.remap(
            turned.astype(np.float32),
            *self._maps[0],
            cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=float("nan"),
        )
        return np.asarray(nearest, np.float32)

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """Where the rectified left image shows something that the raw one saw, bool (h, w)."""
        width, height = self.camera.size
        x, y = self._maps[0]
        return np.asarray((x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1))


def disparity_limit(rectifier: Rectifier, settings: specs.Stereo) -> int:
    """Return how many disparities to search, a multiple of 16: as spec, else what `min_depth` needs."""
    stated = settings["max_disparity"]
    pixels = stated if stated is not None else rectifier.focal * rectifier.baseline / settings["min_depth"]
    limit = int(np.ceil(pixels / 16) * 16)
    return min(limit, max(16, rectifier.camera.size[0] // 2 // 16 * 16))


def match(
    left: NDArray[np.uint8], right: NDArray[np.uint8], limit: int, settings: specs.Stereo
) -> NDArray[np.float32]:
    """Return the disparity of a rectified pair's left image, float32 (h, w) pixels, NaN where not confident.

    Confident is what passes the left-right check (within `left_right_check` pixels), beats the second best match
    by `uniqueness` percent, is no speck, has texture around it, and whose match lies inside the right image.
    """
    block = settings["block_size"] | 1
    matcher = cv2.StereoSGBM.create(
        minDisparity=0,
        numDisparities=limit,
        blockSize=block,
        P1=8 * block * block,
        P2=32 * block * block,
        disp12MaxDiff=-1,
        uniquenessRatio=settings["uniqueness"],
        speckleWindowSize=0,
        mode=cv2.StereoSGBM_MODE_HH,
    )
    grey_left, grey_right = grey(left), grey(right)
    # The first `limit` columns get no match in OpenCV; a margin of that width to the left gives them one.
    wide_left = cv2.copyMakeBorder(grey_left, 0, 0, limit, 0, cv2.BORDER_REPLICATE)
    wide_right = cv2.copyMakeBorder(grey_right, 0, 0, limit, 0, cv2.BORDER_REPLICATE)
    forward = matcher.compute(wide_left, wide_right)[:, limit:].astype(np.float32) / 16
    # The right image's own match: the same matcher on both images mirrored and exchanged.
    mirrored_left = cv2.copyMakeBorder(grey_right[:, ::-1], 0, 0, limit, 0, cv2.BORDER_REPLICATE)
    mirrored_right = cv2.copyMakeBorder(grey_left[:, ::-1], 0, 0, limit, 0, cv2.BORDER_REPLICATE)
    backward = matcher.compute(mirrored_left, mirrored_right)[:, limit:].astype(np.float32)[:, ::-1] / 16

    columns = np.arange(forward.shape[1], dtype=np.float32)[None, :]
    target = columns - forward
    inside = (forward > 0) & (target >= 0)
    partner = np.take_along_axis(
        backward, np.clip(np.rint(target), 0, forward.shape[1] - 1).astype(np.int64), axis=1
    )
    agrees = np.abs(partner - forward) <= settings["left_right_check"]
    keep = (
        inside
        & agrees
        & (_texture(grey_left) >= max(LEAST_TEXTURE, TEXTURE_TO_NOISE * noise_level(grey_left)))
    )
    stored = np.where(keep, forward * 16, -16).astype(np.int16)
    cv2.filterSpeckles(stored, -16, SPECKLE_SIZE, SPECKLE_RANGE * 16)
    disparity = np.asarray(stored / 16, np.float32)
    disparity[stored <= 0] = np.nan
    return disparity


def depth_from_disparity(
    disparity: NDArray[np.float32], rectifier: Rectifier, settings: specs.Stereo
) -> NDArray[np.float32]:
    """Return depth in mm, float32 (h, w); NaN outside `min_depth` to `max_depth`, where errors grow without bound."""
    depth = (np.float32(rectifier.focal * rectifier.baseline) / disparity).astype(np.float32)
    with np.errstate(invalid="ignore"):
        depth[~((depth >= settings["min_depth"]) & (depth <= settings["max_depth"]))] = np.nan
    return depth


def grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the grey levels of an image, uint8 (h, w)."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


def _texture(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the standard deviation of grey in a window around each pixel, float32 (h, w), grey levels."""
    values = grey.astype(np.float32)
    window = (TEXTURE_WINDOW, TEXTURE_WINDOW)
    mean = cv2.blur(values, window)
    square = cv2.blur(values * values, window)
    return np.sqrt(np.maximum(square - mean * mean, 0)).astype(np.float32)


def noise_level(grey: NDArray[np.uint8]) -> float:
    """Return the standard deviation of an image's noise, grey levels.

    Immerkaer's Laplacian difference mask (CVIU 64(2), 1996), with the median in place of the mean so that edges
    do not count; over pixels that are neither black nor saturated.
    """
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = np.abs(cv2.filter2D(grey.astype(np.float32), -1, mask))
    lit = (grey > 15) & (grey < 240)
    if not lit.any():
        return 0.0
    return float(np.median(response[lit]) / 0.6745 / 6.0)
