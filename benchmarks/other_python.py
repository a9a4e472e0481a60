"""What it costs to have a class of one's own in another Python: frames there and predictions back.

    python benchmarks/other_python.py [PYTHON]

A class that does nothing but give back a map that it has, in this process and in a worker of PYTHON (this one's, if
none is named): what is between the two is the transport. docs/models.md has what it said.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow_scripts"))

from scopedepth.job.environment import installed_in
from scopedepth.models import load_model

CLASS = """
import numpy as np


class Ready:
    def __init__(self, weights, device, options):
        self.maps = {}

    def predict(self, frames):
        shape = frames.shape[:3]
        if shape not in self.maps:
            self.maps[shape] = np.ones(shape, np.float32)
        return self.maps[shape]
"""
SIZES = ((1, 320, 320), (1, 480, 640), (1, 1080, 1350), (8, 480, 640), (32, 480, 640))
CALLS = 60


def main(python: str) -> None:
    """Print milliseconds for each call, as medians, for batches of several sizes."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "ready.py").write_text(CLASS)
        spec: Any = {
            "name": "ready",
            "family": "python",
            "output": {"kind": "depth", "unit": None},
            "precision": "fp32",
            "options": {"code": "ready.py:Ready", "folder": folder},
        }
        began = time.perf_counter()
        installed_in(Path(python))
        print(f"what is installed there, asked once: {time.perf_counter() - began:.2f} s")
        here = load_model(spec, Path(os.devnull), "cpu")
        began = time.perf_counter()
        there = load_model(
            {**spec, "options": {**spec["options"], "python": python}}, Path(os.devnull), "cpu"
        )
        print(f"start of the process: {time.perf_counter() - began:.2f} s")
        for shape in SIZES:
            frames = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
            took = {}
            for name, model in (("here", here), ("there", there)):
                model.predict(frames)
                durations = []
                for _ in range(CALLS):
                    began = time.perf_counter()
                    model.predict(frames)
                    durations.append(1e3 * (time.perf_counter() - began))
                took[name] = statistics.median(durations)
            apart = took["there"] - took["here"]
            print(f"{shape}: {apart:.2f} ms, {apart / shape[0]:.2f} a frame")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "python", nargs="?", default=sys.executable, help="the other Python; this one if none"
    )
    main(parser.parse_args().python)
