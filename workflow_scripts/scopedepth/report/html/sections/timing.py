"""Speed, memory and size of every model and setting."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.table import Cell, Column, Table, model_cell, spread_cell, value_cell
from scopedepth.report.html.sections.ranking import share
from scopedepth.report.results import Results
from scopedepth.report.words import count, number, parameters, significant

# What stands beside a number that a timing does not have.
UNKNOWN = "not measured"

COLUMNS = [
    Column("Model"),
    Column("Device", tip="what the model ran on"),
    Column("Precision"),
    Column("Batch", number=True, tip="frames in a call"),
    Column("Frame", tip="height x width"),
    Column("Network input", tip="height x width"),
    Column("Forward, ms", number=True, tip="median of the forward pass, with its 95 % interval"),
    Column(
        "End to end, ms", number=True, tip="median from camera frame to depth map, with its 95 % interval"
    ),
    Column("p90", number=True, tip="90th percentile, end to end, ms"),
    Column("p99", number=True, tip="99th percentile, end to end, ms"),
    Column("Frames/s", number=True, tip="new frames of a call / median end-to-end time"),
    Column(
        "Look-ahead",
        number=True,
        tip="frames after a frame that its prediction may depend on, at most; 0 where none",
    ),
    Column(
        "Latency, frames",
        number=True,
        tip="frames that arrive between a frame and its prediction, at most, at the frame rate asked for",
    ),
    Column(
        "In time", number=True, tip="share of the calls that take no longer than their frames take to arrive"
    ),
    Column("Start, ms", number=True, tip="from a fresh process to the loaded model: libraries and weights"),
    Column("First call, ms", number=True, tip="of a fresh process, one frame end to end"),
    Column("Memory, MiB", number=True, tip="peak: of the process, or reserved on the device"),
    Column("Parameters", number=True),
    Column("GFLOPs", number=True, tip="floating-point operations of a frame, 1e9"),
    Column(
        "× yardstick",
        number=True,
        tip="forward time over that of a fixed network timed in turns with it; on a processor both on one thread",
    ),
    Column("Calls", number=True, tip="timed calls of the forward pass"),
    Column("Disturbed", tip="what else was running, and whether the machine itself was slower"),
]


def timing_table(results: Results, look: Mapping[str, Look]) -> Table | None:
    """Return one row a model and setting, and a row without numbers for a model that was not timed."""
    if not results.timing:
        return None
    rows = []
    for model in results.model_names:
        found = [row for row in results.timing if row["model"] == model]
        for row in found:
            rows.append([model_cell(results, look, model), *setting_cells(row), *measured_cells(row)])
        if not found:
            rows.append([model_cell(results, look, model), Cell("not timed", css="why")])
    width = len(COLUMNS)
    full = [row + [Cell("")] * (width - len(row)) for row in rows]
    return Table("Time, memory and size", COLUMNS, full, parquet="timing")


def setting_cells(row: Mapping[str, Any]) -> list[Cell]:
    """Return what was timed: device, precision, batch and sizes."""
    hardware = row["hardware"] or ""
    return [
        Cell(row["device"] or UNKNOWN, tip=hardware, copied=f"{row['device'] or ''} {hardware}".strip()),
        _text(row["precision"]),
        value_cell(count(row["batch"]), row["batch"], why=UNKNOWN),
        _text(row["frame_size"]),
        _text(row["input_size"]),
    ]


def _text(value: str | None) -> Cell:
    return Cell(value) if value else Cell(why=UNKNOWN)


def measured_cells(row: Mapping[str, Any]) -> list[Cell]:
    """Return what was measured, or why there is nothing."""
    if row["status"] not in (None, "ok"):
        return [Cell(row["status"].replace("_", " "), css="why")]
    quiet = row["disturbed"] in (None, "", "no")
    return [
        spread(row, "forward_median", "forward_ci_low", "forward_ci_high"),
        spread(row, "end_to_end_median", "end_to_end_ci_low", "end_to_end_ci_high"),
        value_cell(significant(row["end_to_end_p90"]), row["end_to_end_p90"], why=UNKNOWN),
        value_cell(significant(row["end_to_end_p99"]), row["end_to_end_p99"], why=UNKNOWN),
        value_cell(significant(row["frames_per_second"]), row["frames_per_second"], "strong", why=UNKNOWN),
        value_cell(count(row["look_ahead"]), row["look_ahead"], why=UNKNOWN),
        value_cell(significant(row["latency_frames"]), row["latency_frames"], why=UNKNOWN),
        value_cell(share(row["realtime_share"]), row["realtime_share"], why=UNKNOWN),
        value_cell(significant(row["start_ms"]), row["start_ms"], why=UNKNOWN),
        value_cell(significant(row["first_call_ms"]), row["first_call_ms"], why=UNKNOWN),
        value_cell(significant(row["memory_mib"]), row["memory_mib"], why=UNKNOWN),
        value_cell(parameters(row["parameters"]), row["parameters"], why=UNKNOWN),
        value_cell(significant(row["gflops"]), row["gflops"], why=UNKNOWN),
        spread(row, "yardstick_ratio", "yardstick_ratio_low", "yardstick_ratio_high", places=2),
        value_cell(count(row["n_calls"]), row["n_calls"], why=UNKNOWN),
        Cell(row["disturbed"] or UNKNOWN, css="words" if quiet else "words long bad"),
    ]


def spread(row: Mapping[str, Any], middle: str, low: str, high: str, places: int | None = None) -> Cell:
    """Return a column's value with its interval below it."""
    said = significant if places is None else partial(number, places=places)
    return spread_cell(row[middle], row[low], row[high], said, why=UNKNOWN)


def hardware(results: Results) -> list[str]:
    """Return the processors and GPUs that timing ran on."""
    return sorted({str(row["hardware"]) for row in results.timing if row["hardware"]})
