"""One frame made ready for any number of protocols: what several of them need alike is made once."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation.kernels import gather
from scopedepth.evaluation.masks import bounds_as, valid_pixels
from scopedepth.evaluation.protocol import Source, Terms
from scopedepth.evaluation.resample import inverse, resample
from scopedepth.evaluation.selection import middle
from scopedepth.vocabulary import status as codes

T = TypeVar("T")


class Pixels:
    """The pixels of one frame that count, and what is known of them.

    x: outputs (n,), not_positive of them zero or less, not_finite not finite; y: reference depths in mm (n,).
    wanted: how many count, those that were left out for want of an answer among them.
    output: the prediction on the reference's grid, (h, w); depth: (h, w); valid: the mask, (h, w).
    scratch: (n,) or longer. All are overwritten by the next frame.
    """

    def __init__(
        self,
        x: NDArray[np.floating],
        y: NDArray[np.floating],
        scratch: NDArray[np.floating],
        not_positive: int = 0,
        not_finite: int = 0,
        maps: tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.bool_]] | None = None,
        frame: int = 0,
        wanted: int | None = None,
    ) -> None:
        self.x, self.y, self.scratch = x, y, scratch
        self.wanted = x.size if wanted is None else wanted
        self.not_positive, self.not_finite = not_positive, not_finite
        self.frame = frame
        if maps is not None:
            self.output, self.depth, self.valid = maps
        self._known: dict[Hashable, Any] = {}

    def once(self, what: Hashable, make: Callable[[], T]) -> T:
        """Return ``make()``, called once for all that ask for the same thing: `what` names it and all it depends on."""
        if what not in self._known:
            self._known[what] = make()
        found: T = self._known[what]
        return found

    @property
    def coverage(self) -> float:
        """The share of the pixels that count whose output is finite; NaN where none counts."""
        return (self.x.size - self.not_finite) / self.wanted if self.wanted else math.nan

    def ends_x(self) -> tuple[float, float]:
        """Return the least and the greatest output; n >= 1."""
        return self.once("ends of x", lambda: (float(self.x.min()), float(self.x.max())))

    def ends_y(self) -> tuple[float, float]:
        """Return the least and the greatest depth; n >= 1."""
        return self.once("ends of y", lambda: (float(self.y.min()), float(self.y.max())))

    def middle_x(self) -> tuple[float, float]:
        """Return the two middle outputs; n >= 1."""
        return self.once("middle of x", lambda: middle(self.x, self.scratch))

    def middle_y(self) -> tuple[float, float]:
        """Return the two middle depths; n >= 1."""
        return self.once("middle of y", lambda: middle(self.y, self.scratch))

    def above(self, least: float) -> Pixels:
        """Return those whose output is above `least`."""
        if least == -np.inf or (self.x.size and self.ends_x()[0] > self.x.dtype.type(least)):
            return self
        return self.once(("above", least), lambda: self._above(least))

    def source(self, source: Source) -> Source:
        """Return how these outputs enter a space, without what does nothing to them; n >= 1."""
        return self.once(("source", source), lambda: self._source(source))

    def _source(self, source: Source) -> Source:
        least, greatest = (end * source.unit for end in self.ends_x())
        if source.low <= least and greatest <= source.high:
            source = source._replace(low=-np.inf, high=np.inf)
        if not source.flip:
            return source._replace(epsilon=0.0, negative=False)
        # Only what is below zero is taken for something else when it is inverted.
        return source._replace(negative=False) if max(least, source.low) > 0.0 else source

    def _above(self, least: float) -> Pixels:
        enters = self.x > self.x.dtype.type(least)
        x = self.x[enters]
        return Pixels(x, self.y[enters], self.scratch, int(np.count_nonzero(x <= 0)))


class Workspace:
    """Buffers of one thread, for frames of one size and type: as many as a frame's protocols need at once."""

    def __init__(self) -> None:
        self._key: Any = None

    def fit(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        if self._key != (shape, dtype):
            self._key = (shape, dtype)
            self.scratch = np.empty(shape[0] * shape[1] + 1, dtype)
            self._free: dict[str, list[NDArray[Any]]] = {}
            self.kept: dict[str, tuple[NDArray[Any], Any]] = {}
        self._used: dict[str, int] = {}

    def take(self, kind: str) -> NDArray[Any]:
        """Return a buffer that this frame has not taken yet: a map (h, w), a mask (h, w) or a list (h * w + 1,)."""
        place = self._used.get(kind, 0)
        self._used[kind] = place + 1
        buffers = self._free.setdefault(kind, [])
        if place == len(buffers):
            shape, dtype = self._key
            wanted = (shape[0] * shape[1] + 1,) if kind == "list" else shape
            buffers.append(np.empty(wanted, np.bool_ if kind == "mask" else dtype))
        return buffers[place]


class Need(NamedTuple):
    """What a protocol's pixels follow from: the output's way to the grid, the masks, the range of depths.

    hull: the least and the greatest end of all ranges that go with these masks. covered: only where there is an answer.
    """

    grid: Hashable
    mask: Hashable
    low: Any
    high: Any
    hull: tuple[Any, Any]
    covered: bool


def needs(every: Sequence[Terms], dtype: np.dtype[Any]) -> list[Need]:
    """Return what the pixels of each of some terms follow from, for maps of `dtype`."""
    found: list[Need] = []
    hulls: dict[Hashable, tuple[Any, Any]] = {}
    for terms in every:
        mask = (terms.flag_bits, terms.grey_above, terms.rgb_sum_below, terms.erode, terms.window)
        turned = terms.turned if terms.resample_inverse else None
        grid = (terms.resample_inverse, turned, terms.resample_epsilon, terms.nearest, terms.align_corners)
        low, high = bounds_as(dtype, terms.depth_low, terms.depth_high, terms.ends_count)
        least, greatest = hulls.get(mask, (low, high))
        hulls[mask] = min(least, low), max(greatest, high)
        found.append(Need(grid, mask, low, high, hulls[mask], terms.leaves_uncovered))
    return [need._replace(hull=hulls[need.mask]) for need in found]


class Frame:
    """One frame under several terms, of which `needs` tells what their pixels follow from.

    number: of the frame. prediction: (v, u). depth: (h, w), NaN where missing. flags: uint8 (h, w). rgb: uint8
    (h, w, 3), where one of the terms looks at it. Of one frame at a time, `workspace` holds the buffers.
    confidence: of the reference, of 255, uint8 (h, w), where the dataset has it and strata are asked for.
    `before` is what is kept of a frame for the next one of its block; `leads`: it is read for that alone.
    """

    leads = False
    confidence: NDArray[np.uint8] | None = None

    def __init__(
        self,
        every: Sequence[Terms],
        needs: Sequence[Need],
        number: int,
        prediction: NDArray[np.floating],
        depth: NDArray[np.floating],
        flags: NDArray[np.uint8],
        rgb: NDArray[np.uint8] | None,
        workspace: Workspace,
    ) -> None:
        workspace.fit(depth.shape, depth.dtype)
        self.every, self.needs = every, needs
        self.number, self.prediction, self.depth = number, prediction, depth
        self.flags, self.rgb, self._workspace = flags, rgb, workspace
        self.before: dict[Any, Any] = {}
        self._outputs: dict[Hashable, NDArray[np.floating]] = {}
        self._masks: dict[Hashable, NDArray[np.bool_]] = {}
        self._gathered: dict[Hashable, Pixels] = {}

    def pixels(self, place: int) -> Pixels:
        """Return the pixels that count under the terms at `place`."""
        terms, need = self.every[place], self.needs[place]
        # Where the depths of the widest range lie within a narrower one, the pixels are the same.
        widest = self._gather(terms, need, *need.hull)
        if widest.wanted != widest.y.size:
            # What was left out may lie outside of the narrower one, where it lacks nowhere.
            return self._gather(terms, need, need.low, need.high)
        if not widest.y.size:
            return widest
        least, greatest = widest.ends_y()
        if need.low <= least and greatest <= need.high:
            return widest
        return self._gather(terms, need, need.low, need.high)

    def counted(self, place: int) -> NDArray[np.bool_]:
        """Return the mask (h, w) of the pixels that count under the terms at `place`, whatever was predicted there."""
        pixels = self.pixels(place)
        if pixels.wanted == pixels.y.size:
            return pixels.valid
        need = self.needs[place]
        return self._mask(self.every[place], need, need.low, need.high)

    def kept(self, what: str, made_from: NDArray[Any], make: Callable[[], T]) -> T:
        """Return ``make()``, called once for successive frames that have the same `made_from`."""
        before = self._workspace.kept.get(what)
        if before is None or not np.array_equal(before[0], made_from):
            before = self._workspace.kept[what] = made_from, make()
        found: T = before[1]
        return found

    def status(self, place: int) -> int:
        """Return whether the pixels under the terms at `place` can be used, or why not."""
        terms, pixels = self.every[place], self.pixels(place)
        if not pixels.wanted:
            return why_none(terms, self.depth)
        if pixels.not_finite or not pixels.y.size:
            return codes.NONFINITE_PREDICTION
        return codes.TOO_FEW_PIXELS if pixels.y.size < terms.min_pixels else codes.OK

    def _gather(self, terms: Terms, need: Need, low: Any, high: Any) -> Pixels:
        key = (need.grid, need.mask, low, high, need.covered)
        if key not in self._gathered:
            output = self._output(terms, need)
            valid = self._mask(terms, need, low, high)
            wanted = None
            if need.covered:
                wanted = int(np.count_nonzero(valid))
                valid = np.logical_and(valid, np.isfinite(output), out=self._workspace.take("mask"))
            x, y = self._workspace.take("list"), self._workspace.take("list")
            n, wrong, not_positive = gather(output, self.depth, valid, x, y)
            maps = output, self.depth, valid
            self._gathered[key] = Pixels(
                x[:n], y[:n], self._workspace.scratch, not_positive, wrong, maps, self.number, wanted
            )
        return self._gathered[key]

    def _mask(self, terms: Terms, need: Need, low: Any, high: Any) -> NDArray[np.bool_]:
        key = (need.mask, low, high)
        if key not in self._masks:
            out = self._workspace.take("mask")
            self._masks[key] = valid_pixels(terms, self.depth, self.flags, self.rgb, (low, high), out)
        return self._masks[key]

    def _output(self, terms: Terms, need: Need) -> NDArray[np.floating]:
        """Return the prediction on the reference's grid, in the prediction's own space."""
        if need.grid not in self._outputs:
            prediction = output = self.prediction
            if terms.resample_inverse:
                # A disparity is the inverse already, but for what is added before each inversion.
                depths = inverse(prediction, 0.0) if terms.turned else prediction
                prediction = output = inverse(depths, terms.resample_epsilon)
            if prediction.shape != self.depth.shape:
                output = self._workspace.take("map")
                resample(prediction, output, nearest=terms.nearest, align_corners=terms.align_corners)
            if terms.resample_inverse and not terms.turned:
                output = inverse(output, terms.resample_epsilon)
            self._outputs[need.grid] = output
        return self._outputs[need.grid]


def single(
    terms: Terms,
    number: int,
    prediction: NDArray[np.floating],
    depth: NDArray[np.floating],
    flags: NDArray[np.uint8],
    rgb: NDArray[np.uint8] | None,
    workspace: Workspace,
) -> Frame:
    """Return a frame under one protocol's terms."""
    return Frame([terms], needs([terms], depth.dtype), number, prediction, depth, flags, rgb, workspace)


def why_none(terms: Terms, depth: NDArray[np.floating]) -> int:
    """Return why no pixel of a frame counts: it has no depth, none within the range, or masks leave none."""
    if not np.isfinite(depth).any():
        return codes.NO_DEPTH
    if not ((depth >= terms.depth_low) & (depth <= terms.depth_high)).any():
        return codes.OUTSIDE_RANGE
    return codes.NO_VALID_PIXELS
