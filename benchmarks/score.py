"""How fast frames are aligned and scored, against a plain NumPy evaluation of the same formulas.

    python benchmarks/score.py [--frames 48] [--repeats 7]

Frames of 640 x 480 in float32: an image circle, a hole, scattered missing pixels, 10 % multiplicative noise. Timed
is what stands between frames in memory and their numbers: mask, gathering, per-frame median alignment, and nine
pixel metrics. The contestants take turns on each frame, and each frame's best time of all rounds counts, which other
work on the machine disturbs least; two threads against one can only be judged on an idle machine. Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow_scripts"))

from scopedepth.config.protocols import ProtocolSpec
from scopedepth.evaluation.alignment import fit_frame
from scopedepth.evaluation.frames import Workspace, ready
from scopedepth.evaluation.protocol import plan_for
from scopedepth.evaluation.score import score_frame

HEIGHT, WIDTH = 480, 640
NINE = ("abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog", "delta1", "delta2", "delta3")
Frame = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]


def made_frame(seed: int) -> Frame:
    """Return prediction, depth and flags of one frame."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    depth = 45 + 30 * np.sin(x / 90 + seed) * np.cos(y / 70) + 5 * np.sin(x * y / 9000)
    depth += 0.3 * rng.standard_normal(depth.shape)
    outside = np.hypot(x - WIDTH / 2, y - HEIGHT / 2) > 0.52 * WIDTH
    missing = outside | (np.hypot(x - 200, y - 300) < 30) | (rng.random(depth.shape) < 0.02)
    prediction = 0.02 * depth * np.exp(0.1 * rng.standard_normal(depth.shape))
    return (
        prediction.astype(np.float32),
        np.where(missing, np.nan, depth).astype(np.float32),
        np.where(outside, 2, 0).astype(np.uint8),
    )


def plain(frame: Frame, dtype: Any = np.float32) -> list[float]:
    """The textbook's formulas over masked arrays, as evaluation scripts have them."""
    prediction, depth, flags = frame
    mask = (depth >= 1) & (depth <= 300) & (flags & 3 == 0)
    p, g = prediction[mask].astype(dtype), depth[mask].astype(dtype)
    p *= np.median(g) / np.median(p)
    p = np.clip(p, 1, 300)
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
    return [float(value) for value in values]


def ours() -> Callable[[Frame, Workspace], list[float]]:
    fields = {
        "title": "benchmark",
        "depth_range": {"min": 1, "max": 300},
        "masks": {"exclude": ["border"]},
        "metrics": list(NINE),
    }
    spec = ProtocolSpec.model_validate(fields).model_dump(mode="json")
    plan = plan_for(
        spec,
        dataset="",
        sequence="",
        size=(HEIGHT, WIDTH),
        units="mm",
        output_kind="depth",
        output_unit=None,
    )

    def evaluate(frame: Frame, workspace: Workspace) -> list[float]:
        pixels = ready(plan, 0, *frame, None, workspace)
        fit = fit_frame(plan, pixels.x, pixels.y, pixels.scratch, pixels.not_positive)
        metrics = score_frame(plan, pixels, fit).metrics
        return [float(metrics[name] or 0.0) for name in NINE]

    return evaluate


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--frames", type=int, default=48, help="frames in a round")
    options.add_argument("--repeats", type=int, default=7, help="rounds")
    chosen = options.parse_args()
    made = [made_frame(seed) for seed in range(8)]
    frames = [made[i % len(made)] for i in range(chosen.frames)]
    evaluate = ours()

    def one_after_the_other(part: list[Frame]) -> None:
        workspace = Workspace()
        for frame in part:
            evaluate(frame, workspace)

    def in_two_threads(part: list[Frame]) -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(one_after_the_other, (part[::2], part[1::2])))

    worst = 0.0
    for frame in made:
        for a, b in zip(evaluate(frame, Workspace()), plain(frame, np.float64), strict=True):
            worst = max(worst, abs(a - b) / max(abs(b), 1e-12))
    contestants: dict[str, Callable[[Frame], Any]] = {
        "numpy": plain,
        # What counts as exactly as we do: we sum float32 pixels in float64.
        "numpy_float64": lambda f: plain(f, np.float64),
        "ours": lambda f: evaluate(f, workspace),
    }
    single = {name: np.full(len(made), np.inf) for name in contestants}
    batch = {"one": np.inf, "two": np.inf}
    workspace = Workspace()
    for _ in range(chosen.repeats):
        for i, frame in enumerate(made):
            for name, work in contestants.items():
                single[name][i] = min(single[name][i], _milliseconds(work, frame))
        for name, work in (("one", one_after_the_other), ("two", in_two_threads)):
            batch[name] = min(batch[name], _milliseconds(work, frames) / chosen.frames)
    took = {name: float(best.mean()) for name, best in single.items()}
    faster = {name: took[name] / took["ours"] for name in ("numpy", "numpy_float64")}
    doubled = batch["one"] / batch["two"]
    print(f"NumPy in float32       {took['numpy']:7.3f} ms a frame, one core")
    print(f"NumPy in float64       {took['numpy_float64']:7.3f} ms a frame, one core")
    print(
        f"ours, one core         {took['ours']:7.3f} ms a frame, {faster['numpy']:.1f} x as fast as the first, "
        f"{faster['numpy_float64']:.1f} x as the second"
    )
    print(f"ours, one thread       {batch['one']:7.3f} ms a frame over {chosen.frames} frames")
    print(f"ours, two threads      {batch['two']:7.3f} ms a frame, {doubled:.2f} x one thread")
    print(f"greatest relative difference from NumPy in float64: {worst:.1e}")
    milliseconds = {**took, **batch}
    print(json.dumps({"milliseconds": milliseconds, "speedup": faster, "two": doubled, "difference": worst}))


def _milliseconds(work: Callable[[Any], Any], given: Any) -> float:
    began = time.perf_counter()
    work(given)
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    main()
