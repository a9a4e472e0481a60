"""All metrics of every dataset under every protocol."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.table import Cell, Column, Table, model_cell, table_html
from scopedepth.report.html.sections.ranking import why_not
from scopedepth.report.results import Results
from scopedepth.report.words import (
    higher_is_better,
    interval,
    metric_label,
    metric_unit,
    metric_value,
)
from scopedepth.statistics.drift import SUMMARY_METRICS


def scores_panel(results: Results, look: Mapping[str, Look], dataset: str, protocol: str) -> Markup:
    """Return the table of a dataset and protocol, below a warning where its numbers do not compare."""
    warning = results.protocols[protocol].get("not_comparable", "")
    said = Markup('<p class="warning">{}</p>').format(warning) if warning else Markup("")
    return said + table_html(scores_table(results, look, dataset, protocol))


def metrics_of(results: Results, protocol: str) -> list[str]:
    """Return the metrics that a protocol has rows for, in the report's order."""
    found = results.metrics_by_protocol.get(protocol, set())
    return [name for name in results.metric_names if name in found]


def best_two(values: Mapping[str, float | None], upwards: bool) -> tuple[float | None, float | None]:
    """Return the best and the second best of the values that there are."""
    there = sorted({value for value in values.values() if value is not None}, reverse=upwards)
    return (there[0] if there else None), (there[1] if len(there) > 1 else None)


def complete(results: Results, dataset: str, model: str, protocol: str, metric: str) -> float | None:
    """Return a value that stands in the ranking: a mean without the failed frames is not set beside the others."""
    row = results.score(dataset, model, protocol, metric)
    return row["value"] if row and row["status"] == "ok" else None


def scores_table(results: Results, look: Mapping[str, Look], dataset: str, protocol: str) -> Table:
    metrics = metrics_of(results, protocol)
    columns = [Column("Model")]
    leaders = {}
    for metric in metrics:
        unit = metric_unit(metric)
        direction = "higher is better" if higher_is_better(metric) else "lower is better"
        formula = SUMMARY_METRICS[metric].formula if metric in SUMMARY_METRICS else ""
        columns.append(
            Column(
                f"{metric_label(metric)}{f' ({unit})' if unit else ''} {'↑' if higher_is_better(metric) else '↓'}",
                number=True,
                tip=f"{formula}; {direction}",
            )
        )
        values = {model: complete(results, dataset, model, protocol, metric) for model in results.model_names}
        leaders[metric] = best_two(values, higher_is_better(metric))
    rows = []
    for model in results.in_order(dataset, protocol):
        cells = [model_cell(results, look, model, dataset)]
        for metric in metrics:
            row = results.score(dataset, model, protocol, metric)
            if not row or row["value"] is None:
                why = why_not(row["status"]) if row else "no result"
                cells.append(Cell(css="why", why=why))
                continue
            text = Markup("<span>{}</span>").format(metric_value(row["value"], metric))
            if row["ci_low"] is not None:
                text += Markup(" <small>{}</small>").format(interval(row["ci_low"], row["ci_high"], metric))
            best, second = leaders[metric]
            css = "best" if row["value"] == best else "second" if row["value"] == second else ""
            tip = (
                ""
                if row["status"] == "ok"
                else f"without {row['n_failed']} frames that have no number; not ranked"
            )
            if tip:
                text += Markup('<abbr class="dagger" title="{}">*</abbr>').format(tip)
            cells.append(Cell(text, row["value"], css=css, low=row["ci_low"], high=row["ci_high"]))
        rows.append(cells)
    version = results.protocols[protocol].get("version", "?")
    caption = (
        f"{results.dataset_title(dataset)}, {protocol} version {version}: {results.protocol_words(protocol)}"
    )
    return Table(caption, columns, rows, css="scores", parquet="summary")
