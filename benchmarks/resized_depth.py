"""How far EndoOmni's numbers move because its loaders resize the depth itself, with antialiasing, to 384 x 384.

    python benchmarks/resized_depth.py SAMPLES

SAMPLES holds simcol3d/ and c3vd/ with frames as published. The demonstration's networks predict them, and EndoOmni's
protocol scores the predictions against the depth as it is and against the resized one, where pixels without a depth,
zeros, are blended into their neighbours. Printed: mean AbsRel of each, a row a network.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from scopedepth.config.load import select_study  # noqa: E402
from scopedepth.config.protocols import ProtocolSpec  # noqa: E402
from scopedepth.evaluation.single import evaluate_frame  # noqa: E402
from scopedepth.models import load_model  # noqa: E402

Frame = tuple[NDArray[np.uint8], NDArray[np.float64]]


def frames(folder: Path) -> dict[str, list[Frame]]:
    """Return images and depths, mm, 0 where missing, by data set."""
    simcol = sorted((folder / "simcol3d").glob("Depth_*.png"))[::4]
    c3vd = sorted((folder / "c3vd").glob("*_depth.tiff"))
    return {
        "simcol3d": [
            (image(path.with_name(path.name.replace("Depth", "FrameBuffer"))), depth(path, 200 / 65280))
            for path in simcol
        ],
        "c3vd": [
            (image(path.with_name(path.name.replace("depth.tiff", "color.png"))), depth(path, 100 / 65535))
            for path in c3vd
        ],
    }


def image(path: Path) -> NDArray[np.uint8]:
    return np.ascontiguousarray(Image.open(path).convert("RGB"))


def depth(path: Path, step: float) -> NDArray[np.float64]:
    return np.asarray(Image.open(path), np.float64) * step


def resized(values: NDArray[np.float64]) -> NDArray[np.float64]:
    maps = torch.from_numpy(values)[None, None]
    small = torch.nn.functional.interpolate(maps, (384, 384), mode="bilinear", antialias=True)
    return small[0, 0].numpy()


def main() -> None:
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    study = select_study(config, "demo")
    protocol: dict[str, Any] = ProtocolSpec.model_validate(config["protocols"]["endoomni"]).model_dump()
    print(
        "| dataset | network | AbsRel, depth as it is | AbsRel, depth resized | difference |\n|---|---|---|---|---|"
    )
    for name, spec in study.models.items():
        if not name.startswith("tiny_"):
            continue
        model = load_model(spec, ROOT / spec["weights"]["path"], "cpu")
        for dataset, pictures in frames(Path(sys.argv[1])).items():
            whole, small = [], []
            for rgb, truth in pictures:
                output = model.predict(rgb[None])[0]
                # 65535 of C3VD is 100 mm to EndoOmni, and missing to our loader.
                known = (truth > 0) & ((truth < 100) | (dataset != "c3vd"))
                shrunk = resized(truth)
                for values, reference in (
                    (whole, np.where(known, truth, np.nan)),
                    (small, np.where(shrunk > 0, shrunk, np.nan)),
                ):
                    metrics, _, _ = evaluate_frame(
                        protocol,
                        output,
                        reference.astype(np.float32),
                        output_kind=model.output_kind,
                        output_unit=model.unit,
                    )
                    values.append(metrics["abs_rel"])
            a, b = np.mean(whole), np.mean(small)
            print(f"| {dataset} | {name} | {a:.4f} | {b:.4f} | {100 * (a / b - 1):+.1f} % |", flush=True)


if __name__ == "__main__":
    main()
