"""What a study of a given number of frames costs on a cluster: the table of docs/clusters.md, from measured constants.

python benchmarks/sizing.py
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from scopedepth.datasets.prepare import SHARD_BYTES as DATASET_SHARD_BYTES  # noqa: E402
from scopedepth.study.forecast import ASSUMED_SECONDS_PER_FRAME, PREDICTION_BYTES_PER_VALUE  # noqa: E402

# The paper's study: seven networks and two baselines under three protocols.
NETWORKS, BASELINES, PROTOCOLS = 7, 2, 3
MODELS = NETWORKS + BASELINES
FRAME_PIXELS = 480 * 640
# Depth Anything predicts on about this grid; the other networks on smaller ones.
GRID_VALUES = 518 * 518
# Measured on rendered phantoms: a dataset store, all arrays together.
DATASET_BYTES_PER_PIXEL = 2.55
# Decoded: colour 3, depth 2, flags 1 bytes a pixel. Arrays: rgb, depth, flags, status, frame_id.
DECODED_BYTES_PER_PIXEL, DATASET_ARRAYS = 6, 5
# As scopedepth/prediction/predict.py cuts its shards; arrays: prediction, status.
PREDICTION_SHARD_FRAMES, PREDICTION_ARRAYS = 16, 2
# Measured with benchmarks/score.py, left with these protocols: processor seconds of fitting and scoring a frame, with
# reading. Under fourteen protocols it is 16 ms.
COMPARE_SECONDS_PER_FRAME = 14e-3
# Measured: bytes of a row of frames.parquet, and of an alignment or score table with its record.
ROW_BYTES = 106
# Measured with benchmarks/job_overhead.py and benchmarks/planning.py.
SLURM_CPU_SECONDS = 6.0
SCRIPT_CPU_SECONDS = 1.0
PLAN_CPU_SECONDS, PLAN_BYTES = 4.2e-3, 59_000
START_CPU_SECONDS, START_BYTES = 1.8, 170_000_000
PAIRS_IN_A_GROUP = 5


@dataclass(frozen=True)
class Size:
    """One row: how many frames, in how many units, and what gives out first."""

    title: str
    frames: int
    units: int
    bottleneck: str


SIZES = (
    Size("the paper's, about", 115_000, 25, "the GPU: nothing else takes an hour"),
    Size("1 million", 1_000_000, 100, "GPU hours; then space"),
    Size("10 million", 10_000_000, 1_000, "files and space of the file system"),
    Size("100 million", 100_000_000, 10_000, "planning in one piece, and the table of all frames"),
)


def row(size: Size) -> list[str]:
    pairs = size.units * MODELS
    jobs = size.units * (1 + MODELS) + 2 * pairs
    sent = size.units * (1 + MODELS) + math.ceil(pairs / PAIRS_IN_A_GROUP)
    gpu_hours = size.frames * NETWORKS * ASSUMED_SECONDS_PER_FRAME["cuda"] / 3600
    compare_hours = (size.frames * MODELS * COMPARE_SECONDS_PER_FRAME + 2 * pairs * SCRIPT_CPU_SECONDS) / 3600
    # A baseline gives a full picture, the other one a constant, which takes no space.
    values = NETWORKS * GRID_VALUES + FRAME_PIXELS
    stores = size.frames * (DATASET_BYTES_PER_PIXEL * FRAME_PIXELS + PREDICTION_BYTES_PER_VALUE * values)
    dataset_shard = min(64, DATASET_SHARD_BYTES // (FRAME_PIXELS * DECODED_BYTES_PER_PIXEL))
    files = size.frames * (
        DATASET_ARRAYS / dataset_shard + MODELS * PREDICTION_ARRAYS / PREDICTION_SHARD_FRAMES
    )
    # A table and its record, of fits and of scores.
    files += 4 * pairs * PROTOCOLS
    table = size.frames * MODELS * PROTOCOLS * ROW_BYTES
    plan_minutes = (START_CPU_SECONDS + jobs * PLAN_CPU_SECONDS) / 60
    plan_bytes = START_BYTES + jobs * PLAN_BYTES
    return [
        size.title,
        f"{size.units:,}",
        f"{jobs:,}",
        f"{sent:,}",
        number(gpu_hours),
        number(compare_hours),
        number(sent * SLURM_CPU_SECONDS / 3600),
        f"{number(stores / 1e12)} TB",
        number(files),
        f"{number(table / 1e9)} GB",
        f"{number(plan_minutes)} min, {number(plan_bytes / 1e9)} GB",
        size.bottleneck,
    ]


def number(value: float) -> str:
    """Return `value` with two digits that count."""
    if value >= 10:
        digits = 1 - math.floor(math.log10(value))
        return f"{round(value, digits):,.0f}"
    return f"{value:.2g}"


def main() -> None:
    head = [
        "frames",
        "units",
        "jobs",
        "sent to SLURM",
        "GPU hours",
        "core hours of fits and scores",
        "core hours of starting",
        "stores",
        "files",
        "table of all frames",
        "planning: time, memory",
        "what gives out first",
    ]
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" + " ---: |" * (len(head) - 2) + " --- |")
    for size in SIZES:
        print("| " + " | ".join(row(size)) + " |")


if __name__ == "__main__":
    main()
