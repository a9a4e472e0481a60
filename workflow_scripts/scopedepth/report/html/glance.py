"""All datasets at a glance, where there are too many for a paragraph each: who is first, how sure, how far ahead."""

from __future__ import annotations

from markupsafe import Markup

from scopedepth.report.html.parts.table import Cell, Column, Table, value_cell
from scopedepth.report.html.verdict import leader
from scopedepth.report.results import Results
from scopedepth.report.words import FEW, interval, metric_label, metric_value, number, plural


def glance(results: Results) -> Table | None:
    """Return one row a dataset by the headline's protocol and metric; None where paragraphs say it."""
    if len(results.dataset_names) <= FEW:
        return None
    metric = results.metric
    columns = [
        Column("Dataset"),
        Column("First"),
        Column(metric_label(metric), number=True),
        Column("Tied with", number=True, tip="models from which the data do not tell it apart"),
        Column("Skill", number=True, tip="1 - error / error of the better trivial baseline"),
    ]
    rows = []
    for dataset in results.dataset_names:
        title = results.dataset_title(dataset)
        name = Cell(
            Markup('<a href="#ranking&amp;dataset={}">{}</a>').format(dataset, title), title.casefold(), title
        )
        first = leader(results, dataset)
        if first is None:
            rows.append([name, Cell("no complete score"), *[Cell("")] * 3])
            continue
        row = results.score(dataset, first.model) or {}
        value, tied = row.get("value"), len(first.tied)
        rows.append([
            name,
            Cell(results.model_title(first.model)),
            Cell(
                metric_value(value, metric), value, tip=interval(row.get("ci_low"), row.get("ci_high"), metric),
                low=row.get("ci_low"), high=row.get("ci_high"),
            ),
            Cell("none" if not tied else plural(tied, "other"), tied),
            value_cell(number(row.get("skill"), 2), row.get("skill"), why="none"),
        ])  # fmt: skip
    caption = f"All datasets: {metric_label(metric)} under {results.protocol}"
    return Table(caption, columns, rows, tools=False, css="glance", parquet="summary")
