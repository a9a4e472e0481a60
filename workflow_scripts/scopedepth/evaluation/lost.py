"""What protocols would leave out of a dataset's frames, before anything is predicted on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation.masks import bounds_as, valid_pixels
from scopedepth.evaluation.protocol import Terms, terms_for

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# Image (h, w, 3), depth (h, w) with NaN missing, flags (h, w).
Frame = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]


@dataclass(frozen=True)
class Kept:
    """What a protocol keeps of some frames of a sequence.

    `with_depth`: their pixels with depth; `counting`: those of them that count; `frames`: how many frames; `too_few`:
    those of them with fewer pixels that count than a fit needs. `low`, `high`: the depths that count, mm; None where
    the depth has no unit, or without an end.
    """

    with_depth: int
    counting: int
    frames: int
    too_few: int
    low: float | None
    high: float | None


def kept_by(
    protocol: specs.Protocol, dataset: str, sequence: str, units: str, frames: Iterable[Frame]
) -> Kept | None:
    """Return what `protocol` keeps of frames of one size; None without frames. `units`: mm or relative."""
    with_depth = counting = count = too_few = 0
    low, high = 0.0, np.inf
    terms: Terms | None = None
    for rgb, depth, flags in frames:
        if terms is None:
            terms = terms_for(
                protocol,
                dataset=dataset,
                sequence=sequence,
                size=(depth.shape[0], depth.shape[1]),
                units=units,
                output_kind="depth",
                output_unit=None,
            )
            low, high = terms.depth_low, terms.depth_high
        ends = bounds_as(depth.dtype, low, high, terms.ends_count)
        valid = valid_pixels(terms, depth, flags, rgb, ends, np.empty(depth.shape, np.bool_))
        here = int(valid.sum())
        with_depth += int(np.isfinite(depth).sum())
        counting += here
        count += 1
        too_few += here < terms.min_pixels
    if count == 0:
        return None
    metric = units == "mm"
    least = float(low) if metric and low > 0 else None
    greatest = float(high) if metric and np.isfinite(high) else None
    return Kept(with_depth, counting, count, too_few, least, greatest)
