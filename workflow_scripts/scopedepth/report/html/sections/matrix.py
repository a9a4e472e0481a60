"""The protocol matrix: each model's rank under each protocol, and whether its place survives the change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from markupsafe import Markup

from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.table import Cell, Column, Table, model_cell, table_html
from scopedepth.report.html.sections.ranking import why_not
from scopedepth.report.results import Results
from scopedepth.report.words import metric_label, metric_value, number, plural

STEPS = 8  # classes q0 (best) … q8 (worst) of the style sheet


def matrix_panel(results: Results, look: Mapping[str, Look], dataset: str, metric: str) -> Markup:
    """Return the matrix of a dataset and metric."""
    return table_html(matrix_table(results, look, dataset, metric))


def matrix_table(results: Results, look: Mapping[str, Look], dataset: str, metric: str) -> Table:
    protocols = results.protocol_names
    columns = [
        Column("Model"),
        *(Column(name, number=True, tip=results.protocol_words(name)) for name in protocols),
    ]
    flipped = {
        name: flipped_models(results, dataset, metric, name) for name in protocols if name != results.protocol
    }
    worst = {name: len(results.ranked(dataset, name, metric)) for name in protocols}
    rows = []
    for model in results.in_order(dataset, results.protocol, metric):
        cells = [model_cell(results, look, model, dataset)]
        for protocol in protocols:
            cells.append(
                rank_cell(
                    results, dataset, metric, model, protocol, worst[protocol], flipped.get(protocol, {})
                )
            )
        rows.append(cells)
    last = [
        Cell(
            Markup("<em>agreement with the first column</em>"),
            sort=None,
            copied="Kendall's tau-b",
            css="foot",
        )
    ]
    for protocol in protocols:
        row = (
            results.flips(results.protocol, protocol, dataset, metric)
            if protocol != results.protocol
            else None
        )
        if row is None or (row["n_models"] or 0) < 2:
            last.append(Cell("", css="foot"))
            continue
        text = Markup("τ {} <small>{}, {} significant</small>").format(
            number(row["tau"], 2), plural(row["n_flips"] or 0, "flip"), row["n_significant_flips"] or 0
        )
        last.append(Cell(text, row["tau"], css="foot"))
    rows.append(last)
    return Table(
        f"Rank by {metric_label(metric)} on {results.dataset_title(dataset)}",
        columns,
        rows,
        css="matrix",
        parquet="ranks",
    )


def flipped_models(results: Results, dataset: str, metric: str, protocol: str) -> Counter[str]:
    """Return how often each model changes order between the headline protocol and this one, significantly in both."""
    row = results.flips(results.protocol, protocol, dataset, metric)
    pairs = (row["significant_flips"] or ()) if row else ()
    return Counter(model for pair in pairs for model in pair.split(" > "))


def _rank(results: Results, dataset: str, metric: str, model: str, protocol: str) -> int | None:
    row = results.rank(dataset, model, protocol, metric)
    return row["rank_by_value"] if row else None


def rank_cell(
    results: Results,
    dataset: str,
    metric: str,
    model: str,
    protocol: str,
    worst: int,
    flipped: Mapping[str, int],
) -> Cell:
    rank = _rank(results, dataset, metric, model, protocol)
    value = results.value(dataset, model, protocol, metric)
    if rank is None:
        row = results.score(dataset, model, protocol, metric)
        why = why_not(row["status"]) if row else "not computed"
        return Cell(metric_value(value, metric), css="q none", value=value, why=why)
    step = round((rank - 1) / max(1, worst - 1) * STEPS)
    text = Markup("<b>{}</b> <small>{}</small>").format(rank, metric_value(value, metric))
    tip = ""
    if model in flipped:
        tip = f"changes order with {plural(flipped[model], 'model')} against {results.protocol}, significantly in both"
        text += Markup(
            '<span class="flip" aria-hidden="true"></span><span class="unseen">, {}</span>'
        ).format(tip)
    return Cell(text, rank, css=f"q q{step}", tip=tip, value=value)
