"""A small study made from nothing for the report's tests: synthetic scenes, invented predictions, real scores.

Only the scenes and predictions are made up: aligning, scoring and summarising are the project's own.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from scopedepth.config.base import Spec, plain_spec
from scopedepth.config.datasets import DatasetSpec
from scopedepth.config.lineage import facts_of
from scopedepth.config.models import ModelSpec
from scopedepth.config.protocols import ProtocolSpec
from scopedepth.config.studies import StudySpec
from scopedepth.evaluation.align import align_unit
from scopedepth.evaluation.score import score_unit
from scopedepth.job.manifest import write_json
from scopedepth.statistics.summarise import summarise_study
from scopedepth.stores.sharded import ArraySpec, ShardedStore
from scopedepth.tables.study import STUDY_TABLES
from scopedepth.tables.timing import TIMING

HEIGHT, WIDTH = 60, 80
FRAMES = 8
HOSTILE = "<script>alert('x')</script> & 100% \\_{#} ~^$ \"Net\""
BIBTEX = "@article{tube2020, title = {A tube}, author = {Doe, Jane}, year = {2020}}"


def scene(seed: int, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image (h, w, 3) uint8 and a depth (h, w) float32 in mm: a tube with folds, a lamp in front."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    angle = np.arctan2(y - 30 - 4 * np.sin(0.2 * frame + seed), x - 40 - 6 * np.cos(0.13 * frame + seed))
    radius = np.hypot(y - 30 - 4 * np.sin(0.2 * frame + seed), x - 40 - 6 * np.cos(0.13 * frame + seed))
    depth = 900 / (radius + 9) + 6 + 2.5 * np.sin(0.5 * radius - 0.4 * frame) + 1.5 * np.cos(3 * angle)
    light = np.clip((18 / depth) ** 2 * 160 + 25, 0, 255)
    tint = np.stack([light, light * 0.62, light * 0.5], axis=-1)
    return tint.astype(np.uint8), np.clip(depth, 4, 90).astype(np.float32)


def write_dataset(
    path: Path, spec: Mapping[str, Any], seed: int, sequences: list[str], frames: int = FRAMES
) -> None:
    size = (HEIGHT, WIDTH)
    arrays = {
        "rgb": ArraySpec((*size, 3), "uint8", ("y", "x", "channel"), 0, "noshuffle"),
        "depth": ArraySpec(size, "float32", ("y", "x"), float("nan")),
        "flags": ArraySpec(size, "uint8", ("y", "x"), 0, "noshuffle"),
        "status": ArraySpec((), "uint8"),
        "frame_id": ArraySpec((), str, fill=""),
    }
    units = spec["depth"]["unit"]
    groups = {
        name: {
            "n_frames": frames,
            "arrays": arrays,
            "attrs": {"sequence": name, "units": units, "intrinsics": None},
        }
        for name in sequences
    }
    with ShardedStore(
        path, {"seed": seed}, groups, frames, {"sequences": sequences, "spec": dict(spec)}
    ) as store:
        for sequence, shard, start, stop in store.missing():
            made = [scene(seed + sequences.index(sequence), frame) for frame in range(start, stop)]
            border = np.hypot(*(np.mgrid[:HEIGHT, :WIDTH] - np.array([30, 40])[:, None, None])) > 44
            depth = np.stack([np.where(border, np.nan, d) for _, d in made]).astype(np.float32)
            flags = np.broadcast_to(np.where(border, 2 | 1, 0).astype(np.uint8), depth.shape)
            store.write_shard(sequence, shard, {
                "rgb": np.stack([rgb * ~border[..., None] for rgb, _ in made]), "depth": depth, "flags": flags,
                "status": np.zeros(stop - start, np.uint8),
                "frame_id": np.array([f"frame_{i:04d}.png" for i in range(start, stop)], dtype=object),
            })  # fmt: skip
        store.finish()
    write_json(path.with_suffix(".json"), {"digest": "sha256:" + f"{seed:064x}"})


def predict(
    model: Mapping[str, Any], depth: np.ndarray, rgb: np.ndarray, seed: int, frame: int
) -> np.ndarray:
    """Return an invented output: reference depth with smooth and fine errors, as the model's kind demands."""
    invented = model["options"].get("options", {})
    quality = float(invented.get("noise", 0.1))
    random = np.random.Generator(np.random.PCG64([seed, frame]))
    if model["options"].get("kind") == "constant":
        return np.ones_like(depth)
    if model["options"].get("kind") == "brightness":
        return (1 / np.sqrt(rgb.mean(axis=-1) + 1)).astype(np.float32)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    wave = np.sin(0.08 * x + seed) * np.cos(0.06 * y + 0.3 * frame)
    bent = depth ** (1 + quality * float(invented.get("bend", 0)))
    value = bent * np.exp(quality * wave + 0.3 * quality * random.standard_normal(depth.shape))
    value *= 1 + 0.2 * quality * np.sin(0.5 * frame + seed)
    if model["output"]["kind"] == "disparity":
        value = 40 / value + float(invented.get("shift", 0.0))
    elif model["output"]["unit"] == "m":
        value = value / 1000
    return value.astype(np.float32)


def write_prediction(path: Path, model: Mapping[str, Any], dataset: Path, seed: int) -> None:
    from scopedepth.stores.dataset import DatasetStore

    data = DatasetStore(dataset)
    arrays = {
        "prediction": ArraySpec((HEIGHT // 2, WIDTH // 2), "float32", ("v", "u"), float("nan")),
        "status": ArraySpec((), "uint8"),
    }
    groups = {name: {"n_frames": s.n_frames, "arrays": arrays} for name, s in data.sequences.items()}
    attrs = {"output_kind": model["output"]["kind"], "unit": model["output"]["unit"], "spec": dict(model),
             "sequences": list(groups)}  # fmt: skip
    invented = model["options"].get("options", {})
    with ShardedStore(path, {"seed": seed}, groups, FRAMES, attrs) as store:
        for name, shard, start, stop in store.missing():
            sequence = data.sequences[name]
            depth, rgb = np.nan_to_num(sequence.depth(start, stop), nan=20.0), sequence.rgb(start, stop)
            outputs = np.stack([
                predict(model, depth[i], rgb[i], seed, start + i)[::2, ::2] for i in range(stop - start)
            ])  # fmt: skip
            status = np.zeros(stop - start, np.uint8)
            if invented.get("fails"):
                outputs[:] = np.nan
                status[:] = 2
            if invented.get("stumbles"):
                outputs[3] = np.nan
                status[3] = 2
            store.write_shard(name, shard, {"prediction": outputs, "status": status})
        store.finish()
    write_json(
        path.with_suffix(".json"), {"digest": "sha256:" + f"{seed:064x}", "weights_digest": "sha256:ab"}
    )


def specs(
    cls: type[Spec], entries: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:  # plain specs, as the workflow hands them over
    return {name: plain_spec(name, cls.model_validate(entry)) for name, entry in entries.items()}


DATASETS = {
    "tube": {"title": "Tube & folds", "loader": "folder", "source": {"kind": "path", "path": "tube"},
             "depth": {"unit": "mm", "origin": "rendered"}, "licence": "MIT", "citation": BIBTEX},
    "cave": {"title": "Cave", "loader": "folder", "source": {"kind": "path", "path": "cave"},
             "depth": {"unit": "relative"}, "licence": "not stated"},
    "absent": {"title": "Absent data", "loader": "folder", "source": {"kind": "path", "path": "absent"}},
}  # fmt: skip


def model(
    title: str, output: str, noise: float, family: str = "python", unit: str | None = None, **options: Any
) -> dict[str, Any]:
    kind = {"kind": output, "unit": unit}
    invented = {"noise": noise, **options}
    own = (
        {"kind": options["kind"]} if family == "baseline" else {"code": "network.py:Net", "options": invented}
    )
    spec = {"title": title, "family": family, "output": kind, "options": own}
    return spec if family == "baseline" else {**spec, "weights": {"kind": "path", "path": "weights"}}


MODELS = {
    "affine_net": model("Affine Net", "disparity", 0.06, shift=0.8)
    | {"citation": BIBTEX.replace("tube2020", "affine2021")},
    "scaled_net": model("Scaled Net", "depth", 0.12, bend=0.3),
    "metric_net": model("Metric Net", "metric_depth", 0.16, unit="m") | {"trained_on": [{"dataset": "tube"}]},
    "hostile": model(HOSTILE, "depth", 0.3, bend=-0.8, stumbles=True),
    "broken": model("Broken Net", "depth", 0.1, fails=True),
    "constant": model("Constant", "depth", 0, "baseline", kind="constant"),
    "brightness": model("Inverse root brightness", "depth", 0, "baseline", kind="brightness"),
}

PAGE = {
    "frames": 24, "share_of_pixels_with_depth": 0.91, "camera": "pinhole <b>", "legend": {"specular": [220, 40, 160]},
    "sequences": [{
        "name": "bend", "frames": 8, "width": 80, "height": 60, "units": "mm", "valid_share": 0.91, "notes": [],
        "flag_shares": {"specular": 0.01},
        "depth": {"percentiles": {"1": 12.0, "50": 31.5, "99": 80.0},
                  "histogram": {"counts": [1, 5, 2], "edges": [0, 1, 2, 3]}},
        "pictures": [{"image": "https://example.org/x.png", "depth": "data:image/png;base64,AAAA", "frame_id": "0"}],
    }],
}  # fmt: skip

PROTOCOLS = {
    "median_depth": {"title": "Median scale in depth", "depth_range": {"min": 1, "max": 150},
                     "alignment": {"method": "median", "affine_disparity": "zero_shift"},
                     "unknown": ["whether the median is over all frames"],
                     "differs": ["it counts a depth of zero; here that is missing"]},
    "lsq_disparity": {"title": "Least squares in disparity",
                      "alignment": {"method": "lsq_affine", "space": "disparity"},
                      "clamp": {"disparity": "inverse_max_depth"}, "metrics": ["abs_rel", "rmse", "delta1"]},
    "sequence_scale": {"title": "One factor a sequence", "alignment": {"method": "median", "scope": "sequence"},
                       "averaging": "frames", "metrics": ["abs_rel", "rmse", "delta1"]},
}  # fmt: skip


def timing_rows(models: list[str]) -> dict[str, list[Any]]:
    """Return invented timing, every field filled: the report shows it and computes nothing from it."""
    rows: dict[str, list[Any]] = {name: [] for name in TIMING.names}
    for i, name in enumerate(models):
        ms = 4.0 * 2.1**i
        for field in TIMING:
            if pa.types.is_dictionary(field.type):
                value: Any = {"model": name, "device": "cpu", "precision": "fp32", "hardware": "Test processor",
                              "disturbed": "no", "status": "ok"}.get(field.name, "60 x 80")  # fmt: skip
            elif pa.types.is_integer(field.type):
                value = {"batch": 1, "new_frames": 1, "look_ahead": 0, "parameters": 10**5 * (i + 1)}.get(
                    field.name, 20
                )
            elif field.name == "realtime_fps":
                value = 30.0
            elif field.name == "realtime_share":
                value = 1.0 if ms < 33 else 0.0
            elif field.name == "frames_per_second":
                value = 1000 / ms
            elif field.name.endswith("low"):
                value = ms * 0.96
            elif field.name.endswith("high"):
                value = ms * 1.05
            else:
                value = ms
            rows[field.name].append(value)
    return rows


def make_study(root: Path, frames: int = FRAMES) -> dict[str, Any]:
    """Make the study's files below `root` and return the arguments of `write_report`, `out` left out."""
    datasets, models, protocols = (
        specs(DatasetSpec, DATASETS),
        specs(ModelSpec, MODELS),
        specs(ProtocolSpec, PROTOCOLS),
    )
    study: Any = {"name": "tiny", **StudySpec.model_validate({
        "title": "A tiny study", "datasets": list(datasets), "models": list(models), "protocols": list(protocols),
        "headline": {"protocol": "median_depth", "metric": "abs_rel"}, "bootstrap": {"replicates": 100},
        "notes": ["Everything here is invented"], "allow_seen": True,
    }).model_dump(mode="json")}  # fmt: skip
    study["lineage"] = facts_of(
        {name: DatasetSpec.model_validate(entry) for name, entry in DATASETS.items()},
        {name: ModelSpec.model_validate(entry) for name, entry in MODELS.items()},
    )
    results = root / "results"
    stores = {name: results / "datasets" / f"{name}.zarr" for name in datasets}
    write_dataset(stores["tube"], datasets["tube"], 1, ["bend", "straight", "wide"], frames)
    write_dataset(stores["cave"], datasets["cave"], 7, ["hall"], frames)
    predictions, scores, records = {}, list[Path](), []
    for unit in datasets:
        for seed, name in enumerate(models):
            predictions[unit, name] = results / "predictions" / unit / f"{name}.zarr"
            if unit == "absent":
                continue
            write_prediction(predictions[unit, name], models[name], stores[unit], seed)
            record = predictions[unit, name].with_suffix(".run.json")
            version = "2.13.0" if name != "scaled_net" else "2.12.0"
            write_json(record, {"began": "2026-01-01T00:00:00Z", "seconds": 1.5, "host": "host", "device": "cpu",
                                "python": "3.11", "versions": {"torch": version}})  # fmt: skip
            records.append(record)
            keys = {"dataset": unit, "model": name}
            fits, scored = (
                {one: results / stage / unit / name / f"{one}.parquet" for one in protocols}
                for stage in ("alignments", "scores")
            )
            align_unit(protocols, [stores[unit]], [predictions[unit, name]], keys, fits)
            score_unit(protocols, stores[unit], predictions[unit, name], fits, keys, scored)
            scores += scored.values()
    write_json(stores["tube"].with_suffix(".page.json"), PAGE)
    out = {name: results / "studies" / "tiny" / f"{name}.parquet" for name in STUDY_TABLES}
    of_study: Any = {**study, "datasets": [name for name in study["datasets"] if name != "absent"]}
    summarise_study(of_study, datasets, models, protocols, scores, [], out, stores, predictions)
    from scopedepth.tables.io import write_table

    write_table(out["timing"], TIMING, timing_rows([name for name in models if name != "brightness"]))
    return {
        "study": study, "datasets": datasets, "models": models, "protocols": protocols, "tables": out, "stores": stores,
        "predictions": predictions, "records": [*records, root / "missing.run.json"],
    }  # fmt: skip


@functools.cache
def tiny_study(folder: Path) -> dict[str, Any]:
    """Return the study, made once for all tests of a run."""
    return make_study(folder / "tiny_study")
