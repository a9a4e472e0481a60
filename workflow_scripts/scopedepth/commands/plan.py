"""``scopedepth plan``: what a study would cost in device time and disk space, and what is cached already."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

from scopedepth.commands import configuration
from scopedepth.config.load import Study
from scopedepth.study.asked import refuse_unfit
from scopedepth.study.forecast import UnitSize, compare_with_actual
from scopedepth.study.forecast_known import forecast_study, prediction_records, prepared_sequences
from scopedepth.study.forecast_text import format_comparison, format_forecast
from scopedepth.study.layout import RESULTS, Job
from scopedepth.study.made_from import MadeFrom
from scopedepth.vocabulary.weights import FINETUNED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    configuration.add_arguments(parser)
    parser.add_argument("--results", type=Path, default=RESULTS, help="the results tree (results)")
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda"),
        default="cuda",
        help="where models that were never timed are assumed to run (cuda)",
    )
    parser.add_argument(
        "--actual", action="store_true", help="compare the forecast with what finished jobs took"
    )


def run(options: argparse.Namespace) -> int:
    """Print the forecast; with --actual, forecast and actual seconds of the jobs that are done."""
    plan = configuration.plan_of(options)
    study = plan.study
    refuse_unfit(plan, MadeFrom(plan, options.results))
    # A prediction that the next run makes again is none that is cached.
    runs = MadeFrom(plan, options.results).runs()
    stale = {
        (unit, model)
        for unit, model in product(study.units, study.models)
        if Job("predict", (unit, model)) in runs
    }
    timing = study.timing["name"] if study.timing else None
    published = {size.unit: size for size in published_sizes(study)}
    forecast = forecast_study(
        options.results,
        study.units,
        study.models,
        timing,
        published,
        options.device,
        corrected=not options.actual,
        stale=stale,
        parameters=study.parameters,
    )
    if options.actual:
        records = prediction_records(options.results, study.units, study.models)
        print(format_comparison(compare_with_actual(forecast, records)))
        return 0
    # The stores of datasets that only views of the study are made from.
    behind = [name for name in study.base_units if name not in study.units]
    bases = forecast_study(options.results, behind, [], None, published)
    total = forecast.dataset_gigabytes + bases.dataset_gigabytes
    print(format_forecast(replace(forecast, dataset_gigabytes=total)))
    for name, model in {**study.base_models, **study.models}.items():
        if model["weights"]["kind"] == FINETUNED:
            recipe = model["weights"]["recipe"]
            size = f"{recipe['steps']} steps of {recipe['batch']} frames"
            print(f"{name} is fine-tuned first, {size}: no figure here holds it.")
    corrupted = len(study.datasets) - len(study.shown_datasets)
    if corrupted:
        print(
            f"{corrupted} corrupted views are predicted and scored as well: nothing is fetched or stored for them."
        )
    if study.spec["frame_pages"]:
        print(
            f"Pages of frames are made beside the report, {study.spec['frame_pages']} and some more of each sequence: "
            "no figure here holds them."
        )
    for name, spec in study.shown_datasets.items():
        if "view_of" in spec:
            print(f"{name} is a view of {spec['view_of']}: nothing is fetched or stored for it.")
        if (said := without_depth(options.results, study, name)) is not None:
            print(f"{name}: {said}: predicted, timed and shown in the report, and in no number.")
    return 0


def without_depth(results: Path, study: Study, dataset: str) -> str | None:
    """Return which frames of a dataset have no depth, as its entry or its stores say; None where none is known of."""
    if study.datasets[dataset].get("depth", {}).get("kind") == "none":
        return "no frame has a reference depth (depth.kind: none)"
    units = [name for name, unit in study.units.items() if unit.dataset == dataset]
    sequences = [one for unit in units for one in prepared_sequences(results, unit).values()]
    frames, without = (sum(one[key] for one in sequences) for key in ("frames", "no_depth"))
    return f"{without} of {frames} frames have no reference depth" if without else None


def published_sizes(study: Study) -> Iterator[UnitSize]:
    """Yield frames and frame size of each unit of which the configuration says them; a view has no store to make."""
    for unit in {**study.base_units, **study.units}.values():
        published = study.dataset(unit.dataset)["published"]
        size = published.get(unit.sequence or "all")
        if size is not None:
            frames = range(size["frames"])[slice(*(unit.frames or (None,)))]
            height, width = size["size"]
            yield UnitSize(unit.name, len(frames), height, width, prepared=unit.base is not None)
