"""The models and datasets: what they are, where they come from, on what terms, how to cite them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from scopedepth.report.marks import Look
from scopedepth.report.results import Results
from scopedepth.report.table import Cell, Column, Table, code, link, model_cell, value_cell
from scopedepth.report.words import count, parameters

KINDS = {
    "disparity": "disparity, up to scale and shift",
    "scaled_disparity": "disparity, up to scale",
    "depth": "depth, up to scale",
    "metric_depth": "depth",
}


def models_table(results: Results, look: Mapping[str, Look]) -> Table:
    """Return one row a model, from its spec."""
    columns = [
        Column("Model"), Column("Family"), Column("Output"), Column("Weights"),
        Column("Parameters", number=True), Column("Precision"), Column("Trained on"), Column("Licence"), Column("Page"),
    ]  # fmt: skip
    rows = []
    for name in results.model_names:
        spec = results.models[name]
        timed = next(
            (row["parameters"] for row in results.timing if row["model"] == name and row["parameters"]), None
        )
        size = timed or spec.get("parameters")
        rows.append([
            model_cell(results, look, name),
            Cell(spec.get("family", "–")),
            Cell(output_words(spec.get("output") or {})),
            Cell(weights_words(spec.get("weights") or {})),
            value_cell(parameters(size), size),
            Cell(spec.get("precision", "–")),
            Cell(trained_words(results, spec), css="words"),
            Cell(spec.get("licence") or "unknown"),
            Cell(link(spec["homepage"], "page") if spec.get("homepage") else "–"),
        ])  # fmt: skip
    return Table("Models", columns, rows)


def output_words(output: Mapping[str, Any]) -> str:
    kind = str(output.get("kind", "unknown"))
    return KINDS.get(kind, kind) + (f" in {output['unit']}" if output.get("unit") else "")


def weights_words(weights: Mapping[str, Any]) -> str | Markup:
    """Return where a model's weights come from."""
    kind = weights.get("kind", "none")
    if kind == "none":
        return "none"
    if kind == "hub":
        revision = weights.get("revision")
        return code(weights["repo"] + (f"@{revision[:12]}" if revision else ""))
    if kind == "path":
        return code(weights["path"])
    return Markup(", ").join(
        link(file["url"], file["url"].rsplit("/", 1)[-1]) for file in weights.get("files", [])
    )


def trained_words(results: Results, spec: Mapping[str, Any]) -> str:
    """Return the data that a model has seen in training."""
    said = []
    for entry in spec.get("trained_on", []):
        parts = f" ({', '.join(entry['sequences'])})" if entry.get("sequences") else ""
        said.append(results.dataset_title(entry["dataset"]) + parts)
    return "; ".join(said) or "none of the datasets here, as far as is known"


def dataset_cards(results: Results) -> list[dict[str, Any]]:
    """Return what is known of each dataset: its spec, what its store says, and what its page says."""
    cards = []
    for name in results.dataset_names:
        spec = results.datasets[name]
        facts: list[tuple[str, str | Markup]] = [
            ("Loader", str(spec.get("loader", "–"))),
            ("Depth", depth_words(spec.get("depth") or {})),
            ("Licence", str(spec.get("licence") or "unknown")),
        ]
        if spec.get("homepage"):
            facts.append(("Page", link(spec["homepage"])))
        units = results.units_of(name)
        pages = [page for unit in units if (page := dataset_page(results.stores[unit]))]
        there = [unit for unit in units if results.stores[unit].exists()]
        facts += [fact for page in pages[:1] for fact in page_facts(page)] if len(pages) == 1 else []
        cards.append({
            "name": name,
            "title": results.dataset_title(name),
            "missing": not there,
            "incomplete": bool(there) and len(there) < len(units),
            "facts": facts,
            "pages": pages if len(pages) > 1 else [],
            "citation": (spec.get("citation") or "").strip(),
        })  # fmt: skip
    return cards


def depth_words(depth: Mapping[str, Any]) -> str:
    unit = "millimetres" if depth.get("unit") == "mm" else "no known unit"
    return f"{depth.get('origin', 'unknown')}, {unit}".replace("_", " ")


def dataset_page(store: Path) -> dict[str, Any] | None:
    """Return the facts written beside a dataset's store, or None."""
    path = store.with_name(store.name + ".page.json")
    if not path.exists():
        path = store.with_suffix(".page.json")
    try:
        page = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return page if isinstance(page, dict) else None


def page_facts(page: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the plain numbers and words of a dataset's page."""
    facts = []
    for key, value in page.items():
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            said = (
                count(value)
                if isinstance(value, int)
                else f"{value:.4g}"
                if isinstance(value, float)
                else value
            )
            facts.append((key.replace("_", " ").capitalize(), said))
    return facts


def model_citations(results: Results) -> list[dict[str, str]]:
    """Return the BibTeX entries of the models that have one."""
    return [
        {"title": results.model_title(name), "citation": citation.strip()}
        for name in results.model_names
        if (citation := results.models[name].get("citation") or "").strip()
    ]
