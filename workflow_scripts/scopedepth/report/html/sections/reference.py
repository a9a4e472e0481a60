"""What the stated error of the reference leaves of the ranking: which orders of two models stand, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.table import Cell, Column, Table, model_cell, spread_cell, value_cell
from scopedepth.report.results import Results, Row
from scopedepth.report.words import (
    higher_is_better,
    listed,
    metric_label,
    metric_value,
    number,
    plural,
    stated_words,
)
from scopedepth.vocabulary.reference import (
    FAILED_DRAWS,
    NO_TRUSTED,
    REDRAWN,
    RESOLVED,
    UNTRUSTED,
    WITHIN_ERROR,
    WITHIN_SAMPLING,
)

# What stands in a cell for a pair, and the class of the style sheet.
SIGNS = {
    WITHIN_ERROR: ("error", "q6"),
    UNTRUSTED: ("trusted", "q4"),
    WITHIN_SAMPLING: ("sampling", "q2"),
    NO_TRUSTED: ("trusted", "q4"),
    FAILED_DRAWS: ("draws", ""),
}
COUNTED = (RESOLVED, WITHIN_SAMPLING, UNTRUSTED, WITHIN_ERROR)


def reference(results: Results, look: Mapping[str, Look]) -> list[dict[str, Any]]:
    """Return for each dataset what was stated, sentences and tables, by the headline's protocol; empty: none.

    A dataset that states nothing is said not to be assessed, beside others that were.
    """
    by_dataset = {
        dataset: [
            row
            for row in results.reference
            if (row["dataset"], row["protocol"]) == (dataset, results.protocol)
        ]
        for dataset in results.dataset_names
    }
    if not any(by_dataset.values()):
        return []
    made = []
    for dataset, rows in by_dataset.items():
        part: dict[str, Any] = {
            "dataset": dataset,
            "title": results.dataset_title(dataset),
            "assessed": bool(rows),
        }
        if rows:
            metrics = [name for name in REDRAWN if any(row["metric"] == name for row in rows)]
            shown = results.metric if results.metric in metrics else metrics[0]
            headline = [row for row in rows if row["metric"] == shown]
            part |= {
                "stated": stated_words(results.datasets[dataset]),
                "sentences": sentences(results, dataset, rows, metrics, shown),
                "matrix": matrix(results, look, dataset, headline, shown),
                "counts": counts(results, dataset, rows, metrics),
                "pairs": pairs(results, dataset, rows),
            }
        made.append(part)
    return made


def sentences(
    results: Results, dataset: str, rows: Sequence[Row], metrics: Sequence[str], shown: str
) -> list[str]:
    """Say how many pairs stand by each metric, which withstands less, and what becomes of the first place."""
    kept = {name: standing(rows, name) for name in metrics}
    known = {name: both for name, both in kept.items() if both[1]}
    if not known:
        return ["No two models could be compared."]
    each = [f"{n} of {plural(total, 'pair')} by {metric_label(name)}" for name, (n, total) in known.items()]
    # The number of pairs is mostly the same, and then said once.
    same = len({total for _, total in known.values()}) == 1
    each = [
        one.replace(" pairs", "").replace(" pair", "") if place and same else one
        for place, one in enumerate(each)
    ]
    shares = {name: n / total for name, (n, total) in known.items()}
    least = [metric_label(name) for name, share in shares.items() if share == min(shares.values())]
    apart = (
        f": {listed(least)} withstand{'s' if len(least) == 1 else ''} least"
        if len(least) < len(shares)
        else ""
    )
    said = [f"Before sampling the order stands of {listed(each)}{apart}."]
    return [*said, *first_place(results, dataset, rows, shown)]


def standing(rows: Sequence[Row], metric: str) -> tuple[int, int]:
    """Return how many pairs the reference's error leaves in their order, and of how many."""
    reasons = Counter(row["reason"] for row in rows if row["metric"] == metric)
    return reasons[RESOLVED] + reasons[WITHIN_SAMPLING], sum(reasons[name] for name in (RESOLVED, *SIGNS))


def first_place(results: Results, dataset: str, rows: Sequence[Row], metric: str) -> list[str]:
    ranked = results.ranked(dataset, results.protocol, metric)
    if len(ranked) < 2:
        return []
    first = ranked[0]
    open_to = [
        (row["model_b"] if row["model_a"] == first else row["model_a"])
        for row in rows
        if row["metric"] == metric and first in (row["model_a"], row["model_b"]) and not row["resolvable"]
    ]
    rivals = [results.model_title(name) for name in ranked if name in open_to]
    who = f"The first place of {results.model_title(first)} by {metric_label(metric)}"
    return [f"{who} is open: {listed(rivals, 'or')} may stand there." if rivals else f"{who} stands."]


def matrix(
    results: Results, look: Mapping[str, Look], dataset: str, rows: Sequence[Row], metric: str
) -> Table:
    """Return a table at a glance: in the row of the better model of a pair whether it stays the better one."""
    order = results.ranked(dataset, results.protocol, metric)
    by_pair = {frozenset((row["model_a"], row["model_b"])): row for row in rows}
    columns = [Column("Model"), *(Column(results.model_title(name)) for name in order[1:])]
    made = []
    for place, model in enumerate(order[:-1]):
        cells = [model_cell(results, look, model, dataset)]
        for other_place, other in enumerate(order[1:], 1):
            row = by_pair.get(frozenset((model, other)))
            if other_place <= place or row is None:
                cells.append(Cell(""))
            elif row["resolvable"]:
                cells.append(Cell("better", tip=RESOLVED, css="q0"))
            else:
                sign, css = SIGNS.get(row["reason"], (row["reason"], ""))
                cells.append(Cell(f"open: {sign}", tip=row["reason"], css=css))
        made.append(cells)
    title = f"Whether the model of the row is better than that of the column, by {metric_label(metric)}"
    return Table(f"{title}, {results.dataset_title(dataset)}", columns, made, tools=False, css="matrix")


def counts(results: Results, dataset: str, rows: Sequence[Row], metrics: Sequence[str]) -> Table:
    """Return how many pairs stand by each metric, and why others do not."""
    columns = [Column("Metric"), *(Column(reason.capitalize(), number=True) for reason in COUNTED)]
    made = []
    for name in metrics:
        reasons = Counter(row["reason"] for row in rows if row["metric"] == name)
        label = metric_label(name)
        made.append(
            [Cell(label, label, label), *(value_cell(str(reasons[one]), reasons[one]) for one in COUNTED)]
        )
    return Table(f"Pairs of models by metric, {results.dataset_title(dataset)}", columns, made, tools=False)


def pairs(results: Results, dataset: str, rows: Sequence[Row]) -> Table:
    """Return each pair's difference with what the stated error leaves of it."""
    columns = [
        Column("Better model"), Column("Other model"), Column("Metric"),
        Column("Difference", number=True, tip="better less other, with what the reference's error leaves of it"),
        Column("On trusted pixels", number=True, tip="no edges, no rims of holes, not the farthest"),
        Column("Verdict"),
    ]  # fmt: skip
    made = []
    for row in rows:
        difference, low, high = row["difference"], row["reference_low"], row["reference_high"]
        better, other, metric = row["model_a"], row["model_b"], row["metric"]
        trusted = row["trusted_difference"]
        if difference is not None and (difference > 0) != higher_is_better(metric):
            better, other = other, better
            difference, low, high = (None if one is None else -one for one in (difference, high, low))
            trusted = None if trusted is None else -trusted
        names = [results.model_title(name) for name in (better, other)]
        label = metric_label(metric)

        def said(value: float | None, metric: str = metric) -> str:
            return metric_value(value, metric)

        made.append([
            *(Cell(name, name, name) for name in (*names, label)),
            spread_cell(difference, low, high, said, why=row["reason"]),
            value_cell(number(trusted, 3), trusted, why=row["reason"]),
            Cell(row["reason"], row["reason"], row["reason"]),
        ])  # fmt: skip
    return Table(
        f"Every pair under {results.protocol}, {results.dataset_title(dataset)}",
        columns,
        made,
        parquet="reference",
    )
