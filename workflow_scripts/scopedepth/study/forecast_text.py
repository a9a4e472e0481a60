"""A forecast as a table of text."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from scopedepth.study.forecast import Compared, Cost, Forecast


def format_forecast(forecast: Forecast) -> str:
    """Return one line a model: jobs to do and cached, frames, device hours, gigabytes, and what it rests on."""
    lines = [("model", "jobs", "cached", "frames", "hours", "GB", "rests on")]
    by_model: dict[str, list[Cost]] = {}
    for cost in forecast.costs:
        by_model.setdefault(cost.model, []).append(cost)
    for model, costs in by_model.items():
        to_do = [cost for cost in costs if not cost.cached]
        lines.append(
            (
                model,
                str(len(to_do)),
                str(len(costs) - len(to_do)),
                str(sum(cost.n_frames or 0 for cost in to_do)),
                _hours(sum(cost.seconds or 0.0 for cost in to_do)),
                f"{sum(cost.gigabytes or 0.0 for cost in to_do):.3g}",
                "; ".join(dict.fromkeys(cost.basis for cost in to_do or costs)),
            )
        )
    total = (
        "all",
        str(len(forecast.to_do)),
        str(len(forecast.costs) - len(forecast.to_do)),
        str(sum(cost.n_frames or 0 for cost in forecast.to_do)),
        _hours(3600 * forecast.hours),
        f"{forecast.gigabytes:.3g}",
        "",
    )
    text = _aligned([*lines, total], left=(0, 6))
    if forecast.dataset_gigabytes:
        text += f"\nDataset stores still to be made: {forecast.dataset_gigabytes:.3g} GB at most.\n"
    if forecast.uncounted:
        text += f"\nIn no sum, because their frames are not counted yet: {', '.join(forecast.uncounted)}.\n"
    return text


def format_comparison(compared: Sequence[Compared]) -> str:
    """Return one line a job, forecast and actual seconds, and a line for all together."""
    lines = [("unit", "model", "forecast, s", "actual, s", "actual / forecast")]
    for job in compared:
        lines.append(
            (
                job.unit,
                job.model,
                f"{job.forecast:.1f}",
                f"{job.actual:.1f}",
                f"{job.actual / job.forecast:.2f}",
            )
        )
    forecast, actual = sum(job.forecast for job in compared), sum(job.actual for job in compared)
    if forecast:
        lines.append(("all", "", f"{forecast:.1f}", f"{actual:.1f}", f"{actual / forecast:.2f}"))
    return _aligned(lines, left=(0, 1))


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.3g}"


def _aligned(lines: Sequence[Sequence[str]], left: Collection[int]) -> str:
    """Return lines of cells in columns; the columns numbered in `left` are text, the others numbers."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = ""
    for line in lines:
        cells = [
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        text += "  ".join(cells).rstrip() + "\n"
    return text
