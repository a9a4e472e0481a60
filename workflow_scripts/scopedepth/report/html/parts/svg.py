"""Small charts as inline SVG: crisp, themed by the page's style sheet, readable by a screen reader.

Colours are classes, so that light, dark and print change them without touching a chart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round numbers within [low, high], about so many."""
    if not high > low:
        return [low]
    rough = (high - low) / max(1, about)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2, 5, 10, … within [low, high]."""
    ticks = []
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        ticks += [factor * 10.0**power for factor in (1, 2, 5)]
    inside = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    return inside if len(inside) <= 7 else [tick for tick in inside if f"{tick:e}"[0] == "1"]


@dataclass(frozen=True)
class Scale:
    """Maps numbers to pixels, linearly or by logarithm."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        at = math.log(value) if self.log else value
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.stop - self.start)

    def inside(self, value: float) -> float:
        """Return a value, or the end of the scale that it lies beyond."""
        return min(max(value, self.low), self.high)

    def ticks(self, about: int = 5) -> list[float]:
        return log_ticks(self.low, self.high) if self.log else nice_ticks(self.low, self.high, about)


def tick_text(value: float) -> str:
    """Return a tick's number without superfluous zeros."""
    return f"{value:.6g}".replace("-", "−")


# Shapes as paths in a square of half-width 1: models differ by shape as well as by colour.
_SHAPES = (
    "M1 0A1 1 0 1 1-1 0A1 1 0 1 1 1 0Z",
    "M-.9-.9H.9V.9H-.9Z",
    "M0-1.15L1.05.8H-1.05Z",
    "M0-1.25L1.25 0L0 1.25L-1.25 0Z",
    "M0 1.15L1.05-.8H-1.05Z",
    "M-.38-1.1H.38V-.38H1.1V.38H.38V1.1H-.38V.38H-1.1V-.38H-.38Z",
    "M0-1.2L1.14-.37L.71.97H-.71L-1.14-.37Z",
    "M-.6-1.05H.6L1.2 0L.6 1.05H-.6L-1.2 0Z",
)


def shape(index: int) -> str:
    """Return the path of a model's mark, within a square from -1 to 1."""
    return _SHAPES[index % len(_SHAPES)]


def px(value: float) -> str:
    """Return a coordinate to a pixel: a wide study has thousands of charts, and half a pixel is not seen."""
    return f"{value:.0f}"


@dataclass
class Drawing:
    """An SVG in the making. Coordinates are pixels of the `width` x `height` view."""

    width: float
    height: float
    title: str
    description: str = ""
    css: str = "chart"
    parts: list[str] = field(default_factory=list)

    def add(self, markup: str) -> None:
        self.parts.append(markup)

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        self.add(f'<line x1="{px(x1)}" y1="{px(y1)}" x2="{px(x2)}" y2="{px(y2)}" class="{css}"/>')

    def rect(
        self, x: float, y: float, width: float, height: float, css: str, tip: str = "", radius: float = 2
    ) -> None:
        body = f"<title>{escape(tip)}</title>" if tip else ""
        self.add(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" height="{height:.1f}" '
            f'rx="{radius:g}" class="{css}">{body}</rect>'
        )

    def text(self, x: float, y: float, text: str, css: str = "", anchor: str = "start") -> None:
        self.add(f'<text x="{px(x)}" y="{px(y)}" text-anchor="{anchor}" class="{css}">{escape(text)}</text>')

    def mark(self, x: float, y: float, index: int, css: str, tip: str = "", size: float = 5.5) -> None:
        body = f"<title>{escape(tip)}</title>" if tip else ""
        self.add(
            f'<path transform="translate({px(x)} {px(y)}) scale({size:g})" d="{shape(index)}" '
            f'class="mark {css}">{body}</path>'
        )

    def arrow(self, x: float, y: float, right: bool, css: str) -> None:
        """Draw a small arrow whose point is at (x, y): what lies beyond the edge."""
        back = x - 7 if right else x + 7
        self.add(
            f'<path d="M{px(back)} {px(y - 4.5)}L{px(x)} {px(y)}L{px(back)} {px(y + 4.5)}" class="beyond {css}"/>'
        )

    def polyline(self, points: Sequence[tuple[float, float]], css: str, tip: str = "") -> None:
        if len(points) < 2:
            return
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        body = f"<title>{escape(tip)}</title>" if tip else ""
        self.add(f'<path d="{path}" class="{css}">{body}</path>')

    def x_axis(self, scale: Scale, y: float, label: str, about: int = 5, top: float | None = None) -> None:
        for tick in scale.ticks(about):
            if top is not None:
                self.line(scale(tick), top, scale(tick), y, "grid")
            self.text(scale(tick), y + 16, tick_text(tick), "tick", "middle")
        self.line(scale.start, y, scale.stop, y, "axis")
        if label:
            self.text((scale.start + scale.stop) / 2, y + 36, label, "label", "middle")

    def y_axis(self, scale: Scale, x: float, label: str, right: float, about: int = 5) -> None:
        for tick in scale.ticks(about):
            self.line(x, scale(tick), right, scale(tick), "grid")
            self.text(x - 8, scale(tick) + 4, tick_text(tick), "tick", "end")
        if label:
            self.text(0, min(scale.start, scale.stop) - 14, label, "label", "start")

    def render(self) -> Markup:
        """Return the SVG as markup that may stand in the page as it is."""
        described = f"<desc>{escape(self.description)}</desc>" if self.description else ""
        # Without a title it shows what stands beside it, too.
        named = f'role="img" aria-label="{escape(self.title)}"' if self.title else 'aria-hidden="true"'
        return Markup(
            f'<svg viewBox="0 0 {self.width:g} {self.height:g}" class="{self.css}" {named} '
            f'style="--w:{self.width:g}">{described}{"".join(self.parts)}</svg>'
        )
