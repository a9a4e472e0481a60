"""Skill: how much better than a trivial baseline each network is, on every dataset."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.svg import Drawing, Scale
from scopedepth.report.html.parts.table import Cell, Column, Table, model_cell
from scopedepth.report.results import Results, Row
from scopedepth.report.words import metric_value, number

WIDTH, HEIGHT = 190.0, 20.0
ENDS = ("skill", "skill_ci_low", "skill_ci_high")


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
    scores = {
        (dataset, model): row
        for dataset in results.dataset_names
        for model in results.model_names
        if (row := results.score(dataset, model)) and row["skill"] is not None
    }
    there = [row[key] for row in scores.values() for key in ENDS if row[key] is not None]
    scale = Scale(min([0.0, *(max(-1.0, v) for v in there)]), min(1.0, max([0.1, *there])), 6, WIDTH - 6)
    rows = []
    for model in results.model_names:
        cells = [model_cell(results, look, model)]
        for dataset in results.dataset_names:
            row = scores.get((dataset, model))
            bar = _bar(row, scale, look[model], results.model_title(model))
            cells += [skill_cell(row), Cell(bar, css="picture")]
        rows.append(cells)
    return Table("Skill over the better trivial baseline, headline protocol", columns, rows)


def skill_cell(row: Row | None) -> Cell:
    """Return skill with its interval; red where it is below zero."""
    if row is None:
        return Cell()
    text = Markup("{}").format(number(row["skill"], 2))
    if row["skill_ci_low"] is not None and row["skill_ci_high"] is not None:
        low, high = (number(row[key], 2) for key in ENDS[1:])
        text += Markup(" <small>{} to {}</small>").format(low, high)
    return Cell(text, row["skill"], repr(row["skill"]), "bad" if row["skill"] < 0 else "")


def _bar(row: Row | None, scale: Scale, look: Look, title: str) -> str:
    if row is None:
        return ""
    value = row["skill"]
    drawing = Drawing(WIDTH, HEIGHT, f"{title}: skill {number(value, 2)}", css="bar")
    begin, end = sorted((scale(0), scale(max(-1.0, value))))
    drawing.rect(begin, 5, end - begin, HEIGHT - 10, f"fill {look.css}", radius=1)
    low, high = row["skill_ci_low"], row["skill_ci_high"]
    if low is not None and high is not None:
        middle = HEIGHT / 2
        drawing.line(scale(max(-1.0, low)), middle, scale(max(-1.0, high)), middle, "whisker ink")
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
