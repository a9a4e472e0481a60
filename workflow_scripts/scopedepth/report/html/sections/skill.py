"""Skill: how much better than a trivial baseline each network is, on every dataset, by a protocol and metric."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.svg import Drawing, Scale
from scopedepth.report.html.parts.table import Cell, Column, Table, model_cell, table_html
from scopedepth.report.html.sections.ranking import why_not
from scopedepth.report.results import Results, Row
from scopedepth.report.words import FEW, higher_is_better, metric_label, metric_value, number

WIDTH, HEIGHT = 184.0, 20.0
# With more datasets than this a table has no room for bars.
BARS = 3
ENDS = ("skill", "skill_ci_low", "skill_ci_high")


def skill_panel(results: Results, look: Mapping[str, Look], protocol: str, metric: str) -> Markup:
    """Return skill on every dataset, below a line on the baselines that it is measured by."""
    if higher_is_better(metric):
        text = Markup('<p class="missing">{}: no skill is computed where higher is better.</p>')
        return text.format(metric_label(metric))
    table = table_html(skill_table(results, look, protocol, metric))
    if len(results.dataset_names) > FEW:
        return table
    said = "; ".join(
        f"on {results.dataset_title(dataset)} {results.model_title(best)} "
        f"({metric_value(results.value(dataset, best, protocol, metric), metric)})"
        for dataset in results.dataset_names
        if (best := results.best_baseline(dataset, protocol, metric))
    )
    return Markup('<p class="lead">The better baseline: {}.</p>').format(said or "none has a number") + table


def skill_table(results: Results, look: Mapping[str, Look], protocol: str, metric: str) -> Table:
    """Return skill by model and dataset; with a bar from zero where there are few datasets."""
    bars = len(results.dataset_names) <= BARS
    columns = [Column("Model")]
    for dataset in results.dataset_names:
        columns.append(
            Column(
                results.dataset_title(dataset), number=True, tip="1 - error / error of the better baseline"
            )
        )
        columns += [Column("", picture=True)] * bars
    scores = {
        (dataset, model): row
        for dataset in results.dataset_names
        for model in results.model_names
        if (row := results.score(dataset, model, protocol, metric))
    }
    there = [row[key] for row in scores.values() for key in ENDS if row[key] is not None]
    scale = Scale(min([0.0, *(max(-1.0, v) for v in there)]), min(1.0, max([0.1, *there])), 6, WIDTH - 6)
    rows = []
    for model in results.model_names:
        cells = [model_cell(results, look, model)]
        for dataset in results.dataset_names:
            row = scores.get((dataset, model))
            cells.append(skill_cell(row))
            if bars:
                cells.append(Cell(_bar(row, scale, look[model]), css="picture"))
        rows.append(cells)
    title = f"Skill over the better trivial baseline: {metric_label(metric)} under {protocol}"
    return Table(title, columns, rows, parquet="summary")


def skill_cell(row: Row | None) -> Cell:
    """Return skill with its interval; red where it is below zero."""
    if row is None or row["skill"] is None:
        known = row and row["value"] is not None and row["status"] == "ok"
        return Cell(why="no baseline" if known else why_not(row["status"]) if row else "no result")
    text = Markup("{}").format(number(row["skill"], 2))
    if row["skill_ci_low"] is not None and row["skill_ci_high"] is not None:
        low, high = (number(row[key], 2) for key in ENDS[1:])
        text += Markup(" <small>{} to {}</small>").format(low, high)
    css, ends = "bad" if row["skill"] < 0 else "", {"low": row["skill_ci_low"], "high": row["skill_ci_high"]}
    return Cell(text, row["skill"], css=css, **ends)


def _bar(row: Row | None, scale: Scale, look: Look) -> str:
    if row is None or row["skill"] is None:
        return ""
    value = row["skill"]
    drawing = Drawing(WIDTH, HEIGHT, "", css="bar")
    begin, end = sorted((scale(0), scale(max(-1.0, value))))
    drawing.rect(begin, 5, end - begin, HEIGHT - 10, f"fill {look.css}", radius=1)
    low, high = row["skill_ci_low"], row["skill_ci_high"]
    if low is not None and high is not None:
        middle = HEIGHT / 2
        drawing.line(scale(max(-1.0, low)), middle, scale(max(-1.0, high)), middle, "whisker ink")
    drawing.line(scale(0), 1, scale(0), HEIGHT - 1, "axis")
    return drawing.render()
