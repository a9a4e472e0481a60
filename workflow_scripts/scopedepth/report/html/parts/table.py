"""Tables as plain values; one template draws them all, and the page's script sorts, filters and copies them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from scopedepth.report.html.parts.marks import Look
from scopedepth.report.results import Results
from scopedepth.report.words import NOTHING
from scopedepth.vocabulary.lineage import MEANINGS


@dataclass(frozen=True)
class Column:
    """A column's head. `number`: aligned to the right and sorted by value. `tip`: what the column means."""

    label: str
    number: bool = False
    tip: str = ""
    picture: bool = False  # left out when the table is copied


@dataclass(frozen=True)
class Cell:
    """What stands in a cell (escaped unless it is markup), what it is sorted by, and what is copied."""

    text: str | Markup = NOTHING
    sort: float | str | None = None
    copied: str | None = None
    css: str = ""
    tip: str = ""


@dataclass(frozen=True)
class Table:
    """A table with its caption; the first column holds the rows' heads."""

    caption: str
    columns: list[Column]
    rows: list[list[Cell]] = field(default_factory=list)
    tools: bool = True  # filter and copy
    css: str = ""


def value_cell(text: str, value: float | None, css: str = "", tip: str = "") -> Cell:
    """Return a cell that sorts and copies by its full value."""
    return Cell(text, value, "" if value is None else repr(value), css, tip)


def spread_cell(
    value: float | None, low: float | None, high: float | None, said: Callable[[float | None], str]
) -> Cell:
    """Return a value with its interval below it, where there is one; `said` words a number."""
    text = Markup("{}").format(said(value))
    if low is not None and high is not None:
        text += Markup(" <small>{} to {}</small>").format(said(low), said(high))
    return Cell(text, value, "" if value is None else repr(value))


def model_cell(results: Results, look: Mapping[str, Look], model: str, dataset: str | None = None) -> Cell:
    """Return a model's name with its mark, and that of what it has seen of `dataset` in training."""
    title = results.model_title(model)
    seen = results.mark(dataset, model) if dataset else ""
    text = Markup('<span class="model">{}<span>{}</span></span>').format(look[model].icon, title)
    if dataset and seen:
        tip = f"seen in training: {MEANINGS[results.seen(dataset, model)]}"
        text += Markup('<abbr class="dagger" title="{}">{}</abbr>').format(tip, seen)
    return Cell(
        text,
        title.casefold(),
        title + (f" {seen}" if seen else ""),
        "baseline" if results.is_baseline(model) else "",
    )


def breakable(text: str) -> Markup:
    """Return text that may be broken into lines behind its underscores and slashes."""
    return escape(text).replace("_", Markup("_<wbr>")).replace("/", Markup("/<wbr>"))


def code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(breakable(text))


def link(address: str, text: str | None = None) -> Markup:
    """Return a link to the web; anything but http and https stays plain text."""
    if not address.startswith(("https://", "http://")):
        return escape(text or address)
    return Markup('<a href="{}" rel="noreferrer">{}</a>').format(address, text or address)
