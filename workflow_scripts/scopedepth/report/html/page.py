"""The report: one HTML file with everything in it, put together from the sections and the templates."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from scopedepth.report.html import glance, remarks, verdict
from scopedepth.report.html.parts.marks import Look, looks
from scopedepth.report.html.parts.pictures import DEPTH_MAP, ERROR_MAP, gradient
from scopedepth.report.html.parts.speed import speed_chart
from scopedepth.report.html.parts.table import table_html
from scopedepth.report.html.sections import datasets as data
from scopedepth.report.html.sections import (
    depth_error,
    drift,
    failures,
    front,
    gallery,
    materials,
    matrix,
    protocols,
    provenance,
    ranking,
    realtime,
    reference,
    robustness,
    scores,
    sequences,
    skill,
    space_time,
    strata,
    timing,
    tuning,
)
from scopedepth.report.html.views import AXES, Views
from scopedepth.report.methods import methods_text
from scopedepth.report.palette import palette
from scopedepth.report.results import Results
from scopedepth.report.words import higher_is_better, listed, metric_label, plural
from scopedepth.statistics.drift import SUMMARY_METRICS
from scopedepth.version import own_version

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

HERE = Path(__file__).parent

# What a reader asks, in this order, and the sections that answer it.
PARTS = [
    ("Answer", [("verdict", "Verdict"), ("ranking", "Ranking"), ("scores", "Metrics"), ("baselines", "Baselines")]),
    ("How sure", [("pairs", "Pairs"), ("sequences", "Sequences")]),
    ("Would it be the same", [
        ("protocols", "Protocols"), ("reference", "Reference"), ("robustness", "Robustness"),
        ("tuning", "Before and after"),
    ]),
    ("Where it fails", [
        ("strata", "Strata"), ("depth", "Depth"), ("gallery", "Frames"), ("drift", "Scale"),
        ("space_time", "Space and time"), ("failures", "Failures"),
    ]),
    ("Speed", [("timing", "Time")]),
    ("What was compared", [("materials", "Models and data"), ("provenance", "Provenance"), ("metrics", "Formulas")]),
]  # fmt: skip
# Sizes of the opening figure on a wide and on a narrow page; drawn unscaled.
SIZES = {"wide": (560.0, 400.0), "narrow": (324.0, 380.0)}


def write_report(
    study: specs.Study,
    datasets: Mapping[str, specs.Dataset],
    models: Mapping[str, specs.Model],
    protocols: Mapping[str, specs.Protocol],
    tables: Mapping[str, Path],
    stores: Mapping[str, Path],
    predictions: Mapping[tuple[str, str], Path],
    records: Sequence[Path],
    out: Path,
) -> None:
    """Write the report of a study to `out`: one HTML file that needs no network.

    tables: those of `scopedepth.tables.study.STUDY_TABLES`, by name. stores: by unit; predictions: by unit and
    model. A store that is missing leaves its pictures out, and the page says so. records: run records; those that
    cannot be read are left out. The bytes follow from the inputs.
    """
    results = Results(study, datasets, models, protocols, tables, stores, predictions, records)
    html = render(results)
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(out.name + ".partial")
    beside.write_text(html, encoding="utf-8")
    os.replace(beside, out)


def render(results: Results) -> str:
    """Return the whole page."""
    return environment().get_template("page.html.j2").render(context(results, looks(results)))


def environment() -> Environment:
    """Return what the templates are read with."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.globals["as_table"] = table_html
    return made


def context(results: Results, look: Mapping[str, Look]) -> dict[str, Any]:
    """Return all that the template shows."""
    found = provenance.records(results)
    views = Views(results)
    tuned = tuning.tuning(results, look)
    assessed = reference.reference(results, look)
    # Sections that a study has only where it asks for them, or where a model was made from another one.
    over_time = space_time.space_time(results, look)
    has = {
        "tuning": tuned is not None,
        "robustness": bool(results.study.get("robustness")),
        "space_time": bool(over_time),
        "reference": bool(assessed),
        "strata": bool(results.study.get("strata")),
    }
    opening = speed_panel if results.timing else ranking.standing_panel
    script, early = static("page.js"), static("early.js")
    panels = {
        "speed": views.panels("speed", AXES, partial(opening, results, look)),
        "ranking": views.panels("ranking", AXES, partial(ranking.ranking_panel, results, look)),
        "scores": views.panels(
            "scores", ("dataset", "protocol"), partial(scores.scores_panel, results, look)
        ),
        "baselines": views.panels(
            "baselines", ("protocol", "metric"), partial(skill.skill_panel, results, look)
        ),
        "protocols": views.panels(
            "protocols", ("dataset", "metric"), partial(matrix.matrix_panel, results, look)
        ),
    }
    for dataset, of_dataset in protocols.changes(results).items():
        views.packs.setdefault(dataset, {})["changes"] = of_dataset
    return {
        "title": results.study.get("title") or results.study.get("name", "Study"),
        "study_name": results.study.get("name", ""),
        "scope": scope(results),
        "version": own_version(),
        "parts": {name: [one for one in sections if has.get(one[0], True)] for name, sections in PARTS},
        "glance": glance.glance(results),
        "headline": verdict.headline(results),
        "remarks": remarks.remarks(results),
        "panels": panels,
        "packs": views.packed(),
        "metric": {
            "name": results.metric,
            "label": metric_label(results.metric),
            "direction": "higher is better" if higher_is_better(results.metric) else "lower is better",
        },
        "protocol": results.protocol,
        "protocol_words": results.protocol_words(results.protocol),
        "axes": {
            "dataset": [(name, results.dataset_title(name)) for name in results.dataset_names],
            "protocol": [
                (name, f"{name}: {results.protocol_words(name)}") for name in results.protocol_names
            ],
            "metric": [(name, metric_label(name)) for name in results.metric_names],
        },
        "seen_legend": results.legend(results.dataset_names),
        "protocol_cards": protocols.protocol_cards(results),
        "protocols_table": protocols.protocols_table(results),
        "tuning": tuned,
        "pairs": [
            (name, results.dataset_title(name), ranking.pairs_table(results, name))
            for name in results.dataset_names
        ],
        "sequences": sequences.sequences(results, look),
        "depth_error": depth_error.depth_error(results, look),
        "robustness": robustness.robustness(results, look) if results.study.get("robustness") else None,
        "reference": assessed,
        "strata": strata.strata(results, look) if results.study.get("strata") else None,
        "gallery": gallery.gallery(results, look),
        "drift": drift.drift(results, look),
        "space_time": over_time,
        "legend": [(look[name], results.model_title(name)) for name in results.model_names],
        "legend_networks": [(look[name], results.model_title(name)) for name in results.networks],
        "timing": timing.timing_table(results, look),
        "realtime": realtime.realtime_table(results, look),
        "fronts": front.fronts(results, look),
        "hardware": listed(timing.hardware(results)),
        "failures": failures.failures_table(results, look),
        "models": materials.models_table(results, look),
        "datasets": data.dataset_cards(results),
        "model_citations": materials.model_citations(results),
        "warnings": provenance.warnings(results),
        "records": provenance.records_table(found),
        "stores": provenance.stores_table(results),
        "methods": methods_text(results),
        "metric_list": [SUMMARY_METRICS[name] for name in results.metric_names if name in SUMMARY_METRICS],
        "style": Markup(style()),
        "script": Markup(script),
        "early": Markup(early),
        "script_hashes": Markup(" ".join(f"'sha256-{source_hash(text)}'" for text in (early, script))),
        "data": safe_json(
            {
                "protocols": protocols.fields(results),
                "models": [results.model_title(name) for name in results.model_names],
                "looks": [look[name].css for name in results.model_names],
                "study": results.study.get("name", "study"),
            }
        ),
    }


def scope(results: Results) -> str:
    """Return what was compared, in a line."""
    # Counted by Arrow: the table may hold millions of rows.
    table = results.frames([])
    plain = pa.table({
        "dataset": table["dataset"].cast(pa.string()),
        "sequence": table["sequence"].cast(pa.string()),
        "frame": table["frame"],
    })  # fmt: skip
    frames = plain.group_by(plain.column_names).aggregate([]).num_rows
    return ", ".join([
        plural(len(results.networks), "network"),
        plural(len(results.model_names) - len(results.networks), "trivial baseline"),
        plural(len(results.dataset_names), "dataset"),
        plural(len(results.protocol_names), "protocol"),
        plural(frames, "frame"),
    ])  # fmt: skip


def speed_panel(
    results: Results, look: Mapping[str, Look], dataset: str, protocol: str, metric: str
) -> Markup | None:
    """Return the opening figure, for a wide and for a narrow page."""
    drawn = {
        name: speed_chart(results, dict(look), size, dataset, protocol, metric)
        for name, size in SIZES.items()
    }
    if drawn["wide"] is None:
        return None
    note = Markup('<p class="note">{} under <code>{}</code>, {}.</p>').format(
        metric_label(metric), protocol, results.dataset_title(dataset)
    )
    return Markup("").join(
        [*(Markup('<div class="for-{}">{}</div>').format(name, chart) for name, chart in drawn.items()), note]
    )


@cache
def static(name: str) -> str:
    return (HERE / "static" / name).read_text(encoding="utf-8")


def style() -> str:
    """Return the style sheet."""
    maps = {"depth": DEPTH_MAP, "error": ERROR_MAP}
    ramps = "".join(f".ramp.{name} {{ background: {gradient(used)}; }}\n" for name, used in maps.items())
    return palette() + static("page.css") + ramps


def source_hash(text: str) -> str:
    """Return the digest by which the page's policy lets its own scripts run, and no other."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def safe_json(value: Any) -> Markup:
    """Return JSON that may stand within a script element: nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
