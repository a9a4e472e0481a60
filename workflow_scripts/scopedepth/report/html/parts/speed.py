"""Accuracy against speed: the figure that opens the report."""

from __future__ import annotations

from markupsafe import Markup

from scopedepth.report.front import Candidate, candidates, front
from scopedepth.report.html.parts.labels import (
    Box,
    Label,
    crowded,
    label_marks,
    list_marks,
    shortened,
    text_width,
)
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

# Room for a list of names, where they do not all fit beside their marks.
LIST = {False: 168.0, True: 112.0}


def speed_chart(
    results: Results,
    look: dict[str, Look],
    size: tuple[float, float],
    dataset: str,
    protocol: str,
    metric: str,
) -> Markup | None:
    """Return the figure of a dataset, protocol and metric, or None where no model has both numbers."""
    found = candidates(results, dataset, protocol, metric)
    if not found:
        return None
    narrow = size[0] < 500
    right = size[0] - (14.0 if narrow else 24.0)
    # Beside their marks; where some find no place there, all in a list at the right.
    drawing = _drawn(results, look, size, dataset, protocol, metric, found, right, beside=True)
    if drawing is None:
        right = size[0] - LIST[narrow]
        drawing = _drawn(results, look, size, dataset, protocol, metric, found, right, beside=False)
    assert drawing is not None
    return drawing.render()


def _drawn(
    results: Results, look: dict[str, Look], size: tuple[float, float], dataset: str, protocol: str, metric: str,
    found: list[Candidate], right: float, beside: bool,
) -> Drawing | None:  # fmt: skip
    """Return the figure with its plot up to `right`; None where names that stand beside their marks do not fit."""
    upwards = higher_is_better(metric)
    unit = metric_unit(metric)
    y_title = (
        f"{metric_label(metric)}{f' ({unit})' if unit else ''}, {'higher' if upwards else 'lower'} is better"
    )
    title = (
        f"{metric_label(metric)} under {protocol} against time a frame on {results.dataset_title(dataset)}"
    )
    told = "; ".join(
        f"{p.title}: {metric_value(p.value, metric)} ({interval(p.low, p.high, metric)}), "
        f"{milliseconds(p.ms)} a frame"
        for p in found
    )
    width, height = size
    drawing = Drawing(width, height, title, told)
    narrow = width < 500
    left, top, bottom = (46.0, 40.0, height - 50) if narrow else (56.0, 44.0, height - 54)
    rate = next((row["realtime_fps"] for row in results.speed.values() if row["realtime_fps"]), None)
    times = [ms for p in found for ms in (p.ms, p.ms_low, p.ms_high) if ms] + ([1000 / rate] if rate else [])
    x = Scale(min(times) / 1.6, max(times) * 1.6, left, right, log=True)
    # The networks alone make the axis: a trivial baseline far off would press them together.
    ends = [v for p in found for v in (p.value, p.low, p.high) if v is not None]
    baseline = results.best_baseline(dataset, protocol, metric)
    level = results.value(dataset, baseline, protocol, metric) if baseline else None
    span = max(ends) - min(ends) or 0.1
    near = level is not None and min(ends) - 0.3 * span <= level <= max(ends) + 0.3 * span
    if near and level is not None:
        ends.append(level)
    margin = 0.08 * (max(ends) - min(ends)) or 0.1
    low = max(0.0, min(ends) - margin) if min(ends) >= 0 else min(ends) - margin
    y = Scale(low, max(ends) + margin, bottom, top)
    drawing.y_axis(y, left, y_title, right)
    taken: list[Box] = []
    said, begin = "", 0.0
    if rate:
        at = x(1000 / rate)
        drawing.rect(left, top, at - left, bottom - top, "realtime", radius=0)
        drawing.line(at, top, at, bottom, "limit")
        said = f"{rate:g} frames a second"
        # At the left of its line where it fits into the plot, else at its right; on the axis, below all marks.
        begin = at - 6 - text_width(said) if at - left > text_width(said) + 8 else at + 6
        begin = min(begin, width - text_width(said))
        taken.append((begin, bottom - 19, begin + text_width(said), bottom))
    drawing.x_axis(
        x,
        bottom,
        "time a frame, ms (logarithmic); further left is faster" if not narrow else "time a frame, ms (log)",
        6 if right - left > 260 else 3,
    )
    if baseline and level is not None:
        taken.append(_level(drawing, results.model_title(baseline), level, metric, y, (left, right), near))
    steps: list[tuple[float, float]] = []
    for point in front(results, found, metric):
        if steps:
            steps.append((x(point.ms), steps[-1][1]))
        steps.append((x(point.ms), y(point.value)))
    drawing.polyline(steps, "front", "models that no other model beats in both accuracy and speed")
    labels = []
    for p in found:
        mark, at_x, at_y = look[p.model], x(p.ms), y(p.value)
        if p.low is not None and p.high is not None:
            drawing.line(at_x, y(p.low), at_x, y(p.high), f"whisker {mark.css}")
        if p.ms_low and p.ms_high:
            drawing.line(x(p.ms_low), at_y, x(p.ms_high), at_y, f"whisker {mark.css}")
        taken.append((at_x - 7, at_y - 7, at_x + 7, at_y + 7))
        labels.append(Label(at_x, at_y, p.title, mark.key, p.seen))
    inside = (left + 2, top, width if not beside else right + 14, bottom)
    if beside and crowded(labels, taken, inside):
        return None
    if beside:
        label_marks(drawing, labels, taken, inside)
    else:
        list_marks(drawing, labels, (top, bottom), right + 12)
    # Over the lines that lead to names, which it may lie in the way of.
    if said:
        drawing.text(begin, bottom - 6, said, "note")
    for p in found:
        mark = look[p.model]
        tip = (
            f"{p.title}: {metric_label(metric)} {metric_value(p.value, metric)}, {milliseconds(p.ms)} a frame"
        )
        drawing.mark(x(p.ms), y(p.value), mark.shape, mark.css, tip, 6.5)
    return drawing


def _level(
    drawing: Drawing, title: str, level: float, metric: str, y: Scale, ends: tuple[float, float], near: bool
) -> Box:
    """Draw the better baseline's level, or where it is far off say its value at the edge; returns the text's box."""
    left, right = ends
    top, bottom = y.stop, y.start
    above = level > y.high
    at = y(level) if near else top if above else bottom
    room = right - left - 8
    if near:
        drawing.line(left, at, right, at, "limit baseline")
        said = shortened(f"{title}, no network at all", room)
    else:
        arrow = "↑" if above else "↓"
        tail = f" {metric_value(level, metric)} {arrow}"
        said = shortened(f"{title}, no network at all", room - text_width(tail)) + tail
    # Below its line: above it, the axis has its title.
    base = at + 14 if near or above else at - 22
    width = text_width(said)
    drawing.text(right - 2, base, said, "note", "end")
    return (right - 2 - width, base - 14, right, base + 4)
