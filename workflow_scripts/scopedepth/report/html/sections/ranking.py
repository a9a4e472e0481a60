"""The ranking of a dataset by a protocol and metric, with intervals and letters for what is not told apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from scopedepth.report.html.parts.intervals import common_scale, interval_bar
from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.svg import Scale
from scopedepth.report.html.parts.table import Cell, Column, Table, model_cell, table_html, value_cell
from scopedepth.report.letters import letters
from scopedepth.report.results import Results, Row
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
from scopedepth.vocabulary.intervals import FEW_FRAMES_CAUTION, FEW_SEQUENCES_CAUTION, NO_CAUTION
from scopedepth.vocabulary.reasons import WORDS

WHY = {
    "not_applicable": "not applicable to this output",
    "no_unit": "the depth has no unit",
    "undefined": "not defined on these frames",
    "incomplete": "some frames have no number",
    "failed_prediction": "the model failed",
    "no_interval": "too few frames",
}
# What stands beside an interval.
CAUTIONS = {FEW_FRAMES_CAUTION: "likely too narrow", FEW_SEQUENCES_CAUTION: "few long sequences outweigh"}


def ranking_panel(
    results: Results, look: Mapping[str, Look], dataset: str, protocol: str, metric: str
) -> Markup | None:
    """Return the ranking of a dataset by a protocol and metric; None where the protocol lacks the metric."""
    title = results.dataset_title(dataset)
    if not any(results.score(dataset, model, protocol, metric) for model in results.model_names):
        computed = metric in results.metrics_by_protocol.get(protocol, set())
        return Markup('<p class="missing">{}: no results.</p>').format(title) if computed else None
    lead = Markup(
        "<h3>{}</h3><p class=\"lead\">By {} ({} is better) under <a href=\"#protocols\"><code>{}</code></a> ({}).</p>"
    ).format(
        results.dataset_title(dataset), metric_label(metric), "higher" if higher_is_better(metric) else "lower",
        protocol, results.protocol_words(protocol),
    )  # fmt: skip
    return lead + table_html(ranking_table(results, look, dataset, protocol, metric))


def standing_panel(
    results: Results, look: Mapping[str, Look], dataset: str, protocol: str, metric: str
) -> Markup | None:
    """Return the ranked models of a dataset with their intervals, best first, to open a report without speeds."""
    scored, scale, line = _on_one_scale(results, dataset, protocol, metric)
    rows = [
        [
            model_cell(results, look, model, dataset),
            Cell(interval_bar(score, look[model], scale, line), css="picture"),
            number_cell(score, metric, None),
        ]
        for model, score in scored.items()
        if score and (rank := results.rank(dataset, model, protocol, metric)) and rank["rank_by_value"]
    ]
    if not rows:
        return None
    caption = f"{results.dataset_title(dataset)}: {metric_label(metric)} under {protocol}"
    columns = [Column("Model"), Column("", picture=True), Column(metric_label(metric), number=True)]
    return table_html(Table(caption, columns, rows, tools=False, css="standing"))


def _on_one_scale(
    results: Results, dataset: str, protocol: str, metric: str
) -> tuple[dict[str, Row | None], Scale | None, float | None]:
    """Return the models' scores in their order, the scale of their bars, and the better trivial baseline's value."""
    baseline = results.best_baseline(dataset, protocol, metric)
    line = results.value(dataset, baseline, protocol, metric) if baseline else None
    order = results.in_order(dataset, protocol, metric)
    scored = {model: results.score(dataset, model, protocol, metric) for model in order}
    # A trivial baseline does not stretch the axis: beyond it, it is drawn at the edge, and its row says its value.
    networks = [score for model, score in scored.items() if not results.is_baseline(model)]
    return scored, common_scale(networks) or common_scale(list(scored.values())), line


def ranking_table(
    results: Results, look: Mapping[str, Look], dataset: str, protocol: str, metric: str
) -> Table:
    unit = metric_unit(metric)
    scored, scale, line = _on_one_scale(results, dataset, protocol, metric)
    order = list(scored)
    label = metric_label(metric) + (f", {unit}" if unit else "")
    columns = [
        Column("Model"),
        Column(
            "Rank",
            number=True,
            tip="1 is best; in small figures the ranks that the significant differences leave room for",
        ),
        Column("Letters", tip="models that share a letter are not told apart (Holm)"),
        Column(label, number=True, tip="higher is better" if higher_is_better(metric) else "lower is better"),
        Column("95 % interval", tip="of the mean", number=True, picture=True),
        Column("", picture=True, tip="value and interval; the dashed line is the better trivial baseline"),
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
    ranks = {model: row for model in order if (row := results.rank(dataset, model, protocol, metric))}
    ranked = [model for model in order if model in ranks and ranks[model]["rank_by_value"] is not None]
    shared = letters(ranked, {model: set(ranks[model]["tied_with"] or ()) for model in ranked})
    low = results.low_coverage if protocol == results.protocol else {}
    rows = []
    for model in order:
        score, rank = scored[model], ranks.get(model)
        first = model_cell(results, look, model, dataset)
        if not score or score["value"] is None:
            why = why_not(score["status"]) if score else "no result"
            rows.append([first, *BLANK[:2], Cell(why, css="why"), *BLANK, frames_cell(score)])
            continue
        place, same = Cell(why="not ranked"), Cell("")
        if rank and rank["rank_by_value"] is not None:
            place = rank_cell(rank)
            tied = [results.model_title(name) for name in rank["tied_with"] or ()]
            tip = f"not told apart from {listed(tied)}" if tied else "told apart from all others"
            same = Cell(shared[model], shared[model], css="letters", tip=tip)
        no_skill = "higher is better" if higher_is_better(metric) else "not ranked, or no baseline"
        won = rank["protocols_won"] if rank else None
        rows.append([
            first,
            place,
            same,
            number_cell(score, metric, low.get((dataset, model))),
            interval_cell(score, metric),
            Cell(interval_bar(score, look[model], scale, line), css="picture"),
            value_cell(
                number(score["skill"], 2), score["skill"], "bad" if (score["skill"] or 0) < 0 else "", why=no_skill
            ),
            value_cell(share(won), won, why="not ranked"),
            frames_cell(score),
        ])  # fmt: skip
    caption = f"{results.dataset_title(dataset)}: {metric_label(metric)} under {protocol}"
    return Table(caption, columns, rows, css="ranking", parquet="summary")


# Cells of a row whose reason stands in another one.
BLANK = [Cell("")] * 4


def rank_cell(rank: Mapping[str, Any]) -> Cell:
    """Return a rank, in small figures below it the ranks that the significant differences leave room for."""
    place, low, high = (rank[key] for key in ("rank_by_value", "rank_low", "rank_high"))
    if low is None or high is None or low == high:
        return Cell(str(place), place, css="rank", low=low, high=high)
    text = Markup("{} <small>{}–{}</small>").format(place, low, high)
    return Cell(text, place, css="rank", low=low, high=high)


def number_cell(score: Mapping[str, Any], metric: str, coverage: float | None) -> Cell:
    """Return a score; beside it the share of the pixels that it is of, where that is low."""
    shown = metric_value(score["value"], metric)
    if coverage is None:
        return Cell(shown, score["value"], css="strong", low=score["ci_low"], high=score["ci_high"])
    text = Markup('{} <small class="bad">of {:.0f}\u00a0% of the pixels</small>').format(
        shown, 100 * coverage
    )
    tip = "the model gave no answer on the others"
    return Cell(text, score["value"], css="strong", tip=tip, low=score["ci_low"], high=score["ci_high"])


def why_not(status: str | None) -> str:
    """Return a status of the summary in words."""
    return WHY.get(status or "", WORDS.get(status or "", status or "no result"))


def share(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.0f} %"


def interval_cell(score: Mapping[str, Any], metric: str) -> Cell:
    """Return an interval, of a score or of a difference, with its caution where it has one."""
    ends = interval(score["ci_low"], score["ci_high"], metric)
    caution = score["ci_caution"]
    if score["ci_low"] is None or caution in (None, NO_CAUTION):
        if score["ci_low"] is None:
            return Cell(why="frames failed" if score["status"] == "incomplete" else "too few frames")
        return Cell(ends)
    text = Markup("{} <small>{}</small>").format(ends, CAUTIONS.get(caution, caution))
    return Cell(text, tip=caution)


def frames_cell(score: Mapping[str, Any] | None) -> Cell:
    if not score:
        return Cell(why="no result")
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
            difference_cell(row, metric, "strong" if certain else ""),
            interval_cell(row, metric),
            value_cell(p_value(row["p"]), row["p"], why=why_not(row["status"])),
            value_cell(
                p_value(row["p_holm"]), row["p_holm"], "strong" if certain else "", why=why_not(row["status"])
            ),
            Cell(row["ci_scope"]),
            value_cell(count(row["n_frames"]), row["n_frames"], why=why_not(row["status"])),
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
    title = f"Paired differences on {results.dataset_title(dataset)}: {metric_label(metric)} under {results.protocol}"
    return Table(title, columns, rows, parquet="comparisons")


def difference_cell(row: Mapping[str, Any], metric: str, css: str) -> Cell:
    """Return a paired difference with its interval for the CSV, or why there is none."""
    if row["difference"] is None:
        return Cell(why=why_not(row["status"]))
    said = metric_value(row["difference"], metric)
    return Cell(said, row["difference"], css=css, low=row["ci_low"], high=row["ci_high"])
