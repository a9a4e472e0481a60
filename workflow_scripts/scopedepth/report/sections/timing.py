"""Speed, memory and size of every model and setting."""

from __future__ import annotations

from collections.abc import Mapping

from scopedepth.report.marks import Look
from scopedepth.report.results import Results
from scopedepth.report.sections.ranking import share
from scopedepth.report.table import Cell, Column, Table, model_cell, value_cell
from scopedepth.report.words import count, number, parameters, significant


def timing_table(results: Results, look: Mapping[str, Look]) -> Table | None:
    """Return one row a model and setting, and a row without numbers for a model that was not timed."""
    if not results.timing:
        return None
    columns = [
        Column("Model"),
        Column("Device", tip="hardware"),
        Column("Precision"),
        Column("Batch", number=True),
        Column("Frame", tip="height x width"),
        Column("Network input", tip="height x width"),
        Column("Forward, ms", number=True, tip="median of the forward pass, with its 95 % interval"),
        Column(
            "End to end, ms", number=True, tip="median from camera frame to depth map, with its 95 % interval"
        ),
        Column("p90", number=True, tip="90th percentile, end to end, ms"),
        Column("p99", number=True, tip="99th percentile, end to end, ms"),
        Column("Frames/s", number=True, tip="batch / median end-to-end time"),
        Column(
            "In time",
            number=True,
            tip="share of the calls within one frame's time at the frame rate asked for",
        ),
        Column("Load, ms", number=True, tip="time to load the weights"),
        Column("First call, ms", number=True),
        Column("Memory, MiB", number=True, tip="peak: of the process, or reserved on the device"),
        Column("Parameters", number=True),
        Column("GFLOPs", number=True, tip="floating-point operations a frame, 1e9"),
        Column(
            "× yardstick", number=True, tip="forward time over that of a fixed network timed in turns with it"
        ),
        Column("Calls", number=True),
        Column("Disturbed", tip="what else was running"),
    ]
    rows = []
    for model in results.model_names:
        found = [row for row in results.timing if row["model"] == model]
        if not found:
            rows.append(
                [
                    model_cell(results, look, model),
                    Cell("not timed", css="why"),
                    *[Cell()] * (len(columns) - 2),
                ]
            )
        for row in found:
            rows.append([
                model_cell(results, look, model),
                Cell(row["device"] or "–", tip=row["hardware"] or "", copied=f"{row['device']} {row['hardware']}"),
                Cell(row["precision"] or "–"),
                value_cell(count(row["batch"]), row["batch"]),
                Cell(row["frame_size"] or "–"),
                Cell(row["input_size"] or "–"),
                with_interval(row, "forward"),
                with_interval(row, "end_to_end"),
                value_cell(significant(row["end_to_end_p90"]), row["end_to_end_p90"]),
                value_cell(significant(row["end_to_end_p99"]), row["end_to_end_p99"]),
                value_cell(significant(row["frames_per_second"]), row["frames_per_second"], "strong"),
                value_cell(share(row["realtime_share"]), row["realtime_share"]),
                value_cell(significant(row["load_ms"]), row["load_ms"]),
                value_cell(significant(row["first_call_ms"]), row["first_call_ms"]),
                value_cell(significant(row["memory_mib"]), row["memory_mib"]),
                value_cell(parameters(row["parameters"]), row["parameters"]),
                value_cell(significant(row["gflops"]), row["gflops"]),
                value_cell(number(row["yardstick_ratio"], 2), row["yardstick_ratio"]),
                value_cell(count(row["n_calls"]), row["n_calls"]),
                Cell(row["disturbed"] or "–", css="" if row["disturbed"] in (None, "no") else "bad"),
            ])  # fmt: skip
    return Table("Time, memory and size", columns, rows)


def with_interval(row: Mapping[str, float | None], clock: str) -> Cell:
    from markupsafe import Markup

    middle, low, high = (row[f"{clock}_{name}"] for name in ("median", "ci_low", "ci_high"))
    text = Markup("{}").format(significant(middle))
    if low is not None and high is not None:
        text += Markup(" <small>{} to {}</small>").format(significant(low), significant(high))
    return Cell(text, middle, "" if middle is None else repr(middle))


def hardware(results: Results) -> list[str]:
    """Return the processors and GPUs that timing ran on."""
    return sorted({str(row["hardware"]) for row in results.timing if row["hardware"]})
