"""From every timed call to one row a model and setting.

Disturbed rounds are left out where enough others are left (disturbance.py). Otherwise all rounds count, and the row
says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from scopedepth.job.manifest import record_of
from scopedepth.job.run import read_record
from scopedepth.tables.io import read_table, table_from
from scopedepth.tables.timing import TIMING, TIMING_CALLS
from scopedepth.timing.disturbance import (
    SLOWED,
    fastest_yardstick,
    rounds_of,
    rounds_to_use,
    undisturbed,
    what_disturbed,
)
from scopedepth.timing.quantities import (
    early_stopping_percentile,
    median_interval,
    ratio_to_yardstick,
)

SETTING = ("model", "device", "precision", "batch", "input_size", "frame_size")
# What has to be the same for two jobs' yardsticks to compare.
MACHINE = ("hardware", "device", "threads")


def summarise_timing(calls: Sequence[Path], realtime_fps: float) -> pa.Table:
    """Return one row a model and setting (schema TIMING) from tables of calls and the records beside them.

    calls: the tables that `time_model` wrote, each with its record beside it; realtime_fps: frames a
    second of the real-time verdict. The bootstrap is seeded: the same calls give the same bytes.
    """
    rows = [row for path in calls for row in _rows_of(path, realtime_fps)]
    _tell_slower_jobs(rows)
    return table_from(TIMING, {name: [row[name] for row in rows] for name in TIMING.names})


def _rows_of(path: Path, realtime_fps: float) -> list[dict[str, Any]]:
    calls = _Calls(read_table(path, schema=TIMING_CALLS))
    record = read_record(record_of(path))
    fastest = fastest_yardstick(rounds_of(record))
    rows = []
    for setting in record.get("settings") or calls.settings():
        row: dict[str, Any] = dict.fromkeys(TIMING.names)
        row |= {name: setting[name] for name in SETTING} | _once(calls, setting)
        row |= _facts(record, setting, fastest)
        row["realtime_fps"] = realtime_fps
        row["status"] = setting.get("status", "ok")
        row["n_calls"], row["rounds"] = 0, 0
        if row["status"] == "ok":
            row |= _measured(calls, setting, fastest, realtime_fps)
        rows.append(row)
    return rows


def _tell_slower_jobs(rows: Sequence[dict[str, Any]]) -> None:
    """Say in `disturbed` where the machine was slower throughout than while other models were timed on its like."""
    timed = sorted(
        (row for row in rows if row["yardstick_ms"] is not None), key=lambda row: row["yardstick_ms"]
    )
    for row in timed:
        like = [other for other in timed if all(other[name] == row[name] for name in MACHINE)]
        fastest = next((other for other in like if other["model"] != row["model"]), row)
        factor = row["yardstick_ms"] / fastest["yardstick_ms"]
        if factor > SLOWED:
            said = (
                f"the yardstick took {factor:.1f} times as long as beside {fastest['model']}; time it again"
            )
            row["disturbed"] = said if row["disturbed"] == "no" else f"{row['disturbed']}; {said}"


class _Calls:
    """The calls of one model as arrays."""

    def __init__(self, table: pa.Table) -> None:
        self.columns = {name: table[name].to_numpy(zero_copy_only=False) for name in TIMING_CALLS.names}

    def settings(self) -> list[dict[str, Any]]:
        """Return the settings in the order of their calls, for a table that has lost its record."""
        timed = self.columns["clock"] == "forward"
        keys = zip(*(self.columns[name][timed].tolist() for name in SETTING), strict=True)
        return [dict(zip(SETTING, key, strict=True)) for key in dict.fromkeys(keys)]

    def of(self, setting: Mapping[str, Any], **wanted: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return durations in ms and rounds of the calls of a setting, as far as `wanted` fits."""
        chosen = np.ones(len(self.columns["round_number"]), bool)
        for name, value in {**{name: setting[name] for name in SETTING}, **wanted}.items():
            chosen &= self.columns[name] == value
        return self.columns["milliseconds"][chosen], self.columns["round_number"][chosen]

    def first(self, clock: str, number: int, precision: str | None = None) -> float | None:
        """Return the first duration in ms of a clock's round `number`, of one precision if given."""
        chosen = (self.columns["clock"] == clock) & (self.columns["round_number"] == number)
        if precision is not None:
            chosen &= self.columns["precision"] == precision
        found = self.columns["milliseconds"][chosen]
        return float(found[0]) if len(found) else None


def _once(calls: _Calls, setting: Mapping[str, Any]) -> dict[str, float | None]:
    """Return what is measured once: the fresh process's start, and a precision's load and first call.

    Only the first load of all is that of a fresh process.
    """
    return {
        "start_ms": calls.first("load", 0),
        "load_ms": calls.first("load", 1, setting["precision"]),
        "first_call_ms": calls.first("first_call", 0, setting["precision"]),
    }


def _facts(record: Mapping[str, Any], setting: Mapping[str, Any], fastest: float | None) -> dict[str, Any]:
    """Return what the record knows of a setting; fastest: the yardstick in the job's fastest round, ms."""
    rounds = setting.get("rounds", [])
    flops = setting.get("flops")
    return {
        "memory_mib": setting.get("memory_mib"),
        "memory_allocated_mib": setting.get("memory_allocated_mib"),
        "energy_joule": setting.get("energy_joule"),
        "grid": setting.get("grid"),
        "new_frames": setting.get("new_frames", setting["batch"]),
        "look_ahead": setting.get("look_ahead", 0),
        "gflops": None if flops is None else flops / 1e9,
        "parameters": record.get("parameters"),
        "hardware": record.get("hardware"),
        "threads": record.get("threads"),
        "rounds_disturbed": len(rounds) - len(undisturbed(rounds, fastest)),
        "disturbed": _what_disturbed(record, setting, fastest),
    }


def _what_disturbed(record: Mapping[str, Any], setting: Mapping[str, Any], fastest: float | None) -> str:
    """Return "no", or one line: others on our cores, a slower machine, others on the GPU, throttling."""
    if not record:
        return "unknown: the record of the run is missing"
    said = what_disturbed(setting.get("rounds", []), fastest, record.get("other_processes", []))
    if record.get("gpu_processes"):
        said.append("on the GPU: " + ", ".join(record["gpu_processes"]))
    for moment in ("before", "after"):
        throttled = (record.get(f"gpu_{moment}") or {}).get("throttled_by")
        if throttled:
            said.append(f"GPU throttled {moment}: {', '.join(throttled)}")
    before, after = (record.get(f"processor_{moment}") or {} for moment in ("before", "after"))
    if (after.get("throttle_count") or 0) > (before.get("throttle_count") or 0):
        said.append("processor throttled")
    return "; ".join(said) or "no"


def _measured(
    calls: _Calls, setting: Mapping[str, Any], fastest: float | None, realtime_fps: float
) -> dict[str, Any]:
    """Return the numbers of one setting from its calls."""
    forward, rounds = calls.of(setting, subject="model", clock="forward")
    end_to_end, end_rounds = calls.of(setting, subject="model", clock="end_to_end")
    used = rounds_to_use(setting.get("rounds", []), fastest) or np.unique(rounds).tolist()
    forward, rounds = _only(forward, rounds, used)
    end_to_end, end_rounds = _only(end_to_end, end_rounds, used)

    numbers: dict[str, Any] = {"n_calls": len(forward), "rounds": len(used)}
    for clock, durations, numbered in (("forward", forward, rounds), ("end_to_end", end_to_end, end_rounds)):
        numbers |= {f"{clock}_{name}": value for name, value in _quantiles(durations, numbered).items()}
    new, ahead = setting.get("new_frames", setting["batch"]), setting.get("look_ahead", 0)
    numbers["frames_per_second"] = 1000 * new / numbers["end_to_end_median"]
    numbers["realtime_share"] = float(np.mean(end_to_end <= 1000 * new / realtime_fps))
    numbers["latency_frames"] = max(ahead, new - 1) + numbers["end_to_end_median"] * realtime_fps / 1000
    beside, beside_rounds = calls.of(setting, subject="yardstick", clock="forward")
    if len(beside):
        medians = [np.median(beside[beside_rounds == number]) for number in np.unique(beside_rounds)]
        numbers["yardstick_drift"] = float(max(medians) / min(medians) - 1)
        numbers["yardstick_ms"] = float(np.median(_only(beside, beside_rounds, used)[0]))
    turns = calls.of(setting, subject="model", clock="turns")
    if len(turns[0]):
        ratio = ratio_to_yardstick(*turns, *calls.of(setting, subject="yardstick", clock="turns"))
        names = ("yardstick_ratio", "yardstick_ratio_low", "yardstick_ratio_high")
        numbers |= dict(zip(names, ratio, strict=True))
    return numbers


def _only(durations: np.ndarray, rounds: np.ndarray, used: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    chosen = np.isin(rounds, used)
    return durations[chosen], rounds[chosen]


def _quantiles(durations: np.ndarray, rounds: np.ndarray) -> dict[str, float | None]:
    """Return the columns of one clock, ms, from durations (n,) and their rounds (n,)."""
    low, high = median_interval(durations, rounds)
    quarter, median, three_quarters, p90, p95, p99 = np.quantile(
        durations, (0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
    )
    return {
        "median": float(median),
        "ci_low": low,
        "ci_high": high,
        "iqr": float(three_quarters - quarter),
        "p90": float(p90),
        "p95": float(p95),
        "p99": float(p99),
        "p90_early_stopping": early_stopping_percentile(durations),
    }
