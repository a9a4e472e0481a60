"""The datasets: where they come from, on what terms, how to cite them, and what their frames hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from scopedepth.job.manifest import manifest_of
from scopedepth.report.html.parts.svg import Drawing
from scopedepth.report.html.parts.table import Cell, Column, Table, link, value_cell
from scopedepth.report.html.sections.provenance import read_json
from scopedepth.report.passed_over import read_page
from scopedepth.report.results import Results
from scopedepth.report.words import count, significant, stated_words

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# Pictures are shown of so many sequences of a dataset, spread over them; of fewer where datasets are many.
SEQUENCES, OF_ALL = 3, 12
WIDTH, HEIGHT = 150.0, 26.0

# Only pictures that lie within the file: an address would be a request to the network.
_PICTURE = re.compile(r"data:image/(?:jpeg|png|webp);base64,[A-Za-z0-9+/=]+")


def dataset_cards(results: Results) -> list[dict[str, Any]]:
    """Return what is known of each dataset: its spec, and the facts written beside its stores."""
    cards = []
    most = max(1, min(SEQUENCES, OF_ALL // max(1, len(results.dataset_names))))
    for name in results.dataset_names:
        spec = results.datasets[name]
        units = results.units_of(name)
        pages = [page for unit in units if (page := read_page(results.stores[unit]))]
        there = [results.stores[unit] for unit in units if results.stores[unit].exists()]
        sequences = [one for page in pages for one in page.get("sequences") or [] if isinstance(one, Mapping)]
        cards.append({
            "name": name,
            "title": results.dataset_title(name),
            "missing": not there,
            "incomplete": bool(there) and len(there) < len(units),
            "facts": spec_facts(spec) + list_facts(there) + (page_facts(pages[0]) if len(pages) == 1 else []),
            "table": sequences_table(results.dataset_title(name), sequences),
            "pictures": pictures(sequences, most),
            "legend": legend(pages[0]) if pages else [],
            "citation": (spec.get("citation") or "").strip(),
        })  # fmt: skip
    return cards


def spec_facts(spec: specs.Dataset) -> list[tuple[str, str | Markup]]:
    """Return what the configuration says of a dataset."""
    depth = spec.get("depth") or {}
    unit = "in millimetres" if depth.get("unit") == "mm" else "in no known unit"
    said = f"{depth.get('origin', 'unknown')}, {unit}".replace("_", " ")
    facts: list[tuple[str, str | Markup]] = [
        ("Licence", str(spec.get("licence") or "unknown")),
        ("Depth", "none: predicted and timed, not scored" if depth.get("kind") == "none" else said),
        ("Reference error", "; ".join(what for what, _ in stated_words(spec)) or "not assessed"),
        ("Loader", str(spec["loader"])),
    ]
    if spec.get("view_of"):
        facts.insert(0, ("A view of", ", a view of ".join(map(str, spec["lineage"][1:]))))
    if spec.get("homepage"):
        facts.append(("Page", link(spec["homepage"])))
    return facts


def list_facts(stores: Sequence[Path]) -> list[tuple[str, str | Markup]]:
    """Return how many lines of a dataset's lists name how many frames; each of its units read the whole lists."""
    lists = (read_json(manifest_of(stores[0])).get("frame_lists") or {}) if stores else {}
    return [
        (
            f"Frames {word}",
            f"{count(one['listed'])} lines of {one['list']}, {count(one['found'])} frames of "
            f"{count(one['sequences'])} sequences"
            + (f", {count(one['repeated'])} lines repeat others" if one["repeated"] else ""),
        )
        for word, one in lists.items()
    ]


def page_facts(page: Mapping[str, Any]) -> list[tuple[str, str | Markup]]:
    """Return the plain numbers and words of a dataset's page, but what the card says already."""
    facts: list[tuple[str, str | Markup]] = []
    for key, value in page.items():
        if key in ("dataset", "unit", "depth_units", "depth_made_by") or isinstance(value, bool):
            continue
        if isinstance(value, str | int | float):
            says = (
                count(value)
                if isinstance(value, int)
                else share(value)
                if isinstance(value, float)
                else value
            )
            facts.append((key.replace("_", " ").capitalize(), says))
    return facts


def share(value: float | None) -> str:
    """Return a share as per cent; a plain number where it is none."""
    if value is None or not 0 <= value <= 1:
        return significant(value)
    return f"{100 * value:.1f}\u00a0%"


def sequences_table(title: str, sequences: list[Mapping[str, Any]]) -> Table | None:
    """Return one row a sequence: its size, its depths, what its pixels are flagged as."""
    if not sequences:
        return None
    columns = [
        Column("Sequence"),
        Column("Frames", number=True),
        Column("Size", number=True, tip="width x height, pixels"),
        Column("Median depth", number=True),
        Column("1st to 99th percentile", number=True),
        Column("", picture=True, tip="histogram of depth"),
        Column("Pixels with depth", number=True),
        Column("Specular", number=True, tip="share of the pixels flagged as highlights"),
        Column("Notes"),
    ]
    rows = []
    for one in sequences:
        depth = one.get("depth") or {}
        percentiles = depth.get("percentiles") or {}
        flags = one.get("flag_shares") or {}
        unit = " mm" if one.get("units") == "mm" else ""
        middle, low, high = (percentiles.get(key) for key in ("50", "1", "99"))
        reach = "–" if low is None or high is None else f"{significant(low)} to {significant(high)}{unit}"
        name = str(one.get("name", "–"))
        rows.append([
            Cell(name, name, name),
            value_cell(count(one.get("frames")), one.get("frames")),
            Cell(f"{one.get('width', '–')} × {one.get('height', '–')}"),
            value_cell(significant(middle) + (unit if middle is not None else ""), middle),
            value_cell(reach, low),
            Cell(histogram(name, depth.get("histogram") or {}), css="picture"),
            value_cell(share(one.get("valid_share")), one.get("valid_share")),
            value_cell(share(flags.get("specular")), flags.get("specular")),
            Cell("; ".join(map(str, [*(one.get("doubts") or []), *(one.get("notes") or [])])) or "none", css="words"),
        ])  # fmt: skip
    return Table(f"Sequences of {title}", columns, rows)


def histogram(name: str, given: Mapping[str, Any]) -> str:
    """Return a small histogram of a sequence's depths."""
    counts, edges = given.get("counts") or [], given.get("edges") or []
    if not counts or max(counts) <= 0 or len(edges) != len(counts) + 1:
        return ""
    drawing = Drawing(
        WIDTH, HEIGHT, f"{name}: depths from {significant(edges[0])} to {significant(edges[-1])}", css="bar"
    )
    width = WIDTH / len(counts)
    for i, n in enumerate(counts):
        tall = n / max(counts) * (HEIGHT - 3)
        drawing.rect(i * width, HEIGHT - 1 - tall, width - 0.6, tall, "fill base", radius=0)
    drawing.line(0, HEIGHT - 0.5, WIDTH, HEIGHT - 0.5, "axis")
    return drawing.render()


def pictures(sequences: list[Mapping[str, Any]], most: int = SEQUENCES) -> list[dict[str, Any]]:
    """Return the middle frame of at most `most` sequences as image, depth and flags."""
    with_pictures = [one for one in sequences if one.get("pictures")]
    n = len(with_pictures)
    chosen = with_pictures if n <= most else [with_pictures[i * n // most] for i in range(most)]
    return [shown(one, one["pictures"][len(one["pictures"]) // 2]) for one in chosen]


def shown(one: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a frame of a sequence as image, depth and flags; `given` are their addresses."""
    pictures = [
        (label, Markup(given[key]))
        for key, label in (("image", "Image"), ("depth", "Depth"), ("flags", "Flags"))
        if _PICTURE.fullmatch(str(given.get(key, "")))
    ]
    ratio = f"{int(one.get('width') or 1)} / {int(one.get('height') or 1)}"
    return {
        "name": one.get("name", ""),
        "frame": given.get("frame_id", ""),
        "shown": pictures,
        "ratio": ratio,
    }


def legend(page: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (flag, colour) of the pictures of flags."""
    colours = page.get("legend") or {}
    return [
        (str(name).replace("_", " "), "#" + "".join(f"{int(part) & 255:02x}" for part in rgb))
        for name, rgb in colours.items()
        if isinstance(rgb, list) and len(rgb) == 3
    ]
