"""The headline metric of every model on every sequence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.table import Cell, Column, Table, model_cell
from scopedepth.report.html.sections.matrix import STEPS
from scopedepth.report.results import Results
from scopedepth.report.words import higher_is_better, metric_label, metric_value


def sequences(results: Results, look: Mapping[str, Look]) -> list[dict[str, Any]]:
    """Return a table for each dataset."""
    made = []
    for dataset in results.dataset_names:
        table = sequences_table(results, look, dataset)
        made.append({"dataset": dataset, "title": results.dataset_title(dataset), "table": table})
    return made


def sequence_means(results: Results, dataset: str) -> tuple[list[str], dict[tuple[str, str], float]]:
    """Return the sequences of a dataset, and the mean of the headline metric by model and sequence."""
    table = results.frames([results.metric], dataset=dataset, protocol=results.protocol)
    plain = pa.table({
        "model": table["model"].cast(pa.string()),
        "sequence": table["sequence"].cast(pa.string()),
        "value": table[results.metric],
    })  # fmt: skip
    grouped = plain.group_by(["model", "sequence"]).aggregate([("value", "mean")]).to_pylist()
    names = sorted({row["sequence"] for row in grouped})
    return names, {
        (row["model"], row["sequence"]): row["value_mean"] for row in grouped if row["value_mean"] is not None
    }


def sequences_table(results: Results, look: Mapping[str, Look], dataset: str) -> Table | None:
    names, means = sequence_means(results, dataset)
    if not names:
        return None
    metric = results.metric
    columns = [Column("Model"), *(Column(name, number=True) for name in names)]
    everything = np.array(sorted(means.values()))
    rows = []
    for model in results.in_order(dataset):
        cells = [model_cell(results, look, model, dataset)]
        for name in names:
            value = means.get((model, name))
            if value is None:
                cells.append(Cell(css="q none", why="no frame with a number"))
                continue
            share = float(np.searchsorted(everything, value)) / max(1, len(everything) - 1)
            step = round((1 - share if higher_is_better(metric) else share) * STEPS)
            cells.append(Cell(metric_value(value, metric), value, css=f"q q{min(STEPS, max(0, step))}"))
        rows.append(cells)
    caption = f"{metric_label(metric)} by sequence on {results.dataset_title(dataset)}: mean over a sequence's frames"
    return Table(caption, columns, rows, css="matrix", parquet="frames")
