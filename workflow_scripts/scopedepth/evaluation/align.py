"""The align stage: a table of fits, one row a frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scopedepth.errors import ScopeDepthError
from scopedepth.evaluation.alignment import Fit, fit_frame, no_fit
from scopedepth.evaluation.frames import Pixels, each_frame
from scopedepth.evaluation.protocol import Plan, plan_for
from scopedepth.evaluation.scope import Pair, fit_scope
from scopedepth.job.progress import Advance, progress
from scopedepth.stores.dataset import DatasetSequence, DatasetStore
from scopedepth.stores.prediction import PredictionStore
from scopedepth.tables.frames import ALIGNMENTS
from scopedepth.tables.io import write_table
from scopedepth.vocabulary import status as codes


def align_unit(
    protocol: Mapping[str, Any],
    dataset: Sequence[Path],
    predictions: Sequence[Path],
    keys: Mapping[str, str],
    out: Path,
    threads: int = 1,
) -> None:
    """Fit one model's predictions of one unit to its reference depth and write the alignments table.

    protocol: the spec. dataset, predictions: stores of the same units; more than one where one fit spans
    them, a dataset that is split or a sequence that is cut. The first is the unit that the table is for.
    keys: dataset, model and protocol names. Stores that do not fit together are `ScopeDepthError`.
    """
    units = [
        open_pairs(protocol, DatasetStore(data), PredictionStore(predicted), keys["dataset"])
        for data, predicted in zip(dataset, predictions, strict=True)
    ]
    # More than the first unit's frames only where one fit is made over several.
    total = sum(data.n_frames for unit in units for _, data, _ in unit.values())
    columns: dict[str, list[Any]] = {name: [] for name in ALIGNMENTS.names}
    with progress(f"align {keys['model']}, {keys['protocol']}", total) as advance:
        for sequence, fits in fit_unit(units, threads, advance):
            add_keys(columns, keys, units[0][sequence][1])
            columns["scale"] += [fit.scale for fit in fits]
            columns["shift"] += [fit.shift for fit in fits]
            columns["n_pixels"] += [fit.n_pixels for fit in fits]
            columns["status"] += [codes.STATUSES[fit.status] for fit in fits]
    write_table(out, ALIGNMENTS, columns)


def fit_unit(
    units: Sequence[Mapping[str, Pair]], threads: int, advance: Advance
) -> Iterator[tuple[str, list[Fit]]]:
    """Yield (sequence, fits of its frames) for the sequences of the first unit; `advance` hears of each frame."""
    pairs = units[0]
    everything = [pair for unit in units for pair in unit.values()]
    if pairs and everything[0][0].scope == "dataset" and everything[0][0].metrics:
        fit, frames = _fit_together(everything, threads, advance)
        for sequence, rows in zip(pairs, frames, strict=False):
            yield sequence, [_of_scope(fit, *row) for row in rows]
        return
    for sequence, pair in pairs.items():
        plan, data, _ = pair
        if not plan.metrics:
            yield sequence, [no_fit(0, codes.NOT_APPLICABLE)] * data.n_frames
        elif plan.scope == "sequence" and plan.method != "none":
            parts = [unit[sequence] for unit in units if sequence in unit]
            fit, frames = _fit_together(parts, threads, advance)
            yield sequence, [_of_scope(fit, *row) for row in frames[0]]
        else:
            fits = []
            for fit in each_frame(*pair, _fitter(plan), lambda _, code: no_fit(0, code), threads):
                fits.append(fit)
                advance()
            yield sequence, fits


def _fit_together(
    pairs: Sequence[Pair], threads: int, advance: Advance
) -> tuple[Fit, list[list[tuple[int, int]]]]:
    """Fit over all pairs in the order of their stores, so that every unit of the scope gets the same last digit."""
    order = sorted(range(len(pairs)), key=lambda index: pairs[index][1].where)
    fit, frames = fit_scope([pairs[index] for index in order], threads, advance)
    by_index = dict(zip(order, frames, strict=True))
    return fit, [by_index[index] for index in range(len(pairs))]


def _fitter(plan: Plan) -> Any:
    def fit(pixels: Pixels) -> Fit:
        if pixels.status != codes.OK:
            return no_fit(pixels.x.size, pixels.status)
        return fit_frame(plan, pixels.x, pixels.y, pixels.scratch, pixels.not_positive, pixels.valid)

    return fit


def _of_scope(fit: Fit, n: int, status: int) -> Fit:
    """Return what one frame takes from its scope's fit: all of it, unless it has a status of its own."""
    return fit._replace(n_pixels=n) if status == codes.OK else no_fit(n, status)


def open_pairs(protocol: Mapping[str, Any], data: Any, predicted: Any, name: str) -> dict[str, Pair]:
    """Return for each sequence its plan and its two readers, checked to be of the same frames.

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
        plan = plan_for(
            protocol,
            dataset=name,
            sequence=sequence,
            size=(frames.height, frames.width),
            units=frames.units,
            output_kind=predicted.output_kind,
            output_unit=predicted.unit,
            family=family,
            output_greatest=predicted.attrs.get("greatest_depth"),
        )
        pairs[sequence] = (plan, frames, output)
    return pairs


def add_keys(columns: dict[str, list[Any]], keys: Mapping[str, str], sequence: DatasetSequence) -> None:
    """Add the key columns of the frames of one sequence, or of the part of it that is in the store."""
    n = sequence.n_frames
    for name in ("dataset", "model", "protocol"):
        columns[name] += [keys[name]] * n
    columns["sequence"] += [sequence.name] * n
    columns["frame"] += range(sequence.first_frame, sequence.first_frame + n)
    columns["frame_id"] += sequence.frame_ids()
