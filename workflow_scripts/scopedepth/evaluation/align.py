"""The align stage: tables of fits, one row a frame, a table for each protocol from one pass over the frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scopedepth.errors import ScopeDepthError
from scopedepth.evaluation.alignment import Fit, fit_frame, no_fit
from scopedepth.evaluation.frames import each_frame
from scopedepth.evaluation.pixels import Frame
from scopedepth.evaluation.protocol import Terms, terms_for
from scopedepth.evaluation.scope import Joint, Row
from scopedepth.job.progress import Advance, progress
from scopedepth.stores.dataset import DatasetSequence, DatasetStore
from scopedepth.stores.prediction import PredictionStore
from scopedepth.tables.frames import ALIGNMENTS
from scopedepth.tables.io import write_table
from scopedepth.vocabulary import status as codes

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs


class Pair(NamedTuple):
    """A sequence's two readers, reference and prediction, and its terms by protocol."""

    terms: dict[str, Terms]
    data: Any
    predicted: Any


def align_unit(
    protocols: Mapping[str, specs.Protocol],
    dataset: Sequence[Path],
    predictions: Sequence[Path],
    keys: Mapping[str, str],
    out: Mapping[str, Path],
    threads: int = 1,
) -> None:
    """Fit one model's predictions of one unit to its reference depth and write an alignments table a protocol.

    protocols: the specs by name; out: where the tables go. dataset, predictions: stores of the same units; more than
    one where a fit spans them, a dataset that is split or a sequence that is cut. The first is the unit that the tables
    are for. keys: dataset and model names. Stores that do not fit together are `ScopeDepthError`.
    """
    if not protocols:
        return
    alone = all(spec["alignment"]["scope"] == "frame" for spec in protocols.values())
    units = [
        open_pairs(protocols, DatasetStore(data), PredictionStore(predicted), keys["dataset"])
        for data, predicted in list(zip(dataset, predictions, strict=True))[: 1 if alone else None]
    ]
    label = f"align {keys['model']}, {protocols_in_words(protocols)}"
    parts = parts_to_fit(units)
    # More than the first unit's frames only where a fit is made over several.
    total = sum(units[part.unit][part.sequence].data.n_frames for part in parts)
    with progress(label, total) as advance:
        fits = fit_unit(units, parts, threads, advance)
    for protocol in protocols:
        columns: dict[str, list[Any]] = {name: [] for name in ALIGNMENTS.names}
        for sequence, pair in units[0].items():
            add_keys(columns, {**keys, "protocol": protocol}, pair.data)
            found = fits[sequence][protocol]
            columns["scale"] += [fit.scale for fit in found]
            columns["offset"] += [fit.shift for fit in found]
            columns["n_pixels"] += [fit.n_pixels for fit in found]
            columns["status"] += [codes.STATUSES[fit.status] for fit in found]
        write_table(out[protocol], ALIGNMENTS, columns)


def protocols_in_words(protocols: Iterable[str]) -> str:
    """Return the name of a single protocol, or how many there are."""
    names = list(protocols)
    return names[0] if len(names) == 1 else f"{len(names)} protocols"


class Part(NamedTuple):
    """A sequence of one of several units: the unit's place among them, and the sequence's name."""

    unit: int
    sequence: str


def parts_to_fit(units: Sequence[Mapping[str, Pair]]) -> dict[Part, dict[str, Joint | None]]:
    """Return the protocols that look at each sequence, each with the fit that it shares; None: each frame has its own.

    The first unit's sequences, and those of others that share a fit with them. They come in the order of their stores,
    so that every unit of a scope gets the same last digit.
    """
    joints: dict[tuple[str, str], Joint] = {}
    found: dict[Part, dict[str, Joint | None]] = {}
    every = [(Part(place, name), pair) for place, unit in enumerate(units) for name, pair in unit.items()]
    for part, pair in sorted(every, key=lambda item: item[1].data.where):
        looking: dict[str, Joint | None] = {}
        for protocol, terms in pair.terms.items():
            if not terms.metrics:
                continue
            if terms.scope == "frame" or terms.method == "none":
                if part.unit == 0:
                    looking[protocol] = None
            elif terms.scope == "dataset" or part.sequence in units[0]:
                scope = protocol, "" if terms.scope == "dataset" else part.sequence
                looking[protocol] = joints.setdefault(scope, Joint(terms))
        if looking:
            found[part] = looking
    return found


def fit_unit(
    units: Sequence[Mapping[str, Pair]],
    parts: Mapping[Part, Mapping[str, Joint | None]],
    threads: int,
    advance: Advance,
) -> dict[str, dict[str, list[Fit]]]:
    """Return the fits of the first unit's frames by sequence and protocol; `advance` hears of each frame once.

    parts: of the units, from `parts_to_fit`, new: the fits that are shared gather there.
    """
    joints = {joint for looking in parts.values() for joint in looking.values() if joint is not None}
    fits: dict[str, dict[str, list[Fit]]] = {}
    for sequence, pair in units[0].items():
        unfit = no_fit(0, codes.NOT_APPLICABLE)
        fits[sequence] = {
            name: [] if terms.metrics else [unfit] * pair.data.n_frames for name, terms in pair.terms.items()
        }
    last, turn = 1, 0
    while turn < last:
        for part, looking in parts.items():
            pair = units[part.unit][part.sequence]
            wanted = {
                name: joint
                for name, joint in looking.items()
                if turn == 0 or (joint is not None and joint.passes > turn)
            }
            for brought in _pass(turn, pair, wanted, threads) if wanted else ():
                for (name, joint), one in zip(wanted.items(), brought, strict=True):
                    if joint is not None:
                        joint.take(part, one)
                    else:
                        fits[part.sequence][name].append(one)
                if turn == 0:
                    advance()
        for joint in joints:
            joint.turn(turn)
        turn += 1
        last = max((joint.passes for joint in joints), default=1)
    for part, looking in parts.items():
        for name, joint in looking.items():
            if part.unit == 0 and joint is not None:
                fits[part.sequence][name] = joint.fits(part)
    return fits


def _pass(turn: int, pair: Pair, wanted: Mapping[str, Joint | None], threads: int) -> Iterable[list[Any]]:
    """Yield for each frame of a sequence what it brings to each protocol: its own fit, or its part of a shared one."""
    joints = list(wanted.values())
    every = [pair.terms[name] for name in wanted]

    def look(frame: Frame) -> list[Any]:
        found: list[Any] = []
        for place, joint in enumerate(joints):
            pixels, status = frame.pixels(place), frame.status(place)
            if joint is not None:
                found.append(joint.see(turn, pixels, status))
            elif status != codes.OK:
                found.append(no_fit(pixels.x.size, status))
            else:
                found.append(fit_frame(every[place], pixels))
        return found

    def skipped(_: int, code: int) -> list[Any]:
        shared = Row(0, code) if turn == 0 else None
        return [no_fit(0, code) if joint is None else shared for joint in joints]

    return each_frame(every, pair.data, pair.predicted, look, skipped, threads)


def open_pairs(
    protocols: Mapping[str, specs.Protocol], data: Any, predicted: Any, name: str
) -> dict[str, Pair]:
    """Return for each sequence its two readers, checked to be of the same frames, and its terms by protocol.

    data, predicted: a DatasetStore and a PredictionStore. name: of the dataset.
    """
    if list(data.sequences) != list(predicted.sequences):
        raise ScopeDepthError(
            f"{predicted.path} holds the sequences {', '.join(predicted.sequences)}, and {data.path} "
            f"{', '.join(data.sequences)}. Predict again."
        )
    pairs = {}
    family = str(predicted.attrs.get("spec", {}).get("family", ""))
    for sequence, frames in data.sequences.items():
        output = predicted.sequences[sequence]
        if output.n_frames != frames.n_frames:
            raise ScopeDepthError(
                f"{predicted.path}, sequence {sequence}: {output.n_frames} predictions for {frames.n_frames} frames. "
                "Predict again."
            )
        terms = {
            protocol: terms_for(
                spec,
                dataset=name,
                sequence=sequence,
                size=(frames.height, frames.width),
                units=frames.units,
                output_kind=predicted.output_kind,
                output_unit=predicted.unit,
                family=family,
                output_greatest=predicted.attrs.get("greatest_depth"),
            )
            for protocol, spec in protocols.items()
        }
        pairs[sequence] = Pair(terms, frames, output)
    return pairs


def add_keys(columns: dict[str, list[Any]], keys: Mapping[str, str], sequence: DatasetSequence) -> None:
    """Add the key columns of the frames of one sequence, or of the part of it that is in the store."""
    n = sequence.n_frames
    for name in ("dataset", "model", "protocol"):
        columns[name] += [keys[name]] * n
    columns["sequence"] += [sequence.name] * n
    columns["frame"] += range(sequence.first_frame, sequence.first_frame + n)
    columns["frame_id"] += sequence.frame_ids()
