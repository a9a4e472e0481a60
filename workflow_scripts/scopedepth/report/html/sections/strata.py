"""Where models fail: each model's error in each stratum of the image against its own whole."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.table import Cell, Column, Table, model_cell
from scopedepth.report.html.sections.matrix import STEPS
from scopedepth.report.results import Results, Row
from scopedepth.report.words import higher_is_better, listed, metric_label, metric_value, number, p_value
from scopedepth.statistics.comparisons import SIGNIFICANCE
from scopedepth.statistics.strata import named_first
from scopedepth.vocabulary.strata import MEANINGS, STRATA, WHOLE

# The strongest colour stands for a stratum this many times as bad as the whole, or more.
STRONGEST = 2.0


def strata(results: Results, look: Mapping[str, Look]) -> list[dict[str, Any]]:
    """Return for each dataset with values by strata what is named first of each model, and a heat map."""
    made = []
    for dataset in results.dataset_names:
        rows = [row for row in results.strata if (row["dataset"], row["metric"]) == (dataset, results.metric)]
        if rows:
            made.append({
                "dataset": dataset,
                "title": results.dataset_title(dataset),
                "sentences": sentences(results, rows),
                "table": heat_table(results, look, dataset, rows),
            })  # fmt: skip
    return made


def label(stratum: str) -> str:
    """Return a stratum's name in words."""
    return stratum.replace("_", " ")


def sentences(results: Results, rows: Sequence[Row]) -> list[str]:
    """Say where each model fails first, with interval and adjusted p value; those without a finding together."""
    said: list[str] = []
    nowhere: list[str] = []
    unknown: list[str] = []
    for model in results.model_names:
        who = results.model_title(model)
        own = [row for row in rows if row["model"] == model]
        row = named_first(own) if own else None
        if row is None:
            (nowhere if own else unknown).append(who)
            continue
        said.append(
            f"{who} fails first in {label(row['stratum'])} ({MEANINGS[row['stratum']]}): "
            f"{number(row['ratio'], 2)} times its own whole ({number(row['ratio_ci_low'], 2)} to "
            f"{number(row['ratio_ci_high'], 2)}, p {p_value(row['p_holm'])} after Holm), "
            f"{100 * row['pixel_share']:.1f} % of the pixels."
        )
    if nowhere:
        said.append(f"{listed(nowhere)}: no stratum is significantly worse than the whole.")
    if unknown:
        said.append(f"{listed(unknown)}: no number.")
    return said


def heat_table(results: Results, look: Mapping[str, Look], dataset: str, rows: Sequence[Row]) -> Table:
    """Return a row a model, a column a stratum; partitions that tell nothing apart are left out."""
    found = {(row["model"], row["partition"], row["stratum"]): row for row in rows}
    shown = [key for key in STRATA if any((model, *key) in found for model in results.model_names)]
    several = {partition for partition, _ in shown if sum(one == partition for one, _ in shown) > 1}
    shown = [(partition, stratum) for partition, stratum in shown if partition in several | {WHOLE}]
    columns = [
        Column("Model"),
        *(Column(label(stratum), number=True, tip=MEANINGS[stratum]) for _, stratum in shown),
    ]
    made = []
    for model in results.in_order(dataset):
        cells = [model_cell(results, look, model, dataset)]
        cells += [heat_cell(results, found.get((model, *key)), key[0] == WHOLE) for key in shown]
        made.append(cells)
    title = f"{metric_label(results.metric)} by strata on {results.dataset_title(dataset)}"
    return Table(title, columns, made, css="matrix", parquet="strata")


def heat_cell(results: Results, row: Row | None, whole: bool) -> Cell:
    """Return the ratio to the model's own whole, coloured, and the value below it."""
    if row is None:
        return Cell(css="q none", why="too few such pixels")
    value = metric_value(row["value"], results.metric)
    if whole or not row["ratio"] or row["ratio"] <= 0:
        spread = {"low": row["ci_low"], "high": row["ci_high"]}
        return Cell(value, row["value"], css="q none", **spread)
    worse = 1 / row["ratio"] if higher_is_better(results.metric) else row["ratio"]
    # Classes of the style sheet: q8 is palest, q0 strongest.
    step = round(STEPS / 2 * (1 - max(-1.0, min(1.0, math.log(worse) / math.log(STRONGEST)))))
    ends = f"{number(row['ratio_ci_low'], 2)} to {number(row['ratio_ci_high'], 2)}"
    sure = row["p_holm"] is not None and row["p_holm"] < SIGNIFICANCE
    text = Markup("<b>{}{}</b> <small>{}</small>").format(
        number(row["ratio"], 2), "*" if sure and worse > 1 else "", value
    )
    tip = f"ratio {ends}, {100 * row['pixel_share']:.1f} % of the pixels"
    spread = {"low": row["ratio_ci_low"], "high": row["ratio_ci_high"], "value": row["value"]}
    return Cell(text, row["ratio"], css=f"q q{step}", tip=tip, **spread)
