"""From the scores of every frame to the tables of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from scopedepth.evaluation.registry import METRICS
from scopedepth.statistics.average import average
from scopedepth.statistics.panel import Panel, group_paths, read_panel
from scopedepth.statistics.training import seen_in_training
from scopedepth.tables.io import read_table, write_table
from scopedepth.tables.study import COMPARISONS, FRAMES, RANKS, SENSITIVITY, SUMMARY, TIMING

Specs = Mapping[str, Mapping[str, Any]]


def summarise_study(
    study: Mapping[str, Any],
    datasets: Specs,
    models: Specs,
    protocols: Specs,
    scores: Sequence[Path],
    alignments: Sequence[Path],
    timings: Sequence[Path],
    out: Mapping[str, Path],
) -> None:
    """Write the tables frames, summary, comparisons, ranks, sensitivity and timing of a study to `out`."""
    groups = group_paths(scores)
    rows: dict[str, list[dict[str, Any]]] = {"summary": [], "comparisons": [], "ranks": [], "sensitivity": []}
    for dataset in sorted(study["datasets"]):
        for protocol in sorted(study["protocols"]):
            metrics = chosen_metrics(study, protocols[protocol])
            panel = read_panel(dataset, protocol, sorted(study["models"]), groups, metrics)
            for metric in metrics:
                rows["summary"] += summary_rows(panel, metric, protocols[protocol], models)
    write_table(out["frames"], FRAMES, [read_table(path) for paths in groups.values() for path in paths])
    for name, schema in (
        ("summary", SUMMARY), ("comparisons", COMPARISONS), ("ranks", RANKS), ("sensitivity", SENSITIVITY)
    ):  # fmt: skip
        write_table(
            out[name], schema, {field: [row.get(field) for row in rows[name]] for field in schema.names}
        )
    write_table(out["timing"], TIMING, [timing_table(timings, study)])


def chosen_metrics(study: Mapping[str, Any], protocol: Mapping[str, Any]) -> list[str]:
    """Return the metrics to summarise under `protocol`, in the registry's order."""
    computed = protocol.get("metrics") or list(METRICS)
    wanted = study.get("metrics") or computed
    return [name for name in METRICS if name in computed and name in wanted]


def summary_rows(
    panel: Panel, metric: str, protocol: Mapping[str, Any], models: Specs
) -> list[dict[str, Any]]:
    values = average(panel.values[metric], panel.starts, protocol["averaging"])
    expected, has, applicable = panel.expected(metric), panel.has(metric), panel.applicable(metric)
    rows = []
    for row, model in enumerate(panel.models):
        failed = int((expected[row] & ~has[row]).sum())
        status = "ok"
        if not has[row].any():
            status = "no_number" if applicable[row] else "not_applicable"
        elif failed:
            status = "incomplete"
        rows.append({
            "dataset": panel.dataset,
            "model": model,
            "protocol": panel.protocol,
            "protocol_version": protocol["version"],
            "metric": metric,
            "value": None if np.isnan(values[row]) else float(values[row]),
            "n_frames": int(has[row].sum()),
            "n_sequences": int(np.logical_or.reduceat(has[row], panel.starts[:-1]).sum()),
            "n_failed": failed,
            "seen_in_training": seen_in_training(models[model], panel.dataset, panel.sequences),
            "status": status,
        })  # fmt: skip
    return rows


def timing_table(timings: Sequence[Path], study: Mapping[str, Any]) -> pa.Table:
    """Return the summary of the timed calls, empty where nothing was timed."""
    if not timings:
        return TIMING.empty_table()
    from scopedepth.timing.summary import summarise_timing

    return summarise_timing(list(timings), study["timing"]["realtime_fps"])
