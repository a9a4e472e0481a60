"""Space and time: consistency over frames and shape in space, beside accuracy and skill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.table import Cell, Column, Table, model_cell, spread_cell, value_cell
from scopedepth.report.html.sections.ranking import why_not
from scopedepth.report.html.sections.skill import skill_cell
from scopedepth.report.results import Results
from scopedepth.report.words import metric_label, metric_unit, metric_value
from scopedepth.statistics.drift import SCALE_DRIFT
from scopedepth.vocabulary.metrics import METRICS


def shown(metric: str) -> bool:
    """Say whether a metric compares frames or shapes in space."""
    known = METRICS.get(metric)
    return metric == SCALE_DRIFT.name or (known is not None and (known.pair or known.needs == "shape"))


def space_time(results: Results, look: Mapping[str, Look]) -> list[dict[str, Any]]:
    """Return a table for each dataset and protocol that has such metrics; drift alone makes none."""
    made = []
    for dataset in results.dataset_names:
        for protocol in results.protocol_names:
            there = {
                row["metric"]
                for row in results.summary
                if (row["dataset"], row["protocol"]) == (dataset, protocol)
            }
            metrics = [name for name in results.metric_names if name in there and shown(name)]
            if set(metrics) - {SCALE_DRIFT.name}:
                made.append({
                    "dataset": dataset, "title": results.dataset_title(dataset), "protocol": protocol,
                    "table": table(results, look, dataset, protocol, metrics),
                })  # fmt: skip
    return made


def table(
    results: Results, look: Mapping[str, Look], dataset: str, protocol: str, metrics: list[str]
) -> Table:
    """Return the models in the order of the headline's ranking, with what was compared."""
    columns = [
        Column("Model"),
        Column(f"{metric_label(results.metric)}, {results.protocol}", number=True),
        Column("Skill", number=True, tip="1 - error / error of the better trivial baseline"),
    ]
    for metric in metrics:
        unit = metric_unit(metric)
        columns.append(Column(metric_label(metric) + (f", {unit}" if unit else ""), number=True))
    rows = []
    for model in results.in_order(dataset):
        row = results.score(dataset, model)
        value = results.value(dataset, model)
        cells = [
            model_cell(results, look, model, dataset),
            value_cell(
                metric_value(value, results.metric), value, why=why_not(row["status"]) if row else "no result"
            ),
            skill_cell(row),
        ]
        for metric in metrics:
            found = results.score(dataset, model, protocol, metric)
            if found is None or found["value"] is None:
                cells.append(Cell(why=why_not(found["status"]) if found else "not computed"))
                continue
            ends = found["value"], found["ci_low"], found["ci_high"]
            cells.append(spread_cell(*ends, lambda number, metric=metric: metric_value(number, metric)))  # type: ignore[misc]
        rows.append(cells)
    return Table(
        f"Space and time on {results.dataset_title(dataset)}, {protocol}", columns, rows, parquet="summary"
    )
