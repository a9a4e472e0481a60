"""The protocols field by field, and what the page needs to set any two against each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scopedepth.report.html.parts.table import Cell, Column, Table, code
from scopedepth.report.results import Results, Row

# Words about a protocol, not what it does.
DESCRIPTIVE = ("name", "title", "source", "unknown", "differs", "not_comparable")


def flat(value: Any, prefix: str = "") -> dict[str, str]:
    """Return a spec's fields as dotted names and plain text."""
    if isinstance(value, Mapping):
        found: dict[str, str] = {}
        for key, inner in value.items():
            if prefix or key not in DESCRIPTIVE:
                found |= flat(inner, f"{prefix}.{key}" if prefix else str(key))
        return found
    if isinstance(value, list | tuple):
        if any(isinstance(item, Mapping) for item in value):
            found = {}
            for index, item in enumerate(value):
                found |= flat(item, f"{prefix}[{index + 1}]")
            return found
        return {prefix: ", ".join(text(item) for item in value) or "none"}
    return {prefix: text(value)}


def text(value: Any) -> str:
    """Return a field's value as people write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def protocols_table(results: Results) -> Table:
    """Return all fields of all protocols; rows in which they differ are marked."""
    fields = {name: flat(results.protocols[name]) for name in results.protocol_names}
    every = list(dict.fromkeys(key for one in fields.values() for key in one))
    columns = [Column("Field"), *(Column(name, tip=results.protocol_words(name)) for name in fields)]
    rows = []
    for key in every:
        values = [fields[name].get(key, "none") for name in fields]
        css = "differs" if len(set(values)) > 1 else ""
        rows.append([Cell(code(key), key, key, css), *(Cell(value, value, value, css) for value in values)])
    return Table("What each protocol does", columns, rows, css="fields", parquet="protocols")


def protocol_cards(results: Results) -> list[dict[str, Any]]:
    """Return what is said about each protocol: source, what its source leaves open, warnings."""
    return [
        {
            "name": name,
            "words": results.protocol_words(name),
            "version": results.protocols[name].get("version", "?"),
            "source": results.protocols[name].get("source", ""),
            "unknown": results.protocols[name].get("unknown", []),
            "differs": results.protocols[name].get("differs", []),
            "warning": results.protocols[name].get("not_comparable", ""),
            "headline": name == results.protocol,
        }
        for name in results.protocol_names
    ]


def fields(results: Results) -> dict[str, Any]:
    """Return the words and the fields of each protocol."""
    return {
        name: {"words": results.protocol_words(name), "fields": flat(results.protocols[name])}
        for name in results.protocol_names
    }


def changes(results: Results) -> dict[str, dict[str, Any]]:
    """Return by dataset and metric what the page sets any two protocols against each other by.

    ranks: by protocol, a rank for each model of the study, 0 where it has none. changes: by ``a|b`` Kendall's tau and
    the pairs that flip significantly, as places in the study's models, the first ahead under a.
    """
    place = {model: i for i, model in enumerate(results.model_names)}
    found: dict[str, dict[str, Any]] = {}

    def of(row: Row) -> Any:
        by_metric = found.setdefault(row["dataset"], {})
        return by_metric.setdefault(row["metric"], {"ranks": {}, "changes": {}})

    for row in results.ranks:
        ranks = of(row)["ranks"].setdefault(row["protocol"], [0] * len(place))
        if row["model"] in place:
            ranks[place[row["model"]]] = row["rank_by_value"] or 0
    for row in results.sensitivity:
        pairs = [pair.split(" > ") for pair in row["significant_flips"] or ()]
        sure = [[place[a], place[b]] for a, b in pairs]
        tau = None if row["tau"] is None else round(row["tau"], 4)
        of(row)["changes"][f"{row['protocol_a']}|{row['protocol_b']}"] = [tau, sure]
    return found
