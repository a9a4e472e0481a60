"""The protocols field by field, and what the page needs to set any two against each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scopedepth.report.html.parts.table import Cell, Column, Table, code
from scopedepth.report.results import Results
from scopedepth.report.words import metric_value

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
    return Table("What each protocol does", columns, rows, css="fields")


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


def chooser(results: Results) -> dict[str, Any]:
    """Return the data behind the choice of any two protocols: fields, ranks and flips."""
    ranks: dict[str, Any] = {}
    for row in results.ranks:
        place = (
            ranks.setdefault(row["dataset"], {}).setdefault(row["metric"], {}).setdefault(row["protocol"], {})
        )
        value = results.value(row["dataset"], row["model"], row["protocol"], row["metric"])
        place[row["model"]] = [row["rank_by_value"], metric_value(value, row["metric"])]
    return {
        "protocols": {
            name: {"words": results.protocol_words(name), "fields": flat(results.protocols[name])}
            for name in results.protocol_names
        },
        "models": {name: results.model_title(name) for name in results.model_names},
        "ranks": ranks,
        "sensitivity": [
            {
                "d": row["dataset"],
                "m": row["metric"],
                "a": row["protocol_a"],
                "b": row["protocol_b"],
                "tau": row["tau"],
                "n": row["n_models"],
                "flips": row["flips"] or [],
                "sure": row["significant_flips"] or [],
            }
            for row in results.sensitivity
        ],
    }
