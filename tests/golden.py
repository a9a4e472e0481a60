"""A study of awkward frames under all protocols, and digests of its numbers.

    python tests/golden.py        writes tests/golden.json anew, on purpose: its numbers are to stay

Sums run in the lanes of a processor's registers, so that their last digits are those of one kind of processor. Digests
are kept for each kind that wrote some, and means are compared everywhere.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import llvmlite.binding as llvm
import numpy as np
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "workflow_scripts"), str(ROOT / "tests")]

from evaluation_fakes import ALONE, FakeSequence, FakeStore, protocol  # noqa: E402
from scopedepth.config.base import plain_spec  # noqa: E402
from scopedepth.config.protocols import ProtocolSpec  # noqa: E402
from scopedepth.evaluation import align, score  # noqa: E402
from scopedepth.vocabulary import flags as bits  # noqa: E402

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

GOLDEN = Path(__file__).with_suffix(".json")
Array = NDArray[Any]
SHAPE = (40, 240)
# Columns that scores have from the fits, and did not have then.
FIT = ("scale", "offset")
EXACT = {"min": 5, "max": 90}

# What no published protocol does.
OTHERS: dict[str, dict[str, Any]] = {
    "all_metrics": {"metrics": ALONE, "depth_range": {"min": 1, "max": 300}},
    "exact_range": {"alignment": {"method": "lsq_affine"}, "depth_range": EXACT},
    "open_range": {"alignment": {"method": "lsq_affine"}, "depth_range": {**EXACT, "inclusive": False}},
    "masked": {
        "masks": {"exclude": ["tool", "border"], "grey_above": 20, "rgb_sum_below": 700, "erode": 5},
        "depth_range": EXACT,
    },
    "eroded": {"masks": {"erode": 3}, "metrics": ["abs_rel", "boundary_f1"]},
    "nearest": {"interpolation": {"method": "nearest"}, "alignment": {"method": "lsq_scale"}},
    "no_limits": {
        "clamp": {"depth": None},
        "alignment": {"method": "lsq_affine", "weight": "inverse_depth", "affine_disparity": "zero_shift"},
        "metrics": [name for name in ALONE if name not in ("ordinal", "spearman")],
    },
    "log_median": {"alignment": {"method": "median", "space": "log_depth"}},
    "log_scale": {"alignment": {"method": "lsq_scale", "space": "log_depth", "min_pixels": 1}},
    "log_affine": {"alignment": {"method": "lsq_affine", "space": "log_depth", "scope": "sequence"}},
    "mad_depth": {"alignment": {"method": "median_mad", "affine_disparity": "zero_shift"}},
    "l1_truncated": {"alignment": {"method": "l1_affine", "options": {"points": 8, "truncation": 0.5}}},
    "minmax_disparity": {
        "alignment": {"method": "minmax", "space": "disparity"},
        "clamp": {"disparity": 1e-4},
    },
    "dataset_median": {"alignment": {"method": "median", "scope": "dataset", "fit_above": 0.01}},
    "dataset_mad": {
        "alignment": {"method": "median_mad", "space": "disparity", "scope": "dataset"},
        "clamp": {"disparity": "inverse_max_depth"},
    },
    "dataset_means": {
        "alignment": {"method": "lsq_affine", "scope": "dataset", "pool": "frame_means", "min_pixels": 1}
    },
    "refuses": {"unit_unknown": "refuse"},
    "skips": {"unit_unknown": "skip", "clamp": {"when": "before"}},
}

# Output kind, unit and family; what is done to the true depth to get the output.
MODELS: dict[str, tuple[str, str | None, str]] = {
    "depth": ("depth", None, ""),
    "disparity": ("disparity", None, ""),
    "scaled_disparity": ("scaled_disparity", None, ""),
    "metric_depth": ("metric_depth", "m", ""),
    "metric_disparity": ("metric_disparity", "cm", ""),
    "fine": ("depth", None, ""),
    "constant": ("depth", None, "baseline"),
}
# Names that crops and ranges of some protocols know; frames of each sequence; the unit of depth.
UNITS: dict[str, tuple[str, dict[str, int], str]] = {
    "first": ("hamlyn_made", {"rectified15": 11, "rectified01": 4}, "mm"),
    "second": ("hamlyn_made", {"rectified02": 3}, "mm"),
    "simcol": ("simcol_made", {"s": 5}, "mm"),
    "relative": ("endoslam_made", {"s": 4}, "relative"),
}


def protocols() -> dict[str, specs.Protocol]:
    """Return the specs of config.yaml and of `OTHERS`, by name."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    published = {
        name: plain_spec(name, ProtocolSpec.model_validate(spec))
        for name, spec in config["protocols"].items()
    }
    return published | {name: protocol(name, **spec) for name, spec in OTHERS.items()}


def depths(n: int, seed: int) -> Array:
    """Return n depth maps in mm with holes; the later ones have depths beyond the ranges of protocols."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] / SHAPE[1]
    maps = []
    for i in range(n):
        depth = 45 + 30 * np.sin(9 * x + i + seed) * np.cos(7 * y) + 4 * np.sin(70 * x * y + i)
        depth += 0.3 * random.standard_normal(SHAPE)
        if i % 5 == 1:
            depth[3:9, 100:220] = random.choice([0.2, 1.0, 5.0, 90.0, 150.0, 300.0, 9000.0], (6, 120))
        if i % 5 == 3:
            depth *= 4
        depth[random.random(SHAPE) < 0.03] = np.nan
        maps.append(depth)
    return np.stack(maps).astype(np.float32)


def unit(name: str, model: str) -> tuple[FakeStore, FakeStore]:
    """Return a unit's dataset store and a model's prediction store."""
    _, sequences, units = UNITS[name]
    kind, unit_of_output, family = MODELS[model]
    data, outputs = [], []
    for place, (sequence, n) in enumerate(sequences.items()):
        seed = 10 * list(UNITS).index(name) + place
        random = np.random.default_rng(1000 * seed + list(MODELS).index(model))
        depth = depths(n, seed)
        true = np.nan_to_num(depth, nan=40.0).astype(np.float64)
        grid = true if model == "fine" else true[:, ::2, ::2]
        noisy = grid * np.exp(0.08 * random.standard_normal(grid.shape))
        noisy *= np.exp(0.2 * random.standard_normal(n))[:, None, None]
        output = {
            "depth": 0.01 * noisy,
            "disparity": 3 / noisy + 0.02 - 0.01 * (random.random(grid.shape) < 0.01) * 5,
            "scaled_disparity": 2 / noisy,
            "metric_depth": 0.001 * noisy,
            "metric_disparity": 10 / noisy,
        }[kind]
        if model == "constant":
            output = np.ones(grid.shape)
        elif n > 10:
            output[2] = 0.7
            output[3] = np.nan
            output[4, 5:9, 60:70] = np.inf
            output[6] = 2 * output[6].mean() - output[6]
            output[8, 4:8, 3:90] *= -1
        output_status, status = np.zeros(n, np.uint8), np.zeros(n, np.uint8)
        flags = np.where(np.isnan(depth), bits.NO_DEPTH, 0).astype(np.uint8)
        rgb = _pictures(depth)
        flags[:, :2] |= bits.BORDER
        flags[1::3, 10:14, 30:50] |= bits.TOOL
        if n > 10:
            output_status[3], output_status[4] = bits.PREDICTION_FAILED, bits.PREDICTION_NONFINITE
            status[7] = bits.FRAME_UNREADABLE
            depth[5] = np.nan
            depth[9] = 30000.0
            depth[10] = np.nan
            depth[10, 20, 200] = 50.0
        data.append(
            FakeSequence(
                sequence, where=f"{name}/{sequence}", depth=depth, flags=flags, rgb=rgb, status=status, units=units
            )
        )  # fmt: skip
        outputs.append(FakeSequence(sequence, prediction=output, status=output_status))
    predicted = FakeStore(*outputs, output_kind=kind, unit=unit_of_output, family=family)
    if model == "metric_disparity":
        predicted.attrs["greatest_depth"] = 8.0
    return FakeStore(*data), predicted


def _pictures(depth: Array) -> Array:
    grey = np.clip(255 * (15 / np.nan_to_num(depth, nan=1000.0)) ** 2, 1, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=3)


def together(name: str) -> list[str]:
    """Return the units of a unit's dataset, its own first."""
    others = [other for other in UNITS if UNITS[other][0] == UNITS[name][0] and other != name]
    return [name, *others]


def evaluate(folder: Path, name: str, model: str, chosen: dict[str, specs.Protocol]) -> dict[str, list[Path]]:
    """Fit and score a model on a unit in one pass each; returns the files of each protocol, alignments first."""
    stores = {one: unit(one, model) for one in together(name)}
    paths = [Path(one) for one in stores]
    files = {
        protocol: [folder / f"{name}_{model}_{protocol}_{kind}.parquet" for kind in ("fits", "scores")]
        for protocol in chosen
    }
    fits, scores = ({protocol: found[place] for protocol, found in files.items()} for place in (0, 1))
    keys = {"dataset": UNITS[name][0], "model": model}
    with ExitStack() as patches:
        for module, (place, reader) in product(
            (align, score), enumerate(("DatasetStore", "PredictionStore"))
        ):
            opened = {one: pair[place] for one, pair in stores.items()}
            patches.enter_context(patch.object(module, reader, lambda path, opened=opened: opened[path.name]))
        align.align_unit(chosen, paths, paths, keys, fits)
        score.score_unit(chosen, paths[0], paths[0], fits, keys, scores)
    return files


def tables(folder: Path) -> Iterator[tuple[str, str, list[Path]]]:
    """Make all tables below `folder`; yield (model, protocol, the files of all units), alignments first."""
    specs = protocols()
    for model in MODELS:
        made: dict[str, list[Path]] = {name: [] for name in specs}
        for name in UNITS:
            for protocol_name, files in evaluate(folder, name, model, specs).items():
                made[protocol_name] += files
        for protocol_name, files in made.items():
            yield model, protocol_name, files


def summary(files: list[Path]) -> tuple[str, list[float]]:
    """Return a digest of all columns of some tables, and means of numbers: factors and the first two metrics."""
    digest = hashlib.sha256()
    numbers: dict[str, list[float]] = {}
    for path in files:
        for name, column in pq.read_table(path).to_pydict().items():
            # The digests are older than the coverage, which has tests of its own.
            if path.stem.endswith("_scores") and (name in FIT or name == "coverage"):
                continue
            digest.update(f"{path.name} {name} {column!r}\n".encode())
            if column and isinstance(next((v for v in column if v is not None), None), float):
                numbers.setdefault(name, []).extend(v for v in column if v is not None)
    means = [math.fsum(values) / len(values) for values in list(numbers.values())[:4]]
    return digest.hexdigest()[:12], [float(f"{mean:.10g}") for mean in means]


def processor() -> str:
    """Return a digest of what the processor can do, and of the compiler: the last digits follow from these."""
    features = sorted(name for name, has in llvm.get_host_cpu_features().items() if has)
    text = f"{llvm.get_host_cpu_name()} {features} {llvm.llvm_version_info}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def computed(folder: Path) -> dict[str, tuple[str, list[float]]]:
    """Return the digest and the means of each table, computed now."""
    return {f"{model} {name}": summary(files) for model, name, files in tables(folder)}


def main() -> None:
    """Write what is computed now; digests of other processors stay where the means have stayed."""
    import tempfile

    kept = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        found = computed(Path(folder))
    lines = []
    for key, (digest, means) in found.items():
        digests, before = kept.get(key, ({}, []))
        if len(means) != len(before) or not np.allclose(means, before, rtol=1e-9, atol=0):
            digests = {}
        lines.append(f"{json.dumps(key)}: {json.dumps([digests | {processor(): digest}, means])}")
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
