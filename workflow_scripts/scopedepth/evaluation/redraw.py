"""The redraw stage: a model's metrics with the reference redrawn within its stated error, in a table a protocol.

A sample of frames and pixels is looked at: what is asked for is how a score moves, and scores are of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation.align import Pair, open_pairs, protocols_in_words
from scopedepth.evaluation.alignment import Fit, fit_frame
from scopedepth.evaluation.frames import stored_status
from scopedepth.evaluation.metrics import aligned_as, error_metrics
from scopedepth.evaluation.pixels import Frame, Pixels, Workspace, needs
from scopedepth.evaluation.protocol import Terms
from scopedepth.evaluation.reference import Points, StatedError
from scopedepth.evaluation.scope import Joint
from scopedepth.evaluation.score import is_scored
from scopedepth.job.progress import Advance, progress
from scopedepth.stores.dataset import DatasetStore
from scopedepth.stores.prediction import PredictionStore
from scopedepth.tables.io import write_table
from scopedepth.tables.redraws import REDRAWS
from scopedepth.vocabulary import status as codes
from scopedepth.vocabulary.reference import DRAWS, LOCAL, OBSERVED, REDRAWN, SHARED, TRUSTED

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# Of a unit at most so many frames, evenly spaced, and fewer where they are large: so many pixels of depth are held.
FRAMES = 100
HELD_PIXELS = 40_000_000
# Of a frame every third pixel, all where there are few, and at most so many.
STEP, FEW, PIXELS = 3, 3000, 15_000


# Scores (frame, metric) of the frames that are seen, by protocol, part and draw.
Found = dict[str, dict[tuple[str, int], NDArray[np.float64]]]


@dataclass(frozen=True)
class Look:
    """One frame under one protocol: which of its points count, the outputs there (n,), and the depths that count."""

    counts: NDArray[np.bool_]
    outputs: NDArray[np.floating]
    low: np.float32
    high: np.float32

    def pixels(self, depth: NDArray[np.float32]) -> Pixels:
        """Return the pixels that count where the points have these depths (n,); NaN: none."""
        inside = (depth >= self.low) & (depth <= self.high) & self.counts
        y = depth[inside]
        if y.size < self._all.x.size or not y.size:
            x = self.outputs[inside]
            return Pixels(x, y, np.empty(x.size + 1, np.float32), int(np.count_nonzero(x <= 0)))
        # The same outputs each time: what is known of them is looked for once.
        found = Pixels(self._all.x, y, np.empty(y.size + 1, np.float32), self._all.not_positive)
        found.once("ends of x", self._all.ends_x)
        found.once("middle of x", self._all.middle_x)
        return found

    @cached_property
    def _all(self) -> Pixels:
        x = self.outputs[self.counts]
        return Pixels(x, x, np.empty(x.size + 1, np.float32), int(np.count_nonzero(x <= 0)))


@dataclass(frozen=True)
class Seen:
    """One frame that is looked at: its points, and a look a protocol under which it has a score."""

    points: Points
    looks: Mapping[str, Look]


def redraw_unit(
    protocols: Mapping[str, specs.Protocol],
    error: specs.StatedError | None,
    dataset: Path,
    predictions: Path,
    keys: Mapping[str, str],
    out: Mapping[str, Path],
) -> None:
    """Redraw the reference of one unit for one model and write a table (`tables.redraws`) a protocol.

    protocols: the specs by name; out: tables by protocol. dataset, predictions: stores. keys: dataset and model names.
    A protocol that gives none of the metrics of this model has a table without rows.
    """
    if not protocols or error is None:
        return
    opened = open_pairs(protocols, DatasetStore(dataset), PredictionStore(predictions), keys["dataset"])
    pairs = {sequence: redrawn_pair(pair) for sequence, pair in opened.items()}
    stated = {
        sequence: StatedError(error, keys["dataset"], pair.data.intrinsics)
        for sequence, pair in pairs.items()
    }
    places = chosen_frames({sequence: pair.data for sequence, pair in pairs.items()})
    seen = [
        frame
        for sequence, pair in pairs.items()
        for frame in looks_at(pair, stated[sequence], places[sequence])
    ]
    label = f"redraw {keys['model']}, {protocols_in_words(protocols)}"
    with progress(label, sum(len(frame.looks) for frame in seen), "looks") as advance:
        found = redrawn(pairs, stated, seen, advance)
    for protocol in protocols:
        columns: dict[str, list[Any]] = {name: [] for name in REDRAWS.names}
        for row in _rows(pairs, protocol, seen, found):
            for name, value in {**keys, "protocol": protocol, **row}.items():
                columns[name].append(value)
        write_table(out[protocol], REDRAWS, columns)


def redrawn_pair(pair: Pair) -> Pair:
    """Return a sequence's readers and terms with the metrics alone that are redrawn."""
    return pair._replace(terms={name: redrawn_terms(terms) for name, terms in pair.terms.items()})


def redrawn_terms(terms: Terms) -> Terms:
    """Return terms with the metrics alone that are redrawn."""
    return replace(terms, metrics=tuple(name for name in terms.metrics if name in REDRAWN))


def chosen_frames(sequences: Mapping[str, Any]) -> dict[str, list[int]]:
    """Return the places of the frames to look at in each sequence, one of each at least."""
    total = sum(one.n_frames for one in sequences.values())
    largest = max((one.height * one.width for one in sequences.values()), default=1)
    share = min(1.0, FRAMES / max(total, 1), HELD_PIXELS / largest / max(total, 1))
    found = {}
    for name, one in sequences.items():
        count = min(one.n_frames, max(1, round(share * one.n_frames)))
        found[name] = [int((i + 0.5) * one.n_frames / count) for i in range(count)]
    return found


def chosen_pixels(depth: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the places of the pixels to look at in a flat frame (h, w): every third one that has depth."""
    known = np.flatnonzero(np.isfinite(depth))
    step = STEP if known.size >= FEW else 1
    return known[:: max(step, -(-known.size // PIXELS))]


def looks_at(pair: Pair, stated: StatedError, places: Sequence[int]) -> Iterator[Seen]:
    """Yield what is looked at of some frames of a sequence."""
    every = list(pair.terms.values())
    workspace, needed = Workspace(), needs(every, np.dtype(np.float32))
    data, predicted = pair.data, pair.predicted
    for place in places:
        status = stored_status(*(int(one.status(place, place + 1)[0]) for one in (data, predicted)))
        if status != codes.OK:
            continue
        depth, flags = data.depth(place, place + 1)[0], data.flags(place, place + 1)[0]
        rgb = data.scene(place, place + 1)[0] if any(terms.needs_rgb for terms in every) else None
        output = predicted.prediction(place, place + 1)[0]
        frame = Frame(every, needed, place, output, depth, flags, rgb, workspace)
        points = stated.points(depth, flags, chosen_pixels(depth), data.name, data.first_frame + place)
        looks = {}
        for number, name in enumerate(pair.terms):
            if every[number].metrics and frame.status(number) == codes.OK:
                pixels, need = frame.pixels(number), needed[number]
                inside, outputs = pixels.valid.flat[points.at], pixels.output.flat[points.at]
                looks[name] = Look(inside, outputs, need.low, need.high)
        yield Seen(points, looks)


def draws_of(every: Iterable[StatedError]) -> list[tuple[str, int]]:
    """Return part and number of all that is scored: the depth as it is, and the draws."""
    stated = list(every)
    draws = [(LOCAL, draw) for draw in range(DRAWS) if any(one.has_local for one in stated)]
    draws += [(SHARED, draw) for draw in range(DRAWS) if any(one.has_shared for one in stated)]
    return [(OBSERVED, 0), (TRUSTED, 0), *draws]


def redrawn(
    pairs: Mapping[str, Pair], stated: Mapping[str, StatedError], seen: Sequence[Seen], advance: Advance
) -> Found:
    """Return the scores of all draws; NaN for frames without a look, or without a number.

    pairs, stated: by sequence, with terms of `redrawn_pair`. advance: is told how many looks are done.
    """
    protocols, draws = next(iter(pairs.values())).terms, draws_of(stated.values())
    found = {
        protocol: {draw: np.full((len(seen), len(REDRAWN)), np.nan) for draw in draws}
        for protocol in protocols
    }
    # Frame by frame where fits are, so that a frame's points and depth stay in the cache for all of its draws.
    for group, names in _together(pairs, seen).items():
        frames = [seen[place] for place in group]
        sequence = frames[0].points.sequence
        for draw in draws:
            depths = [_depth(stated[frame.points.sequence], frame.points, *draw) for frame in frames]
            for name in names:
                pixels = [
                    frame.looks[name].pixels(depth) for frame, depth in zip(frames, depths, strict=True)
                ]
                found[name][draw][list(group)] = scores(pairs[sequence].terms[name], pixels)
        advance(len(group) * len(names))
    return found


def _depth(error: StatedError, points: Points, part: str, draw: int) -> NDArray[np.float32]:
    """Return the depth of each point (n,) in a draw of a part, mm; NaN where it has none."""
    if part == OBSERVED:
        return points.depth
    if part == TRUSTED:
        return np.where(points.trusted, points.depth, np.float32(np.nan))
    return error.local(points, draw) if part == LOCAL else error.shared(points, draw)


def _together(pairs: Mapping[str, Pair], seen: Sequence[Seen]) -> dict[tuple[int, ...], list[str]]:
    """Return the protocols by the frames that share a fit under them, by their places: each, of a sequence, or all."""
    groups: dict[tuple[str, str | int], list[int]] = {}
    for place, frame in enumerate(seen):
        for protocol in frame.looks:
            terms = pairs[frame.points.sequence].terms[protocol]
            shared = "" if terms.scope == "dataset" else frame.points.sequence
            groups.setdefault((protocol, place if _fits_alone(terms) else shared), []).append(place)
    found: dict[tuple[int, ...], list[str]] = {}
    for (protocol, _), places in groups.items():
        found.setdefault(tuple(places), []).append(protocol)
    return found


def _rows(
    pairs: Mapping[str, Pair], protocol: str, seen: Sequence[Seen], found: Found
) -> Iterator[dict[str, Any]]:
    """Yield a row a sequence, part and draw: means over the frames that have all numbers as they are."""
    for sequence, pair in pairs.items():
        metrics = [name in pair.terms[protocol].metrics for name in REDRAWN]
        mine = [place for place, frame in enumerate(seen) if frame.points.sequence == sequence]
        if not any(metrics) or not mine:
            continue
        whole = np.isfinite(found[protocol][OBSERVED, 0][mine][:, metrics]).all(axis=1)
        for (part, draw), values in found[protocol].items():
            known = values[mine][whole]
            if part == TRUSTED:
                known = known[np.isfinite(known[:, metrics]).all(axis=1)]
            means = known.mean(axis=0) if len(known) else np.full(len(REDRAWN), np.nan)
            yield {
                "sequence": sequence, "n_frames": pair.data.n_frames, "n_looked_at": int(whole.sum()),
                "part": part, "draw": draw, **dict(zip(REDRAWN, means.tolist(), strict=True)),
            }  # fmt: skip


def scores(terms: Terms, frames: Sequence[Pixels]) -> NDArray[np.float64]:
    """Return the metrics of frames under terms, fitted anew, (frame, metric of `REDRAWN`); NaN where there is none."""
    values = np.full((len(frames), len(REDRAWN)), np.nan)
    for place, (pixels, fit) in enumerate(zip(frames, _fits(terms, frames), strict=True)):
        if pixels.x.size and is_scored(terms, fit):
            # Nobody else asks for sums of these pixels: that ways are told to be alike would cost more than they.
            found = error_metrics(terms, pixels, aligned_as(terms, pixels, fit))
            # None becomes NaN here.
            values[place] = [found[name] if name in terms.metrics else None for name in REDRAWN]
    return values


def _fits_alone(terms: Terms) -> bool:
    """Whether each frame is fitted by itself."""
    return terms.scope == "frame" or terms.method == "none"


def _fits(terms: Terms, frames: Sequence[Pixels]) -> list[Fit]:
    if _fits_alone(terms):
        return [fit_frame(terms, pixels) for pixels in frames]
    joint = Joint(terms)
    turn = 0
    while turn < joint.passes:
        for pixels in frames:
            status = codes.OK if pixels.y.size >= terms.min_pixels else codes.TOO_FEW_PIXELS
            joint.take(0, joint.see(turn, pixels, status))
        joint.turn(turn)
        turn += 1
    return joint.fits(0)
