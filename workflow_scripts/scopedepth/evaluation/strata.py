"""Errors by strata (vocabulary.strata): a frame's pixels in cells, and the sums of each cell's errors.

A pixel is in one cell, and a stratum is a union of cells: so the strata of one partition have all pixels and all
errors of the whole, each once. Cells follow from the reference, the image and the protocol's masks. Beside them stands
the whole weighted by the reference's confidence, where the dataset has it.
"""

from __future__ import annotations

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
# Depths are told apart by the upper 16 bits of their float32: 128 steps a factor of two.
_STEPS = 1 << 15
N_SUMS = len(STRATUM_SUMS)

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

    depth, flags, rgb = frame.depth, frame.flags, frame.rgb
    assert rgb is not None
    valid = frame.pixels(place).valid
    high, low, inside = np.empty_like(depth), np.empty_like(depth), np.empty(depth.shape, np.uint8)
    _filled(depth, flags, high, low, inside)
    side = min(depth.shape)
    high, low = cv2.dilate(high, _square(side * NEAR_EDGE)), cv2.erode(low, _square(side * NEAR_EDGE))
    inner = frame.kept("inner", inside, lambda: _inner(inside, side * RING))
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    near, middle = _thirds(depth.view(np.int32), frame.counted(place))
    cells = np.empty(depth.size + 1, np.uint8)
    _number(depth.view(np.int32), flags, grey, high, low, inner, near, middle, cells)
    return cells[: _gathered(valid, cells)]


def _inner(inside: NDArray[np.uint8], reach: float) -> NDArray[np.uint8]:
    """Return where the image circle, 1 in `inside` (h, w), goes on for `reach` each way; it ends with the frame."""
    import cv2

    return np.asarray(cv2.erode(inside, _square(reach), borderType=cv2.BORDER_CONSTANT, borderValue=0))


def _square(reach: float) -> NDArray[np.uint8]:
    """Return the window of the pixels up to `reach` away, one at least."""
    return np.ones((2 * max(1, round(reach)) + 1,) * 2, np.uint8)


@njit(**k.STRICT)
def _filled(depth, flags, high, low, inside):  # type: ignore[no-untyped-def]
    """Fill high and low with depth, what is missing at the other end of all, and inside with the image circle."""
    d, f = depth.ravel(), flags.ravel()
    h, w, i = high.ravel(), low.ravel(), inside.ravel()
    for at in range(d.size):
        known = d[at] > 0
        h[at] = d[at] if known else 0.0
        w[at] = d[at] if known else 3e38
        i[at] = 1 if (f[at] & bits.BORDER) == 0 else 0


@njit(**k.STRICT)
def _thirds(depth, counted):  # type: ignore[no-untyped-def]
    """Return the greatest depths of the nearest and of the middle third. depth: bits of float32 (h, w)."""
    # Neighbours are alike: with one counter each would wait for the one before.
    steps = np.zeros((2, _STEPS), np.int32)
    d, c = depth.ravel(), counted.ravel()
    for at in range(d.size):
        # Missing depth, whose bits may mean anything, never counts.
        steps[at & 1, (d[at] >> 16) & (_STEPS - 1)] += c[at]
    total = steps.sum()
    seen, near = 0, -1
    for step in range(_STEPS):
        seen += steps[0, step] + steps[1, step]
        if near < 0 and 3 * seen >= total:
            near = step
        if 3 * seen >= 2 * total:
            return (near << 16) | 0xFFFF, (step << 16) | 0xFFFF
    return -1, -1


@njit(**k.STRICT)
def _number(depth, flags, grey, high, low, inner, near, middle, cells):  # type: ignore[no-untyped-def]
    """Fill the front of cells with the cell of each pixel of the frame, whether it counts or not."""
    d, f, g, i = depth.ravel(), flags.ravel(), grey.ravel(), inner.ravel()
    h, w = high.ravel(), low.ravel()
    ratio = np.float32(EDGE_RATIO)
    near, middle = np.int32(near), np.int32(middle)
    for at in range(d.size):
        flag = f[at]
        specular = np.uint8((flag & bits.SPECULAR) != 0)
        cell = np.uint8(d[at] > near) + np.uint8(d[at] > middle)
        cell = np.uint8(2 * cell + np.uint8(h[at] > ratio * w[at]))
        cell = np.uint8(3 * cell + 2 * specular + (1 - specular) * np.uint8(g[at] < DARK))
        cell = np.uint8(2 * cell + np.uint8(i[at] == 0))
        cell = np.uint8(2 * cell + np.uint8((flag & bits.TOOL) != 0))
        occluded = np.uint8((flag & bits.OCCLUDED) != 0)
        cells[at] = np.uint8(3 * cell + occluded + (1 - occluded) * 2 * np.uint8((flag & bits.DOUBTFUL) != 0))


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
    buffers = np.empty((4, k.BLOCK))
    for start in range(0, x.size, k.BLOCK):
        m = min(k.BLOCK, x.size - start)
        p, g, relative, within = buffers[0, :m], buffers[1, :m], buffers[2, :m], buffers[3, :m]
        k.aligned_depths(x[start : start + m], source, scale, shift, limits, p)
        k.depths_in_space(y[start : start + m], k.DEPTH, g)
        for i in range(m):
            relative[i] = abs(p[i] - g[i]) / g[i]
        for i in range(m):
            smaller, larger = min(p[i], g[i]), max(p[i], g[i])
            within[i] = 1.0 if larger < 1.25 * smaller else 0.0
        for i in range(m):
            cell, half = cells[start + i], i & 1
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
