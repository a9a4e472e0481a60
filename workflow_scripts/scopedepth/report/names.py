"""What the names in a study's tables stand for: its models, metrics and protocols, as tables beside the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scopedepth.job.identity import canonical_json
from scopedepth.statistics.drift import SUMMARY_METRICS
from scopedepth.tables.io import write_table
from scopedepth.tables.study import NAME_TABLES

Spec = Mapping[str, Any]


def write_names(models: Mapping[str, Spec], protocols: Mapping[str, Spec], out: Mapping[str, Path]) -> None:
    """Write the tables `NAME_TABLES` to the paths `out`, by their names; a row for each name, in their order."""
    rows = {
        "models": [_model(name, models[name]) for name in sorted(models)],
        "metrics": [_metric(name) for name in SUMMARY_METRICS],
        "protocols": [_protocol(name, protocols[name]) for name in sorted(protocols)],
    }
    for name, schema in NAME_TABLES.items():
        write_table(out[name], schema, {key: [row[key] for row in rows[name]] for key in schema.names})


def _model(name: str, spec: Spec) -> dict[str, Any]:
    return {
        "model": name,
        "title": spec["title"] or name,
        "family": spec["family"],
        "output_kind": spec["output"]["kind"],
        "output_unit": spec["output"]["unit"],
        "precision": spec["precision"],
        "parameters": spec["parameters"],
        "trained_on": [one["dataset"] for one in spec["trained_on"]],
        "licence": spec["licence"],
    }


def _metric(name: str) -> dict[str, Any]:
    metric = SUMMARY_METRICS[name]
    return {
        "metric": name,
        "label": metric.label,
        "direction": "higher" if metric.higher_is_better else "lower",
        "unit": metric.unit,
        "chance": metric.chance,
        "formula": metric.formula,
        "source": metric.source,
    }


def _protocol(name: str, spec: Spec) -> dict[str, Any]:
    fit, depths = spec["alignment"], spec["depth_range"]
    return {
        "protocol": name,
        "protocol_version": spec["version"],
        "title": spec["title"],
        "source": spec["source"],
        "method": fit["method"],
        "space": fit["space"],
        "scope": fit["scope"],
        "least_depth": depths["min"],
        "greatest_depth": depths["max"],
        "own_ranges": [pattern for one in depths["per_dataset"] for pattern in one["datasets"]],
        "averaging": spec["averaging"],
        "metrics": spec["metrics"],
        "not_comparable": spec["not_comparable"],
        "spec": canonical_json(spec),
    }
