"""A wide study for the report's tests: many models, datasets and protocols, as tables made from nothing.

No frame was predicted or scored: the numbers are drawn, and consistent among the tables as far as the report reads
them. Some cells are missing, some models are tied, names are long, some models are of videos.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from report_study import model, specs, timing_rows
from scopedepth.config.datasets import DatasetSpec
from scopedepth.config.lineage import facts_of
from scopedepth.config.models import ModelSpec
from scopedepth.config.protocols import ProtocolSpec
from scopedepth.config.studies import StudySpec
from scopedepth.statistics.sensitivity import change as change_of
from scopedepth.tables.io import write_table
from scopedepth.tables.study import STUDY_TABLES
from scopedepth.tables.timing import TIMING
from scopedepth.vocabulary.metrics import METRICS
from scopedepth.vocabulary.strata import STRATA, WHOLE

HEADLINE = ("protocol_00", "abs_rel")
LONG = "An endoscopic video foundation model, large, distilled and tuned, second release"
Rows = list[dict[str, Any]]


def entries(models: int, datasets: int, protocols: int, metrics: Sequence[str]) -> tuple[Any, Any, Any]:
    """Return entries of models (two of them trivial baselines), datasets and protocols as a configuration has them."""
    made: dict[str, Any] = {}
    for i in range(models - 2):
        title = LONG if i == 3 else f"Video depth {i}, window of 32" if i % 5 == 4 else f"Network {i:02d}"
        made[f"network_{i:02d}"] = model(title, ("depth", "disparity")[i % 2], 0.1)
        if i == 1:
            made[f"network_{i:02d}"]["trained_on"] = [{"dataset": "data_00"}]
    for name in ("constant", "brightness"):
        made[name] = model(name.capitalize(), "depth", 0, "baseline", kind=name)
    data = {
        f"data_{i:02d}": {
            "title": f"Colonoscopy phantom {i}, rendered" if i % 3 == 1 else f"Dataset {i}",
            "loader": "folder", "source": {"kind": "path", "path": f"data_{i:02d}"}, "depth": {"unit": "mm"},
        }
        for i in range(datasets)
    }  # fmt: skip
    ways = [{"method": "median"}, {"method": "lsq_affine", "space": "depth"}, {"method": "none"}]
    scored = {
        f"protocol_{i:02d}": {
            "title": f"Way {i} of bringing a prediction to the reference’s scale", "alignment": ways[i % 3],
            "metrics": list(metrics),
        }
        for i in range(protocols)
    }  # fmt: skip
    return made, data, scored


def wide_study(
    root: Path, models: int = 16, datasets: int = 12, protocols: int = 14, metrics: Sequence[str] = tuple(METRICS)[:9],
    sequences: int = 3, frames: int = 8,
) -> dict[str, Any]:  # fmt: skip
    """Write the tables below `root` and return the arguments of `write_report`, `out` left out."""
    random = np.random.default_rng(16)
    named = entries(models, datasets, protocols, metrics)
    of_models, of_datasets = specs(ModelSpec, named[0]), specs(DatasetSpec, named[1])
    of_protocols = specs(ProtocolSpec, named[2])
    study: Any = {"name": "wide", **StudySpec.model_validate({
        "title": "A wide study", "datasets": list(of_datasets), "models": list(of_models), "strata": True,
        "protocols": list(of_protocols), "headline": {"protocol": HEADLINE[0], "metric": HEADLINE[1]},
        "notes": ["Everything here is invented"], "allow_seen": True,
    }).model_dump(mode="json")}  # fmt: skip
    study["lineage"] = facts_of(
        {name: DatasetSpec.model_validate(entry) for name, entry in named[1].items()},
        {name: ModelSpec.model_validate(entry) for name, entry in named[0].items()},
    )
    names = list(of_models)
    rows: dict[str, Rows] = {name: [] for name in STUDY_TABLES}
    levels = {name: 0.06 * 1.09**i for i, name in enumerate(names[:-2])} | {
        "constant": 0.9,
        "brightness": 0.6,
    }
    for dataset in of_datasets:
        here = {
            name: level * float(np.exp(0.15 * random.standard_normal())) for name, level in levels.items()
        }
        ranked = {}
        for metric, protocol in product(metrics, of_protocols):
            values = {
                name: drawn(level * float(np.exp(0.06 * random.standard_normal())), METRICS[metric].higher_is_better)
                for name, level in here.items()
                # Some cells lack: a protocol that does not apply, a model that failed on a dataset.
                if (protocol, name) != ("protocol_02", "network_05") and (dataset, name) != ("data_01", "network_02")
            }  # fmt: skip
            ranked[metric, protocol] = of_cell(rows, dataset, protocol, metric, values, names)
        for metric, (a, b) in product(metrics, combinations(of_protocols, 2)):
            rows["sensitivity"].append(change(dataset, metric, a, b, ranked[metric, a], ranked[metric, b]))
        of_frames(rows, dataset, list(of_protocols), here, sequences, frames, random)
    timing = timing_rows([name for name in names if name != "network_07"])
    tables = {name: root / f"{name}.parquet" for name in STUDY_TABLES}
    for name, schema in STUDY_TABLES.items():
        columns = timing if name == "timing" else filled(schema, rows[name])
        write_table(tables[name], TIMING if name == "timing" else schema, columns)
    return {
        "study": study, "datasets": of_datasets, "models": of_models, "protocols": of_protocols, "tables": tables,
        "stores": {name: root / f"{name}.zarr" for name in of_datasets}, "predictions": {}, "records": [],
    }  # fmt: skip


def drawn(level: float, upwards: bool) -> float:
    return 1 / (1 + level) if upwards else level


def filled(schema: pa.Schema, rows: Rows) -> dict[str, list[Any]]:
    return {name: [row.get(name) for row in rows] for name in schema.names}


def of_cell(
    rows: dict[str, Rows], dataset: str, protocol: str, metric: str, values: dict[str, float], names: list[str]
) -> tuple[dict[str, int], dict[tuple[str, str], bool]]:  # fmt: skip
    """Add the rows of one ranking and return what is ranked; models that differ by more than 12 % are told apart."""
    keys = {"dataset": dataset, "protocol": protocol, "metric": metric, "seen_in_training": "none"}
    upwards = METRICS[metric].higher_is_better
    ranked = {name: value for name, value in values.items() if name != "network_09" or dataset != "data_00"}
    order = sorted(ranked, key=lambda name: ranked[name] * (-1 if upwards else 1))
    apart = {(a, b): bool(abs(np.log(ranked[a] / ranked[b])) > 0.12) for a, b in product(ranked, repeat=2)}
    base = min(values["constant"], values["brightness"])
    for name in names:
        value, whole = values.get(name), name in ranked
        skill = None if value is None or upwards or not whole else 1 - value / base
        spread = {"ci_low": value * 0.94, "ci_high": value * 1.06} if value and whole else {}
        status = "ok" if whole else "not_applicable" if value is None else "incomplete"
        rows["summary"].append({
            **keys, **spread, "model": name, "value": value, "status": status, "skill": skill, "protocol_version": 1,
            "skill_ci_low": None if skill is None else skill - 0.05,
            "skill_ci_high": None if skill is None else skill + 0.04,
            "ci_scope": "these sequences", "ci_caution": "no", "n_frames": 24, "n_sequences": 3,
            "n_failed": 0 if whole else 3,
            "n_negative_scale": 0,
        })  # fmt: skip
        if name in ranked:
            place, tied = (
                order.index(name) + 1,
                [other for other in order if other != name and not apart[name, other]],
            )
            ends = [order.index(other) + 1 for other in tied] + [place]
            rows["ranks"].append({
                **keys, "model": name, "rank_by_value": place, "rank_low": min(ends), "rank_high": max(ends),
                "tied_with": tied, "protocols_won": 0.5 if place == 1 else 0.0, "status": "ok",
            })  # fmt: skip
    for a, b in combinations(ranked, 2):
        difference, p = ranked[a] - ranked[b], 0.001 if apart[a, b] else 0.4
        rows["comparisons"].append({
            **keys, "model_a": a, "model_b": b, "difference": difference, "ci_low": difference - 0.01,
            "ci_high": difference + 0.01, "p": p / 2, "p_holm": p, "ci_scope": "these sequences", "ci_caution": "no",
            "n_frames": 24, "status": "ok", "seen_in_training_a": "none", "seen_in_training_b": "none",
        })  # fmt: skip
    beaten = {(a, b): apart[a, b] and order.index(a) < order.index(b) for a, b in product(ranked, repeat=2)}
    return {name: order.index(name) + 1 for name in ranked}, beaten


def change(dataset: str, metric: str, a: str, b: str, first: Any, second: Any) -> dict[str, Any]:
    """Return the row of two protocols, by the project's own comparison of rankings."""
    common = sorted(set(first[0]) & set(second[0]))
    ranks = [np.array([one[0][name] for name in common]) for one in (first, second)]
    beaten = [np.array([[one[1][x, y] for y in common] for x in common]) for one in (first, second)]
    found = change_of(*ranks, *beaten)
    said = {
        key: [f"{common[x]} > {common[y]}" for x, y in pairs]
        for key, pairs in (("flips", found.flips), ("significant_flips", found.significant_flips))
    }
    return {
        "dataset": dataset, "metric": metric, "protocol_a": a, "protocol_b": b, "tau": found.tau,
        "n_models": len(common),
        "n_flips": len(found.flips), "n_significant_flips": len(found.significant_flips), **said,
    }  # fmt: skip


def of_frames(
    rows: dict[str, Rows], dataset: str, protocols: list[str], levels: dict[str, float], sequences: int, frames: int,
    random: np.random.Generator,
) -> None:  # fmt: skip
    """Add the rows of frames, of error against depth, of drift and of strata."""
    seen = {"dataset": dataset, "seen_in_training": "none"}
    for name, level in levels.items():
        for sequence, protocol, frame in product(range(sequences), protocols, range(frames)):
            ok = not (name == "network_09" and dataset == "data_00" and frame == 0)
            value = level * float(np.exp(0.2 * random.standard_normal())) if ok else None
            rows["frames"].append({
                **seen, "model": name, "protocol": protocol, "protocol_version": 1, "sequence": f"sequence_{sequence}",
                "frame": frame, "frame_id": f"{frame:04d}", "abs_rel": value, "n_pixels": 4000, "coverage": 1.0,
                "status": "ok" if ok else "failed_prediction",
            })  # fmt: skip
        for place in range(8):
            rows["depth_error"].append({
                **seen, "protocol": protocols[0], "model": name, "bin": place + 1, "depth_low": 10.0 * place,
                "depth_high": 10.0 * (place + 1), "unit": "mm", "n_frames": 24, "n_pixels": 1000,
                "abs_rel": level * (1 + 0.1 * place),
            })  # fmt: skip
        for sequence in range(sequences):
            wander = np.exp(0.1 * random.standard_normal(frames))
            rows["drift"].append({
                **seen, "protocol": protocols[0], "model": name, "sequence": f"sequence_{sequence}", "n_frames": frames,
                "n_factors": frames, "scale_drift": float(np.std(np.log(wander))), "frames": list(range(frames)),
                "relative_scales": wander.tolist(),
            })  # fmt: skip
        for partition, stratum in STRATA:
            ratio = 1.0 if partition == WHOLE else float(np.exp(0.3 * random.standard_normal()))
            rows["strata"].append({
                **seen, "protocol": protocols[0], "metric": "abs_rel", "model": name, "partition": partition,
                "stratum": stratum, "value": level * ratio, "ci_low": level * ratio * 0.9,
                "ci_high": level * ratio * 1.1,
                "ratio": ratio, "ratio_ci_low": ratio * 0.9, "ratio_ci_high": ratio * 1.1, "excess": 0.1,
                "p_holm": 0.001 if ratio > 1.4 else 0.3, "pixel_share": 0.2, "n_pixels": 1000, "n_frames": 24,
            })  # fmt: skip
