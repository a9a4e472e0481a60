"""The models: what they are, where they come from, on what terms, how to cite them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from markupsafe import Markup

from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.table import Cell, Column, Table, code, link, model_cell, value_cell
from scopedepth.report.results import Results
from scopedepth.report.words import listed, parameters, preprocessing
from scopedepth.vocabulary.weights import FINETUNED

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

KINDS = {
    "disparity": "disparity, up to scale and shift",
    "scaled_disparity": "disparity, up to scale",
    "affine_depth": "depth, up to scale and shift",
    "depth": "depth, up to scale",
    "metric_depth": "depth",
    "metric_disparity": "inverse of depth",
}


def models_table(results: Results, look: Mapping[str, Look]) -> Table:
    """Return one row a model, from its spec."""
    columns = [
        Column("Model"), Column("Family"), Column("Output"), Column("Preprocessing"), Column("Weights"),
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
            Cell(spec["family"]),
            Cell(output_words(spec["output"])),
            Cell(preprocessing(spec), css="words"),
            Cell(weights_words(spec["weights"])),
            value_cell(parameters(size), size, why="not stated"),
            Cell(spec["precision"]),
            Cell(trained_words(results, name), css="words"),
            Cell(spec.get("licence") or "unknown"),
            Cell(link(spec["homepage"], "page") if spec.get("homepage") else "none stated"),
        ])  # fmt: skip
    return Table("Models", columns, rows, parquet="models")


def output_words(output: specs.Output) -> str:
    kind = output["kind"]
    return KINDS.get(kind, kind) + (f" in {output['unit']}" if output["unit"] else "")


def weights_words(weights: specs.Weights | specs.TunedWeights) -> str | Markup:
    """Return where a model's weights come from."""
    if weights["kind"] == "none":
        return "none"
    if weights["kind"] == "hub":
        revision = weights["revision"]
        return code(weights["repo"] + (f"@{revision[:12]}" if revision else ""))
    if weights["kind"] == "path":
        return code(weights["path"])
    if weights["kind"] == FINETUNED:
        return f"made here from {weights['base']} by {weights['recipe']['name']}, seed {weights['seed']}"
    return Markup(", ").join(link(file["url"], file["url"].rsplit("/", 1)[-1]) for file in weights["files"])


def trained_words(results: Results, model: str) -> str:
    """Return the data that a model, or what it was made from, has seen in training."""
    said = []
    for entry in results.study["lineage"]["models"][model]:
        if "dataset" not in entry:
            said.append(
                "data that are not known" if entry.get("unknown") else f"other data of {entry['device']}"
            )
            continue
        parts = f" ({', '.join(entry['sequences'])})" if entry["sequences"] else ""
        left_out = f", each {entry['held_out']} held out" if entry["held_out"] else ""
        said.append(results.dataset_title(entry["dataset"]) + parts + left_out)
    return "; ".join(dict.fromkeys(said)) or "none of the datasets here"


def model_citations(results: Results) -> list[dict[str, str]]:
    """Return the models' BibTeX entries, each once, under the titles of all models that it is for."""
    titles: dict[str, list[str]] = {}
    for name in results.model_names:
        citation = (results.models[name].get("citation") or "").strip()
        if citation:
            titles.setdefault(citation, []).append(results.model_title(name))
    return [{"title": listed(names), "citation": citation} for citation, names in titles.items()]
