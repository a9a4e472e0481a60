"""Scale drift: the factor that each frame asked for, over time, against its sequence's median."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from scopedepth.errors import ScopeDepthError
from scopedepth.evaluation.metrics import scale_drift
from scopedepth.report.charts.lines import Line, line_chart
from scopedepth.report.marks import Look
from scopedepth.report.results import Results
from scopedepth.report.table import Column, Table, model_cell, value_cell
from scopedepth.report.words import number
from scopedepth.statistics.drift import has_drift, log_scales
from scopedepth.tables.io import read_table

POINTS = 200  # of a line
CHARTS = 6  # of a dataset; the table holds all its sequences


def drift_protocol(results: Results) -> str | None:
    """Return the protocol to read scales from: fitted frame by frame, the headline's if it is so."""
    for name in results.protocol_names:
        if has_drift(results.protocols[name]):
            return name
    return None


def drift(results: Results, look: Mapping[str, Look]) -> dict[str, Any]:
    """Return charts and a table for each dataset, and the protocol that the scales are from."""
    protocol = drift_protocol(results)
    if protocol is None:
        return {"protocol": "", "datasets": []}
    made = []
    for dataset in results.dataset_names:
        scales = read_scales(results, dataset, protocol)
        sequences = sorted({sequence for sequence, _ in scales})
        charts = [
            chart for name in sequences[:CHARTS] if (chart := sequence_chart(results, look, scales, name))
        ]
        if charts:
            made.append({
                "dataset": dataset, "title": results.dataset_title(dataset), "charts": charts,
                "left_out": max(0, len(sequences) - CHARTS),
                "table": drift_table(results, look, dataset, scales, sequences),
            })  # fmt: skip
    return {"protocol": protocol, "datasets": made}


def read_scales(results: Results, dataset: str, protocol: str) -> dict[tuple[str, str], np.ndarray]:
    """Return ln(factor) of every frame by (sequence, model), NaN where there is no positive factor."""
    parts: dict[tuple[str, str], list[tuple[int, np.ndarray]]] = {}
    for unit in results.units_of(dataset):
        for model in results.model_names:
            path = results.alignments.get((unit, model, protocol))
            if path is None or not path.exists():
                continue
            try:
                table = read_table(path, ["sequence", "frame", "scale", "shift"])
            except ScopeDepthError:
                continue
            names = np.array(table["sequence"].cast(pa.string()).to_pylist())
            scale, shift = (np.array(table[key].to_pylist(), np.float64) for key in ("scale", "shift"))
            logs = log_scales(scale, shift, results.protocols[protocol])
            frame = np.array(table["frame"].to_pylist())
            for name in sorted(set(names)):
                here = names == name
                order = np.argsort(frame[here])
                parts.setdefault((str(name), model), []).append((frame[here].min(), logs[here][order]))
    # A long sequence may be cut into several units.
    return {
        key: np.concatenate([logs for _, logs in sorted(found, key=lambda part: part[0])])
        for key, found in parts.items()
    }


def sequence_chart(
    results: Results, look: Mapping[str, Look], scales: Mapping[tuple[str, str], np.ndarray], sequence: str
) -> Any:
    lines = []
    for model in results.networks:
        values = scales.get((sequence, model))
        if values is None or not np.isfinite(values).any():
            continue
        relative = np.exp(values - np.nanmedian(values))
        step = max(1, -(-len(relative) // POINTS))
        points = [
            (float(i), float(v) if np.isfinite(v) else None) for i, v in enumerate(relative) if i % step == 0
        ]
        lines.append(Line(results.model_title(model), look[model], points))
    return line_chart(
        lines,
        f"Scale over time, {sequence}",
        f"frame of {sequence}",
        "scale / median scale",
        reference=1.0,
        marks=False,
    )


def drift_table(
    results: Results, look: Mapping[str, Look], dataset: str, scales: Mapping[tuple[str, str], np.ndarray],
    sequences: list[str],
) -> Table:  # fmt: skip
    columns = [Column("Model"), *(Column(name, number=True) for name in sequences)]
    rows = []
    for model in results.model_names:
        cells = [model_cell(results, look, model, dataset)]
        for sequence in sequences:
            values = scales.get((sequence, model))
            spread = None if values is None else scale_drift(values)
            cells.append(value_cell(number(spread, 3), spread))
        rows.append(cells)
    return Table(
        f"Scale drift on {results.dataset_title(dataset)}: standard deviation of the log scales",
        columns,
        rows,
    )
