"""Names beside the marks of a chart: they overprint nothing, and a leader line joins a name to a mark further off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from scopedepth.report.html.parts.svg import Drawing

Box = tuple[float, float, float, float]
SIZE = 12.0
LINE = 15.0
# A name beside its mark is at most so wide.
BESIDE = 230.0
# Widths of characters in ems, of a wide sans serif: a name must not be wider than it is taken for.
NARROW, WIDE = "iljtfr.,:;'|!()[] ", "mwMWQO%@"


@dataclass(frozen=True)
class Label:
    """A mark at (x, y), its name, the class of its model, and what stands behind the name and is never cut."""

    x: float
    y: float
    text: str
    css: str
    seen: str = ""

    def cut(self, most: float) -> str:
        """Return the name, cut to so many pixels, with what stands behind it."""
        tail = f" {self.seen}" if self.seen else ""
        return shortened(self.text, most - text_width(tail)) + tail


@cache
def text_width(text: str) -> float:
    """Return about how wide a text is, px."""
    return SIZE * sum(
        0.36 if c in NARROW else 0.95 if c in WIDE else 0.72 if c.isupper() else 0.64 for c in text
    )


@cache
def shortened(text: str, most: float) -> str:
    """Return a text cut to so many pixels."""
    if text_width(text) <= most:
        return text
    while text and text_width(text + "…") > most:
        text = text[:-1]
    return text.rstrip() + "…"


def crowded(labels: Sequence[Label], taken: Sequence[Box], inside: Box) -> bool:
    """Say whether some name finds no free place beside its mark."""
    return _placed(labels, taken, inside) is None


def label_marks(drawing: Drawing, labels: Sequence[Label], taken: Sequence[Box], inside: Box) -> None:
    """Write the names beside their marks, for which there must be room (`crowded`).

    taken: boxes (x1, y1, x2, y2) of marks and other texts; inside: where names may stand.
    """
    for label, (x, y) in _placed(labels, taken, inside) or ():
        drawing.text(x, y + 4, label.cut(BESIDE), f"name {label.css}")


def _placed(
    labels: Sequence[Label], taken: Sequence[Box], inside: Box
) -> list[tuple[Label, tuple[float, float]]] | None:
    boxes, placed = list(taken), []
    for label in sorted(labels, key=lambda one: one.y):
        box = _beside(label, boxes, inside)
        if box is None:
            return None
        boxes.append(box)
        placed.append((label, (box[0], box[1] + LINE / 2)))
    return placed


def _beside(label: Label, boxes: Sequence[Box], inside: Box) -> Box | None:
    """Return the box of a name next to its mark: right, left, above or below it."""
    width = text_width(label.cut(BESIDE))
    for dx, dy in ((11, 0), (11, -10), (11, 10), (-11 - width, 0), (-11 - width, -10), (-11 - width, 10),
                   (-width / 2, -16), (-width / 2, 17)):  # fmt: skip
        x, y = label.x + dx, label.y + dy
        box = (x, y - LINE / 2, x + width, y + LINE / 2)
        out = box[0] < inside[0] or box[2] > inside[2] or box[1] < inside[1] or box[3] > inside[3]
        if not out and not any(
            box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in boxes
        ):
            return box
    return None


def list_marks(drawing: Drawing, labels: Sequence[Label], between: tuple[float, float], at: float) -> None:
    """Write the names below one another at the right of x `at`, in the order of their marks, with a line to each."""
    order = sorted(labels, key=lambda one: one.y)
    line = min(LINE, (between[1] - between[0]) / max(1, len(order)))
    top, bottom = between[0] + line / 2, between[1] - line / 2
    ys: list[float] = []
    for label in order:
        ys.append(max(label.y, ys[-1] + line if ys else top))
    # What is pushed beyond the bottom pushes back.
    for place in range(len(ys)):
        ys[place] = min(ys[place], bottom - line * (len(ys) - 1 - place))
    for label, y in zip(order, ys, strict=True):
        drawing.line(label.x + 7, label.y, at - 4, y, f"leader {label.css}")
        drawing.text(at, y + 4, label.cut(drawing.width - at), f"name {label.css}")
