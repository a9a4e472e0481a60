"""What a results folder knows already: sizes of units, timings, finished predictions and how long they took."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from scopedepth.job.run import read_record
from scopedepth.study.forecast import Forecast, UnitSize, plan_study
from scopedepth.study.layout import STORE, Job
from scopedepth.timing.summary import summarise_timing

Pair = tuple[str, str]


def forecast_study(
    results: Path,
    units: Iterable[str],
    models: Iterable[str],
    timing: str | None,
    expected: Mapping[str, UnitSize] | None = None,
    device: str = "cpu",
    corrected: bool = True,
    stale: Collection[Pair] = (),
    parameters: Mapping[str, int | None] | None = None,
) -> Forecast:
    """Return a study's forecast from what the folder `results` holds.

    units and models: the study's, by name; timing: the name of its timing settings; expected: sizes of units
    that are not prepared yet, where something is known of them; device: where models that were never timed are
    assumed to run; corrected: whether earlier jobs correct the timings; stale: predictions that are there and are made
    again all the same; parameters: of models, where they are known (0: a baseline).
    """
    units, models = list(units), list(models)
    return plan_study(
        [known_size(results, unit, (expected or {}).get(unit)) for unit in units],
        models,
        timing_rows(results, timing, models),
        finished_predictions(results, units, models) - set(stale),
        prediction_records(results, units, models) if corrected else None,
        device,
        parameters,
    )


def known_size(results: Path, unit: str, expected: UnitSize | None = None) -> UnitSize:
    """Return frames and frame size of a unit, from its store's manifest; what is expected where there is none.

    Where its sequences differ in size, the one with most frames stands for all.
    """
    sequences = prepared_sequences(results, unit)
    if not sequences:
        return expected or UnitSize(unit, None)
    largest = max(sequences.values(), key=lambda sequence: sequence["frames"])
    frames = sum(sequence["frames"] for sequence in sequences.values())
    return UnitSize(unit, frames, largest["height"], largest["width"], prepared=True)


def prepared_sequences(results: Path, unit: str) -> dict[str, dict[str, Any]]:
    """Return what the manifest of a unit's store counts of each sequence; empty where there is no store."""
    return read_record(Job("prepare", (unit,)).path("manifest", results)).get("sequences") or {}


def timing_rows(results: Path, timing: str | None, models: Iterable[str]) -> list[dict[str, Any]]:
    """Return the rows of TIMING of those models that have been timed with the settings `timing`."""
    if timing is None:
        return []
    tables = [Job("time", (timing, model)).path("table", results) for model in models]
    # The frame rate plays no part in a forecast.
    return summarise_timing([table for table in tables if _is_readable(table)], 30.0).to_pylist()


def _is_readable(table: Path) -> bool:
    """Say whether a table can be read. A damaged one is for the job that needs it to name; a forecast does without."""
    if not table.is_file():
        return False
    try:
        summarise_timing([table], 30.0)
    except Exception:  # whatever a damaged file makes of its reader
        return False
    return True


def finished_predictions(results: Path, units: Iterable[str], models: Iterable[str]) -> set[Pair]:
    """Return the (unit, model) whose prediction store and manifest are there. Whether they are stale is not asked."""
    models = list(models)
    return {
        (unit, model)
        for unit in units
        for model in models
        if all(Job("predict", (unit, model)).path(name, results).exists() for name in STORE)
    }


def prediction_records(
    results: Path, units: Iterable[str], models: Iterable[str]
) -> dict[Pair, dict[str, Any]]:
    """Return the run records of the prediction jobs that have one, by (unit, model)."""
    models = list(models)
    found = {
        (unit, model): read_record(Job("predict", (unit, model)).path("record", results))
        for unit in units
        for model in models
    }
    return {pair: record for pair, record in found.items() if "seconds" in record}
