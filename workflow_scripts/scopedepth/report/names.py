"""What the names in a study's tables stand for: its models, metrics and protocols, as tables beside the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scopedepth.job.identity import canonical_json
from scopedepth.statistics.drift import SUMMARY_METRICS
from scopedepth.tables.io import write_table
from scopedepth.tables.study import NAME_TABLES
from scopedepth.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs


def write_names(
    study: specs.Study,
    models: Mapping[str, specs.Model],
    protocols: Mapping[str, specs.Protocol],
    out: Mapping[str, Path],
) -> None:
    """Write the tables `NAME_TABLES` to the paths `out`, by their names; a row for each name, in their order."""
    rows = {
        "models": [{"model": name, **_model(models[name], study["lineage"])} for name in sorted(models)],
        "metrics": [
            {"metric": name, **_metric(metric)}
            for name, metric in SUMMARY_METRICS.items()
            if not metric.file or any(name in spec["metrics"] for spec in protocols.values())
        ],
        "protocols": [{"protocol": name, **_protocol(protocols[name])} for name in sorted(protocols)],
    }
    for name, schema in NAME_TABLES.items():
        write_table(out[name], schema, {key: [row[key] for row in rows[name]] for key in schema.names})


def _model(spec: specs.Model, lineage: Mapping[str, Any]) -> dict[str, Any]:
    seen = [
        one.get("dataset") or ("unknown" if "unknown" in one else f"device: {one['device']}")
        for one in lineage["models"][spec["name"]]
    ]
    output = {f"output_{key}": spec["output"][key] for key in ("kind", "unit")}
    return {**spec, **output, "title": spec["title"] or spec["name"], "trained_on": list(dict.fromkeys(seen))}


def _metric(metric: Metric) -> dict[str, Any]:
    return {**vars(metric), "direction": "higher" if metric.higher_is_better else "lower"}


def _protocol(spec: specs.Protocol) -> dict[str, Any]:
    depths = spec["depth_range"]
    return {
        **spec,
        **spec["alignment"],
        "protocol_version": spec["version"],
        "least_depth": depths["min"],
        "greatest_depth": depths["max"],
        "own_ranges": [pattern for one in depths["per_dataset"] for pattern in one["datasets"]],
        "spec": canonical_json(spec),
    }
