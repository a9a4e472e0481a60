"""How often the verdicts on the error of a reference hold, on phantoms whose exact depth is known.

    python benchmarks/reference_error.py CACHE [--calibrate] [--seeds 40]

Each study is a seed of the stereo phantom: two sequences of three frames, the demonstration's five networks and two
baselines. Frames are rendered and predicted once and kept in the folder CACHE. Each seed is three studies, by what is
wrong with the reference: `matched` (what the stereo matcher gives), `calibration` (the same with disparity off by an
offset and a tilt) and `misregistration` (the same, shifted and turned). What is stated of the
matcher was measured on other seeds (--calibrate prints it); that of the other two is what they are drawn from.

A study holds where no resolved pair of models is in the other order with the exact depth of the same pixels. Beside it
stand other metrics, images that are degraded before they are matched, and models that blur edges as the matcher does.
"""

from __future__ import annotations

import argparse
import time
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch

from demo_networks.checkpoints import load
from demo_networks.judge import brightness, constant, network_predictor
from demo_networks.networks import BUILDERS
from scopedepth.config.base import plain_spec
from scopedepth.config.files import read_config
from scopedepth.config.load import check
from scopedepth.datasets.rectify.stereo import (
    Rectifier,
    StereoCamera,
    depth_from_disparity,
    disparity_limit,
    match,
)
from scopedepth.evaluation.protocol import terms_for
from scopedepth.evaluation.redraw import Look, Seen, chosen_pixels, redrawn, redrawn_terms, scores
from scopedepth.evaluation.reference import Points, StatedError, edges_and_rims
from scopedepth.job.draws import generator
from scopedepth.phantom.camera import Camera
from scopedepth.phantom.scene import render_depth
from scopedepth.phantom.video import Video, stereo
from scopedepth.statistics.reference import Redraws, Verdict, verdict
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


def degraded(image: np.ndarray, key: str) -> np.ndarray:
    """Return an image out of focus, darker and noisy, as neither the calibration's nor the held-out phantoms are."""
    dark = cv2.GaussianBlur(image, (0, 0), 2.0).astype(np.float32) * 0.7
    return np.clip(dark + generator(key).normal(0, 1.2, image.shape), 0, 255).astype(np.uint8)


def rendered(seed: int, folder: Path, predictors: Any) -> Path:
    """Render the study of a seed, once, and return its file: images, exact and matched depth, predictions."""
    path = folder / f"{seed}.npz"
    if path.is_file():
        return path
    found: dict[str, list[Any]] = {"exact": [], "matched": [], "degraded": [], "lens": []}
    for video in stereo(FRAMES, *SIZE, seed):
        rectifier = rectifier_of(video)
        k = rectifier.intrinsics
        lens = Camera(SIZE[1], SIZE[0], k[0, 0], k[1, 1], k[0, 2], k[1, 2])
        turn = np.eye(4)
        turn[:3, :3] = rectifier.R1.T
        for frame in range(FRAMES):
            left, right = video.frame(frame).rgb, video.right_frame(frame).rgb
            left, right = rectifier.left(left), rectifier.right(right)
            exact = render_depth(video.scene, video.poses[frame] @ turn, lens).astype(np.float32)
            found["exact"].append(exact)
            worse = [
                degraded(image, f"{seed} {video.name} {frame} {side}")
                for side, image in enumerate((left, right))
            ]
            for name, pair in (("matched", (left, right)), ("degraded", worse)):
                disparity = match(*pair, disparity_limit(rectifier, SETTINGS), SETTINGS)
                depth = depth_from_disparity(disparity, rectifier, SETTINGS)
                depth[~rectifier.seen] = np.nan
                found[name].append(depth)
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
KINDS = ("matched", "calibration", "misregistration")
SHARED_ERRORS: Any = {
    "calibration": {"calibration": {"of": "disparity", "offset": 0.5, "tilt": 0.5}},
    "misregistration": {"registration": {"shift": 2.0, "rotation": 0.5}},
}
NOTHING: Any = dict.fromkeys(
    ("focal", "disparity", "depth", "quantisation", "calibration", "registration", "drift")
)


CLASSES = (
    ("rim", 15),
    ("rim", None),
    ("edge", 15),
    ("edge", None),
    ("anywhere", 12),
    ("anywhere", 20),
    ("anywhere", None),
)
PROBABILITIES = (0.0005, 0.0025, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 0.99, 0.9975, 0.9995)


def calibrate(paths: list[Path]) -> str:
    """Return the classes of `reference_error.disparity`: quantiles of matched less exact disparity, by class."""
    errors, values, kinds = [], [], []
    for path in paths:
        found = dict(np.load(path))
        for depth, exact, lens in zip(found["matched"], found["exact"], found["lens"], strict=True):
            edge, rim = edges_and_rims(depth, 4)
            known = np.isfinite(depth)
            errors.append((lens.prod() / depth - lens.prod() / exact)[known])
            values.append((lens.prod() / depth)[known])
            kinds.append(np.where(rim, "rim", np.where(edge, "edge", "anywhere"))[known])
    error, value, kind = (np.concatenate(parts) for parts in (errors, values, kinds))
    lines, left = [], np.ones(error.size, bool)
    for where, below in CLASSES:
        mine = left & ((kind == where) | (where == "anywhere")) & ((value < below) if below else True)
        left &= ~mine
        quantiles = ", ".join(f"{one:.2f}" for one in np.quantile(error[mine], PROBABILITIES))
        lines.append(f"- {{where: {where}, {f'below: {below}, ' if below else ''}errors: [{quantiles}]}}")
    return "\n".join(lines)


def with_alike(found: dict[str, Any], everywhere: bool) -> dict[str, str]:
    """Add two models to a study, and return the models: both near to the truth, one as wrong as the matcher.

    everywhere: or else at edges and rims alone, which it blurs as the matcher does.
    """
    for name in ("sharp", "alike"):
        found[name] = []
    for exact, matched in zip(found["exact"], found["matched"], strict=True):
        height, width = exact.shape
        y, x = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1)
        wave = 1 + 0.02 * np.sin(7 * x + 5 * y)
        edge, rim = edges_and_rims(matched, 4)
        found["sharp"].append(exact * wave)
        # A little worse all over and the matched depth at edges and rims; or that everywhere, and nothing else.
        wrong = (edge | rim | everywhere) & np.isfinite(matched)
        own = 0.0 if everywhere else 1.1
        found["alike"].append(np.where(wrong, matched, exact) * (1 + own * (wave - 1)))
    return {**OUTPUTS, "sharp": "depth", "alike": "depth"}


def unjudged(said: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of a study where each observed order is taken for the true one."""
    return {
        metric: [
            (exact, difference, drawn, Verdict(0, 0, RESOLVED))
            for exact, difference, drawn, _ in said[metric]
        ]
        for metric in REDRAWN
    }


def study_of(path: Path, kind: str, law: Any, protocol: Any, worse: str = "") -> dict[str, Any]:
    """Return what is said of each pair of models of a study, by metric: exact, observed, redraws, verdict.

    worse: ``degraded``, the images before they are matched; ``blurred``, ``alike``: two more models (`with_alike`).
    """
    found: dict[str, Any] = dict(np.load(path))
    outputs = with_alike(found, worse == "alike") if worse in ("blurred", "alike") else OUTPUTS
    if worse == "degraded":
        found["matched"] = found["degraded"]
    error = {**NOTHING, "reach": 4, "disparity": law, **SHARED_ERRORS.get(kind, {})}
    references, frames = [], []
    for place, (depth, lens) in enumerate(zip(found["matched"], found["lens"], strict=True)):
        sequence = str(place // FRAMES)
        camera = np.diag([lens[0], lens[0], 1.0])
        stated = StatedError({**error, "baseline": float(lens[1])}, path.stem, camera)
        true = StatedError({**error, "baseline": float(lens[1])}, f"truth of {path.stem}", camera)
        if stated.has_shared:
            everything = Points(
                np.arange(depth.size),
                depth.ravel(),
                np.ones(depth.size, bool),
                depth,
                sequence,
                place,
                {},
                None,
            )
            depth = true.shared(everything, 0).reshape(depth.shape)
        references.append((depth, stated))
        frames.append((sequence, place % FRAMES))
    seconds = 0.0
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
            began = time.process_time()
            points = stated.points(depth, np.zeros(depth.shape, np.uint8), at, sequence, frame)
            seconds += time.process_time() - began
            look = Look(inside.flat[at], prediction.flat[at], np.float32(1), np.float32(300))
            seen.append(Seen(points, {"p": look}))
            every = np.flatnonzero(inside)
            full = Look(inside.flat[every], prediction.flat[every], np.float32(1), np.float32(300))
            whole.append(full.pixels(depth.flat[every]))
            truth.append(full.pixels(true_depth.flat[every]))
        pairs = {sequence: SimpleNamespace(terms={"p": terms}) for sequence, _ in frames}
        began = time.process_time()
        errors = {sequence: references[place][1] for place, (sequence, _) in enumerate(frames)}
        drawn = redrawn(pairs, errors, seen, lambda _: None)["p"]
        seconds += time.process_time() - began
        means = {key: one.mean(axis=0) for key, one in drawn.items()}
        plain[model], exact[model] = (scores(terms, one).mean(axis=0) for one in (whole, truth))
        for index, metric in enumerate(REDRAWN):
            values.setdefault(metric, {})[model] = Redraws(
                means[OBSERVED, 0][index], means[TRUSTED, 0][index],
                *(np.array([means[key][index] for key in sorted(means) if key[0] == part]) for part in (LOCAL, SHARED)),
            )  # fmt: skip
    said: dict[str, Any] = {"seconds": seconds}
    count = len(outputs) * (len(outputs) - 1) // 2
    for index, metric in enumerate(REDRAWN):
        said[metric] = []
        for a, b in combinations(outputs, 2):
            difference = plain[a][index] - plain[b][index]
            drawn = values[metric][a].less(values[metric][b])
            said[metric].append(
                (exact[a][index] - exact[b][index], difference, drawn, verdict(difference, drawn, count))
            )
    return said


def report(title: str, studies: list[dict[str, Any]]) -> None:
    """Print in how many studies no verdict is wrong, and how many pairs are resolved before sampling, by metric."""
    cells = []
    for metric in REDRAWN:
        held, resolved = [], []
        for said in studies:
            stands = [one for one in said[metric] if one[3].reason == RESOLVED]
            held.append(all(np.sign(exact) == np.sign(difference) for exact, difference, *_ in stands))
            resolved.append(len(stands) / len(said[metric]))
        cells.append(f"{100 * np.mean(held):.0f} % / {100 * np.mean(resolved):.0f} %")
    print(f"| {title} | {len(studies)} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Render what is missing, and print the table of docs/reference-error.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cache", type=Path)
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("--seeds", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(1)
    used = predictors()
    if options.calibrate:
        print(calibrate([rendered(seed, options.cache, used) for seed in CALIBRATION_SEEDS]))
        return
    configuration = check(read_config(ROOT / "config.yaml"))
    law = plain_spec("phantom_stereo", configuration.datasets["phantom_stereo"])["reference_error"][
        "disparity"
    ]
    protocol = plain_spec("median_depth", configuration.protocols["median_depth"])
    paths = [rendered(seed, options.cache, used) for seed in range(HELD_OUT, HELD_OUT + options.seeds)]
    print(f"| reference | studies | {' | '.join(f'{name}: held / resolved' for name in REDRAWN)} |")
    print("|---|---|" + "---|" * len(REDRAWN))
    everything = []
    for kind in KINDS:
        studies = [study_of(path, kind, law, protocol) for path in paths]
        report(kind, studies)
        everything += studies
        seconds = sum(said["seconds"] for said in studies) / len(studies) / (2 * FRAMES) * 100
        print(f"<!-- {kind}: {seconds:.1f} processor seconds for 100 frames and {len(OUTPUTS)} models -->")
    report("all three", everything)
    print("Where it fails:")
    report("degraded images", [study_of(path, "matched", law, protocol, "degraded") for path in paths])
    report(
        "a model that blurs edges as the matcher does",
        [study_of(path, "matched", law, protocol, "blurred") for path in paths],
    )
    report(
        "a model that says what the matcher says",
        [study_of(path, "matched", law, protocol, "alike") for path in paths],
    )
    report("observed order alone", [unjudged(said) for said in everything])


if __name__ == "__main__":
    main()
