"""From the scores of every frame to the tables of a study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scopedepth.errors import ScopeDepthError
from scopedepth.evaluation.protocol import permitted_metrics
from scopedepth.statistics.analysis import Analysis, analyse
from scopedepth.statistics.drift import SCALE_DRIFT, SUMMARY_METRICS, drift_rows, has_drift, log_scales
from scopedepth.statistics.panel import (
    NOT_APPLICABLE,
    Key,
    Panel,
    group_paths,
    read_panel,
    read_sorted,
    sequence_names,
    with_drift,
)
from scopedepth.statistics.reference import reference_rows
from scopedepth.statistics.robustness import corrupted_of, resilience_rows, robustness_rows
from scopedepth.statistics.sensitivity import change, shares_won
from scopedepth.statistics.strata import StrataPanel, by_model, strata_rows
from scopedepth.statistics.training import COLUMN, Seen
from scopedepth.tables.frames import SCORES, read_scores, with_metrics
from scopedepth.tables.io import read_table, write_table
from scopedepth.tables.study import FRAMES, STUDY_TABLES
from scopedepth.tables.timing import TIMING
from scopedepth.vocabulary.intervals import NO_CAUTION, NO_INTERVAL
from scopedepth.vocabulary.metrics import METRICS

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

Row = dict[str, Any]

# The tables that are made of rows; the others are taken over as they are.
ROW_TABLES = (
    "summary", "comparisons", "ranks", "sensitivity", "depth_error", "drift", "robustness", "resilience",
    "reference",
    "strata",
)  # fmt: skip
# The columns of a frame's fit.
FIT = ("scale", "offset")
BASELINE_FAMILY = "baseline"


def summarise_study(
    study: specs.Study,
    datasets: Mapping[str, specs.Dataset],
    models: Mapping[str, specs.Model],
    protocols: Mapping[str, specs.Protocol],
    scores: Sequence[Path],
    timings: Sequence[Path],
    out: Mapping[str, Path],
    stores: Mapping[str, Path] | None = None,
    predictions: Mapping[tuple[str, str], Path] | None = None,
    redraws: Sequence[Path] = (),
    strata: Sequence[Path] = (),
) -> None:
    """Write the tables of a study (`scopedepth.tables.study`) to the paths `out`, by the tables' names.

    `scores` are the tables of all units, models and protocols of the study, `timings` those of the timed calls, none
    where the study does not measure speed. `stores` by unit and `predictions` by unit and model are for the errors
    against depth; a model without a prediction there has none of these. `strata`: tables of sums by strata, if any.
    `redraws`: tables of the datasets that state the error of their reference. The rows are sorted by name, so neither
    the order of the files nor that of the configuration shows. Missing or unlike tables, and stores that are damaged,
    are a `ScopeDepthError`.
    """
    score_paths = group_paths(scores)
    _check_complete(study, score_paths)
    seen = {name: _seen(study, name, score_paths) for name in sorted(study["datasets"])}
    rows: dict[str, list[Row]] = {name: [] for name in ROW_TABLES}
    for name in seen:
        parts = _dataset_rows(study, datasets[name], name, models, protocols, score_paths)
        for table, part in parts.items():
            rows[table] += part
    if asked := study.get("robustness"):
        rows["resilience"] = resilience_rows(rows["robustness"], asked["baseline"])
    _write_frames(
        out["frames"], {key: score_paths[key] for key in score_paths if key[0] in seen}, protocols, seen
    )
    if stores and predictions:
        rows["depth_error"] = _depth_error_rows(
            study, protocols, score_paths, stores, predictions, out["frames"]
        )
    rows["reference"] = reference_rows(rows["comparisons"], protocols, redraws)
    rows["strata"] = _strata_rows(study, protocols, score_paths, strata)
    for table in ROW_TABLES:
        for row in rows[table]:
            seen[row["dataset"]].add_to(row)
        _write_rows(out[table], STUDY_TABLES[table], rows[table])
    write_table(out["timing"], TIMING, [_timing(timings, study)] if timings else [])


def _seen(study: specs.Study, dataset: str, scores: Mapping[Key, Sequence[Path]]) -> Seen:
    """Return what the models have seen of the sequences that a dataset turned out to have."""
    paths = scores[dataset, study["models"][0], study["protocols"][0]]
    names = {
        name for path in paths for name in sequence_names(read_table(path, ["sequence"], SCORES)).tolist()
    }
    return Seen(study, dataset, sorted(names))


def chosen_metrics(study: specs.Study, protocol: specs.Protocol) -> list[str]:
    """Return the metrics to summarise under `protocol`, in the registry's order."""
    computed = {*protocol["metrics"], *([SCALE_DRIFT.name] if has_drift(protocol) else [])}
    wanted = computed if study["metrics"] is None else computed & set(study["metrics"])
    return [name for name in SUMMARY_METRICS if name in wanted]


def _check_complete(study: specs.Study, paths: Mapping[Key, Sequence[Path]]) -> None:
    for dataset in study["datasets"]:
        for model in study["models"]:
            for protocol in study["protocols"]:
                if (dataset, model, protocol) not in paths:
                    raise ScopeDepthError(
                        f"No scores of {model} on {dataset} under {protocol}: run the workflow again."
                    )


def _dataset_rows(
    study: specs.Study,
    spec: specs.Dataset,
    dataset: str,
    models: Mapping[str, specs.Model],
    protocols: Mapping[str, specs.Protocol],
    scores: Mapping[Key, list[Path]],
) -> dict[str, list[Row]]:
    """Return the rows of all tables about one dataset."""
    names = sorted(study["models"])
    rows: dict[str, list[Row]] = {name: [] for name in ROW_TABLES}
    analyses: dict[str, dict[str, Analysis]] = {}  # metric -> protocol
    statuses: dict[tuple[str, str], list[str]] = {}
    is_baseline = np.array([models[name]["family"] == BASELINE_FAMILY for name in names])
    for protocol in sorted(study["protocols"]):
        metrics = chosen_metrics(study, protocols[protocol])
        drifts = has_drift(protocols[protocol])
        columns = [*(name for name in metrics if name in METRICS), *(FIT if drifts else ())]
        panel = read_panel(dataset, protocol, names, scores, columns)
        if drifts:
            logs = log_scales(panel.values["scale"], panel.values["offset"], protocols[protocol])
            rows["drift"] += drift_rows(
                dataset, protocol, names, panel.sequences, panel.starts, panel.frames, logs
            )
            if SCALE_DRIFT.name in metrics:
                panel = with_drift(panel, logs)
        views = [
            (
                one,
                read_panel(one.view, protocol, names, scores, [name for name in columns if name in METRICS]),
            )
            for one in corrupted_of(study, dataset)
        ]
        for metric in metrics:
            if metric not in panel.values:
                continue
            reasons = [why_not(metric, protocols[protocol], models[name], spec) for name in names]
            if metric == SCALE_DRIFT.name:
                reasons = _without_factor(panel, reasons)
            judged = partial(_analysed, study, protocols[protocol], metric, is_baseline, reasons)
            analysis, status = judged(panel)
            analyses.setdefault(metric, {})[protocol] = analysis
            statuses[metric, protocol] = status
            rows["summary"] += _summary_rows(panel, metric, analysis, status, protocols[protocol], models)
            rows["comparisons"] += _comparison_rows(panel, metric, analysis, status)
            if views and metric in METRICS:
                rows["robustness"] += robustness_rows(
                    study, protocols[protocol], metric, panel, views, judged
                )
    for metric, by_protocol in analyses.items():
        rows["ranks"] += _rank_rows(dataset, metric, names, by_protocol, statuses)
        rows["sensitivity"] += _sensitivity_rows(dataset, metric, names, by_protocol)
    return rows


def _analysed(
    study: Mapping[str, Any],
    protocol: Mapping[str, Any],
    metric: str,
    is_baseline: np.ndarray,
    reasons: Sequence[str],
    panel: Panel,
) -> tuple[Analysis, list[str]]:
    """Return a panel's statistics of one metric, and what is said of each model's value."""
    analysis = analyse(
        panel,
        metric,
        protocol["averaging"],
        SUMMARY_METRICS[metric].higher_is_better,
        np.array([not reason for reason in reasons]),
        # No skill of consistency: a constant agrees with itself.
        is_baseline & (metric in METRICS and not METRICS[metric].pair),
        study["bootstrap"]["replicates"],
        study["bootstrap"]["seed"],
    )
    return analysis, _statuses(panel, analysis, reasons)


def _strata_rows(
    study: specs.Study,
    protocols: Mapping[str, specs.Protocol],
    scores: Mapping[Key, list[Path]],
    strata: Sequence[Path],
) -> list[Row]:
    """Return the rows of the table `strata`, from the tables of sums."""
    rows = []
    models = sorted(study["models"])
    for (dataset, protocol), paths in sorted(by_model(strata).items()):
        panel = read_panel(dataset, protocol, models, scores, [])
        metrics = [name for name in chosen_metrics(study, protocols[protocol]) if name in METRICS]
        rows += strata_rows(study, protocols[protocol], metrics, StrataPanel(panel, paths))
    return rows


def _depth_error_rows(
    study: specs.Study,
    protocols: Mapping[str, specs.Protocol],
    scores: Mapping[Key, list[Path]],
    stores: Mapping[str, Path],
    predictions: Mapping[tuple[str, str], Path],
    fits: Path,
) -> list[Row]:
    """Return the errors against depth under the study's headline protocol."""
    # Compiled loops and stores, which nothing else here needs.
    from scopedepth.evaluation.maps import Places, ScoredFrames
    from scopedepth.statistics.depth_error import depth_error_rows

    protocol = study["headline"]["protocol"]
    frames = ScoredFrames(Places(stores, predictions, fits), protocol, protocols[protocol])
    models = sorted(study["models"])
    rows = []
    for dataset in sorted(study["datasets"]):
        table = read_sorted(scores[dataset, models[0], protocol], [])
        keys = zip(sequence_names(table).tolist(), table["frame"].to_pylist(), strict=True)
        rows += depth_error_rows(frames, dataset, models, list(keys))
    return rows


def why_not(metric: str, protocol: specs.Protocol, model: specs.Model, dataset: specs.Dataset) -> str:
    """Return why `protocol` gives no `metric` of what `model` predicts: not_applicable, no_unit, or nothing."""
    kind, unit = model["output"]["kind"], dataset["depth"]["unit"]
    permitted = permitted_metrics(protocol, kind, unit)
    if metric == SCALE_DRIFT.name:
        # Where only metrics of order are left, nothing is fitted.
        return "" if any(METRICS[name].needs != "order" for name in permitted) else NOT_APPLICABLE
    if metric in permitted:
        return ""
    return "no_unit" if metric in permitted_metrics(protocol, kind, "mm") and permitted else NOT_APPLICABLE


def _without_factor(panel: Panel, reasons: Sequence[str]) -> list[str]:
    """Return `reasons`, and undefined for models that have fits but no positive factor: constant maps."""
    fitted = panel.is_status(["ok"]).any(axis=1)
    without = fitted & np.isnan(panel.values[SCALE_DRIFT.name]).all(axis=1)
    return [reason or ("undefined" if none else "") for reason, none in zip(reasons, without, strict=True)]


def _statuses(panel: Panel, analysis: Analysis, reasons: Sequence[str]) -> list[str]:
    """Return for each model ok, incomplete, or why it has no number."""
    result = []
    for row, reason in enumerate(reasons):
        if reason:
            result.append(reason)
        elif analysis.n_frames[row]:
            result.append("ok" if analysis.complete[row] else "incomplete")
        else:
            counts = Counter(panel.statuses[code] for code in panel.status[row])
            failures = sorted((-count, name) for name, count in counts.items() if name != "ok")
            result.append(failures[0][1] if failures else "undefined")
    return result


def _summary_rows(
    panel: Panel,
    metric: str,
    analysis: Analysis,
    statuses: Sequence[str],
    protocol: specs.Protocol,
    models: Mapping[str, specs.Model],
) -> list[Row]:
    ranked = np.flatnonzero(analysis.complete).tolist()
    negative = panel.is_status(["negative_scale"]).sum(axis=1)
    rows = []
    for index, model in enumerate(panel.models):
        row: Row = {
            "dataset": panel.dataset,
            "model": model,
            "protocol": panel.protocol,
            "protocol_version": protocol["version"],
            "metric": metric,
            "ci_scope": NO_INTERVAL,
            "ci_caution": NO_CAUTION,
            "n_frames": int(analysis.n_frames[index]),
            "n_sequences": int(analysis.n_sequences[index]),
            "n_failed": int(analysis.n_failed[index]),
            "n_negative_scale": int(negative[index]),
            "status": statuses[index],
        }
        estimate = analysis.estimates[index]
        if estimate is not None:
            row |= {
                "value": _number(estimate.value[0]),
                "ci_low": _number(estimate.low[0]),
                "ci_high": _number(estimate.high[0]),
                "ci_scope": estimate.scope,
                "ci_caution": estimate.cautions()[0],
                "n_sequences_effective": estimate.effective_sequences,
                "block_frames": _number(estimate.block[0]),
                "n_effective": _number(estimate.effective[0]),
            }
        if analysis.skill is not None and analysis.complete[index]:
            position = ranked.index(index)
            row |= {
                "skill": _number(analysis.skill.value[position]),
                "skill_ci_low": _number(analysis.skill.low[position]),
                "skill_ci_high": _number(analysis.skill.high[position]),
            }
        rows.append(row)
    return rows


def _comparison_rows(panel: Panel, metric: str, analysis: Analysis, statuses: Sequence[str]) -> list[Row]:
    """Return a row for every pair of models, also for those that cannot be compared."""
    found = analysis.differences
    position = {(int(a), int(b)): index for index, (a, b) in enumerate(found.pairs)}
    cautions = found.estimates.cautions() if found.estimates else []
    rows = []
    for a, model_a in enumerate(panel.models):
        for b in range(a + 1, len(panel.models)):
            row: Row = {
                "dataset": panel.dataset,
                "protocol": panel.protocol,
                "metric": metric,
                "model_a": model_a,
                "model_b": panel.models[b],
                "ci_scope": NO_INTERVAL,
                "ci_caution": NO_CAUTION,
                "n_frames": int(analysis.n_common[a, b]),
            }
            index = position.get((a, b))
            if index is None or found.estimates is None:
                row["status"] = statuses[a] if statuses[a] != "ok" else statuses[b]
            else:
                row |= {
                    "difference": _number(found.estimates.value[index]),
                    "ci_low": _number(found.estimates.low[index]),
                    "ci_high": _number(found.estimates.high[index]),
                    "ci_scope": found.estimates.scope,
                    "ci_caution": cautions[index],
                    "p": _number(found.p[index]),
                    "p_holm": _number(found.p_holm[index]),
                    "status": "no_interval" if np.isnan(found.p[index]) else "ok",
                }
            rows.append(row)
    return rows


def _rank_rows(
    dataset: str,
    metric: str,
    models: Sequence[str],
    analyses: Mapping[str, Analysis],
    statuses: Mapping[tuple[str, str], Sequence[str]],
) -> list[Row]:
    won = shares_won([analysis.ranking.rank for analysis in analyses.values()])
    rows = []
    for protocol, analysis in analyses.items():
        ranking = analysis.ranking
        for index, model in enumerate(models):
            ranked = bool(analysis.complete[index])
            tied = [models[other] for other in np.flatnonzero(ranking.tied[index]).tolist()]
            rows.append(
                {
                    "dataset": dataset,
                    "protocol": protocol,
                    "metric": metric,
                    "model": model,
                    "rank_by_value": int(ranking.rank[index]) if ranked else None,
                    "rank_low": int(ranking.low[index]) if ranked else None,
                    "rank_high": int(ranking.high[index]) if ranked else None,
                    "tied_with": tied if ranked else None,
                    "protocols_won": _number(won[index]),
                    "status": statuses[metric, protocol][index],
                }
            )
    return rows


def _sensitivity_rows(
    dataset: str, metric: str, models: Sequence[str], analyses: Mapping[str, Analysis]
) -> list[Row]:
    rows = []
    protocols = list(analyses)
    for position, protocol_a in enumerate(protocols):
        for protocol_b in protocols[position + 1 :]:
            a, b = analyses[protocol_a], analyses[protocol_b]
            found = change(a.ranking.rank, b.ranking.rank, a.beaten, b.beaten)
            rows.append(
                {
                    "dataset": dataset,
                    "metric": metric,
                    "protocol_a": protocol_a,
                    "protocol_b": protocol_b,
                    "tau": _number(found.tau),
                    "n_models": found.n_models,
                    "n_flips": len(found.flips),
                    "n_significant_flips": len(found.significant_flips),
                    "flips": [f"{models[x]} > {models[y]}" for x, y in found.flips],
                    "significant_flips": [f"{models[x]} > {models[y]}" for x, y in found.significant_flips],
                }
            )
    return rows


def _timing(timings: Sequence[Path], study: specs.Study) -> pa.Table:
    from scopedepth.timing.summary import summarise_timing

    return summarise_timing(list(timings), study["timing"]["realtime_fps"])  # type: ignore[index] # it was timed


def _write_frames(
    path: Path,
    scores: Mapping[Key, Sequence[Path]],
    protocols: Mapping[str, specs.Protocol],
    seen: Mapping[str, Seen],
) -> None:
    """Write all scores as one table, a dataset and model at a time: a large study's do not fit into memory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    schema = with_metrics(FRAMES, [name for spec in protocols.values() for name in spec["metrics"]])
    with pq.ParquetWriter(
        beside, schema, compression="zstd", store_schema=True, write_page_checksum=True
    ) as writer:
        for _, keys in groupby(scores, key=lambda key: key[:2]):
            parts = [
                _of_study(read_scores(path), protocols[key[2]]["version"], key[1], seen[key[0]])
                for key in keys
                for path in scores[key]
            ]
            whole = pa.concat_tables(parts).select(schema.names).unify_dictionaries().combine_chunks()
            writer.write_table(whole, row_group_size=1 << 17)
    beside.replace(path)


def _of_study(table: pa.Table, version: int, model: str, seen: Seen) -> pa.Table:
    """Return a table of SCORES as part of FRAMES: with the protocol's version, and what was seen of its sequences."""
    versions = pa.array([version] * len(table), FRAMES.field("protocol_version").type)
    sequences = table["sequence"].combine_chunks()
    # Each level once: of a dictionary that says one twice, pyarrow 26 writes places that it never filled.
    names = sequences.dictionary.to_pylist()
    by_name = pa.array([seen.of(model, name) for name in names], pa.string()).dictionary_encode()
    levels = pa.DictionaryArray.from_arrays(by_name.indices.take(sequences.indices), by_name.dictionary)
    table = table.append_column("protocol_version", versions).append_column(COLUMN, levels)
    return table.select(FRAMES.names).cast(FRAMES)


def _write_rows(path: Path, schema: pa.Schema, rows: Sequence[Row]) -> None:
    write_table(path, schema, {name: [row.get(name) for row in rows] for name in schema.names})


def _number(value: float) -> float | None:
    """Return a number for a table: None stands for NaN."""
    return None if np.isnan(value) else float(value)
