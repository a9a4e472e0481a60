"""Each kind of AutoModelForDepthEstimation, tiny and random, and what transformers' own pipeline says of a frame.

Four of the eight processors are torchvision's, which nothing else here needs. So their pipelines were run once,
`PYTHONPATH=workflow_scripts:tests python tests/pipeline_depths.py` where torchvision is installed, and a grid of what
they said is kept in pipeline_depths.json.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tiny_models import (
    chmv2,
    depth_anything,
    depth_pro,
    dpt,
    glpn,
    prompt_depth_anything,
    scene,
    tipsv2_dpt,
    zoedepth,
)

FILE = Path(__file__).with_suffix(".json")
# The checkpoint, and frames of the height and width at which its network answers.
KINDS: dict[str, tuple[Callable[[Path], Path], tuple[int, int]]] = {
    "chmv2": (chmv2, (32, 48)),
    "depth_anything": (depth_anything, (70, 98)),
    "depth_pro": (depth_pro, (128, 128)),
    "dpt": (dpt, (64, 64)),
    "glpn": (glpn, (64, 96)),
    "prompt_depth_anything": (prompt_depth_anything, (70, 98)),
    "tipsv2_dpt": (tipsv2_dpt, (32, 32)),
    "zoedepth": (zoedepth, (64, 96)),
}
NEED_TORCHVISION = ("chmv2", "depth_pro", "tipsv2_dpt", "zoedepth")


def frames_of(kind: str) -> np.ndarray:
    return scene(2, *KINDS[kind][1])


def said_by_the_pipeline(kind: str, folder: Path) -> np.ndarray:
    """Return what the pipeline says of the frames, float32 (n, v, u), at the frames' size."""
    from PIL import Image
    from transformers import pipeline

    run = pipeline("depth-estimation", model=str(folder), device="cpu")
    found: Any = run([Image.fromarray(frame) for frame in frames_of(kind)])
    return np.stack([one["predicted_depth"].float().numpy() for one in found])


def probed(depth: np.ndarray) -> np.ndarray:
    """Return every seventh pixel of (n, v, u)."""
    return depth[:, 2::7, 2::7]


def main() -> None:
    kept = {}
    for kind in NEED_TORCHVISION:
        with tempfile.TemporaryDirectory() as folder:
            depth = said_by_the_pipeline(kind, KINDS[kind][0](Path(folder)))
        spread = float(depth.max() - depth.min())
        kept[kind] = {"spread": spread, "depth": probed(depth).astype(float).round(7).tolist()}
    FILE.write_text(json.dumps(kept) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
