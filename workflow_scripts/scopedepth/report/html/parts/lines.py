"""Lines of several models over one axis: error against depth, scale over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from scopedepth.report.html.parts.labels import shortened, text_width
from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.svg import Drawing, Scale

Points = Sequence[tuple[float, float | None]]


# Fits a phone's screen unscaled, so that text has one size in all charts.
SIZE = (324.0, 250.0)


@dataclass(frozen=True)
class Line:
    """A model's line; a None in it is a gap. spans: intervals to draw, (x, low, high)."""

    title: str
    look: Look
    points: Points
    spans: Sequence[tuple[float, float | None, float | None]] = ()

    @property
    def levels(self) -> list[float]:
        """All values on the y axis."""
        ends = [end for _, *both in self.spans for end in both]
        return [y for y in (*(y for _, y in self.points), *ends) if y is not None]


def y_range(
    lines: Sequence[Line], from_zero: bool = False, also: Sequence[float] = ()
) -> tuple[float, float] | None:
    """Return the range of y for charts that are compared, None where nothing is drawn.

    The networks make it: trivial baselines are far off, and are drawn at the edge.
    """
    networks = [line for line in lines if not line.look.baseline]
    ys = [y for line in networks if line.levels for y in line.levels] or [
        y for line in lines for y in line.levels
    ]
    if not ys:
        return None
    ys += also
    low = 0.0 if from_zero else min(ys)
    margin = 0.06 * (max(ys) - low) or 0.1
    return (low if from_zero else low - margin), max(ys) + margin


def line_chart(
    lines: Sequence[Line],
    title: str,
    x_label: str,
    y_label: str,
    y_from_zero: bool = False,
    reference: float | None = None,
    marks: bool = True,
    within: tuple[float, float] | None = None,
) -> Markup | None:
    """Return the chart, or None where there is nothing to draw.

    reference: a level to draw across. within: the range of y that it shares with others (`y_range`).
    """
    xs = [x for line in lines for x, y in line.points if y is not None]
    if not xs:
        return None
    width, height = SIZE
    told = "; ".join(
        f"{line.title}: {_told(line.points)}" for line in lines if any(y is not None for _, y in line.points)
    )
    drawing = Drawing(width, height, title, told)
    left, right, top, bottom = 48.0, width - 10, 34.0, height - 46
    x = Scale(min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1, left, right)
    span = within or y_range(lines, y_from_zero, () if reference is None else (reference,))
    assert span is not None
    y = Scale(*span, bottom, top)
    drawing.y_axis(y, left, y_label, right)
    drawing.x_axis(x, bottom, x_label)
    if reference is not None:
        drawing.line(left, y(reference), right, y(reference), "limit")
    beyond = []
    for line in lines:
        there = [v for _, v in line.points if v is not None]
        if there and (max(there) > y.high or min(there) < y.low):
            beyond.append((line, min(there), max(there)))
        if there and (min(there) > y.high or max(there) < y.low):
            continue
        for run in _runs(line.points):
            # What lies beyond runs along the edge.
            drawing.polyline([(x(a), y(y.inside(b))) for a, b in run], f"line {line.look.css}", line.title)
        for a, b, c in line.spans:
            if b is not None and c is not None:
                drawing.line(x(a), y(y.inside(b)), x(a), y(y.inside(c)), f"line span {line.look.css}")
        if marks:
            for a, b in line.points:
                if b is not None and b == y.inside(b):
                    drawing.mark(x(a), y(b), line.look.shape, line.look.css, f"{line.title}: {b:.3g}", 3.6)
    for place, (line, least, most) in enumerate(beyond):
        ends = f"{least:.3g}" if f"{least:.3g}" == f"{most:.3g}" else f"{least:.3g}–{most:.3g}"
        tail = f" {ends} {'↑' if most > y.high else '↓'}"
        text = shortened(line.title, right - left - 8 - text_width(tail)) + tail
        drawing.text(right, top + 12 + 15 * place, text, f"note {line.look.key}", "end")
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
