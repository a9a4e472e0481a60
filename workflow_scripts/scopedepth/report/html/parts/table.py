"""Tables as plain values and as HTML; the page's script sorts, filters and hands them out as CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from scopedepth.report.html.parts.marks import Look
from scopedepth.report.results import Results
from scopedepth.report.words import NOTHING
from scopedepth.vocabulary.lineage import MEANINGS

# Rows of another kind: the class of their first cell.
ROWS = {
    "baseline": ' class="baseline"',
    "foot": ' class="foot" data-last',
    "differs": ' class="differs"',
}
# With more columns than this a table is set closely.
MANY = 9
# Significant digits of what is sorted by and written to CSV; the Parquet files have all.
DIGITS = 7


@dataclass(frozen=True)
class Column:
    """A column's head. `number`: aligned to the right and sorted by value. `tip`: what the column means."""

    label: str
    number: bool = False
    tip: str = ""
    picture: bool = False  # left out of the CSV: a picture, or what another column says already


@dataclass(frozen=True)
class Cell:
    """What stands in a cell (escaped unless it is markup), what it is sorted by, and what is copied.

    low, high, value: numbers that stand in columns of their own in the CSV. why: the reason beside a dash.
    """

    text: str | Markup = NOTHING
    sort: float | str | None = None
    copied: str | None = None
    css: str = ""
    tip: str = ""
    low: float | None = None
    high: float | None = None
    value: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Table:
    """A table with its caption; the first column holds the rows' heads. `parquet`: the table of the study it is of."""

    caption: str
    columns: list[Column]
    rows: list[list[Cell]] = field(default_factory=list)
    tools: bool = True  # filter, download and copy
    css: str = ""
    parquet: str = ""


def table_html(table: Table) -> Markup:
    """Return a table as HTML. By hand: a wide study has thousands, and a template takes four times as long."""
    columns = table.columns
    css = f"table {table.css}{' many' if len(columns) > MANY else ''}"
    file = f'<span class="file">{escape(table.parquet)}.parquet</span>' if table.parquet else ""
    tools = f'<div class="tools">{file}</div>' if table.tools or file else ""
    caption = escape(table.caption)
    parts = [
        f'<div class="{css}"{" data-table" if table.tools else ""}>{tools}<div class="scroll" role="region" '
        f'tabindex="0" aria-label="{caption}"><table><caption>{caption}</caption><thead><tr>',
        *map(_head, columns),
        "</tr></thead><tbody>",
    ]
    numbers = [' class="number' if column.number else ' class="' for column in columns]
    for row in table.rows:
        parts.append(f"<tr{ROWS.get(row[0].css, '')}>")
        for place, cell in enumerate(row):
            tag = "td" if place else "th"
            parts.append(f'<{tag}{"" if place else " scope=row"}{numbers[place]} {cell.css}"{_facts(cell)}>')
            parts.append(escape(cell.text))
            if cell.why:
                parts.append(f" <small>{escape(cell.why)}</small>")
            parts.append(f"</{tag}>")
        parts.append("</tr>")
    parts.append("</tbody></table></div></div>")
    return Markup("".join(parts))


def _head(column: Column) -> str:
    said = (
        breakable(column.label)
        if column.label
        else f'<span class="unseen">{escape(column.tip or "chart")}</span>'
    )
    tip = f' title="{escape(column.tip)}"' if column.tip and column.label else ""
    kind = (" class=number" if column.number else "") + (" data-picture" if column.picture else "")
    return f'<th scope="col"{kind}{tip}>{said}</th>'


def _facts(cell: Cell) -> str:
    """Return the attributes that the page's script sorts by and writes to CSV."""
    facts = "" if cell.sort is None else f' data-sort="{escape(_short(cell.sort))}"'
    if cell.copied is not None and cell.copied != str(cell.sort):
        facts += f' data-copy="{escape(cell.copied)}"'
    for name in ("low", "high", "value"):
        number = getattr(cell, name)
        if number is not None:
            facts += f' data-{name}="{_short(number)}"'
    return facts + (f' title="{escape(cell.tip)}"' if cell.tip else "")


def _short(value: float | str) -> float | str:
    """Return a number with the digits that a page needs: all 17 would be a fifth of a wide study's page."""
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else value


def value_cell(text: str, value: float | None, css: str = "", tip: str = "", why: str = "") -> Cell:
    """Return a cell that sorts and copies by its full value; `why`: what is said where there is none."""
    return Cell(text, value, css=css, tip=tip, why=why if value is None else "")


def spread_cell(
    value: float | None, low: float | None, high: float | None, said: Callable[[float | None], str], why: str = ""
) -> Cell:  # fmt: skip
    """Return a value with its interval below it, where there is one; `said` words a number."""
    text = Markup("{}").format(said(value))
    if value is None:
        return Cell(text, why=why)
    if low is None or high is None:
        return Cell(text, value)
    text += Markup(" <small>{} to {}</small>").format(said(low), said(high))
    return Cell(text, value, low=low, high=high)


def model_cell(results: Results, look: Mapping[str, Look], model: str, dataset: str | None = None) -> Cell:
    """Return a model's name with its mark, and that of what it has seen of `dataset` in training."""
    title = results.model_title(model)
    seen = results.mark(dataset, model) if dataset else ""
    text = Markup('<span class="model">{}<span>{}</span></span>').format(look[model].icon, title)
    if dataset and seen:
        tip = f"seen in training: {MEANINGS[results.seen(dataset, model)]}"
        text = Markup('<span class="model">{}<span>{}<abbr class="dagger" title="{}">{}</abbr></span></span>').format(
            look[model].icon, title, tip, seen
        )  # fmt: skip
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
