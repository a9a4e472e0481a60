"""Error against depth: how far off each model is near by and far away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from scopedepth.errors import ScopeDepthError
from scopedepth.report.aligned import Frames
from scopedepth.report.charts.lines import Line, line_chart
from scopedepth.report.marks import Look
from scopedepth.report.results import Results

# The report looks at a sample: enough for a curve, little enough to be drawn in seconds.
FRAMES = 24
BINS = 10
PIXELS = 20_000  # of each frame, evenly spaced


def depth_error(results: Results, look: Mapping[str, Look]) -> list[dict[str, Any]]:
    """Return a chart for each dataset, None where predictions are missing."""
    frames = Frames(results)
    return [
        {
            "dataset": dataset,
            "title": results.dataset_title(dataset),
            "chart": dataset_chart(results, look, frames, dataset),
            "frames": FRAMES,
        }
        for dataset in results.dataset_names
    ]


def sample(results: Results, dataset: str) -> list[tuple[str, int]]:
    """Return evenly spaced frames of a dataset: the same for every model."""
    table = results.frames([], dataset=dataset, protocol=results.protocol)
    plain = pa.table({"sequence": table["sequence"].cast(pa.string()), "frame": table["frame"]})
    rows = plain.group_by(["sequence", "frame"]).aggregate([]).to_pylist()
    keys = sorted((row["sequence"], row["frame"]) for row in rows)
    if len(keys) <= FRAMES:
        return keys
    return [keys[int((i + 0.5) * len(keys) / FRAMES)] for i in range(FRAMES)]


def dataset_chart(results: Results, look: Mapping[str, Look], frames: Frames, dataset: str) -> Any:
    depths: dict[str, list[np.ndarray]] = {}
    errors: dict[str, list[np.ndarray]] = {}
    unit_name = ""
    for sequence, frame in sample(results, dataset):
        place = frames.place(dataset, sequence, frame)
        if place is None:
            continue
        unit, at = place
        store = frames.dataset(unit)
        assert store is not None
        unit_name = store.sequences[sequence].units
        try:
            depth = frames.reference(unit, sequence, at)[0]
        except ScopeDepthError:
            continue  # a damaged store: nothing of this frame can be drawn
        for model in results.model_names:
            one = frames.aligned(unit, model, sequence, at)
            if one.depth is None or one.valid is None:
                continue
            where = np.flatnonzero(one.valid)
            where = where[:: max(1, len(where) // PIXELS)]
            true, said = depth.flat[where].astype(np.float64), one.depth.flat[where].astype(np.float64)
            depths.setdefault(model, []).append(true)
            errors.setdefault(model, []).append(np.abs(said - true) / true)
    if not depths:
        return None
    everything = np.concatenate([part for parts in depths.values() for part in parts])
    if not everything.size:
        return None
    edges = np.unique(np.quantile(everything, np.linspace(0, 1, BINS + 1)))
    lines = []
    for model in results.model_names:
        if model in depths:
            points = binned(np.concatenate(depths[model]), np.concatenate(errors[model]), edges)
            lines.append(Line(results.model_title(model), look[model], points))
    label = "reference depth, mm" if unit_name == "mm" else "reference depth, no known unit"
    return line_chart(
        lines, f"Relative error against depth on {results.dataset_title(dataset)}", label, "mean |error| / depth",
        y_from_zero=True,
    )  # fmt: skip


def binned(depth: np.ndarray, error: np.ndarray, edges: np.ndarray) -> list[tuple[float, float | None]]:
    """Return (middle of a bin, mean error) for each bin between `edges`; None where a bin is empty."""
    if len(edges) < 2:
        return []
    index = np.clip(np.searchsorted(edges, depth, side="right") - 1, 0, len(edges) - 2)
    counts = np.bincount(index, minlength=len(edges) - 1)
    sums = np.bincount(index, weights=error, minlength=len(edges) - 1)
    middles = (edges[:-1] + edges[1:]) / 2
    return [(float(m), float(s / n) if n else None) for m, s, n in zip(middles, sums, counts, strict=True)]
