"""Frames to look at, chosen by a rule: the best, the median and the worst of a dataset, and each model's own worst.

Of frames without a reference depth, which have no number, the first, the middle and the last are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError
from scopedepth.report.frames.chosen import Chosen, address, notable, spread
from scopedepth.report.html.parts.aligned import Frames
from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.pictures import DEPTH_MAP, ERROR_MAP, mapped, photograph
from scopedepth.report.html.parts.svg import tick_text
from scopedepth.report.results import Results
from scopedepth.report.words import higher_is_better, metric_label, metric_value, significant
from scopedepth.vocabulary.flags import BORDER, FRAME_NO_DEPTH
from scopedepth.vocabulary.reasons import WORDS
from scopedepth.vocabulary.units import dataset_of

# Frames without depth that are shown of a dataset.
UNSCORED = 3
# The page must be fit for mail: with more pictures, smaller ones.
SIDES = ((240, 384), (600, 288), (1200, 200), (10**9, 96))


def values_by_frame(results: Results, dataset: str) -> dict[tuple[str, int], dict[str, float]]:
    """Return the headline metric by (sequence, frame) and model, frames without a number left out."""
    cache: dict[str, dict[tuple[str, int], dict[str, float]]] = results.__dict__.setdefault(
        "_frame_values", {}
    )
    if dataset in cache:
        return cache[dataset]
    table = results.frames([results.metric], dataset=dataset, protocol=results.protocol)
    found: dict[tuple[str, int], dict[str, float]] = {}
    columns = [table[key].cast(pa.string()).to_pylist() for key in ("sequence", "model")]
    for sequence, model, frame, value in zip(
        *columns, table["frame"].to_pylist(), table[results.metric].to_pylist(), strict=True
    ):
        if value is not None:
            found.setdefault((sequence, frame), {})[model] = value
    cache[dataset] = found
    return found


def choose(results: Results, dataset: str) -> list[Chosen]:
    """Return the frames of a dataset: best, median, worst by the median over networks; then each network's worst."""
    values = values_by_frame(results, dataset)
    names, networks = results.model_names, results.networks
    chosen = notable(values, names, networks, higher_is_better(results.metric))
    everyone = tuple(results.in_order(dataset))
    return [one if one.why == "own" else replace(one, models=everyone) for one in chosen]


def gallery(results: Results, look: Mapping[str, Look]) -> list[dict[str, Any]]:
    """Return for each dataset its frames with their pictures, and the models' worst frames."""
    frames = Frames(results)
    plans = {dataset: choose(results, dataset) for dataset in results.dataset_names}
    bare = {dataset: without_depth(frames, dataset) for dataset in results.dataset_names}
    pictures = sum(2 + 2 * len(one.models) for chosen in plans.values() for one in chosen)
    pictures += sum(len(found) for found, _ in bare.values()) * (1 + len(results.model_names))
    side = next(size for most, size in SIDES if pictures <= most)
    made = []
    for dataset, chosen in plans.items():
        shown = [frame for one in chosen if (frame := draw(results, look, frames, dataset, one, side))]
        made.append({
            "dataset": dataset,
            "title": results.dataset_title(dataset),
            "frames": [frame for frame in shown if frame["why"] != "own"],
            "own": [frame for frame in shown if frame["why"] == "own"],
            "bare": [draw_bare(results, look, frames, place, side) for place in bare[dataset][0]],
            "bare_count": bare[dataset][1],
            "pages": first_page(results, frames, dataset),
        })  # fmt: skip
    return made


def draw(
    results: Results, look: Mapping[str, Look], frames: Frames, dataset: str, chosen: Chosen, side: int
) -> dict[str, Any] | None:
    """Return one frame's pictures, all depths on one colour scale and all errors on one; None without a store."""
    place = frames.scored.place(dataset, chosen.sequence, chosen.frame)
    if place is None:
        return None
    unit, at = place
    sequence = frames.scored.dataset(unit).sequences[chosen.sequence]
    try:
        depth, flags, rgb, _ = frames.scored.reference(unit, chosen.sequence, at)
        name = sequence.frame_ids()[at]
    except (ScopeDepthError, IndexError):
        return None
    aligned = {model: frames.aligned(unit, model, chosen.sequence, at) for model in chosen.models}
    counted = next((one.valid for one in aligned.values() if one.valid is not None), np.isfinite(depth))
    reference = depth[counted] if counted.any() else depth[np.isfinite(depth)]
    low, high = (float(v) for v in np.percentile(reference, [1, 99])) if reference.size else (0.0, 1.0)
    errors = {model: one.error for model, one in aligned.items()}
    most = error_scale([e for e in errors.values() if e is not None])
    unit_name = " mm" if sequence.units == "mm" else ""
    values = values_by_frame(results, dataset).get((chosen.sequence, chosen.frame), {})
    items = []
    for model, one in aligned.items():
        error = errors[model]
        value = values.get(model)
        items.append({
            "model": model,
            "title": results.model_title(model),
            "icon": look[model].icon,
            "seen": results.mark(dataset, model),
            "value": metric_value(value, results.metric),
            "missing": "" if one.depth is not None else WORDS.get(one.status, one.status),
            "depth": mapped(inside(one.depth, flags), low, high, DEPTH_MAP, side) if one.depth is not None else None,
            "error": mapped(error, 0.0, most, ERROR_MAP, side) if error is not None else None,
        })  # fmt: skip
    return {
        "id": f"{dataset}-{chosen.why}-{chosen.models[0] if chosen.why == 'own' else 'all'}",
        "why": chosen.why,
        "sequence": chosen.sequence,
        "frame": chosen.frame,
        "name": name,
        "page": page_of(results, frames, dataset, chosen.sequence, chosen.frame, chosen.models, True),
        "value": metric_value(chosen.value, results.metric),
        "metric": metric_label(results.metric),
        "ratio": f"{sequence.width} / {sequence.height}",
        "image": photograph(rgb, side),
        "depth": mapped(depth, low, high, DEPTH_MAP, side),
        "low": f"{significant(low)}{unit_name}",
        "high": f"{significant(high)}{unit_name}",
        "most": f"{tick_text(100 * most)} %",
        "items": items,
    }


def without_depth(frames: Frames, dataset: str) -> tuple[list[tuple[str, str, int]], int]:
    """Return the first, middle and last frame without depth, (unit, sequence, place), and how many there are."""
    found: list[tuple[str, str, int]] = []
    for unit in frames.scored.places.stores:
        if dataset_of(unit) != dataset:
            continue
        try:
            for name, sequence in frames.scored.dataset(unit).sequences.items():
                places = np.flatnonzero(sequence.status() == FRAME_NO_DEPTH)
                found += [(unit, name, int(place)) for place in places]
        except ScopeDepthError:
            continue
    picked = dict.fromkeys(int(at) for at in np.linspace(0, len(found) - 1, UNSCORED)) if found else {}
    return [found[at] for at in picked], len(found)


def draw_bare(
    results: Results, look: Mapping[str, Look], frames: Frames, place: tuple[str, str, int], side: int
) -> dict[str, Any]:
    """Return the pictures of a frame without depth: each model's output on a scale of its own, near is bright."""
    unit, name, at = place
    sequence = frames.scored.dataset(unit).sequences[name]
    rgb, flags = sequence.rgb(at, at + 1)[0], sequence.flags(at, at + 1)[0]
    items = []
    for model in results.model_names:
        raw = frames.raw(unit, model, name, at)
        picture = None
        if raw.output is not None:
            rows, columns = (
                ((np.arange(count) + 0.5) * of / count).astype(np.int64)
                for count, of in zip(raw.output.shape, flags.shape, strict=True)
            )
            shown = inside(-raw.output if raw.turned else raw.output, flags[rows[:, None], columns[None, :]])
            finite = shown[np.isfinite(shown)]
            low, high = np.percentile(finite, [2, 98]) if finite.size else (0.0, 1.0)
            picture = mapped(shown, float(low), float(high), DEPTH_MAP, side)
        items.append({
            "icon": look[model].icon,
            "title": results.model_title(model),
            "missing": "" if picture is not None else WORDS.get(raw.status, raw.status),
            "depth": picture,
        })  # fmt: skip
    return {
        "sequence": name,
        "frame": sequence.first_frame + at,
        "name": sequence.frame_ids()[at],
        "page": page_of(
            results, frames, dataset_of(unit), name, sequence.first_frame + at, results.model_names
        ),
        "ratio": f"{sequence.width} / {sequence.height}",
        "image": photograph(rgb, side),
        "items": items,
    }


def page_of(
    results: Results,
    frames: Frames,
    dataset: str,
    sequence: str,
    frame: int,
    models: Sequence[str],
    notable: bool = False,
) -> str:
    """Return where a frame stands in the pages beside the report; empty where it does not.

    notable: it is one of those that the pages show beside the evenly spaced ones.
    """
    at_most = results.study.get("frame_pages")
    if not at_most:
        return ""
    units = [unit for unit in frames.scored.places.stores if dataset_of(unit) == dataset]
    parts = [part for unit in units if (part := frames.scored.dataset(unit).sequences.get(sequence))]
    place = frame - min(part.first_frame for part in parts)
    if not notable and place not in spread(sum(part.n_frames for part in parts), at_most):
        return ""
    return address(dataset, sequence, frame, models, results.protocol)


def first_page(results: Results, frames: Frames, dataset: str) -> str:
    """Return where a dataset begins in the pages beside the report; empty where there are none."""
    units = [unit for unit in frames.scored.places.stores if dataset_of(unit) == dataset]
    if not units:
        return ""
    name, part = next(iter(frames.scored.dataset(units[0]).sequences.items()))
    return page_of(results, frames, dataset, name, part.first_frame, results.in_order(dataset))


def inside(depth: NDArray[np.floating], flags: NDArray[np.uint8]) -> NDArray[np.floating]:
    """Return a prediction without the black border of the picture, where there is nothing to predict."""
    return np.where(flags & BORDER, np.nan, depth)


def error_scale(errors: list[NDArray[np.float64]]) -> float:
    """Return the end of a frame's error scale: a round number near the 95th percentile of all models' errors."""
    values = [e[np.isfinite(e)] for e in errors]
    joined = np.concatenate(values) if values else np.empty(0)
    if not joined.size:
        return 0.5
    top = float(np.percentile(joined, 95))
    return next((step for step in (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0) if step >= top), 1.0)
