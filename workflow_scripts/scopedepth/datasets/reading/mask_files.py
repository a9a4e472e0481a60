"""Masks that lie in files: tools, what is valid, what is hidden, a confidence above a threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.base import DepthEncoding, Frame, same_size
from scopedepth.datasets.reading.containers import read_array
from scopedepth.datasets.reading.images import CONTAINERS, IMAGE_SUFFIXES, decode, read_npy
from scopedepth.errors import ScopeDepthError
from scopedepth.vocabulary.flags import FLAG_MEANINGS, NO_DEPTH

MASK_SUFFIXES = (*IMAGE_SUFFIXES, ".npy", *CONTAINERS)


@dataclass(frozen=True)
class Masks:
    """The masks of one kind of a sequence, a file a frame or None.

    `entry` is what the configuration says of them: `marks`, one of `FLAG_MEANINGS` or `valid` (no_depth turned round);
    `above`, the number above which a pixel is set; `inverted`; `key` of an array in a container; `full`, the
    number that stands for full confidence (inverted) or full doubt: then the frame gets the confidence, too.
    """

    files: Sequence[Path | None]
    entry: Mapping[str, Any]

    def __call__(self, index: int, frame: Frame, encoding: DepthEncoding) -> Frame:
        """Return a frame with its mask's flags; where a mask says that depth is not valid, the depth is gone."""
        path = self.files[index]
        if path is None:
            return frame
        levels = read_levels(path, self.entry.get("key"))
        marked = _set(levels, path, self.entry.get("above"))
        same_size(frame.rgb, path, marked, path)
        if (self.entry["marks"] == "valid") != bool(self.entry.get("inverted", False)):
            marked = ~marked
        bit = FLAG_MEANINGS.get(self.entry["marks"], NO_DEPTH)
        flags = np.zeros(marked.shape, np.uint8) if frame.flags is None else frame.flags.copy()
        flags[marked] |= np.uint8(bit)
        depth = frame.depth
        if bit == NO_DEPTH and depth is not None:
            depth = np.where(marked, np.array(encoding.missing(), depth.dtype), depth)
        confidence = frame.confidence
        if "full" in self.entry:
            confidence = _confidence(path, levels, self.entry["full"], not self.entry.get("inverted", False))
        return replace(frame, depth=depth, flags=flags, confidence=confidence)

    def note(self) -> list[str]:
        """Return a note on frames without a mask, if there are any."""
        without = sum(path is None for path in self.files)
        return (
            [f"{without} of {len(self.files)} frames have no mask {self.entry['marks']}"] if without else []
        )


def read_mask(path: Path, above: float | None = None, key: str | None = None) -> NDArray[np.bool_]:
    """Return where a mask is set, bool (h, w): above `above`, or what is not 0 where that is one level alone.

    NaN is never set. A mask of several levels without a threshold is a `ScopeDepthError`: a JPEG's blurred rim, a
    confidence and a map of labels look alike.
    """
    return _set(read_levels(path, key), path, above)


def read_levels(path: Path, key: str | None = None) -> NDArray[np.generic]:
    """Return the numbers of a mask's file, (h, w). Of a colour picture the brightest channel counts."""
    if path.suffix.lower() in CONTAINERS:
        array = read_array(path, key)
    else:
        array = read_npy(path) if path.suffix.lower() == ".npy" else decode(path)
        if array.ndim == 3 and array.shape[2] in (3, 4):
            array = array[:, :, :3].max(axis=2)
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        array = array[0] if array.shape[0] == 1 else array[:, :, 0]
    if array.ndim != 2:
        raise ScopeDepthError(f"{path} holds an array of shape {array.shape}; a mask is (height, width).")
    return array


def _confidence(path: Path, levels: NDArray[Any], full: float, doubts: bool) -> NDArray[np.uint8]:
    """Return confidence, of 255, from numbers of which `full` stands for all of it, or of the doubt; NaN has none.

    A number below 0 or above `full` is a `ScopeDepthError`.
    """
    share = np.nan_to_num(levels.astype(np.float64) / full, nan=1.0 if doubts else 0.0)
    if share.size and not 0 <= share.min() <= share.max() <= 1:
        raise ScopeDepthError(
            f"{path} holds numbers from {full * share.min():g} to {full * share.max():g}, and a map goes from 0 to "
            f"{full:g}: correct `full` of the mask."
        )
    return np.rint(255 * (1 - share if doubts else share)).astype(np.uint8)


def _set(array: NDArray[Any], path: Path, above: float | None) -> NDArray[np.bool_]:
    if above is not None:
        with np.errstate(invalid="ignore"):
            return np.asarray(array > above)
    levels = np.unique(array)
    if len(levels[levels != 0]) > 1:
        raise ScopeDepthError(
            f"{path} holds {len(levels)} different numbers from {levels[0]:g} to {levels[-1]:g}: say above which one a "
            "pixel is set, as `above` of the mask."
        )
    return np.asarray(array != 0)
