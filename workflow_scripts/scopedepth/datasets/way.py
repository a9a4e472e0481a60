"""Whether poses agree with depth: does the depth of a frame, moved by them, predict the depth of a later one?

Poses that lead the other way, or are in other axes or a smaller unit than is said, mostly predict it worse than a
camera that stands still does. Where the camera moves along a wall, hardly at all, or in a larger unit, nothing is seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets import Chosen
from scopedepth.errors import ScopeDepthError, UnreadableFrame
from scopedepth.metrics import Kept
from scopedepth.metrics.consistency import moved

# Frames between the two of a pair, and pairs of a sequence.
LATER = 5
PAIRS = 3
# How much worse than standing still is told as worse: more than the rounding to pixels costs.
MARGIN = 0.005


def poses_against_depth(chosen: Chosen) -> str | None:
    """Return how well poses predict depth, in a sentence; None where poses, camera, unit or depth are not known."""
    sequence = chosen.sequence
    poses, camera = sequence.poses, sequence.intrinsics
    listed = [index for index in chosen.indices if index not in sequence.unlisted]
    later = min(LATER, len(listed) - 1)
    if poses is None or camera is None or sequence.encoding.unit != "mm" or later < 1:
        return None
    starts = [0] if sequence.forward_only else np.linspace(0, len(listed) - 1 - later, PAIRS).astype(int)
    found = []
    for start in dict.fromkeys(int(one) for one in starts):
        first, second = listed[start], listed[start + later]
        depths = [_depth(chosen, index) for index in (first, second)]
        if depths[0] is None or depths[1] is None or not np.isfinite(poses[[first, second]]).all():
            continue
        there, back = np.linalg.inv(poses[second]) @ poses[first], poses[second] @ np.linalg.inv(poses[first])
        found.append([_error(depths[0], depths[1], camera, way) for way in (there, back, np.eye(4))])
    errors = np.array([pair for pair in found if np.isfinite(pair[2])])
    if not len(errors):
        return None
    stated, inverted, still = np.nan_to_num(errors, nan=1.0).mean(axis=0)
    said = (
        f"by the poses a frame predicts the depth {later} frames later to {stated:.1%} (median), by a camera that "
        f"stands still to {still:.1%}"
    )
    if stated <= still + MARGIN:
        return said
    return (
        f"{said}, by the poses' inverse to {inverted:.1%}: do they lead from the camera to the world, in the image's "
        "axes (right, down, ahead) and in the depth's unit?"
    )


def _depth(chosen: Chosen, index: int) -> NDArray[np.float64] | None:
    """Return a frame's depth, mm, 0 where there is none; None where it has none or cannot be read."""
    try:
        stored = chosen.sequence.read(index).depth
    except (UnreadableFrame, ScopeDepthError):
        return None  # told of where the frames themselves are read
    return (
        None if stored is None else np.nan_to_num(chosen.sequence.encoding.decode(stored).astype(np.float64))
    )


def _error(
    one: NDArray[np.float64],
    other: NDArray[np.float64],
    camera: NDArray[np.float64],
    way: NDArray[np.float64],
) -> float:
    """Return the median of |z - depth| / depth where points of one frame fall on another; NaN where none does."""
    seen = moved(Kept(0, one, one, one > 0, None), camera, way, nearest=True)
    both = (other > 0) & np.isfinite(seen)
    return float(np.median(np.abs(seen - other)[both] / other[both])) if both.any() else float("nan")
