"""How often the verdicts on the error of a reference hold, on phantoms whose exact depth is known.

    python benchmarks/reference_error.py CACHE [--calibrate] [--studies 40]

Each study is a seed of the stereo phantom: two sequences of three frames, the demonstration's five networks and two
baselines. Frames are rendered and predicted once, and kept in the folder CACHE (8 s a seed on one core; about 6 minutes).
Each seed is three studies, by what is wrong with the reference: `matched` (what the stereo matcher gives), `calibration`
(the same with an offset and a tilt of disparity) and `misregistration` (the same, shifted and turned). What is stated of
the matcher's error was measured on other seeds (--calibrate prints it); that of the other two is what they are drawn from.

A study holds where no resolved pair of models is in the other order with the exact depth of the same pixels. Beside it
stand other metrics, images that are degraded before they are matched, and models that blur edges as the matcher does.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from demo_networks.checkpoints import load
from demo_networks.judge import brightness, constant, network_predictor
from demo_networks.networks import BUILDERS
from scopedepth.datasets.rectify.stereo import (
    Rectifier,
    StereoCamera,
    depth_from_disparity,
    disparity_limit,
    match,
)
from scopedepth.config.files import read_config
from scopedepth.config.load import check
from scopedepth.config.base import plain_spec
from scopedepth.evaluation import redraw
from scopedepth.evaluation.protocol import terms_for
from scopedepth.evaluation.redraw import Look, Seen, chosen_pixels, redrawn_terms
from scopedepth.evaluation.reference import Points, StatedError, edges_and_rims, generator
from scopedepth.phantom.camera import Camera
from scopedepth.phantom.scene import render_depth
from scopedepth.phantom.video import Video, stereo
from scopedepth.statistics.reference import Redraws, verdict
from scopedepth.vocabulary.reference import LOCAL, OBSERVED, REDRAWN, RESOLVED, SHARED, TRUSTED

ROOT = Path(__file__).parents[1]
SIZE = (288, 360)
FRAMES = 3
SETTINGS: Any = {
    "matcher": "sgbm", "block_size": 5, "max_disparity": None, "min_depth": 20.0, "max_depth": 300.0, "uniqueness": 10,
    "left_right_check": 1.0,
}  # fmt: skip


def rectifier_of(video: Video) -> Rectifier:
    """Return what rectifies a phantom's pair."""
    right, rig = video.right, video.left_to_right
    assert right is not None
    assert rig is not None
    cameras = [np.array(one.distortion) for one in (video.camera, right)]
    turn, baseline = rig[:3, :3], rig[:3, 3]
    size = (video.camera.width, video.camera.height)
    return Rectifier(StereoCamera(video.camera.matrix, right.matrix, *cameras, turn, baseline, size))


def rendered(seed: int, folder: Path, predictors: Any) -> Path:
    """Render the study of a seed, once, and return its file: images, exact and matched depth, predictions."""
    path = folder / f"{seed}.npz"
    if path.is_file():
        return path
    found: dict[str, list[Any]] = {"rgb": [], "exact": [], "matched": [], "lens": []}
    for video in stereo(FRAMES, *SIZE, seed):
        rectifier = rectifier_of(video)
        k = rectifier.intrinsics
        lens = Camera(SIZE[1], SIZE[0], k[0, 0], k[1, 1], k[0, 2], k[1, 2])
        turn = np.eye(4)
        turn[:3, :3] = rectifier.R1.T
        for frame in range(FRAMES):
            left, right = video.frame(frame).rgb, video.right_frame(frame).rgb
            left, right = rectifier.left(left), rectifier.right(right)
            found["rgb"].append(left)
            exact = render_depth(video.scene, video.poses[frame] @ turn, lens).astype(np.float32)
            found["exact"].append(exact)
            disparity = match(left, right, disparity_limit(rectifier, SETTINGS), SETTINGS)
            depth = depth_from_disparity(disparity, rectifier, SETTINGS)
            depth[~rectifier.seen] = np.nan
            found["matched"].append(depth)
            found["lens"].append([rectifier.focal, rectifier.baseline])
            for name, predict in predictors.items():
                found.setdefault(name, []).append(predict(left).astype(np.float32))
    folder.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    np.savez(path.with_suffix(".part.npz"), **{name: np.array(values) for name, values in found.items()})
    path.with_suffix(".part.npz").replace(path)
    return path


def predictors() -> dict[str, Any]:
    """Return the demonstration's models: a function of an image each."""
    found: dict[str, Any] = {"constant": constant, "brightness": brightness}
    for name in BUILDERS:
        found[name] = network_predictor(load(name, ROOT / "demo_weights" / name))
    return found



# What a model's output is.
OUTPUTS = {
    "constant": "depth", "brightness": "disparity", "tiny_depth_anything": "disparity", "tiny_midas": "disparity",
    "tiny_zoedepth": "metric_depth", "tiny_endo_depth": "depth", "tiny_endo_sfmlearner": "depth",
}  # fmt: skip
CALIBRATION_SEEDS = range(500, 512)
HELD_OUT = 600
SHARED_ERRORS: Any = {
    "calibration": {"calibration": {"of": "disparity", "offset": 0.5, "tilt": 0.5}},
    "misregistration": {"registration": {"shift": 2.0, "rotation": 0.5}},
}
NOTHING: Any = dict.fromkeys(
    ("focal", "disparity", "depth", "quantisation", "calibration", "registration", "drift")
)


def configured() -> Any:
    """Return the checked configuration of the repository."""
    return check(read_config(ROOT / "config.yaml"))


def study_of(path: Path, kind: str, law: Any, protocol: Any, models: Any = None) -> dict[str, Any]:
    """Return what is said of each pair of models of a study: by metric (exact difference, verdict)."""
    found = dict(np.load(path))
    outputs = {**OUTPUTS, **(models or {})}
    error = {**NOTHING, "reach": 4, "disparity": law, **SHARED_ERRORS.get(kind, {})}
    references, frames = [], []
    for place, (depth, lens) in enumerate(zip(found["matched"], found["lens"], strict=True)):
        sequence = str(place // FRAMES)
        camera = np.diag([lens[0], lens[0], 1.0])
        stated = StatedError({**error, "baseline": float(lens[1])}, path.stem, camera)
        true = StatedError({**error, "baseline": float(lens[1])}, f"truth of {path.stem}", camera)
        if stated.has_shared:
            everything = Points(
                np.arange(depth.size), depth.ravel().astype(np.float64), np.ones(depth.size, bool), depth, sequence, place
            )
            depth = true.shared(everything, 0).reshape(depth.shape).astype(np.float32)
        references.append((depth, stated))
        frames.append((sequence, place % FRAMES))
    start = time.perf_counter()
    values: dict[str, dict[str, Redraws]] = {}
    exact: dict[str, np.ndarray] = {}
    plain: dict[str, np.ndarray] = {}
    for model, output in outputs.items():
        terms = terms_for(
            protocol, dataset="phantom", sequence="", size=SIZE, units="mm", output_kind=output,
            output_unit="mm" if output == "metric_depth" else None,
        )  # fmt: skip
        terms = redrawn_terms(terms)
        seen, whole, truth = [], [], []
        for (depth, stated), prediction, true_depth, (sequence, frame) in zip(
            references, found[model], found["exact"], frames, strict=True
        ):
            inside = np.isfinite(depth) & (depth >= 1) & (depth <= 300) & np.isfinite(prediction)
            at = chosen_pixels(np.where(inside, depth, np.nan))
            points = stated.points(depth, at, sequence, frame)
            look = Look(inside.flat[at], prediction.flat[at], 1.0, 300.0)
            seen.append(Seen(points, {"p": look}))
            every = np.flatnonzero(inside)
            full = Look(inside.flat[every], prediction.flat[every], 1.0, 300.0)
            whole.append(full.pixels(depth.flat[every].astype(np.float64)))
            truth.append(full.pixels(true_depth.flat[every].astype(np.float64)))
        pairs = {sequence: SimpleNamespace(terms={"p": terms}) for sequence, _ in frames}
        drawn = redraw.redrawn(pairs, {sequence: references[place][1] for place, (sequence, _) in enumerate(frames)}, seen)["p"]
        means = {key: one.mean(axis=0) for key, one in drawn.items()}
        plain[model], exact[model] = (redraw.scores(terms, one).mean(axis=0) for one in (whole, truth))
        for index, metric in enumerate(REDRAWN):
            values.setdefault(metric, {})[model] = Redraws(
                means[OBSERVED, 0][index], means[TRUSTED, 0][index],
                *(np.array([means[key][index] for key in sorted(means) if key[0] == part]) for part in (LOCAL, SHARED)),
            )  # fmt: skip
    seconds = time.perf_counter() - start
    said: dict[str, Any] = {"seconds": seconds}
    count = len(outputs) * (len(outputs) - 1) // 2
    for index, metric in enumerate(REDRAWN):
        said[metric] = []
        for a, b in combinations(outputs, 2):
            difference = plain[a][index] - plain[b][index]
            drawn = values[metric][a].less(values[metric][b])
            said[metric].append((exact[a][index] - exact[b][index], difference, drawn, verdict(difference, drawn, count)))
    return said
