"""The ranking of each dataset under the headline protocol, with intervals and ties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from scopedepth.report.html.parts.intervals import common_scale, interval_bar
from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.table import Cell, Column, Table, model_cell, value_cell
from scopedepth.report.results import Results
from scopedepth.report.words import (
    NOTHING,
    count,
    higher_is_better,
    interval,
    listed,
    metric_label,
    metric_unit,
    metric_value,
    number,
    p_value,
)
from scopedepth.statistics.bootstrap import FEW_FRAMES_CAUTION, FEW_SEQUENCES_CAUTION, NO_CAUTION

WHY = {
    "not_applicable": "not applicable to this output",
    "no_unit": "the depth has no unit",
    "undefined": "not defined on these frames",
    "incomplete": "some frames have no number",
    "failed_prediction": "the model failed",
}
# What stands beside an interval.
CAUTIONS = {FEW_FRAMES_CAUTION: "likely too narrow", FEW_SEQUENCES_CAUTION: "few long sequences outweigh"}


def ranking(results: Results, look: Mapping[str, Look]) -> list[dict[str, Any]]:
    """Return for each dataset its ranking and the paired differences behind it."""
    return [
        {
            "name": dataset,
            "title": results.dataset_title(dataset),
            "table": ranking_table(results, look, dataset),
            "pairs": pairs_table(results, dataset),
        }
        for dataset in results.dataset_names
    ]


def ranking_table(results: Results, look: Mapping[str, Look], dataset: str) -> Table:
    metric = results.metric
    unit = metric_unit(metric)
    order = results.in_order(dataset)
    baseline = results.best_baseline(dataset)
    line = results.value(dataset, baseline) if baseline else None
    scale = common_scale([results.score(dataset, model) for model in order])
    label = metric_label(metric) + (f", {unit}" if unit else "")
    columns = [
        Column("Model"),
        Column(
            "Rank",
            number=True,
            tip="1 is best; in small figures the ranks that the significant differences leave room for",
        ),
        Column(label, number=True, tip="higher is better" if higher_is_better(metric) else "lower is better"),
        Column("95 % interval", tip="of the mean", number=True),
        Column("", picture=True, tip="value and interval; the dashed line is the better trivial baseline"),
        Column("Not separable from", tip="models whose difference from this one is not significant"),
        Column("Skill", number=True, tip="1 - error / error of the better trivial baseline"),
        Column(
            "Protocols won",
            number=True,
            tip="share of the study's protocols in which this model ranks first here",
        ),
        Column(
            "Frames",
            number=True,
            tip="frames with a number; in brackets frames that should have one and have none",
        ),
    ]
    rows = []
    for model in order:
        score, rank = results.score(dataset, model), results.rank(dataset, model)
        first = model_cell(results, look, model, dataset)
        if not score or score["value"] is None:
            why = why_not(score["status"]) if score else "no result"
            rows.append([first, Cell(), Cell(why, css="why"), *[Cell()] * 5, frames_cell(score)])
            continue
        place: Cell = Cell()
        ties: Cell = Cell()
        won: Cell = Cell()
        if rank and rank["rank_by_value"] is not None:
            place = value_cell(str(rank["rank_by_value"]), rank["rank_by_value"], "rank")
            if (
                rank["rank_low"] is not None
                and rank["rank_high"] is not None
                and rank["rank_low"] != rank["rank_high"]
            ):
                text = Markup("{} <small>{}–{}</small>").format(
                    rank["rank_by_value"], rank["rank_low"], rank["rank_high"]
                )
                place = Cell(text, rank["rank_by_value"], str(rank["rank_by_value"]), "rank")
            tied = [results.model_title(name) for name in rank["tied_with"] or ()]
            ties = Cell(
                listed(tied) or "all others separable",
                len(tied),
                listed(tied),
                "words" if tied else "words faint",
            )
            won = value_cell(share(rank["protocols_won"]), rank["protocols_won"])
        ends = interval(score["ci_low"], score["ci_high"], metric)
        says = f"{results.model_title(model)}: {metric_value(score['value'], metric)}, interval {ends}"
        rows.append([
            first,
            place,
            number_cell(score, metric, results.low_coverage.get((dataset, model))),
            interval_cell(score, metric),
            Cell(interval_bar(score, look[model], scale, says, line), css="picture"),
            ties,
            value_cell(number(score["skill"], 2), score["skill"], "bad" if (score["skill"] or 0) < 0 else ""),
            won,
            frames_cell(score),
        ])  # fmt: skip
    protocol = results.protocol
    caption = f"{results.dataset_title(dataset)}: {metric_label(metric)} under {protocol}"
    return Table(caption, columns, rows)


def number_cell(score: Mapping[str, Any], metric: str, coverage: float | None) -> Cell:
    """Return a score; beside it the share of the pixels that it is of, where that is low."""
    shown = metric_value(score["value"], metric)
    if coverage is None:
        return value_cell(shown, score["value"], "strong")
    text = Markup('{} <small class="bad">of {:.0f}\u00a0% of the pixels</small>').format(
        shown, 100 * coverage
    )
    return Cell(text, score["value"], shown, "strong", tip="the model gave no answer on the others")


def why_not(status: str | None) -> str:
    """Return a status of the summary in words."""
    return WHY.get(status or "", status or "no result")


def share(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.0f} %"


def interval_cell(score: Mapping[str, Any], metric: str) -> Cell:
    """Return an interval, of a score or of a difference, with its caution where it has one."""
    ends = interval(score["ci_low"], score["ci_high"], metric)
    caution = score["ci_caution"]
    if score["ci_low"] is None or caution in (None, NO_CAUTION):
        return value_cell(ends, score["ci_low"])
    text = Markup("{} <small>{}</small>").format(ends, CAUTIONS.get(caution, caution))
    return Cell(text, score["ci_low"], ends, tip=caution)


def frames_cell(score: Mapping[str, Any] | None) -> Cell:
    if not score:
        return Cell()
    text: str | Markup = count(score["n_frames"])
    if score["n_failed"]:
        text = Markup('{} <small class="bad">({} without)</small>').format(text, count(score["n_failed"]))
    return Cell(text, score["n_frames"], str(score["n_frames"]))


def pairs_table(results: Results, dataset: str) -> Table | None:
    """Return all paired differences of a dataset under the headline protocol and metric."""
    metric = results.metric
    rows = []
    for row in results.comparisons:
        if (row["dataset"], row["protocol"], row["metric"]) != (dataset, results.protocol, metric):
            continue
        certain = row["p_holm"] is not None and row["p_holm"] < 0.05
        rows.append([
            Cell(f"{results.model_title(row['model_a'])} − {results.model_title(row['model_b'])}"),
            value_cell(metric_value(row["difference"], metric), row["difference"], "strong" if certain else ""),
            interval_cell(row, metric),
            value_cell(p_value(row["p"]), row["p"]),
            value_cell(p_value(row["p_holm"]), row["p_holm"], "strong" if certain else ""),
            Cell(row["ci_scope"]),
            value_cell(count(row["n_frames"]), row["n_frames"]),
        ])  # fmt: skip
    if not rows:
        return None
    columns = [
        Column("Pair"),
        Column("Difference", number=True, tip=f"of {metric_label(metric)}, on the same frames"),
        Column("95 % interval", number=True),
        Column("p", number=True, tip="two-sided bootstrap p value"),
        Column("p, Holm", number=True, tip="adjusted over the pairs of this dataset, protocol and metric"),
        Column("For", tip="what interval and p are about; equal models differ on a few sequences, too"),
        Column("Frames", number=True),
    ]
    return Table(f"Paired differences on {results.dataset_title(dataset)}", columns, rows)
