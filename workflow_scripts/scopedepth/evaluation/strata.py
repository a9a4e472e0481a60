"""Errors by strata (vocabulary.strata): a frame's pixels in cells, and the sums of each cell's errors.

A pixel is in one cell, and a stratum is a union of cells: so the strata of one partition have all pixels and all
errors of the whole, each once. Cells follow from the reference, the image and the protocol's masks. Beside them stands
the whole weighted by the reference's confidence, where the dataset has it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation import kernels as k
from scopedepth.evaluation.alignment import Fit
from scopedepth.evaluation.metrics import aligned_for
from scopedepth.evaluation.pixels import Frame
from scopedepth.evaluation.protocol import Terms
from scopedepth.job.compiled import njit
from scopedepth.tables.frames import STRATUM_SUMS
from scopedepth.vocabulary import flags as bits
from scopedepth.vocabulary.strata import CELLS, PARTITIONS, STRATA, WEIGHTED, WHOLE

# An edge: of the depths within `NEAR_EDGE` of a pixel the greatest is more than so many times the least.
EDGE_RATIO = 1.1
# Shares of the frame's shorter side, so that strata are the same at every resolution.
NEAR_EDGE = 1 / 160
RING = 1 / 20
# A tenth of full scale: below it a step of 8 bits is more than 4 % of the value, and JPEG leaves blocks.
DARK = 26
# Bits of float32: infinity, and a depth beyond all.
_INFINITE = np.uint32(0x7F800000)
_BEYOND = int(np.float32(3e38).view(np.int32))
# Pixels whose terms are made at once: few enough that the processor makes the next while it adds up these. Even.
_FEW = 64
N_SUMS = len(STRATUM_SUMS)

# By how much a cell's number grows from one stratum of a partition to the next.
_STEP = {
    partition: np.uint8(math.prod(len(names) for names in [*PARTITIONS.values()][place + 1 :]))
    for place, partition in enumerate(PARTITIONS)
}
_DISTANCE, _RELIEF, _LIGHT, _PLACE, _TOOL, _REFERENCE = (
    _STEP[name] for name in ("distance", "relief", "light", "place", "tool", "reference")
)
# (stratum, cell): whether the stratum has the cell.
_PLACES = {partition: place for place, partition in enumerate(PARTITIONS)}
_HAS = np.array(
    [
        [partition == WHOLE or PARTITIONS[partition][cell[_PLACES[partition]]] == stratum for cell in CELLS]
        for partition, stratum in STRATA
    ],
    np.float64,
)


class FrameStrata(NamedTuple):
    """One frame's strata that have a pixel: their places in `STRATA`, their pixels, their sums (stratum, sum).

    Of `WEIGHTED`: the pixels of some confidence, and as sums as many times the weighted means.
    """

    strata: NDArray[np.int64]
    n_pixels: NDArray[np.int64]
    sums: NDArray[np.float64]


def frame_strata(terms: Terms, frame: Frame, place: int, fit: Fit) -> FrameStrata:
    """Return the sums of a frame's errors by strata, under the terms at `place` and a fit that is scored."""
    pixels = frame.pixels(place)
    aligned = aligned_for(terms, pixels, fit)
    counts, sums = _cell_sums(pixels.x, pixels.y, cells_of(frame, place), len(CELLS), *aligned)
    n_pixels = (_HAS @ counts).astype(np.int64)
    strata = np.flatnonzero(n_pixels)
    found = FrameStrata(strata, n_pixels[strata], _HAS[strata] @ sums)
    if frame.confidence is None:
        return found
    # Pixels of one confidence are a cell, too.
    levels = np.arange(256)
    counts, sums = _cell_sums(pixels.x, pixels.y, frame.confidence[pixels.valid], len(levels), *aligned)
    total, n_weighted = int(levels @ counts), int(counts[1:].sum())
    if not total:
        return found
    return FrameStrata(
        np.append(strata, STRATA.index(WEIGHTED)),
        np.append(found.n_pixels, n_weighted),
        np.vstack([found.sums, levels @ sums * (n_weighted / total)]),
    )


def cells_of(frame: Frame, place: int) -> NDArray[np.uint8]:
    """Return the cell of each of a frame's pixels under the terms at `place`, in the order of their outputs, (n,)."""
    import cv2

    depth, flags, rgb, pixels = frame.depth, frame.flags, frame.rgb, frame.pixels(place)
    assert rgb is not None
    side = min(depth.shape)
    inside = np.equal(flags & np.uint8(bits.BORDER), 0).view(np.uint8)
    inner = frame.kept("inner", inside, lambda: _inner(inside, side * RING))
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    y, ends = pixels.y, pixels.ends_y()
    if pixels.wanted != y.size:
        y = depth[frame.counted(place)]
        ends = float(y.min()), float(y.max())
    near, middle = _thirds(y.view(np.int32), *np.array(ends, np.float32).view(np.int32))
    cells = np.empty(depth.size + 1, np.uint8)
    _by_depth(depth.view(np.int32), _reach(side * NEAR_EDGE), near, middle, cells)
    _by_pixel(flags.ravel(), grey.ravel(), inner.ravel(), cells)
    return cells[: _gathered(pixels.valid, cells)]


def _inner(inside: NDArray[np.uint8], reach: float) -> NDArray[np.uint8]:
    """Return where the image circle, 1 in `inside` (h, w), goes on for `reach` each way; it ends with the frame."""
    import cv2

    return np.asarray(cv2.erode(inside, _square(reach), borderType=cv2.BORDER_CONSTANT, borderValue=0))


def _square(reach: float) -> NDArray[np.uint8]:
    """Return the window of the pixels up to `reach` away, one at least."""
    return np.ones((2 * _reach(reach) + 1,) * 2, np.uint8)


def _reach(reach: float) -> int:
    """Return a distance in whole pixels, one at least."""
    return max(1, round(reach))


@njit(**k.STRICT)
def _thirds(y, least, greatest):  # type: ignore[no-untyped-def]
    """Return the greatest depths of the nearest and of the middle third.

    y: bits of positive float32 (n,), n >= 1, between least and greatest. They are told apart by their upper 16 bits:
    128 steps a factor of two.
    """
    first = least >> 16
    # Neighbours are alike: with one counter each would wait for the one before.
    steps = np.zeros((8, (greatest >> 16) - first + 1), np.int32)
    whole = y.size // 8 * 8
    for start in range(0, whole, 8):
        for at in range(8):
            steps[at, (y[start + at] >> 16) - first] += 1
    for at in range(whole, y.size):
        steps[0, (y[at] >> 16) - first] += 1
    seen, near = 0, -1
    for step in range(steps.shape[1]):
        seen += steps[:, step].sum()
        if near < 0 and 3 * seen >= y.size:
            near = step
        if 3 * seen >= 2 * y.size:
            return ((near + first) << 16) | 0xFFFF, ((step + first) << 16) | 0xFFFF
    return -1, -1


@njit(**k.STRICT)
def _by_depth(depth, reach, near, middle, cells):  # type: ignore[no-untyped-def]
    """Fill the front of cells with what follows from depth, bits of float32 (h, w): its third, and edges.

    Depths within `reach` are compared in rows that stay in the cache. A row holds the greatest depths and, behind
    them, the complements of the least, whose greatest is the least: so one loop finds both. The greatest of a window
    is that of two windows of half its width or a little more, which may overlap: across first, then down.
    """
    height, width = depth.shape
    window, padded = 2 * reach + 1, width + 2 * reach
    rows, row = np.empty((window + 1, 2 * padded), np.int32), np.empty((2, 2 * padded), np.int32)
    for last in range(height + 2 * reach):
        down = rows[last % (window + 1)]
        if reach <= last < reach + height:
            _filled(depth[last - reach], reach, row[0])
            have, now = 1, 0
            while have < window:
                span = min(have, window - have)
                out = down if have + span == window else row[1 - now]
                _greater(row[now], row[now, span:], out)
                have, now = have + span, 1 - now
        else:
            down[:padded], down[padded:] = 0, ~_BEYOND
        have, top = 1, last
        while have < window:
            span = min(have, window - have)
            top -= span
            if top < 0:
                break
            _raise(rows[top % (window + 1)], rows[(top + span) % (window + 1)])
            have += span
        if have == window:
            found, start = rows[top % (window + 1)], top * width
            high, low = found[:width], found[padded : padded + width]
            _depth_cells(depth[top], high, low, near, middle, cells[start : start + width])


@njit(**k.STRICT)
def _filled(d, reach, row):  # type: ignore[no-untyped-def]
    """Fill a row with depths and their complements; what is missing is at the other end of all."""
    padded = row.size // 2
    row[:padded], row[padded:] = 0, ~_BEYOND
    high, low = row[reach : reach + d.size], row[padded + reach : padded + reach + d.size]
    for at in range(d.size):
        # Neither zero nor NaN, nor negative.
        high[at] = d[at] if np.uint32(d[at] - 1) < _INFINITE else 0
    for at in range(d.size):
        low[at] = ~d[at] if np.uint32(d[at] - 1) < _INFINITE else ~_BEYOND


@njit(**k.STRICT)
def _greater(one, other, out):  # type: ignore[no-untyped-def]
    """Fill the front of `out`, which is neither, with the greater of two at each place of `other`."""
    for at in range(other.size):
        out[at] = max(one[at], other[at])


@njit(**k.STRICT)
def _raise(one, other):  # type: ignore[no-untyped-def]
    """Set `one` to the greater of two at each place."""
    for at in range(one.size):
        one[at] = max(one[at], other[at])


@njit(**k.STRICT)
def _depth_cells(d, high, low, near, middle, cells):  # type: ignore[no-untyped-def]
    """Fill a row's cells; high and low: the greatest depths close by, and the complements of the least."""
    near, middle, ratio = np.int32(near), np.int32(middle), np.float32(EDGE_RATIO)
    greatest = high.view(np.float32)
    for at in range(d.size):
        third = _DISTANCE * np.uint8(d[at] > near) + _DISTANCE * np.uint8(d[at] > middle)
        edge = greatest[at] > ratio * np.int32(~low[at]).view(np.float32)
        cells[at] = np.uint8(third + _RELIEF * np.uint8(edge))


@njit(**k.STRICT)
def _by_pixel(flags, grey, inner, cells):  # type: ignore[no-untyped-def]
    """Add to the front of cells what follows from a pixel's flags, grey and place; all (h * w,)."""
    none = np.uint8(0)
    for at in range(flags.size):
        flag = flags[at]
        dark = _LIGHT if grey[at] < np.uint8(DARK) else none
        light = np.uint8(2 * _LIGHT) if flag & np.uint8(bits.SPECULAR) else dark
        ring = none if inner[at] else _PLACE
        tool = _TOOL if flag & np.uint8(bits.TOOL) else none
        doubtful = np.uint8(2 * _REFERENCE) if flag & np.uint8(bits.DOUBTFUL) else none
        cells[at] += light + ring + tool + (_REFERENCE if flag & np.uint8(bits.OCCLUDED) else doubtful)


@njit(**k.STRICT)
def _gathered(valid, cells):  # type: ignore[no-untyped-def]
    """Move the cells of the valid pixels to the front and return how many they are."""
    keep = valid.ravel().view(np.uint8)
    count = 0
    for at in range(keep.size):
        # Writing always and advancing sometimes spares a branch.
        cells[count] = cells[at]
        count += keep[at]
    return count


@njit(**k.FAST)
def _cell_sums(x, y, cells, n_cells, source, scale, shift, limits):  # type: ignore[no-untyped-def]
    """Return the pixels of each cell (cell,) and its sums (cell, sum); x, y: as in kernels.error_sums."""
    # Two of each, for neighbours lie in one cell and would wait for each other.
    sums = np.zeros((2, n_cells, N_SUMS))
    counts = np.zeros((2, n_cells), np.int64)
    buffers, terms = np.empty((2, k.BLOCK)), np.empty((2, _FEW))
    for start in range(0, x.size, k.BLOCK):
        m = min(k.BLOCK, x.size - start)
        k.aligned_depths(x[start : start + m], source, scale, shift, limits, buffers[0, :m])
        k.depths_in_space(y[start : start + m], k.DEPTH, buffers[1, :m])
        for first in range(0, m, _FEW):
            n = min(_FEW, m - first)
            p, g = buffers[0, first : first + n], buffers[1, first : first + n]
            relative, within, of = terms[0, :n], terms[1, :n], cells[start + first : start + first + n]
            for i in range(n):
                relative[i] = abs(p[i] - g[i]) / g[i]
            for i in range(n):
                smaller, larger = min(p[i], g[i]), max(p[i], g[i])
                within[i] = 1.0 if larger < 1.25 * smaller else 0.0
            for i in range(n):
                cell, half = of[i], i & 1
                off = p[i] - g[i]
                counts[half, cell] += 1
                sums[half, cell, 0] += relative[i]
                sums[half, cell, 1] += abs(off)
                sums[half, cell, 2] += off * off
                sums[half, cell, 3] += within[i]
    return counts[0] + counts[1], sums[0] + sums[1]


class StrataColumns:
    """The columns of a table of strata while it grows, frame by frame."""

    def __init__(self) -> None:
        self._keys: dict[str, list[Any]] = {name: [] for name in ("sequence", "frame", "stratum", "n_pixels")}
        self._sums: list[NDArray[np.float64]] = [np.empty((0, N_SUMS))]

    def add(self, sequence: str, frame: int, found: FrameStrata) -> None:
        self._keys["sequence"] += [sequence] * len(found.strata)
        self._keys["frame"] += [frame] * len(found.strata)
        self._keys["stratum"] += found.strata.tolist()
        self._keys["n_pixels"] += found.n_pixels.tolist()
        self._sums.append(found.sums)

    def columns(self, keys: Mapping[str, str]) -> dict[str, Sequence[Any]]:
        """Return the table's columns; `keys` are the same in every row."""
        strata = [STRATA[number] for number in self._keys["stratum"]]
        return {
            **{name: [value] * len(strata) for name, value in keys.items()},
            **self._keys,
            "partition": [partition for partition, _ in strata],
            "stratum": [stratum for _, stratum in strata],
            **dict(zip(STRATUM_SUMS, np.concatenate(self._sums).T, strict=True)),
        }
