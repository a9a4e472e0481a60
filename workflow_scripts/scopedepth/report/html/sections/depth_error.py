"""Error against depth: how far off each model is near by and far away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scopedepth.report.html.parts.lines import Line, line_chart
from scopedepth.report.html.parts.marks import Look
from scopedepth.report.results import Results
from scopedepth.statistics.depth_error import FRAMES


def depth_error(results: Results, look: Mapping[str, Look]) -> list[dict[str, Any]]:
    """Return a chart for each dataset, None where no model has errors."""
    return [
        {
            "dataset": dataset,
            "title": results.dataset_title(dataset),
            "chart": dataset_chart(results, look, dataset),
            "frames": FRAMES,
        }
        for dataset in results.dataset_names
    ]


def dataset_chart(results: Results, look: Mapping[str, Look], dataset: str) -> Any:
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
    if not lines:
        return None
    label = "reference depth, mm" if rows[0]["unit"] == "mm" else "reference depth, no known unit"
    return line_chart(
        lines, f"Relative error against depth on {results.dataset_title(dataset)}", label, "mean |error| / depth",
        y_from_zero=True,
    )  # fmt: skip
