"""A frame's reference depth drawn anew within its stated error (`reference_error` of a dataset).

Local error is that of each pixel by itself, or of a small block: it is drawn for each frame. Shared error (calibration,
registration, drift) has a few dimensions: one draw is that of the whole dataset, of a sequence where it drifts. What is
drawn is keyed by dataset, sequence, frame and draw (PCG64), so that it is the same in each process and for each model.

Disparity is d = f B / z with focal length f (px), baseline B (mm) and depth z (mm).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from scopedepth.errors import ScopeDepthError
from scopedepth.evaluation.kernels import BLOCK, STRICT
from scopedepth.job.compiled import njit
from scopedepth.job.draws import generator
from scopedepth.vocabulary.flags import DOUBTFUL
from scopedepth.vocabulary.reference import DRAWS

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# Equally likely values that stand for a distribution.
LEVELS = 4096
# Neighbours whose depths differ by more than this share lie on both sides of an edge.
JUMP = 0.05
# Pixels farther than this share of a frame's are not trusted.
FARTHEST = 0.8


@dataclass(frozen=True)
class Points:
    """The pixels of one frame that are looked at.

    at: their places in the flat frame (n,). depth: mm, float32 (n,).
    trusted: no edge, no rim, not far, of no low confidence (n,).
    map: the whole depth, float32 (h, w). sequence, frame: whose they are. laws: by kind of local error where each
    point's class begins in the flat table, uint32 (n,), its block, uint32 (n,), and what each block drew, uint16
    (DRAWS, block).
    steps: what each point drew of a step, uint16 (DRAWS, n); None: nothing is stored in steps.
    """

    at: NDArray[np.intp]
    depth: NDArray[np.float32]
    trusted: NDArray[np.bool_]
    map: NDArray[np.float32]
    sequence: str
    frame: int
    laws: Mapping[str, tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint16]]]
    steps: NDArray[np.uint16] | None

    @cached_property
    def places(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The row and the column of each point (n,)."""
        return rows_and_columns(self.at, self.map.shape[1])

    @cached_property
    def across(self) -> NDArray[np.float32]:
        """Where each point lies across the frame, from -1/2 at the left to 1/2 at the right."""
        return (self.places[1] / max(self.map.shape[1] - 1, 1) - 0.5).astype(np.float32)


class StatedError:
    """The error that is stated of a dataset's depth, for frames of one size and camera.

    camera: 3x3 or None where the store knows none. A stated disparity without a focal length is a `ScopeDepthError`.
    """

    def __init__(self, spec: specs.StatedError, dataset: str, camera: NDArray[np.float64] | None) -> None:
        self.spec, self.dataset = spec, dataset
        focal = spec["focal"] or (None if camera is None else float(camera[0, 0]))
        if spec["baseline"] is not None and focal is None:
            raise ScopeDepthError(
                f"datasets.{dataset}.reference_error.focal: the store knows no camera of its frames. State the focal "
                "length, pixels."
            )
        self.focal_baseline = (focal or 1.0) * (spec["baseline"] or 1.0)
        laws = {"disparity": spec["disparity"], "depth": spec["depth"]}
        self.laws: dict[str, specs.LocalError] = {kind: law for kind, law in laws.items() if law is not None}
        self.tables = {kind: law_table(law) for kind, law in self.laws.items()}
        self._drawn: dict[Any, NDArray[np.float64]] = {}

    @property
    def has_local(self) -> bool:
        """Whether any error of single pixels is stated."""
        return bool(self.laws or self.spec["quantisation"])

    @property
    def has_shared(self) -> bool:
        """Whether any error is stated that frames share."""
        return any(self.spec[name] for name in ("calibration", "registration", "drift"))

    def points(
        self,
        depth: NDArray[np.float32],
        flags: NDArray[np.uint8],
        at: NDArray[np.intp],
        sequence: str,
        frame: int,
    ) -> Points:
        """Return the pixels `at` of a frame, whose depth (h, w) is finite there; flags: (h, w)."""
        edge, rim = (one.ravel().take(at) for one in edges_and_rims(depth, self.spec["reach"]))
        z = depth.ravel().take(at)
        far = z > np.quantile(z, FARTHEST) if z.size else np.zeros(0, bool)
        near = {"disparity": self.focal_baseline / z, "depth": z}
        draws = generator(self.dataset, sequence, frame, "local")
        laws = {}
        for kind, law in self.laws.items():
            count, blocks = _blocks(at, depth.shape, law["grain"])
            drawn = draws.integers(0, LEVELS, (DRAWS, count), np.uint16)
            laws[kind] = np.uint32(LEVELS) * _classes(law, near[kind], edge, rim), blocks, drawn
        steps = draws.integers(0, LEVELS, (DRAWS, z.size), np.uint16) if self.spec["quantisation"] else None
        trusted = ~(edge | rim | far) & (flags.ravel().take(at) & DOUBTFUL == 0)
        return Points(at, z, trusted, depth, sequence, frame, laws, steps)

    def local(self, points: Points, draw: int) -> NDArray[np.float32]:
        """Return the depth of each point with local error drawn once more, mm; NaN where it has none."""
        moved: dict[str, NDArray[np.float32]] = {}
        for kind, (classes, blocks, drawn) in points.laws.items():
            moved[kind] = np.empty(points.depth.size, np.float32)
            _errors(self.tables[kind].ravel(), classes, drawn[draw], blocks, moved[kind])
        steps = self.spec["quantisation"]
        if steps is not None and points.steps is not None:
            # Middles of equal parts of a step.
            by = np.float32(steps["step"] / LEVELS) * (points.steps[draw] - np.float32(LEVELS / 2 - 0.5))
            moved[steps["of"]] = moved.get(steps["of"], np.float32(0)) + by
        return self._moved(points.depth, moved)

    def shared(self, points: Points, draw: int) -> NDArray[np.float32]:
        """Return the depth of each point with one draw of what frames share, mm; NaN where it has none."""
        normal, wander = self._normal("shared", draw), self._normal(points.sequence, "drift", draw)
        drift, registration = self.spec["drift"], self.spec["registration"]
        depth, along = points.depth, np.zeros(2)
        if registration is not None:
            along += registration["shift"] * normal[:2]
        if drift is not None:
            along += drift["shift"] * points.frame * wander[:2]
        turn = np.radians(registration["rotation"]) * normal[2] if registration is not None else 0.0
        if along.any() or turn:
            depth = _displaced(points, along, turn)
        moved: dict[str, NDArray[np.float32]] = {}
        calibration = self.spec["calibration"]
        if calibration is not None:
            by = np.float32(calibration["tilt"] * normal[4]) * points.across
            moved[calibration["of"]] = by + np.float32(calibration["offset"] * normal[3])
        if drift is not None:
            by = np.full(depth.size, drift["depth"] * points.frame * wander[2], np.float32)
            moved["depth"] = moved.get("depth", np.float32(0)) + by
        return self._moved(depth, moved)

    def _normal(self, *key: Any) -> NDArray[np.float64]:
        """Return five normal numbers of a key, which is that of many frames."""
        if key not in self._drawn:
            self._drawn[key] = generator(self.dataset, *key).standard_normal(5)
        return self._drawn[key]

    def _moved(
        self, depth: NDArray[np.float32], by: Mapping[str, NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        if "disparity" in by:
            focal_baseline = np.float32(self.focal_baseline)
            disparity = focal_baseline / depth + by["disparity"]
            disparity[disparity <= 0] = np.nan
            depth = focal_baseline / disparity
        return depth + by["depth"] if "depth" in by else depth


def law_table(law: specs.LocalError) -> NDArray[np.float32]:
    """Return equally likely errors, (class, LEVELS): a normal law's, of its variance, or those between quantiles."""
    middles = (np.arange(LEVELS) + 0.5) / LEVELS
    if law["sigma"] is not None:
        normal = ndtri(middles)
        return (law["sigma"] * normal / np.sqrt(np.mean(normal**2)))[None].astype(np.float32)
    rows = [np.interp(middles, law["probabilities"] or [], one["errors"]) for one in law["classes"]]
    return np.array(rows, np.float32)


def edges_and_rims(depth: NDArray[np.float32], reach: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where (h, w) a jump of depth is within `reach` pixels, and where a pixel without depth is."""
    known = np.isfinite(depth)
    edge = np.zeros(depth.shape, bool)
    with np.errstate(invalid="ignore"):
        for axis in (0, 1):
            ends = [(slice(None),) * axis + (one,) for one in (slice(None, -1), slice(1, None))]
            first, second = (depth[end] for end in ends)
            jump = np.abs(first - second) > JUMP * np.minimum(first, second)
            for end in ends:
                edge[end] |= jump
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    near = [cv2.dilate(one.astype(np.uint8), kernel).astype(bool) for one in (edge, ~known)]
    return near[0], near[1]


def rows_and_columns(at: NDArray[np.intp], width: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the rows and the columns of places in a flat frame `width` pixels wide."""
    return np.divmod(at.astype(np.int32), np.int32(width))


def _classes(
    law: specs.LocalError, value: NDArray[np.float32], edge: NDArray[np.bool_], rim: NDArray[np.bool_]
) -> NDArray[np.uint32]:
    """Return the first class of a law that fits each pixel."""
    chosen = np.zeros(value.size, np.uint32)
    for index, one in reversed(list(enumerate(law["classes"]))):
        fits = {"rim": rim, "edge": edge, "anywhere": np.ones(value.size, bool)}[one["where"]]
        if one["below"] is not None:
            fits = fits & (value < one["below"])
        chosen[fits] = index
    return chosen


def _blocks(at: NDArray[np.intp], shape: tuple[int, ...], grain: int) -> tuple[int, NDArray[np.uint32]]:
    """Return how many blocks of a frame (h, w) some pixels lie in, and the number of each pixel's, row by row."""
    rows, columns = rows_and_columns(at, shape[1])
    across = -(-shape[1] // grain)
    block = rows // np.int32(grain) * np.int32(across) + columns // np.int32(grain)
    number = np.zeros(-(-shape[0] // grain) * across, np.uint32)
    number[block] = 1
    np.cumsum(number, out=number)
    return int(number[-1]), number[block] - np.uint32(1)


@njit(**STRICT)
def _errors(table, classes, drawn, blocks, out):  # type: ignore[no-untyped-def]
    """Fill `out` with what each point's block drew, by the point's class in the flat table."""
    for i in range(out.size):
        out[i] = table[classes[i] + np.uint32(drawn[blocks[i]])]


def _displaced(points: Points, along: NDArray[np.float64], turn: float) -> NDArray[np.float32]:
    """Return the depth at places moved by `along` (x, y) after a turn about the frame's middle, between four pixels.

    NaN outside of the frame, and where one of the four has no depth.
    """
    height, width = points.map.shape
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    found = np.empty(points.at.size, np.float32)
    _between(points.map, *points.places, turned, middle + along - turned @ middle, found)
    return found


@njit(**STRICT)
def _between(depth, rows, columns, turned, along, out):  # type: ignore[no-untyped-def]
    """Fill `out` with depth (h, w) between the four pixels about each place after a turn (2, 2) and a shift (x, y).

    rows, columns: of the points, (n,). OpenCV's `warpAffine` fills whole frames,
    and its float32 depends on the processor in the last digits; here all is float64. Places come first, block by block,
    so that they are counted in vector registers.
    """
    height, width = depth.shape
    d = depth.ravel()
    xs, ys, corners = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK, np.uint32)
    for start in range(0, out.size, BLOCK):
        m = min(BLOCK, out.size - start)
        row, column, here = rows[start : start + m], columns[start : start + m], out[start : start + m]
        for i in range(m):
            x = turned[0, 0] * column[i] + turned[0, 1] * row[i] + along[0]
            y = turned[1, 0] * column[i] + turned[1, 1] * row[i] + along[1]
            inside = (x >= 0) & (x < width - 1) & (y >= 0) & (y < height - 1)
            left, top = np.int32(x if inside else 0.0), np.int32(y if inside else 0.0)
            xs[i], ys[i] = x - left if inside else np.nan, y - top
            corners[i] = top * np.int32(width) + left
        for i in range(m):
            k, under = corners[i], corners[i] + np.uint32(width)
            a, b = np.float64(d[k]), np.float64(d[k + np.uint32(1)])
            above = a + xs[i] * (b - a)
            a, b = np.float64(d[under]), np.float64(d[under + np.uint32(1)])
            here[i] = above + ys[i] * (a + xs[i] * (b - a) - above)
