"""The score stage: tables of metrics, one row a frame, a table for each protocol from one pass over the frames."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError
from scopedepth.evaluation.align import Pair, add_keys, open_pairs, protocols_in_words
from scopedepth.evaluation.alignment import Fit
from scopedepth.evaluation.frames import each_frame
from scopedepth.evaluation.metrics import Seen, frame_metrics, take_of
from scopedepth.evaluation.pixels import Frame, Pixels
from scopedepth.evaluation.protocol import Terms
from scopedepth.evaluation.strata import FrameStrata, StrataColumns, frame_strata
from scopedepth.job.progress import progress
from scopedepth.stores.dataset import DatasetStore
from scopedepth.stores.prediction import PredictionStore
from scopedepth.tables.frames import ALIGNMENTS, SCORES, STRATA_SUMS, with_metrics
from scopedepth.tables.io import read_table, write_table
from scopedepth.vocabulary import status as codes
from scopedepth.vocabulary.metrics import METRICS, PIXEL_METRICS
from scopedepth.vocabulary.strata import PART, without_part

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# What scoring takes of a fit's row.
FIT = ("sequence", "scale", "offset", "n_pixels", "status")
# Metrics that every frame with a sound fit has. The others may be undefined for a frame (no edge, no pair).
ALWAYS = tuple(name for name in PIXEL_METRICS if name != "nrmse")


class Score(NamedTuple):
    """Metrics of one frame; one that is not there could not be computed. coverage: see `Pixels`."""

    metrics: Mapping[str, float | None]
    n_pixels: int
    status: int
    coverage: float = math.nan


def score_unit(
    protocols: Mapping[str, specs.Protocol],
    dataset: Path,
    predictions: Path,
    alignments: Mapping[str, Path],
    keys: Mapping[str, str],
    out: Mapping[str, Path],
    threads: int = 1,
) -> None:
    """Score one model's predictions of one unit with the fits of `alignments` and write a scores table a protocol.

    protocols: the specs by name; alignments, out: tables by protocol. dataset, predictions: stores. keys: dataset and
    model names. Every frame of the unit has a row: metrics, or nulls with the status that says why. A protocol's name
    with `PART` behind it stands for its sums by strata, made in the same pass, with a row for each stratum of each
    frame that is scored.
    """
    if not protocols:
        return
    pairs = open_pairs(protocols, DatasetStore(dataset), PredictionStore(predictions), keys["dataset"])
    paths = {protocol: alignments[without_part(protocol)] for protocol in protocols}
    fits = {protocol: read_fits(path) for protocol, path in paths.items()}
    for protocol, path in paths.items():
        check_fits(path, fits[protocol], pairs)
    tables = {protocol: Columns() for protocol in protocols if not protocol.endswith(PART)}
    strata = {protocol: StrataColumns() for protocol in protocols if protocol.endswith(PART)}
    total = sum(pair.data.n_frames for pair in pairs.values())
    with progress(f"score {keys['model']}, {protocols_in_words(protocols)}", total) as advance:
        for sequence, pair in pairs.items():
            for protocol in tables:
                applies = bool(pair.terms[protocol].metrics)
                tables[protocol].add(
                    pair.data, {**keys, "protocol": protocol}, fits[protocol][sequence], applies
                )
            scored = {
                protocol: fits[protocol][sequence] for protocol in protocols if pair.terms[protocol].metrics
            }
            for frame, scores in enumerate(frame_scores(pair, scored, threads) if scored else ()):
                for protocol, score in zip(scored, scores, strict=True):
                    if isinstance(score, Score):
                        tables[protocol].set(frame, score)
                    elif score is not None:
                        strata[protocol].add(sequence, pair.data.first_frame + frame, score)
                advance()
    for protocol, table in tables.items():
        schema, columns = with_metrics(SCORES, protocols[protocol]["metrics"]), table.columns()
        write_table(out[protocol], schema, {name: columns[name] for name in schema.names})
    for protocol, sums in strata.items():
        write_table(out[protocol], STRATA_SUMS, sums.columns({**keys, "protocol": without_part(protocol)}))


def frame_scores(
    pair: Pair, fits: Mapping[str, list[Fit]], threads: int
) -> Iterator[list[Score | FrameStrata | None]]:
    """Yield for each frame of a sequence its score under each protocol that has fits; of `PART` its sums, if any."""
    every = [pair.terms[protocol] for protocol in fits]
    by_strata = [protocol.endswith(PART) for protocol in fits]
    found = list(fits.values())
    take = take_of(pair.data, every)

    def one(frame: Frame, place: int, terms: Terms, fit: Fit) -> Score | FrameStrata | None:
        if frame.leads and (by_strata[place] or not terms.pairs_frames):
            # Of the frame before a block only what the next one is compared with.
            return None if by_strata[place] else NO_SCORE
        if not by_strata[place]:
            return score_frame(terms, frame.pixels(place), fit, Seen(take, frame, place))
        return frame_strata(terms, frame, place, fit) if is_scored(terms, fit) else None

    def look(frame: Frame) -> list[Score | FrameStrata | None]:
        return [one(frame, place, terms, found[place][frame.number]) for place, terms in enumerate(every)]

    def skipped(_: int, code: int) -> list[Score | FrameStrata | None]:
        return [None if strata else Score({}, 0, code) for strata in by_strata]

    pairs = any(terms.pairs_frames for terms in every)
    return each_frame(
        every, pair.data, pair.predicted, look, skipped, threads, by_strata=any(by_strata), with_before=pairs
    )


NO_SCORE = Score({}, 0, codes.OK)


class Columns:
    """The columns of a scores table while it grows, sequence by sequence."""

    def __init__(self) -> None:
        self._keys: dict[str, list[Any]] = {name: [] for name in SCORES.names if name not in METRICS}
        self._values: list[NDArray[np.float64]] = []
        self._start = 0

    def add(self, sequence: Any, keys: Mapping[str, str], fits: Sequence[Fit], applies: bool) -> None:
        """Begin a sequence, whose frames have `fits`; where nothing of it `applies`, they stay as they are now."""
        self._start = len(self._keys["status"])
        add_keys(self._keys, keys, sequence)
        self._keys["scale"] += [fit.scale for fit in fits]
        self._keys["offset"] += [fit.shift for fit in fits]
        self._keys["n_pixels"] += [0] * sequence.n_frames
        self._keys["coverage"] += [math.nan] * sequence.n_frames
        self._keys["status"] += ["" if applies else codes.STATUSES[codes.NOT_APPLICABLE]] * sequence.n_frames
        self._values.append(np.full((len(METRICS), sequence.n_frames), np.nan))

    def set(self, frame: int, score: Score) -> None:
        """Set the score of a frame of the sequence that was begun."""
        # None becomes NaN here, and null in the table.
        self._values[-1][:, frame] = [score.metrics.get(name) for name in METRICS]
        self._keys["n_pixels"][self._start + frame] = score.n_pixels
        self._keys["coverage"][self._start + frame] = score.coverage
        self._keys["status"][self._start + frame] = codes.STATUSES[score.status]

    def columns(self) -> dict[str, Any]:
        """Return the table's columns."""
        values = np.concatenate(self._values, axis=1) if self._values else np.empty((len(METRICS), 0))
        return {**self._keys, **dict(zip(METRICS, values, strict=True))}


def check_fits(path: Path, fits: Mapping[str, list[Fit]], pairs: Mapping[str, Pair]) -> None:
    """Refuse an alignments table of other frames than the dataset's."""
    for sequence, pair in pairs.items():
        found, wanted = len(fits.get(sequence, [])), pair.data.n_frames
        if found != wanted:
            raise ScopeDepthError(
                f"{path} has {found} frames of sequence {sequence}, the dataset {wanted}. Align again."
            )


def read_fits(path: Path) -> dict[str, list[Fit]]:
    """Return the fits of an alignments table by sequence, in the order of frames."""
    rows = read_table(path, FIT, ALIGNMENTS)
    fits: dict[str, list[Fit]] = {}
    for sequence, fit in zip(rows["sequence"].to_pylist(), fits_in(path, rows), strict=True):
        fits.setdefault(sequence, []).append(fit)
    return fits


def fits_in(path: Path, rows: pa.Table) -> list[Fit]:
    """Return the fit of each of some rows of the table at `path`, whose columns are those of `FIT` and others."""
    table = rows.select(FIT[1:]).to_pydict()
    unknown = sorted(set(table["status"]) - codes.CODES.keys())
    if unknown:
        raise ScopeDepthError(
            f"The table {path} holds the unknown status {unknown[0][:60]!r}. Delete it and run again."
        )
    return [
        Fit(
            math.nan if scale is None else scale, math.nan if shift is None else shift, n, codes.CODES[status]
        )
        for scale, shift, n, status in zip(*table.values(), strict=True)
    ]


def is_scored(terms: Terms, fit: Fit) -> bool:
    """Return whether the protocol computes metrics with a frame's fit."""
    return fit.status == codes.OK or (fit.status == codes.NEGATIVE_SCALE and terms.score_negative)


def score_frame(terms: Terms, pixels: Pixels, fit: Fit, seen: Seen | None = None) -> Score:
    """Return one frame's metrics, or none and the status of its fit that forbids them.

    seen: what is known of it beside its pixels; None: nothing.
    """
    if not is_scored(terms, fit):
        return Score({}, pixels.x.size, fit.status, pixels.coverage)
    metrics = frame_metrics(terms, pixels, fit, seen)
    status = fit.status
    if status == codes.OK and any(metrics.get(name, 0.0) is None for name in ALWAYS):
        status = codes.DEGENERATE_FIT  # an aligned depth is zero, negative or infinite
    return Score(metrics, pixels.x.size, status, pixels.coverage)
