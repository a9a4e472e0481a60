"""Error against depth: how far off each model is near by and far away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scopedepth.report.html.parts.lines import Line, line_chart, y_range
from scopedepth.report.html.parts.marks import Look
from scopedepth.report.results import Results
from scopedepth.statistics.depth_error import FRAMES


def depth_error(results: Results, look: Mapping[str, Look]) -> list[dict[str, Any]]:
    """Return a chart for each dataset, None where no model has errors."""
    lines = {dataset: lines_of(results, look, dataset) for dataset in results.dataset_names}
    within = y_range([line for of_one in lines.values() for line in of_one], from_zero=True)
    return [
        {
            "dataset": dataset,
            "title": results.dataset_title(dataset),
            "chart": dataset_chart(results, dataset, of_one, within),
            "frames": FRAMES,
        }
        for dataset, of_one in lines.items()
    ]


def lines_of(results: Results, look: Mapping[str, Look], dataset: str) -> list[Line]:
    """Return the lines of the table `depth_error`, each bin's error at its middle."""
    rows = [
        row for row in results.depth_error if (row["dataset"], row["protocol"]) == (dataset, results.protocol)
    ]
    lines = []
    for model in results.model_names:
        of_model = sorted((row for row in rows if row["model"] == model), key=lambda row: row["bin"])
        if of_model:
            points = [((row["depth_low"] + row["depth_high"]) / 2, row["abs_rel"]) for row in of_model]
            lines.append(Line(results.model_title(model), look[model], points))
    return lines


def dataset_chart(
    results: Results, dataset: str, lines: list[Line], within: tuple[float, float] | None
) -> Any:
    """Return the chart of a dataset, on the range of y that all datasets share."""
    if not lines:
        return None
    unit = next(row["unit"] for row in results.depth_error if row["dataset"] == dataset)
    label = "reference depth, mm" if unit == "mm" else "reference depth, no known unit"
    title = f"Relative error against depth on {results.dataset_title(dataset)}"
    return line_chart(lines, title, label, "mean |error| / depth", within=within)
