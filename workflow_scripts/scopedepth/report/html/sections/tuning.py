"""Before and after: each fine-tuned model beside the one that it was made from, and how its training went."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from scopedepth.job.run import read_record
from scopedepth.report.html.parts.lines import Line, line_chart
from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.table import Cell, Column, Table, code, model_cell, value_cell
from scopedepth.report.results import Results
from scopedepth.report.words import count, higher_is_better, metric_label, metric_value, number, p_value
from scopedepth.study.layout import Job
from scopedepth.vocabulary.lineage import LEVELS, MEANINGS
from scopedepth.vocabulary.weights import FINETUNED, tuning_of


def tuning(results: Results, look: Mapping[str, Look]) -> dict[str, Any] | None:
    """Return the tables and the curves, None where no model of the study was fine-tuned from another one of it."""
    pairs = [(base, model) for model in results.model_names if (base := base_of(results, model)) is not None]
    if not pairs:
        return None
    records = {model: training for _, model in pairs if (training := training_of(results, model))}
    return {
        "table": change_table(results, look, pairs),
        "curve": curve(results, look, records),
        "amounts": amounts(results, look, records),
        "training": training_table(results, look, records) if records else None,
    }


def base_of(results: Results, model: str) -> str | None:
    """Return the model of the study that a model was fine-tuned from."""
    weights = results.models[model]["weights"]
    base = weights["base"] if weights["kind"] == FINETUNED else None
    return base if base in results.models else None


def training_of(results: Results, model: str) -> dict[str, Any] | None:
    """Return what the record of a model's training says of it."""
    wanted = Job("finetune", (model,)).path("record").parts[-2:]
    found = (Path(path) for path in results.records)
    record = next((read_record(path) for path in found if path.parts[-2:] == wanted), {})
    training = record.get("training")
    return training if isinstance(training, dict) else None


def change(results: Results, dataset: str, base: str, model: str, protocol: str) -> dict[str, Any]:
    """Return the paired difference, after minus before, with its interval; Nones where there is none."""
    for row in results.comparisons:
        if (row["dataset"], row["protocol"], row["metric"]) != (dataset, protocol, results.metric):
            continue
        if (row["model_a"], row["model_b"]) == (model, base):
            return row
        if (row["model_a"], row["model_b"]) == (base, model):
            low, high = row["ci_high"], row["ci_low"]
            ends = {"ci_low": None if low is None else -low, "ci_high": None if high is None else -high}
            return {**row, "difference": None if row["difference"] is None else -row["difference"], **ends}
    return dict.fromkeys(("difference", "ci_low", "ci_high", "p_holm", "n_frames"))


def change_table(results: Results, look: Mapping[str, Look], pairs: list[tuple[str, str]]) -> Table:
    """Return a row for each dataset, model and protocol, the datasets that came closest in training first."""
    label = metric_label(results.metric)
    columns = [
        Column("Model"), Column("Dataset"), Column("It has seen in training"), Column("Protocol"),
        Column("Before", number=True),
        Column("After", number=True),
        Column("After − before", number=True, tip="on the frames of both, with 95 % interval"),
        Column("p", number=True, tip="adjusted after Holm over all pairs of the dataset"),
        Column("Frames", number=True, tip="frames on which both have a number"),
    ]  # fmt: skip
    order = sorted(
        product(results.dataset_names, pairs),
        key=lambda one: (LEVELS.index(results.seen(one[0], one[1][1])), results.dataset_names.index(one[0])),
    )
    rows = []
    for (dataset, (base, model)), protocol in product(order, results.protocol_names):
        if results.score(dataset, model, protocol) is None:
            continue  # the protocol does not compute the metric
        row = change(results, dataset, base, model, protocol)
        before, after = (results.value(dataset, name, protocol) for name in (base, model))
        rows.append([
            model_cell(results, look, model, dataset),
            Cell(results.dataset_title(dataset)),
            Cell(MEANINGS[results.seen(dataset, model)], css="words"),
            Cell(code(protocol), protocol),
            value_cell(metric_value(before, results.metric), before, why="no number"),
            value_cell(metric_value(after, results.metric), after, why="no number"),
            _change_cell(row, results.metric),
            value_cell(p_value(row["p_holm"]), row["p_holm"], why="not compared"),
            value_cell(count(row["n_frames"]), row["n_frames"], why="not compared"),
        ])  # fmt: skip
    return Table(f"{label} before and after fine-tuning", columns, rows, parquet="comparisons")


def _change_cell(row: Mapping[str, Any], metric: str) -> Cell:
    difference, low, high = row["difference"], row["ci_low"], row["ci_high"]
    if difference is None:
        return Cell(why="not compared")
    text = f"{difference:+.3f}"
    if low is not None and high is not None:
        text += f" ({low:+.3f} to {high:+.3f})"
    worse = difference < 0 if higher_is_better(metric) else difference > 0
    return Cell(text, difference, css="bad" if worse else "", low=low, high=high)


def amounts(
    results: Results, look: Mapping[str, Look], records: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, Any]]:
    """Return for each dataset the headline's metric over the frames learnt from, where several amounts were.

    A line is a base and a recipe, with the mark of the model that learnt from most; it begins with the base, at 0.
    """
    several: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for model, training in records.items():
        weights = tuning_of(results.models[model])
        if weights["folds"] is None:
            several.setdefault((weights["base"], weights["recipe"]["name"]), []).append(
                (training["frames"], model)
            )
    lines: dict[str, list[Line]] = {dataset: [] for dataset in results.dataset_names}
    for (base, recipe), models in several.items():
        if len({count for count, _ in models}) < 2:
            continue
        for dataset, drawn in lines.items():
            points = [
                (float(count), results.value(dataset, model, results.protocol))
                for count, model in sorted([(0, base), *models])
            ]
            drawn.append(Line(f"{results.model_title(base)}, {recipe}", look[max(models)[1]], points))
    label = metric_label(results.metric)
    charts = {
        results.dataset_title(dataset): line_chart(
            drawn, f"{label} on {results.dataset_title(dataset)}", "frames learnt from", label
        )
        for dataset, drawn in lines.items()
    }
    return [(title, chart) for title, chart in charts.items() if chart is not None]


def curve(results: Results, look: Mapping[str, Look], records: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return the loss on the frames that were watched, over the steps; of folds the first one's."""
    lines = [
        Line(
            results.model_title(model) + (", fold 1" if "folds" in training else ""),
            look[model],
            [(float(one["step"]), one["watched_loss"]) for one in training["curve"]],
        )
        for model, training in records.items()
    ]
    return line_chart(lines, "Learning curves", "step", "loss on frames watched", y_from_zero=True)


def training_table(
    results: Results, look: Mapping[str, Look], records: Mapping[str, Mapping[str, Any]]
) -> Table:
    """Return how each training went."""
    columns = [
        Column("Model"), Column("Recipe"), Column("Frames learnt from", number=True), Column("Held out"),
        Column("Parameters that learn", number=True), Column("Step taken", number=True), Column("Steps/s", number=True),
        Column("GPU memory, MiB", number=True), Column("Energy, J", number=True, tip="of a GPU, in the last run alone"),
        Column("Device"),
    ]  # fmt: skip
    rows = []
    every = [
        (model, one, f", fold {number + 1}" if "folds" in training else "")
        for model, training in records.items()
        for number, one in enumerate(training.get("folds", [training]))
    ]
    for model, training, fold in every:
        recipe = tuning_of(results.models[model])["recipe"]
        rows.append([
            model_cell(results, look, model),
            Cell(f"{recipe['name']}, {recipe['steps']} steps of {recipe['batch']}{fold}"),
            value_cell(count(training["frames"]), training["frames"]),
            Cell(", ".join(training["held_out"]) or "nothing", css="words"),
            value_cell(count(training["learning_parameters"]), training["learning_parameters"]),
            value_cell(count(training["chosen_step"]), training["chosen_step"]),
            value_cell(number(training["steps_per_second"], 2), training["steps_per_second"]),
            value_cell(number(training["peak_gpu_mib"], 0), training["peak_gpu_mib"], why="no GPU"),
            value_cell(number(training["energy_joule"], 0), training["energy_joule"], why="not measured"),
            Cell(training["device"]),
        ])  # fmt: skip
    return Table("How training went", columns, rows)
