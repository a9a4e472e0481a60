"""Skill: how much better than a trivial baseline each network is, on every dataset."""

from __future__ import annotations

from collections.abc import Mapping

from scopedepth.report.marks import Look
from scopedepth.report.results import Results
from scopedepth.report.svg import Drawing, Scale
from scopedepth.report.table import Cell, Column, Table, model_cell, value_cell
from scopedepth.report.words import metric_value, number

WIDTH, HEIGHT = 190.0, 20.0


def skill_table(results: Results, look: Mapping[str, Look]) -> Table:
    """Return skill under the headline protocol, a column pair a dataset, with a bar from zero."""
    columns = [Column("Model")]
    for dataset in results.dataset_names:
        columns += [
            Column(
                f"{results.dataset_title(dataset)}",
                number=True,
                tip="1 - error / error of the better baseline",
            ),
            Column("", picture=True),
        ]
    values = {
        (dataset, model): row["skill"]
        for dataset in results.dataset_names
        for model in results.model_names
        if (row := results.score(dataset, model))
    }
    there = [value for value in values.values() if value is not None]
    scale = Scale(min([0.0, *(max(-1.0, v) for v in there)]), max([0.1, *there]), 6, WIDTH - 6)
    rows = []
    for model in results.model_names:
        cells = [model_cell(results, look, model)]
        for dataset in results.dataset_names:
            value = values.get((dataset, model))
            cells += [
                value_cell(number(value, 2), value, "bad" if (value or 0) < 0 else ""),
                Cell(_bar(value, scale, look[model], results.model_title(model)), css="picture"),
            ]
        rows.append(cells)
    return Table("Skill over the better trivial baseline, headline protocol", columns, rows)


def _bar(value: float | None, scale: Scale, look: Look, title: str) -> str:
    if value is None:
        return ""
    drawing = Drawing(WIDTH, HEIGHT, f"{title}: skill {number(value, 2)}", css="bar")
    begin, end = sorted((scale(0), scale(max(-1.0, value))))
    drawing.rect(begin, 5, end - begin, HEIGHT - 10, f"fill {look.css}", radius=1)
    drawing.line(scale(0), 1, scale(0), HEIGHT - 1, "axis")
    return drawing.render()


def baselines(results: Results) -> list[dict[str, str]]:
    """Return the better baseline of each dataset with its error."""
    found = []
    for dataset in results.dataset_names:
        best = results.best_baseline(dataset)
        found.append({
            "dataset": results.dataset_title(dataset),
            "baseline": results.model_title(best) if best else "none",
            "value": metric_value(results.value(dataset, best) if best else None, results.metric),
        })  # fmt: skip
    return found
