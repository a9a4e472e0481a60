"""Accuracy against speed: the figure that opens the report."""

from __future__ import annotations

from markupsafe import Markup

from scopedepth.report.front import candidates, front
from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.svg import Drawing, Scale
from scopedepth.report.results import Results
from scopedepth.report.words import (
    higher_is_better,
    interval,
    metric_label,
    metric_unit,
    metric_value,
    milliseconds,
)


def speed_chart(
    results: Results, dataset: str, look: dict[str, Look], width: float, height: float
) -> Markup | None:
    """Return the figure of one dataset, or None where no model has both numbers."""
    found = candidates(results, dataset)
    if not found:
        return None
    metric = results.metric
    upwards = higher_is_better(metric)
    unit = metric_unit(metric)
    y_title = (
        f"{metric_label(metric)}{f' ({unit})' if unit else ''}, {'higher' if upwards else 'lower'} is better"
    )
    title = f"{metric_label(metric)} against time a frame on {results.dataset_title(dataset)}"
    told = "; ".join(
        f"{p.title}: {metric_value(p.value, metric)} ({interval(p.low, p.high, metric)}), "
        f"{milliseconds(p.ms)} a frame"
        for p in found
    )
    drawing = Drawing(width, height, title, told)
    narrow = width < 500
    left, right, top, bottom = (
        (46, width - 14, 40, height - 50) if narrow else (56, width - 24, 44, height - 54)
    )
    rate = next((row["realtime_fps"] for row in results.speed.values() if row["realtime_fps"]), None)
    times = [ms for p in found for ms in (p.ms, p.ms_low, p.ms_high) if ms] + ([1000 / rate] if rate else [])
    x = Scale(min(times) / 1.6, max(times) * 2.2, left, right, log=True)
    baseline = results.best_baseline(dataset)
    level = results.value(dataset, baseline) if baseline else None
    ends = [v for p in found for v in (p.value, p.low, p.high, level) if v is not None]
    margin = 0.08 * (max(ends) - min(ends)) or 0.1
    low = max(0.0, min(ends) - margin) if min(ends) >= 0 else min(ends) - margin
    y = Scale(low, max(ends) + margin, bottom, top)
    drawing.y_axis(y, left, y_title, right)
    if rate:
        at = x(1000 / rate)
        drawing.rect(left, top, at - left, bottom - top, "realtime", radius=0)
        drawing.line(at, top, at, bottom, "limit")
        # Inside the shaded side where it is wide enough, else beside it.
        inside = at - left > 110
        side = (at - 6, "end") if inside else (at + 6, "start")
        drawing.text(side[0], top + 14, f"{rate:g} frames a second", "note", side[1])
    drawing.x_axis(
        x,
        bottom,
        "time a frame, ms (logarithmic); further left is faster" if not narrow else "time a frame, ms (log)",
        6,
    )
    boxes: list[Box] = []
    if baseline and level is not None:
        drawing.line(left, y(level), right, y(level), "limit baseline")
        name = f"{shortened(results.model_title(baseline), 30)}, no network at all"
        # Below its line: the frame rate's label is at the top.
        drawing.text(right, y(level) + 14, name, "note", "end")
        boxes.append((right - 6.2 * len(name), y(level) - 2, right, y(level) + 18))
    steps: list[tuple[float, float]] = []
    for point in front(results, found):
        if steps:
            steps.append((x(point.ms), steps[-1][1]))
        steps.append((x(point.ms), y(point.value)))
    drawing.polyline(steps, "front", "models that no other model beats in both accuracy and speed")
    for p in found:
        if p.low is not None and p.high is not None:
            drawing.line(x(p.ms), y(p.low), x(p.ms), y(p.high), f"whisker {look[p.model].css}")
        if p.ms_low and p.ms_high:
            drawing.line(x(p.ms_low), y(p.value), x(p.ms_high), y(p.value), f"whisker {look[p.model].css}")
    boxes += [(x(p.ms) - 7, y(p.value) - 7, x(p.ms) + 7, y(p.value) + 7) for p in found]
    for p in found:
        mark = look[p.model]
        tip = (
            f"{p.title}: {metric_label(metric)} {metric_value(p.value, metric)}, {milliseconds(p.ms)} a frame"
        )
        drawing.mark(x(p.ms), y(p.value), mark.shape, mark.css, tip, 6.5)
    for p in sorted(found, key=lambda p: y(p.value)):
        name = shortened(p.title, 22 if narrow else 40) + (f" {p.seen}" if p.seen else "")
        place(drawing, boxes, x(p.ms), y(p.value), name, (left, top, right, bottom))
    return drawing.render()


def shortened(text: str, most: int) -> str:
    """Return a text cut to so many characters."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


Box = tuple[float, float, float, float]


def place(drawing: Drawing, boxes: list[Box], x: float, y: float, text: str, inside: Box) -> None:
    """Write a mark's name where it overlaps nothing written before; further off where it must be."""
    width, height = 6.7 * len(text), 15.0
    for distance in (0, 14, 26, 38, 50):
        for dx, dy, anchor in (
            (11, -9 - distance, "start"), (11, 10 + distance, "start"), (12, 0, "start"),
            (-11, -9 - distance, "end"), (-11, 10 + distance, "end"),
            (0, 18 + distance, "middle"), (0, -12 - distance, "middle"),
        ):  # fmt: skip
            begin = {"start": x + dx, "end": x + dx - width, "middle": x - width / 2}[anchor]
            box = (begin, y + dy - 8, begin + width, y + dy - 8 + height)
            if box[0] < inside[0] or box[2] > inside[2] + 10 or box[1] < inside[1] or box[3] > inside[3]:
                continue
            if any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in boxes):
                continue
            boxes.append(box)
            if distance > 14:
                drawing.line(x, y, x + dx * 0.8, y + dy, "leader")
            drawing.text(x + dx, y + dy + 4, text, "name", anchor)
            return
    drawing.text(x + 12, y + 4, text, "name")
