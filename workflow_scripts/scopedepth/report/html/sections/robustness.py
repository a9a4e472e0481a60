"""What corruptions of the image do: error against severity, who stays first, mCE, mRR and DERS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scopedepth.report.html.parts.lines import Line, line_chart, y_range
from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.table import Cell, Column, Table, model_cell, spread_cell, value_cell
from scopedepth.report.html.sections.ranking import why_not
from scopedepth.report.results import Results, Row
from scopedepth.report.words import higher_is_better, metric_label, metric_value, number
from scopedepth.statistics.robustness import CLEAN, NO_METRIC, NO_SEVERITY, FirstPlace, first_places
from scopedepth.vocabulary.corruptions import CORRUPTIONS


def robustness(results: Results, look: Mapping[str, Look]) -> list[dict[str, Any]]:
    """Return for each dataset that was corrupted sentences, a chart a kind, and two tables; headline's protocol."""
    made = []
    for dataset in results.dataset_names:
        rows = [
            row
            for row in results.robustness
            if (row["dataset"], row["protocol"], row["metric"]) == (dataset, results.protocol, results.metric)
        ]
        if not rows:
            continue
        kinds = list(dict.fromkeys(row["kind"] for row in rows if row["kind"] != CLEAN))
        lines = {kind: lines_of(results, look, rows, kind) for kind in kinds}
        every = [line for of_kind in lines.values() for line in of_kind]
        within = y_range(every, from_zero=not higher_is_better(results.metric))
        made.append({
            "dataset": dataset,
            "title": results.dataset_title(dataset),
            "sentences": [sentence(results, place) for place in first_places(rows)],
            "charts": [(label(kind), chart(results, dataset, lines[kind], kind, within)) for kind in kinds],
            "resilience": resilience_table(results, look, dataset),
            "ders": has_ders(resilience_of(results, dataset).values()),
            "table": values_table(results, dataset, rows),
        })  # fmt: skip
    return made


def label(kind: str) -> str:
    """Return what people call a kind of corruption."""
    return CORRUPTIONS[kind].label if kind in CORRUPTIONS else kind.replace("_", " ")


def sentence(results: Results, place: FirstPlace) -> str:
    """Say how long the first model stays first."""
    who, what = results.model_title(place.winner), label(place.kind).lower()
    if place.lost is None:
        said = f"{who} stays first up to severity {place.kept} of {what}, the greatest looked at"
    else:
        other = results.model_title(place.to) if place.to else "no model"
        if place.kept:
            said = f"{who} stays first up to severity {place.kept} of {what}; at severity {place.lost} {other} is first"
        else:
            said = f"{who} loses the first place at severity {place.lost} of {what}, the least looked at, to {other}"
    if place.beaten is None:
        return said + ("." if place.lost is None else "; no model is significantly better than it.")
    return said + f"; at severity {place.beaten} another one is significantly better."


def lines_of(results: Results, look: Mapping[str, Look], rows: Sequence[Row], kind: str) -> list[Line]:
    """Return the headline metric against severity, 0 being the clean frames; a line a model."""
    lines = []
    for model in results.model_names:
        of_model = sorted(
            (row for row in rows if row["model"] == model and row["kind"] in (CLEAN, kind)),
            key=lambda row: row["severity"],
        )
        points = [(float(row["severity"]), row["value"]) for row in of_model]
        spans = [(float(row["severity"]), row["ci_low"], row["ci_high"]) for row in of_model]
        lines.append(Line(results.model_title(model), look[model], points, spans))
    return lines


def chart(
    results: Results, dataset: str, lines: list[Line], kind: str, within: tuple[float, float] | None
) -> Any:
    """Return the chart of a kind, on the range of y that all kinds of the dataset share."""
    return line_chart(
        lines,
        f"{metric_label(results.metric)} against severity of {label(kind).lower()}, {results.dataset_title(dataset)}",
        "severity, 0 is clean",
        metric_label(results.metric),
        within=within,
    )


def resilience_of(results: Results, dataset: str) -> dict[str, Row]:
    """Return the rows of the table `resilience` of a dataset under the headline's protocol, by model."""
    return {
        row["model"]: row
        for row in results.resilience
        if (row["dataset"], row["protocol"]) == (dataset, results.protocol)
    }


def has_ders(rows: Iterable[Row]) -> bool:
    """Return whether the study asked for all that DERS is made of."""
    return any(row["ders_status"] not in (NO_METRIC, NO_SEVERITY) for row in rows)


def resilience_table(results: Results, look: Mapping[str, Look], dataset: str) -> Table | None:
    """Return mCE, mRR, CE of each kind, and DERS where there is one; None where the protocol lacks AbsRel or delta1."""
    found = resilience_of(results, dataset)
    if not found:
        return None
    any_row = next(iter(found.values()))
    baseline = results.model_title(any_row["baseline"])
    columns = [
        Column("Model"),
        Column("mCE, %", number=True, tip=f"mean corruption error against {baseline}; lower is better"),
        Column("mRR, %", number=True, tip="what is left of the clean frames' accuracy; higher is better"),
        Column("DEE, clean", number=True, tip="(AbsRel - δ < 1.25 + 1) / 2; lower is better"),
        *(Column(f"CE, {label(kind).lower()}", number=True, tip=f"{baseline} is 100") for kind in any_row["kinds"]),
    ]  # fmt: skip
    with_ders = has_ders(found.values())
    if with_ders:
        tip = "neither a higher nor a lower one is better; mean over the kinds"
        columns.append(Column("DERS (not monotone)", number=True, tip=tip))
    rows = []
    for model in results.model_names:
        row = found.get(model)
        if row is None:
            continue
        each = row["ce"] or [None] * len(any_row["kinds"])
        rows.append([
            model_cell(results, look, model, dataset),
            *(value_cell(number(row[key], 1), row[key], why=why_not(row["status"])) for key in ("mce", "mrr")),
            value_cell(number(row["dee_clean"], 3), row["dee_clean"], why=why_not(row["status"])),
            *(value_cell(number(value, 1), value, why=why_not(row["status"])) for value in each),
        ])  # fmt: skip
        if with_ders:
            rows[-1].append(value_cell(number(row["ders"], 3), row["ders"], why=why_not(row["ders_status"])))
    return Table(
        f"mCE (against {baseline}) and mRR on {results.dataset_title(dataset)}",
        columns,
        rows,
        parquet="resilience",
    )


def values_table(results: Results, dataset: str, rows: Sequence[Row]) -> Table:
    """Return the headline metric with its interval, a row a kind and severity, a column a model."""
    columns = [
        Column("Corruption"),
        Column("Severity", number=True),
        *(Column(results.model_title(model), number=True) for model in results.model_names),
    ]
    by_view: dict[tuple[str, int], dict[str, Row]] = {}
    for row in rows:
        by_view.setdefault((row["kind"], row["severity"]), {})[row["model"]] = row

    def said(value: float | None) -> str:
        return metric_value(value, results.metric)

    made = []
    for (kind, severity), of_view in by_view.items():
        name = "Clean" if kind == CLEAN else label(kind)
        cells = [Cell(name, name, name), value_cell(str(severity), severity)]
        for model in results.model_names:
            row = of_view.get(model, {})
            ends = row.get("value"), row.get("ci_low"), row.get("ci_high")
            cells.append(spread_cell(*ends, said, why=why_not(row.get("status"))))
        made.append(cells)
    title = results.dataset_title(dataset)
    return Table(
        f"{metric_label(results.metric)} under corruptions, {title}", columns, made, parquet="robustness"
    )
