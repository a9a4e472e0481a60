"""Do two repetitions of a timing study agree, although another process loads one core for part of one?

    python benchmarks/timing_repeatability.py [--seconds 2] [--rounds 10] [--threads N] [--tolerance 0.1]
                                              [--load memory]

Times three small networks of the demonstration's classes (random weights: time does not depend on them), each in
a process of its own as the workflow does, twice over. In the middle third of the second repetition another
process keeps one core busy: by reading a clock, or by copying memory, which slows the other core more. Prints each
model's time and its ratio to the yardstick in both repetitions, and what the tables say of the disturbance. Exits
with 1 if the order of the models differs, if a ratio differs by more than the tolerance, or if the disturbance was
not noticed; with 2 if the machine was busy already during the first repetition, which then proves nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LIBRARY = Path(__file__).resolve().parent.parent / "workflow_scripts"
sys.path.insert(0, str(LIBRARY))

from scopedepth.timing.summary import summarise_timing  # noqa: E402

KINDS = {
    "tiny_depth_anything": {"family": "transformers", "output": {"kind": "disparity", "unit": None}},
    "tiny_midas": {"family": "transformers", "output": {"kind": "disparity", "unit": None}},
    "tiny_zoedepth": {"family": "transformers", "output": {"kind": "metric_depth", "unit": "cm"}},
}
MEASURE = """
import json, sys
from pathlib import Path
from scopedepth.timing.measure import time_model
given = json.loads(sys.argv[1])
time_model(
    given["spec"],
    Path(given["weights"]),
    given["settings"],
    Path(given["out"]),
    device="cpu",
    threads=given["threads"],
)
"""
# They end by themselves, also where this benchmark is killed.
LOADS = {
    "compute": """
import sys, time
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    pass
""",
    # 128 MiB, more than the caches hold.
    "memory": """
import sys, time
one, two = bytearray(2**27), bytearray(2**27)
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    one[:] = two
""",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="measured time a clock")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--tolerance", type=float, default=0.1)
    parser.add_argument("--load", choices=LOADS, default="compute", help="what the other process does")
    options = parser.parse_args()
    settings = {
        "frame_sizes": [[320, 320]],
        "batches": [1],
        "precisions": None,
        "runs": 5 * options.rounds,
        "seconds": options.seconds,
        "warmup_runs": 5,
        "warmup_seconds": 0.5,
        "rounds": options.rounds,
        "on_load": "record",
        "realtime_fps": 30.0,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_weights(folder)
        began = time.perf_counter()
        quiet = repetition(folder, "first", settings, options.threads)
        took = time.perf_counter() - began
        burner = threading.Thread(target=burn, args=(options.load, took / 3, took / 3), daemon=True)
        burner.start()
        loaded = repetition(folder, "second", settings, options.threads)
        burner.join()
    return judge(quiet, loaded, options.tolerance)


def make_weights(folder: Path) -> None:
    """Save the networks as checkpoints, in a process of its own: this one stays without torch."""
    program = """
import sys
from pathlib import Path
from demo_networks import networks
from demo_networks.checkpoints import save
for name in sys.argv[2:]:
    save(getattr(networks, name)(), Path(sys.argv[1]) / name, 0)
"""
    run("-c", program, str(folder), *KINDS)


def repetition(
    folder: Path, name: str, settings: Mapping[str, Any], threads: int
) -> dict[str, dict[str, Any]]:
    """Time every model once; return its row of the table TIMING."""
    rows = {}
    for model, kind in KINDS.items():
        out = folder / name / f"{model}.parquet"
        spec = {"name": model, "precision": "fp32", "options": {}, **kind}
        given = {
            "spec": spec,
            "weights": str(folder / model),
            "settings": settings,
            "out": str(out),
            "threads": threads,
        }
        run("-c", MEASURE, json.dumps(given))
        (rows[model],) = summarise_timing([out], 30.0).to_pylist()
    return rows


def run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, env={**os.environ, "PYTHONPATH": str(LIBRARY)})


def burn(load: str, after: float, seconds: float) -> None:
    """Keep one core busy for `seconds`, beginning `after` seconds from now."""
    time.sleep(after)
    run("-c", LOADS[load], str(seconds))


def judge(
    first: Mapping[str, Mapping[str, Any]], second: Mapping[str, Mapping[str, Any]], tolerance: float
) -> int:
    """Print both repetitions and what is wrong with them; return the exit status."""
    print(
        f"\n{'model':22}{'forward, ms':>24}{'/ yardstick':>18}{'differ by':>11}  disturbed (first | second)"
    )
    failures = []
    for model, one in first.items():
        two = second[model]
        differ = two["yardstick_ratio"] / one["yardstick_ratio"] - 1
        times = f"{one['forward_median']:.2f}, {two['forward_median']:.2f}"
        ratios = f"{one['yardstick_ratio']:.3f}, {two['yardstick_ratio']:.3f}"
        print(
            f"{model:22}{times:>24}{ratios:>18}{100 * differ:>10.1f} %  {one['disturbed']} | {two['disturbed']}"
        )
        if abs(differ) > tolerance:
            failures.append(f"{model}: the ratios differ by {100 * differ:.1f} %")
    for rows, name in ((first, "first"), (second, "second")):
        order = sorted(rows, key=lambda model: rows[model]["yardstick_ratio"])
        print(f"{name}: {' < '.join(order)}")
    if sorted(first, key=lambda model: first[model]["yardstick_ratio"]) != order:
        failures.append("the order of the models differs")
    # Cores that were moved apart are no reason to doubt: ratios have to withstand that.
    busy = ["others used" in row["disturbed"] for rows in (first, second) for row in rows.values()]
    if not any(busy[len(first) :]):
        failures.append("the disturbance was not noticed")
    if any(busy[: len(first)]):
        print("INCONCLUSIVE: the machine was busy during the first repetition; run this when it is not")
        return 2
    for failure in failures:
        print(f"FAILED: {failure}")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
