"""Lines of several models over one axis: error against depth, scale over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.svg import Drawing, Scale

Points = Sequence[tuple[float, float | None]]


@dataclass(frozen=True)
class Line:
    """A model's line; a None in it is a gap. spans: intervals to draw, (x, low, high)."""

    title: str
    look: Look
    points: Points
    spans: Sequence[tuple[float, float | None, float | None]] = ()


def line_chart(
    lines: Sequence[Line],
    title: str,
    x_label: str,
    y_label: str,
    size: tuple[float, float] = (380, 270),
    y_from_zero: bool = False,
    y_log: bool = False,
    reference: float | None = None,
    marks: bool = True,
) -> Markup | None:
    """Return the chart, or None where there is nothing to draw. `reference`: a level to draw across."""
    xs = [x for line in lines for x, y in line.points if y is not None]
    ends = [end for line in lines for _, *both in line.spans for end in both if end is not None]
    ys = (
        [y for line in lines for _, y in line.points if y is not None]
        + ends
        + ([reference] if reference is not None else [])
    )
    if not xs:
        return None
    width, height = size
    told = "; ".join(
        f"{line.title}: {_told(line.points)}" for line in lines if any(y is not None for _, y in line.points)
    )
    drawing = Drawing(width, height, title, told)
    left, right, top, bottom = 48.0, width - 12, 34.0, height - 46
    x = Scale(min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1, left, right)
    if y_log:
        low, high = min(ys) / 1.05, max(ys) * 1.05
        y = Scale(low, high, bottom, top)  # nearly linear about 1, so plain ticks read better
    else:
        low = 0.0 if y_from_zero else min(ys)
        margin = 0.06 * (max(ys) - low) or 0.1
        y = Scale(low if y_from_zero else low - margin, max(ys) + margin, bottom, top)
    drawing.y_axis(y, left, y_label, right)
    drawing.x_axis(x, bottom, x_label)
    if reference is not None:
        drawing.line(left, y(reference), right, y(reference), "limit")
    for line in lines:
        for run in _runs(line.points):
            drawing.polyline([(x(a), y(b)) for a, b in run], f"line {line.look.css}", line.title)
        for a, b, c in line.spans:
            if b is not None and c is not None:
                drawing.line(x(a), y(b), x(a), y(c), f"line span {line.look.css}")
        if marks:
            for a, b in line.points:
                if b is not None:
                    drawing.mark(x(a), y(b), line.look.shape, line.look.css, f"{line.title}: {b:.3g}", 3.6)
    return drawing.render()


def _runs(points: Points) -> list[list[tuple[float, float]]]:
    """Cut a line at its gaps."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y is None:
            runs.append([])
        else:
            runs[-1].append((x, y))
    return [run for run in runs if run]


def _told(points: Points) -> str:
    """Say a line in words: its first, least, greatest and last value."""
    values = [y for _, y in points if y is not None]
    return (
        f"first {values[0]:.3g}, least {min(values):.3g}, greatest {max(values):.3g}, last {values[-1]:.3g}"
    )
