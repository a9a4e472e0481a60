"""One fit over a sequence or a dataset: the frames are read again for each pass, and never kept."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import NamedTuple

from scopedepth.evaluation.alignment import (
    NO_MOMENTS,
    Fit,
    Gathered,
    Moments,
    fit_points,
    frame_deviations,
    frame_moments,
    medians,
    merge,
    no_fit,
)
from scopedepth.evaluation.pixels import Pixels
from scopedepth.evaluation.protocol import Terms
from scopedepth.evaluation.streaming import StreamingMiddle
from scopedepth.vocabulary import status as codes
from scopedepth.vocabulary.alignments import Alignment


class Row(NamedTuple):
    """What one frame brings to its scope's fit in the first pass."""

    n_pixels: int
    status: int
    moments: Moments = NO_MOMENTS


class Joint:
    """A fit that all frames of a scope share, gathered in up to three passes over them; their order is the caller's.

    Frames with a status take no part. `see` may be called in threads, `take` by one. Memory does not grow with pixels.
    """

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        # In the first pass every frame is counted; medians want a second one, deviations from them a third.
        self._head: Alignment = terms.alignment.ALIGNMENT
        self.passes = {"sums": 1, "middles": 2, "deviations": 3}[self._head.gathers]
        self.rows: dict[Hashable, list[Row]] = {}
        self._total = NO_MOMENTS
        self._x = StreamingMiddle(terms.source.flip and terms.source.negative)
        self._y = StreamingMiddle()
        self._lock = threading.Lock()
        self._middles: tuple[float, float] | None = None
        self._spread = (0.0, 0.0)

    def see(self, turn: int, pixels: Pixels, status: int) -> Row | tuple[float, float] | None:
        """Return what a frame brings in pass `turn`, from 0, for `take`."""
        if status != codes.OK:
            return Row(pixels.x.size, status) if turn == 0 else None
        pixels = pixels.above(self.terms.fit_above)
        if turn < 2 and self.passes > 1:
            with self._lock:
                for middle, values in ((self._x, pixels.x), (self._y, pixels.y)):
                    (middle.second if turn else middle.first)(values)
        if turn == 0:
            return Row(pixels.x.size, codes.OK, frame_moments(self.terms, pixels, self._head))
        if turn == 1:
            return None
        assert self._middles is not None
        return frame_deviations(self.terms, pixels, self._middles)

    def take(self, part: Hashable, brought: Row | tuple[float, float] | None) -> None:
        """Add what `see` returned for a frame, in the order of frames. `part`: of the scope, which the frame is in."""
        if isinstance(brought, Row):
            self.rows.setdefault(part, []).append(Row(brought.n_pixels, brought.status))
            means = self.terms.pool == "frame_means"
            self._total = merge(self._total, _one_point(brought.moments) if means else brought.moments)
        elif brought is not None:
            self._spread = self._spread[0] + brought[0], self._spread[1] + brought[1]

    def turn(self, turn: int) -> None:
        """End pass `turn`."""
        if self.passes > 1 and self.n_pixels() < self.terms.min_pixels:
            self.passes = 1
        if turn == 0 and self.passes > 1:
            self._x.turn()
            self._y.turn()
        elif turn == 1 and self.passes > 1:
            self._middles = medians(self.terms, self._x.result(), self._y.result())

    def n_pixels(self) -> int:
        """Return the pixels of all frames that take part."""
        return sum(row.n_pixels for rows in self.rows.values() for row in rows if row.status == codes.OK)

    def fits(self, part: Hashable) -> list[Fit]:
        """Return what each frame of a part takes from the fit: all of it, unless it has a status of its own."""
        n = self.n_pixels()
        fit = fit_points(self.terms, n, Gathered(self._total, self._middles, self._spread))
        return [
            fit._replace(n_pixels=row.n_pixels)
            if row.status == codes.OK
            else no_fit(row.n_pixels, row.status)
            for row in self.rows.get(part, [])
        ]


def _one_point(moments: Moments) -> Moments:
    """Return a frame's moments as those of one point, its means."""
    if not moments.points:
        return NO_MOMENTS
    x, y = moments.mean_x, moments.mean_y
    nothing_positive = 2 * moments.not_positive >= moments.points
    return Moments(1, 1.0, x, y, 0.0, 0.0, x, x, int(nothing_positive))
