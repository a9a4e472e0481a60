"""Scale drift: the factor that each frame asked for, over time, against its sequence's median."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scopedepth.report.html.parts.lines import Line, line_chart, y_range
from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.table import Column, Table, model_cell, value_cell
from scopedepth.report.results import Results, Row
from scopedepth.report.words import number

CHARTS = 6  # of a dataset; the table holds all its sequences


def drift_protocol(results: Results) -> str | None:
    """Return the protocol to show scales of: fitted frame by frame, the headline's if it is so."""
    found = {row["protocol"] for row in results.drift}
    return next((name for name in results.protocol_names if name in found), None)


def drift(results: Results, look: Mapping[str, Look]) -> dict[str, Any]:
    """Return charts and a table for each dataset, and the protocol that the scales are from."""
    protocol = drift_protocol(results)
    made = []
    for dataset in results.dataset_names:
        rows = {
            (row["sequence"], row["model"]): row
            for row in results.drift
            if (row["dataset"], row["protocol"]) == (dataset, protocol)
        }
        sequences = sorted({sequence for sequence, _ in rows})
        lines = {name: lines_of(results, look, rows, name) for name in sequences[:CHARTS]}
        within = y_range([line for of_one in lines.values() for line in of_one], also=(1.0,))
        charts = [chart for name in lines if (chart := sequence_chart(lines[name], name, within))]
        if charts:
            made.append({
                "dataset": dataset, "title": results.dataset_title(dataset), "charts": charts,
                "left_out": max(0, len(sequences) - CHARTS),
                "table": drift_table(results, look, dataset, rows, sequences),
            })  # fmt: skip
    return {"protocol": protocol or "", "datasets": made}


def lines_of(
    results: Results, look: Mapping[str, Look], rows: Mapping[tuple[str, str], Row], sequence: str
) -> list[Line]:
    """Return a line for each network that has factors on a sequence."""
    lines = []
    for model in results.networks:
        row = rows.get((sequence, model))
        if row is None or not row["n_factors"]:
            continue
        points = [(float(i), v) for i, v in zip(row["frames"], row["relative_scales"], strict=True)]
        lines.append(Line(results.model_title(model), look[model], points))
    return lines


def sequence_chart(lines: list[Line], sequence: str, within: tuple[float, float] | None) -> Any:
    """Return the chart of a sequence, on the range of y that all of its dataset share."""
    return line_chart(
        lines,
        f"Scale over time, {sequence}",
        f"frame of {sequence}",
        "scale / median scale",
        reference=1.0,
        marks=False,
        within=within,
    )


def drift_table(
    results: Results, look: Mapping[str, Look], dataset: str, found: Mapping[tuple[str, str], Row],
    sequences: list[str],
) -> Table:  # fmt: skip
    columns = [Column("Model"), *(Column(name, number=True) for name in sequences)]
    rows = []
    for model in results.model_names:
        cells = [model_cell(results, look, model, dataset)]
        for sequence in sequences:
            row = found.get((sequence, model))
            spread = None if row is None else row["scale_drift"]
            cells.append(value_cell(number(spread, 3), spread, why="fewer than two factors"))
        rows.append(cells)
    return Table(
        f"Scale drift on {results.dataset_title(dataset)}: standard deviation of the log scales",
        columns,
        rows,
        parquet="drift",
    )
