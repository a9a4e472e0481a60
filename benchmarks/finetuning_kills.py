"""Fine-tuning killed at random moments and gone on with: does it end with the same bytes?

    python benchmarks/finetuning_kills.py [kills]     a few minutes on one core

Trains the committed tiny_depth_anything on rendered frames once undisturbed, then again in processes that SIGKILL ends
after a random time, until one comes to its end, and compares the digests of the two folders of weights.
"""

from __future__ import annotations

import multiprocessing
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow_scripts"))

SIDE = 56
STEPS = 30


def spec() -> dict[str, Any]:
    from scopedepth.config.finetuning import RecipeSpec

    recipe = RecipeSpec(trains=["adapters", "head"], learning_rate=1e-3, steps=STEPS, batch=2, check_every=10)
    return {
        "model": {
            "name": "killed", "family": "transformers", "precision": "fp32",
            "output": {"kind": "disparity", "unit": None}, "options": {"preprocessing": "hub"},
        },
        "recipe": recipe.model_dump(mode="json"),
        "seed": 0,
        "train": [{"dataset": "frames", "sequences": None, "frames": None}],
        "holdout": {"by": "sequence", "share": 0.3},
        "people": {"frames": {"same_as": [], "patient": None}},
    }  # fmt: skip


def prepare(folder: Path) -> None:
    from scopedepth.config.datasets import DatasetSpec
    from scopedepth.datasets.prepare import prepare_unit
    from scopedepth.phantom import render

    source = {"preset": "mono", "frames": 8, "size": [SIDE, SIDE], "seed": 300, "scope": "shifted"}
    render(source, folder / "raw" / "data", 1)
    given = {
        "loader": "folder",
        "source": {"kind": "phantom", **source},
        "depth": {"unit": "mm", "scale": 0.01, "origin": "rendered"},
    }
    plain = {"name": "frames", **DatasetSpec.model_validate(given).model_dump(mode="json")}
    prepare_unit(plain, folder / "raw", folder / "frames.zarr", folder / "frames.json", 1)


def train(folder: Path, name: str) -> None:
    from scopedepth.finetuning.finetune import finetune

    out = folder / name
    base = ROOT / "demo_weights" / "tiny_depth_anything"
    finetune(spec(), "kills", base, [folder / "frames.zarr"], out, folder / f"{name}.json", "cpu", 3)


def main(kills: int) -> None:
    # Before processes part, so that a run is training alone.
    import transformers.models.depth_anything.modeling_depth_anything

    import scopedepth.finetuning.finetune  # noqa: F401
    from scopedepth.job.manifest import digest_tree

    del transformers
    fork, draw = multiprocessing.get_context("fork"), random.Random(0)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for work in ((prepare, folder), (train, folder, "whole")):
            began = time.monotonic()
            process = fork.Process(target=work[0], args=work[1:])
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(1)
        whole, digest = time.monotonic() - began, digest_tree(folder / "whole")
        done = runs = 0
        while done < kills:
            runs += 1
            name = f"run{runs}"
            while not (folder / f"{name}.json").is_file():
                process = fork.Process(target=train, args=(folder, name))
                process.start()
                process.join(draw.uniform(0.1, 0.9) * whole)
                if process.is_alive():
                    process.kill()
                    process.join()
                    done += 1
            same = digest_tree(folder / name) == digest
            print(f"{name}: {done} kills so far, {'the same bytes' if same else 'OTHER BYTES'}", flush=True)
            if not same:
                raise SystemExit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
