"""What a study would cost before it is run: device time and disk space; and afterwards, how right that was.

    seconds of a job = any job's start + the model's start + its first call
                       + frames x (a frame end to end, or reading and writing it where that takes longer)

A model's times come from its timing. A job that has run before is forecast to take as long again; and what a
model's jobs took corrects its others: predictions may run on other threads, or beside other jobs, than the
timing did. A model that was never timed gets a stated default.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scopedepth.timing.realtime import pixels

# Reading a frame and writing its prediction, seconds a value: 1.8 ms to compress and write 384 x 512 values,
# 1.5 ms to read as many, measured with these stores' codecs on one core.
WRITE_SECONDS_PER_VALUE = 1.8e-3 / (384 * 512)
READ_SECONDS_PER_PIXEL = 1.5e-3 / (384 * 512)

# What every job does, whatever its model: imports, opening the stores, digests of what was made.
JOB_SECONDS = 0.5

# A prediction's float32 values, rounded to 12 mantissa bits, take this part of their size: 2.9 times less.
PREDICTION_BYTES_PER_VALUE = 4 / 2.9
# A dataset's frame at most, before compression: colour 3, depth 4, flags 1 bytes a pixel.
DATASET_BYTES_PER_PIXEL = 8

# For a model that was never timed. An assumption, and named as one wherever it is used.
ASSUMED_START_SECONDS = 10.0
ASSUMED_SECONDS_PER_FRAME = {"cpu": 1.0, "cuda": 0.05}
# Where a network's parameters are known: seconds a frame, and for each million of them. Depth Anything's networks of
# 25, 97 and 335 million, with random weights, took 1.8, 5.6 and 18.8 s at 518 x 518 on one thread of an AMD EPYC, and
# half as much again at 518 x 686. Their authors state 8, 9 and 13 ms on an A100 for the network alone.
PARAMETERS_SECONDS = {"cpu": (0.1, 0.065), "cuda": (0.015, 2e-5)}
# Convolutional networks of as many parameters, at smaller sizes, take less.
PARAMETERS_FACTOR = 4
# A baseline has no network: its job starts at once and its frames cost what reading and writing them does.
BASELINE_PARAMETERS = 0


@dataclass(frozen=True)
class UnitSize:
    """What must be known of a unit: its frames and their size in pixels; None for what is not known yet."""

    unit: str
    n_frames: int | None
    height: int | None = None
    width: int | None = None
    prepared: bool = False
    "whether its dataset store is there already"


@dataclass(frozen=True)
class Cost:
    """One job: a model on a unit. Seconds and gigabytes (1e9 bytes) are None where frames are not counted yet."""

    unit: str
    model: str
    n_frames: int | None
    seconds: float | None
    gigabytes: float | None
    basis: str
    cached: bool


@dataclass(frozen=True)
class Forecast:
    """The cost of a study: its prediction jobs, and the dataset stores that are still to be made."""

    costs: tuple[Cost, ...]
    dataset_gigabytes: float

    @property
    def to_do(self) -> list[Cost]:
        return [cost for cost in self.costs if not cost.cached]

    @property
    def hours(self) -> float:
        """Device hours of what is not cached, as far as frames are counted."""
        return sum(cost.seconds or 0.0 for cost in self.to_do) / 3600

    @property
    def gigabytes(self) -> float:
        """Gigabytes of predictions that are not cached, as far as frames are counted."""
        return sum(cost.gigabytes or 0.0 for cost in self.to_do)

    @property
    def uncounted(self) -> list[str]:
        """Return the units whose number of frames is not known: their cost is in no sum."""
        return sorted({cost.unit for cost in self.to_do if cost.seconds is None})


@dataclass(frozen=True)
class Compared:
    """A job's forecast beside what it took."""

    unit: str
    model: str
    forecast: float
    actual: float


def plan_study(
    units: Sequence[UnitSize],
    models: Iterable[str],
    timing: Iterable[Mapping[str, Any]] = (),
    cached: Collection[tuple[str, str]] = (),
    records: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
    device: str = "cpu",
    parameters: Mapping[str, int | None] | None = None,
) -> Forecast:
    """Return the forecast of every (unit, model) of a study.

    timing: rows of the table TIMING; cached: the (unit, model) whose predictions are there; records: the run
    records (with `seconds`) of prediction jobs by (unit, model): what took how long before; device: where
    models without any timing are assumed to run, cpu or cuda; parameters: of models, where they are known (0: a
    baseline).
    """
    known = parameters or {}
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in timing:
        if row["status"] == "ok":
            rows.setdefault(row["model"], []).append(row)
    corrections = _corrections(units, rows, records or {}, device, known)
    costs = []
    for unit in units:
        for model in models:
            factor, said = corrections.get(model, corrections.get("", (1.0, "")))
            seconds = _job_seconds(unit, rows.get(model, []), device, known.get(model))
            basis = ("timed" if model in rows else _assumption(known.get(model), device)) + said
            before = (records or {}).get((unit.unit, model), {}).get("seconds")
            costs.append(
                Cost(
                    unit=unit.unit,
                    model=model,
                    n_frames=unit.n_frames,
                    seconds=before or (None if seconds is None else seconds * factor),
                    gigabytes=_prediction_gigabytes(unit, rows.get(model, [])),
                    basis="as long as before" if before else basis,
                    cached=(unit.unit, model) in cached,
                )
            )
    frames = [
        (unit.n_frames or 0) * (unit.height or 0) * (unit.width or 0) for unit in units if not unit.prepared
    ]
    return Forecast(tuple(costs), sum(frames) * DATASET_BYTES_PER_PIXEL / 1e9)


def compare_with_actual(
    forecast: Forecast, records: Mapping[tuple[str, str], Mapping[str, Any]]
) -> list[Compared]:
    """Return forecast and actual seconds of every job that has both."""
    return [
        Compared(cost.unit, cost.model, cost.seconds, float(records[cost.unit, cost.model]["seconds"]))
        for cost in forecast.costs
        if cost.seconds is not None and "seconds" in records.get((cost.unit, cost.model), {})
    ]


def _assumption(parameters: int | None, device: str) -> str:
    """Return what the seconds of a model that was never timed rest on, and how sure they are."""
    if parameters == BASELINE_PARAMETERS:
        return "a baseline"
    if parameters is None:
        return f"assumed for {device}"
    return (
        f"assumed for {device} by {parameters / 1e6:.0f} million parameters, within {PARAMETERS_FACTOR} times"
    )


def _job_seconds(
    unit: UnitSize, rows: Sequence[Mapping[str, Any]], device: str, parameters: int | None
) -> float | None:
    """Return the seconds of one job, uncorrected; None where the unit's frames are not counted."""
    if unit.n_frames is None:
        return None
    if not rows:
        kind, size = device.partition(":")[0], (unit.height or 480) * (unit.width or 640)
        store = (READ_SECONDS_PER_PIXEL + WRITE_SECONDS_PER_VALUE) * size
        if parameters == BASELINE_PARAMETERS:
            return JOB_SECONDS + unit.n_frames * store
        frame = ASSUMED_SECONDS_PER_FRAME[kind]
        if parameters is not None:
            least, more = PARAMETERS_SECONDS[kind]
            frame = max(least + more * parameters / 1e6, store)
        return JOB_SECONDS + ASSUMED_START_SECONDS + unit.n_frames * frame
    row = _nearest(rows, unit)
    start = ((row["start_ms"] or 0.0) + (row["first_call_ms"] or 0.0)) / 1000
    frame = row["end_to_end_median"] / (row.get("new_frames") or row["batch"]) / 1000
    # Frames are read ahead and written behind, on other threads.
    store = READ_SECONDS_PER_PIXEL * _frame_pixels(unit, row)
    store += WRITE_SECONDS_PER_VALUE * pixels(row["grid"] or row["frame_size"])
    return JOB_SECONDS + start + unit.n_frames * max(frame, store)


def _nearest(rows: Sequence[Mapping[str, Any]], unit: UnitSize) -> Mapping[str, Any]:
    """Return the row of the frame size nearest to the unit's, one frame a call, in the order of the table."""
    return min(
        rows, key=lambda row: (abs(pixels(row["frame_size"]) - _frame_pixels(unit, row)), row["batch"])
    )


def _frame_pixels(unit: UnitSize, row: Mapping[str, Any]) -> int:
    """Return the pixels of a unit's frame; where they are not known, those of the timed frame."""
    return unit.height * unit.width if unit.height and unit.width else pixels(row["frame_size"])


def _prediction_gigabytes(unit: UnitSize, rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the gigabytes of one prediction store: on the model's own grid, or else on the frames'."""
    if unit.n_frames is None:
        return None
    if rows:
        row = _nearest(rows, unit)
        values = pixels(row["grid"] or row["frame_size"])
    elif unit.height and unit.width:
        values = unit.height * unit.width
    else:
        return None
    return unit.n_frames * values * PREDICTION_BYTES_PER_VALUE / 1e9


def _corrections(
    units: Sequence[UnitSize],
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    records: Mapping[tuple[str, str], Mapping[str, Any]],
    device: str,
    parameters: Mapping[str, int | None],
) -> dict[str, tuple[float, str]]:
    """Return for each model that has run how much longer its jobs took than forecast, and for "" the median.

    The median of its jobs' ratios, so that one disturbed job does not decide.
    """
    by_name = {unit.unit: unit for unit in units}
    ratios: dict[str, list[float]] = {}
    for (unit, model), record in records.items():
        here = by_name.get(unit)
        seconds = here and _job_seconds(here, rows.get(model, []), device, parameters.get(model))
        if seconds and record.get("seconds"):
            ratios.setdefault(model, []).append(float(record["seconds"]) / seconds)
    corrections = {
        model: (
            statistics.median(found),
            f", x {statistics.median(found):.2f} from {len(found)} earlier jobs",
        )
        for model, found in ratios.items()
    }
    timed = [corrections[model][0] for model in corrections if model in rows]
    if timed:
        corrections[""] = (
            statistics.median(timed),
            f", x {statistics.median(timed):.2f} from other models' jobs",
        )
    return corrections
