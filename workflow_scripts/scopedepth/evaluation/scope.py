"""One fit over a sequence or a dataset: the frames are read again for each pass, and never kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from scopedepth.evaluation.alignment import (
    NO_MOMENTS,
    Fit,
    Moments,
    deviations,
    entering,
    frame_moments,
    medians,
    merge,
    no_fit,
    solve,
)
from scopedepth.evaluation.frames import Pixels, each_frame
from scopedepth.evaluation.protocol import Plan
from scopedepth.evaluation.streaming import StreamingMiddle
from scopedepth.job.progress import Advance
from scopedepth.vocabulary import status as codes

T = TypeVar("T")

# A plan with the two sequences, reference and prediction, that it is for.
Pair = tuple[Plan, Any, Any]


def fit_scope(
    pairs: Sequence[Pair], threads: int, advance: Advance = lambda count=1: None
) -> tuple[Fit, list[list[tuple[int, int]]]]:
    """Return the one fit over all frames of `pairs`, and (n_pixels, status) of each frame of each pair.

    Frames with a status take no part. `advance` hears of each frame once, in the first pass. Memory does not
    grow with the number of pixels.
    """
    plan = pairs[0][0]
    by_median = plan.method in ("median", "median_mad")
    x, y = _Shared(plan.source.flip and plan.source.negative), _Shared()

    def gather(pixels: Pixels) -> tuple[int, int, Moments]:
        if pixels.status != codes.OK:
            return pixels.x.size, pixels.status, NO_MOMENTS
        outputs, depths, not_positive = entering(plan, pixels.x, pixels.y, pixels.not_positive)
        if by_median:
            x.count(outputs, first=True)
            y.count(depths, first=True)
        return outputs.size, codes.OK, frame_moments(plan, outputs, depths, not_positive)

    total = NO_MOMENTS
    frames: list[list[tuple[int, int]]] = []
    for pair in pairs:
        rows = []
        for n, status, moments in each_frame(*pair, gather, lambda _, code: (0, code, NO_MOMENTS), threads):
            rows.append((n, status))
            advance()
            total = merge(total, _one_point(moments) if plan.pool == "frame_means" else moments)
        frames.append(rows)
    n = sum(n for rows in frames for n, status in rows if status == codes.OK)
    if n < plan.min_pixels:
        return no_fit(n, codes.TOO_FEW_PIXELS if n else codes.NO_VALID_PIXELS), frames
    middles = spread = None
    if by_median:
        x.middle.turn()
        y.middle.turn()

        def count(pixels: Pixels) -> bool:
            outputs, depths, _ = entering(plan, pixels.x, pixels.y, 0)
            x.count(outputs, first=False)
            y.count(depths, first=False)
            return True

        list(_again(pairs, count, threads))
        middles = medians(plan, x.middle.result(), y.middle.result())
    if plan.method == "median_mad":
        assert middles is not None
        of_x, of_y = middles

        def spreads(pixels: Pixels) -> tuple[float, float]:
            outputs, depths, _ = entering(plan, pixels.x, pixels.y, 0)
            return deviations(outputs, depths, plan.source, plan.space, of_x, of_y)

        sums = _again(pairs, spreads, threads)
        spread = (0.0, 0.0)
        for part in sums:
            spread = spread[0] + part[0], spread[1] + part[1]
    return solve(plan, n, total, middles, spread), frames


class _Shared:
    """A streaming median that several threads add to; counts do not depend on their order."""

    def __init__(self, inverted: bool = False) -> None:
        self.middle = StreamingMiddle(inverted)
        self._lock = threading.Lock()

    def count(self, values: Any, *, first: bool) -> None:
        with self._lock:
            (self.middle.first if first else self.middle.second)(values)


def _again(pairs: Sequence[Pair], work: Callable[[Pixels], T], threads: int) -> Iterator[T]:
    """Yield work(pixels) over the frames that take part, in order."""

    def usable(pixels: Pixels) -> T | None:
        return work(pixels) if pixels.status == codes.OK else None

    for pair in pairs:
        for result in each_frame(*pair, usable, lambda _, code: None, threads):
            if result is not None:
                yield result


def _one_point(moments: Moments) -> Moments:
    """Return a frame's moments as those of one point, its means."""
    if not moments.points:
        return NO_MOMENTS
    x, y = moments.mean_x, moments.mean_y
    nothing_positive = 2 * moments.not_positive >= moments.points
    return Moments(1, 1.0, x, y, 0.0, 0.0, x, x, int(nothing_positive))
