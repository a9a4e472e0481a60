"""Deploys the demonstration's five networks, of the real classes, with the proof of each.

    python benchmarks/deploy.py RESULTS_OF_A_DEMO_RUN

`RESULTS_OF_A_DEMO_RUN`: the folder in which `make demo` ran; files go to a temporary folder. Two minutes on one core.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from scopedepth.cli import main

NETWORKS = {
    "tiny_depth_anything": [],
    "tiny_midas": [],
    "tiny_endo_depth": [],
    "tiny_endo_sfmlearner": [],
    # Its attention knows one size.
    "tiny_zoedepth": ["--size", "320x320"],
}


def run(folder: Path) -> int:
    """Deploy each; returns the number of failures."""
    os.chdir(folder)
    failed = 0
    with tempfile.TemporaryDirectory() as out:
        for name, arguments in NETWORKS.items():
            began = time.perf_counter()
            print(f"== {name}", flush=True)
            failed += (
                main(["deploy", name, "--study", "demo", "--onnx", f"{out}/{name}/{name}.onnx", *arguments])
                != 0
            )
            print(f"{time.perf_counter() - began:.0f} s", flush=True)
    return failed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="RESULTS_OF_A_DEMO_RUN", help="where `make demo` ran")
    sys.exit(run(parser.parse_args().folder))
