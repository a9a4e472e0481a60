"""How fast one model's frames are fitted and scored under fourteen protocols, against plain NumPy evaluators.

    python benchmarks/score.py [--frames 180] [--rounds 3] [--kind scaled_disparity]

Stores of 640 x 480 frames, written first: an image circle, a hole, scattered missing pixels, predictions on a grid of
512 x 384 with 10 % multiplicative noise. Counted are processor seconds, the least of all rounds, which other work on
the machine disturbs least: of both stages in this process, reading and writing included; of both with the start of
their processes; and of a plain evaluator (read, resize, mask, scale by medians, nine metrics in float32), run once a
protocol. Every other frame has depths beyond some protocols' ranges where `--far` is given. Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from scopedepth.config.protocols import ProtocolSpec  # noqa: E402
from scopedepth.evaluation.align import align_unit  # noqa: E402
from scopedepth.evaluation.score import score_unit  # noqa: E402
from scopedepth.job.heap import keep_freed_memory  # noqa: E402
from scopedepth.stores.dataset import DatasetStore  # noqa: E402
from scopedepth.stores.prediction import PredictionStore  # noqa: E402
from scopedepth.stores.sharded import ArraySpec, ShardedStore  # noqa: E402
from scopedepth.tables.io import read_table  # noqa: E402

HEIGHT, WIDTH, GRID = 480, 640, (384, 512)
SHARD = 20
PROTOCOLS = (
    "median_depth", "lsq_disparity", "lsq_depth", "monodepth2", "endo_depth", "af_sfmlearner", "endodac",
    "endodac_disparity", "endoomni", "endo_gede", "marigold_depth", "marigold_disparity", "midas", "dares",
)  # fmt: skip
KEYS = {"dataset": "made", "model": "made"}
STAGES = """
import json, sys
from pathlib import Path
from scopedepth.job.run import job
stage, specs, folder = sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3])
with job():
    from scopedepth.job.lean import leave_out
    leave_out("pandas", "scipy")
    from scopedepth.evaluation.align import align_unit
    from scopedepth.evaluation.score import score_unit
    keys = {"dataset": "made", "model": "made"}
    fits, scores = ({name: folder / kind / f"{name}.parquet" for name in specs} for kind in ("fits", "scores"))
    data, predicted = folder / "data.zarr", folder / "predicted.zarr"
    if stage == "align":
        align_unit(specs, [data], [predicted], keys, fits)
    else:
        score_unit(specs, data, predicted, fits, keys, scores)
"""
Specs = dict[str, dict[str, Any]]


def made_frame(seed: int, kind: str, far: bool) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return prediction, depth in hundredths of a millimetre, and flags of one frame."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    depth = 45 + 30 * np.sin(x / 90 + seed) * np.cos(y / 70) + 5 * np.sin(x * y / 9000)
    depth += 0.3 * rng.standard_normal(depth.shape)
    if far and seed % 2:
        depth[:40] *= 4.2
    outside = np.hypot(x - WIDTH / 2, y - HEIGHT / 2) > 0.52 * WIDTH
    missing = outside | (np.hypot(x - 200, y - 300) < 30) | (rng.random(depth.shape) < 0.02)
    said = cv2.resize(depth, GRID[::-1]) * np.exp(0.1 * rng.standard_normal(GRID))
    prediction = (0.01 * said if kind == "depth" else 3 / said).astype(np.float32)
    # As predictions are rounded before they are stored.
    prediction = (prediction.view(np.uint32) & np.uint32(0xFFFFF000)).view(np.float32)
    flags = np.where(outside, 2, 0).astype(np.uint8) | missing.astype(np.uint8)
    return prediction, np.where(missing, 0, np.round(depth * 100)).astype(np.uint16), flags


def write_stores(folder: Path, n: int, kind: str, far: bool) -> None:
    """Write a dataset store and a prediction store of n frames, of which six differ."""
    made = [made_frame(seed, kind, far) for seed in range(6)]
    size = (HEIGHT, WIDTH)
    scaled = {"scale_factor": 0.01, "_FillValue": 0}
    arrays = {
        "rgb": ArraySpec((*size, 3), "uint8", ("y", "x", "channel")),
        "depth": ArraySpec(size, "uint16", ("y", "x"), 0, attrs=scaled),
        "flags": ArraySpec(size, "uint8", ("y", "x")),
        "status": ArraySpec((), "uint8"),
        "frame_id": ArraySpec((), str, fill=""),
    }
    attrs = {"sequence": "s", "units": "mm", "intrinsics": None}
    group = {"s": {"n_frames": n, "arrays": arrays, "attrs": attrs}}
    with ShardedStore(folder / "data.zarr", {}, group, SHARD, {"sequences": ["s"]}) as store:
        for name, shard, start, stop in store.missing():
            frames = [made[i % len(made)] for i in range(start, stop)]
            store.write_shard(name, shard, {
                "rgb": np.zeros((len(frames), *size, 3), np.uint8),
                "depth": np.stack([depth for _, depth, _ in frames]),
                "flags": np.stack([flags for _, _, flags in frames]),
                "status": np.zeros(len(frames), np.uint8),
                "frame_id": np.array([f"{i:05d}" for i in range(start, stop)], object),
            })  # fmt: skip
        store.finish()
    arrays = {
        "prediction": ArraySpec(GRID, "float32", ("v", "u"), float("nan")),
        "status": ArraySpec((), "uint8"),
    }
    attrs = {"output_kind": kind, "unit": None, "spec": {"family": "python"}, "sequences": ["s"]}
    group = {"s": {"n_frames": n, "arrays": arrays}}
    with ShardedStore(folder / "predicted.zarr", {}, group, SHARD, attrs) as store:
        for name, shard, start, stop in store.missing():
            frames = np.stack([made[i % len(made)][0] for i in range(start, stop)])
            store.write_shard(name, shard, {"prediction": frames, "status": np.zeros(len(frames), np.uint8)})
        store.finish()


def specs() -> Specs:
    """Return the fourteen protocols."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["protocols"]
    return {
        name: {"name": name, **ProtocolSpec.model_validate(config[name]).model_dump(mode="json")}
        for name in PROTOCOLS
    }


def plain(folder: Path, low: float, high: float, inverted: bool) -> list[list[float]]:
    """The textbook's formulas over masked arrays, frame by frame, as evaluation scripts have them."""
    data = DatasetStore(folder / "data.zarr").sequences["s"]
    predicted = PredictionStore(folder / "predicted.zarr").sequences["s"]
    rows = []
    for start in range(0, data.n_frames, SHARD):
        block = (read(start, start + SHARD) for read in (predicted.prediction, data.depth, data.flags))
        for output, depth, flags in zip(*block, strict=True):
            mask = (depth >= low) & (depth <= high) & (flags & 1 == 0)
            p, g = cv2.resize(output, (WIDTH, HEIGHT))[mask], depth[mask]
            p = 1 / p if inverted else p
            p *= np.median(g) / np.median(p)
            p = np.clip(p, low, high)
            ratio = np.maximum(p / g, g / p)
            e = np.log(p) - np.log(g)
            values = [
                np.mean(np.abs(p - g) / g),
                np.mean((p - g) ** 2 / g),
                np.sqrt(np.mean((p - g) ** 2)),
                np.sqrt(np.mean(e**2)),
                np.mean(np.abs(np.log10(p) - np.log10(g))),
                100 * np.sqrt(np.mean(e**2) - np.mean(e) ** 2),
                np.mean(ratio < 1.25),
                np.mean(ratio < 1.25**2),
                np.mean(ratio < 1.25**3),
            ]
            rows.append([float(value) for value in values])
    return rows


def stages(folder: Path, protocols: Specs) -> tuple[float, float]:
    """Fit and score in this process; returns the processor seconds of both stages."""
    fits, scores = (
        {name: folder / kind / f"{name}.parquet" for name in protocols} for kind in ("fits", "scores")
    )
    began = time.process_time()
    align_unit(protocols, [folder / "data.zarr"], [folder / "predicted.zarr"], KEYS, fits)
    turned = time.process_time()
    score_unit(protocols, folder / "data.zarr", folder / "predicted.zarr", fits, KEYS, scores)
    return turned - began, time.process_time() - turned


def with_starts(folder: Path, protocols: Specs) -> float:
    """Fit and score in a process each; returns the processor seconds that these took."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for stage in ("align", "score"):
        command = [sys.executable, "-c", STAGES, stage, json.dumps(protocols), str(folder)]
        subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def seconds(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=180)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kind", choices=("depth", "scaled_disparity"), default="scaled_disparity")
    parser.add_argument("--far", action="store_true", help="depths beyond 150 mm in every other frame")
    options = parser.parse_args()
    keep_freed_memory()
    protocols = specs()
    ranges = [
        (spec["depth_range"]["min"] or 1e-3, spec["depth_range"]["max"] or 1e5) for spec in protocols.values()
    ]
    took: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_stores(folder, options.frames, options.kind, options.far)
        inverted = options.kind != "depth"
        contestants: dict[str, Callable[[], float]] = {
            "in_process": lambda: sum(stages(folder, protocols)),
            "with_starts": lambda: with_starts(folder, protocols),
            "numpy": lambda: seconds(lambda: [plain(folder, *ends, inverted) for ends in ranges]),
        }
        stages(folder, protocols)  # compiles
        for _ in range(options.rounds):
            for name, work in contestants.items():
                took[name] = min(took.get(name, np.inf), 1000 * work() / options.frames)
        ours = read_table(folder / "scores" / "median_depth.parquet", ["abs_rel"])["abs_rel"].to_numpy()
        theirs = np.array([row[0] for row in plain(folder, 1, 300, inverted)])
    difference = float(np.max(np.abs(ours / theirs - 1)))
    print(
        f"processor milliseconds a frame of {WIDTH} x {HEIGHT}, {len(protocols)} protocols, {options.frames} frames"
    )
    print(f"  fit and score, in one process    {took['in_process']:7.1f}")
    print(f"  with the start of two processes  {took['with_starts']:7.1f}")
    print(f"  plain NumPy, {len(protocols)} times            {took['numpy']:7.1f}")
    print(f"greatest relative difference of AbsRel from NumPy in float32: {difference:.1e}")
    print(json.dumps({"milliseconds": took, "difference": difference}))


if __name__ == "__main__":
    main()
