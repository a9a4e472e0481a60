"""How the networks do on the demonstration's own sequences, which they were not trained on, beside trivial baselines.

A short judgement for the model card and for tests: mean over frames of AbsRel, by two alignments. `median`: the
output as depth (1 / output for disparity), times median(truth) / median(output). `affine`: the output as disparity,
fitted by least squares with scale and shift to 1 / truth, then inverted. Both clamp depth to RANGE. The workflow's
protocols say the same with more care.

    python -m demo_networks.judge ../demo_weights     # in workflow_scripts/: the model card's table
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from demo_networks.frames import UNIT
from demo_networks.networks import Network
from demo_networks.train import resized
from scopedepth.finetuning.losses import inner
from scopedepth.phantom.video import mono

RANGE = (1.0, 300.0)  # mm
SMALL = 1e-3


def demonstration(
    frames: int, seed: int = 0, side: int = 320
) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """(rgb, depth in mm) of `frames` frames, evenly spread, of each of the demonstration's sequences."""
    pictures = []
    for video in mono(40, side, side, seed):
        for k in np.linspace(0, 39, frames).round().astype(int):
            frame = video.frame(int(k))
            pictures.append((frame.rgb, frame.depth))
    return pictures


def judge(
    pictures: list[tuple[NDArray[np.uint8], NDArray[np.float32]]],
    predict: Callable[[NDArray[np.uint8]], NDArray[np.float64]],
    is_depth: bool,
) -> dict[str, float]:
    """Scores of a predictor (rgb to a map of the same size).

    `median`, `affine`: AbsRel as above; `raw`: AbsRel of the output as it is, taken as millimetres; `flipped`: share of
    frames whose disparity falls where it should rise.
    """
    rows = []
    for rgb, depth in pictures:
        valid = inner(torch.from_numpy(depth)[None])[0].numpy() > 0
        truth, output = depth[valid].astype(np.float64), predict(rgb)[valid]
        as_depth = output if is_depth else 1 / np.maximum(output, SMALL)
        disparity = 1 / np.maximum(output, SMALL) if is_depth else output
        scaled = as_depth * np.median(truth) / np.median(as_depth)
        if np.ptp(disparity) > 0:
            scale, shift = np.polyfit(disparity, 1 / truth, 1)
        else:
            scale, shift = 0.0, float(np.mean(1 / truth))
        fitted = 1 / np.maximum(scale * disparity + shift, 1 / RANGE[1])
        rows.append(
            [_abs_rel(scaled, truth), _abs_rel(fitted, truth), _abs_rel(as_depth, truth), float(scale < 0)]
        )
    means = np.mean(rows, axis=0)
    return dict(zip(("median", "affine", "raw", "flipped"), (float(m) for m in means), strict=True))


def _abs_rel(predicted: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    return float(np.mean(np.abs(np.clip(predicted, *RANGE) - truth) / truth))


def network_predictor(network: Network) -> Callable[[NDArray[np.uint8]], NDArray[np.float64]]:
    """A network as a predictor for `judge`; metric depth comes in millimetres."""

    def predict(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
        picture = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            output = network.predict(network.normalise(resized(picture, network.side)))
            full = torch.nn.functional.interpolate(
                output[:, None], rgb.shape[:2], mode="bilinear", align_corners=False
            )
        factor = 10.0 if network.kind == "metric_depth" else 1.0
        return full[0, 0].double().numpy() * factor

    return predict


def flipped_share(network: Network, rgb: NDArray[np.uint8], depth: NDArray[np.uint16]) -> float:
    """Share of training pictures on which a network's disparity falls where it should rise."""
    pictures = [(picture, (map_ * UNIT).astype(np.float32)) for picture, map_ in zip(rgb, depth, strict=True)]
    return judge(pictures, network_predictor(network), network.kind == "metric_depth")["flipped"]


def constant(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The baseline that says the same everywhere."""
    return np.ones(rgb.shape[:2])


def brightness(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The baseline that takes the root of luminance for disparity: a lamp's light falls with the square of distance."""
    return np.sqrt(rgb @ np.array([0.2126, 0.7152, 0.0722]) / 255 + 1e-3)


def table(folder: Path) -> str:
    """The scores of the checkpoints in `folder` and of the baselines on all of the demonstration's frames, Markdown."""
    from demo_networks.checkpoints import load
    from demo_networks.networks import BUILDERS

    pictures = demonstration(frames=40)
    rows = {"constant": judge(pictures, constant, False), "brightness": judge(pictures, brightness, False)}
    for name in BUILDERS:
        network = load(name, folder / name)
        rows[name] = judge(pictures, network_predictor(network), network.kind == "metric_depth")
    lines = ["| network | median scaling | scale and shift in disparity |", "|---|---|---|"]
    lines += [
        f"| {name} | {scores['median']:.3f} | {scores['affine']:.3f} |" for name, scores in rows.items()
    ]
    lines += [f"As millimetres, unaligned: {rows['tiny_zoedepth']['raw']:.3f} for tiny_zoedepth."]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))
