"""``scopedepth plan``: what a study would cost in device time and disk space, and what is cached already."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from scopedepth.commands import configuration
from scopedepth.config.load import Study
from scopedepth.timing.forecast import UnitSize, compare_with_actual
from scopedepth.timing.forecast_text import format_comparison, format_forecast
from scopedepth.timing.known import forecast_study, prediction_records


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    configuration.add_arguments(parser)
    parser.add_argument("--results", type=Path, default=Path("results"), help="the results tree (results)")
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
    study = configuration.plan_of(options).study
    timing = study.timing["name"] if study.timing else None
    forecast = forecast_study(
        options.results,
        study.units,
        study.models,
        timing,
        {size.unit: size for size in published_sizes(study)},
        options.device,
        corrected=not options.actual,
    )
    if options.actual:
        records = prediction_records(options.results, study.units, study.models)
        print(format_comparison(compare_with_actual(forecast, records)))
        return 0
    print(format_forecast(forecast))
    return 0


def published_sizes(study: Study) -> Iterator[UnitSize]:
    """Yield frames and frame size of each unit of which the configuration says them."""
    for unit in study.units.values():
        published = study.datasets[unit.dataset]["published"]
        size = published.get(unit.sequence or "all")
        if size is not None:
            frames = range(size["frames"])[slice(*(unit.frames or (None,)))]
            yield UnitSize(unit.name, len(frames), *size["size"])
