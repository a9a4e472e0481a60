"""A value with its interval as a small bar within a table's cell, all rows of a table on one scale."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.svg import Drawing, Scale
from scopedepth.report.results import Row

WIDTH, HEIGHT = 184.0, 22.0


def common_scale(rows: Sequence[Row | None], also: Sequence[float] = ()) -> Scale | None:
    """Return the scale on which all intervals of `rows` fit."""
    ends = [row[key] for row in rows if row for key in ("value", "ci_low", "ci_high") if row[key] is not None]
    ends += list(also)
    if not ends:
        return None
    margin = 0.05 * (max(ends) - min(ends)) or 0.05
    return Scale(min(ends) - margin, max(ends) + margin, 8, WIDTH - 8)


def interval_bar(row: Row | None, look: Look, scale: Scale | None, line: float | None = None) -> Markup:
    """Return one row's mark and interval, an arrow at the edge beyond the scale; `line`: a value to draw across."""
    if row is None or row["value"] is None or scale is None:
        return Markup("")
    drawing = Drawing(WIDTH, HEIGHT, "", css="bar")
    middle = HEIGHT / 2
    drawing.line(scale.start, middle, scale.stop, middle, "grid")
    if line is not None and scale.low <= line <= scale.high:
        drawing.line(scale(line), 1, scale(line), HEIGHT - 1, "limit")
    if not scale.low <= row["value"] <= scale.high:
        drawing.arrow(
            scale.stop if row["value"] > scale.high else scale.start,
            middle,
            row["value"] > scale.high,
            look.css,
        )
        return drawing.render()
    if row["ci_low"] is not None and row["ci_high"] is not None:
        low, high = (scale.inside(row[end]) for end in ("ci_low", "ci_high"))
        drawing.line(scale(low), middle, scale(high), middle, f"whisker {look.css}")
    drawing.mark(scale(row["value"]), middle, look.shape, look.css, size=5)
    return drawing.render()
