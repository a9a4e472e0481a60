"""Where each network stands between accuracy and speed: on the front, or behind whom."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from scopedepth.report.front import Candidate, candidates, places
from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.table import Cell, Column, Table, model_cell, spread_cell
from scopedepth.report.results import Results
from scopedepth.report.words import listed, metric_label, metric_value, significant
from scopedepth.statistics.pareto import Place


def fronts(results: Results, look: Mapping[str, Look]) -> list[dict[str, Any]]:
    """Return a table for each dataset on which some network has both numbers."""
    made = []
    for dataset in results.dataset_names:
        found = candidates(results, dataset)
        if found:
            title = results.dataset_title(dataset)
            made.append(
                {"dataset": dataset, "title": title, "table": front_table(results, look, dataset, found)}
            )
    return made


def front_table(results: Results, look: Mapping[str, Look], dataset: str, found: list[Candidate]) -> Table:
    """Return one row a network, the fastest first."""
    metric = results.metric
    place = places(results, found)
    rows = []
    for one in sorted(found, key=lambda one: one.ms):
        rows.append([
            model_cell(results, look, one.model, dataset),
            spread_cell(one.ms, one.ms_low, one.ms_high, significant),
            spread_cell(one.value, one.low, one.high, partial(metric_value, metric=metric)),
            Cell(place_words(results, place.get(one.model)), css="words"),
        ])  # fmt: skip
    columns = [
        Column("Model"),
        Column("Time a frame, ms", number=True, tip="end to end, with its 95 % interval"),
        Column(metric_label(metric), number=True, tip="with its 95 % interval"),
        Column(
            "Place",
            tip="on the front: no other network with all its frames is as good in both and better in one",
        ),
    ]
    return Table(
        f"Networks on {results.dataset_title(dataset)}, the fastest first; {metric_label(metric)} under "
        f"{results.protocol}",
        columns,
        rows,
        parquet="timing",
    )


def place_words(results: Results, place: Place | None) -> str:
    """Return a place in words; what holds only for the values, and not for their intervals, is said to."""
    if place is None:
        return "not compared: some frames have no number"
    if place.on_front:
        return "on the front"
    titles = listed([results.model_title(name) for name in place.surely_dominated_by or place.dominated_by])
    return f"behind {titles}" if place.certain else f"behind {titles}, but the intervals leave it open"
