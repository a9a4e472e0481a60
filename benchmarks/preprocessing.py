"""How far apart a network's predictions are when it is fed as on the Hub and as its authors feed it.

    python benchmarks/preprocessing.py

Random weights of the real classes at a small width, with the published sizes of input, and the demonstration's
networks. Both predictions of a frame are brought to its size, one is fitted to the other (factor and shift), and what
is left is printed as a part of the spread (mean deviation). Frames are those of shared/samples beside the project, else
waves.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "workflow_scripts"), str(ROOT / "tests")]

import tiny_models  # noqa: E402
from evaluation_fakes import protocol  # noqa: E402
from scopedepth.evaluation.resample import resample  # noqa: E402
from scopedepth.evaluation.single import evaluate_frame  # noqa: E402
from scopedepth.models import load_model  # noqa: E402
from test_models_families import write_sc  # noqa: E402
from tiny_models import IMAGENET, processor_file, scene, spec  # noqa: E402

SAMPLES = ROOT.parent / "shared" / "samples"
LSQ = protocol(
    alignment={"method": "lsq_affine", "space": "disparity", "negative_scale": "score"},
    clamp={"disparity": "inverse_max_depth"},
)


def videos() -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """Frames, uint8 (n, h, w, 3), and depths in mm where there are some."""

    def read(pattern: str) -> list[np.ndarray]:
        files = sorted(SAMPLES.glob(pattern))
        found = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in files]
        return [picture for picture in found if picture is not None]

    def rgb(pattern: str) -> np.ndarray:
        eight = [p if p.dtype == np.uint8 else (p >> 8).astype(np.uint8) for p in read(pattern)]
        return np.stack([np.ascontiguousarray(picture[..., 2::-1]) for picture in eight])

    if not SAMPLES.is_dir():
        return {f"waves {w}x{h}": (scene(2, h, w), None) for h, w in ((475, 475), (288, 360), (1080, 1350))}
    simcol = np.stack(read("simcol3d/Depth_*.png")).astype(np.float64) / 65280 * 200
    c3vd = np.stack(read("c3vd/*_depth.tiff")).astype(np.float64)
    c3vd = np.where((c3vd == 0) | (c3vd == 65535), np.nan, c3vd / 65535 * 100)
    return {
        "SimCol3D": (rgb("simcol3d/FrameBuffer_*.png")[:4], simcol[:4]),
        "Hamlyn f7": (rgb("hamlyn_f7/*_L_*.png")[:1], None),
        "C3VD": (rgb("c3vd/*_color.png"), c3vd),
    }


def networks(folder: Path) -> dict[str, tuple[dict[str, Any], dict[str, Any], Path]]:
    """Name -> the two specs and the weights."""
    hub = {"preprocessing": "hub"}
    authors = {"preprocessing": "authors"}
    demo = ROOT / "demo_weights"
    anything = tiny_models.depth_anything(folder / "anything")
    square = {"size": {"height": 518, "width": 518}, "keep_aspect_ratio": True, "ensure_multiple_of": 14}
    processor_file(anything, "DPT", **square, resample=3, **IMAGENET)
    midas = tiny_models.dpt(folder / "midas")
    processor_file(midas, "DPT", size={"height": 384, "width": 384}, resample=3)
    zoe = tiny_models.zoedepth(folder / "zoe")
    processor_file(zoe, "ZoeDepth", size={"height": 384, "width": 512}, ensure_multiple_of=32)
    sc = write_sc(folder / "sc" / "dispnet_model_best.pth.tar")
    pairs = {
        "Depth Anything, random": ("transformers", hub, authors, anything),
        "MiDaS DPT, random": ("transformers", hub, authors, midas),
        "ZoeDepth, random": ("transformers", hub, authors, zoe),
        "Endo-SfMLearner, random": ("sc_sfmlearner", {"resample": "bilinear"}, {}, sc),
        "Depth Anything, demo": ("transformers", hub, authors, demo / "tiny_depth_anything"),
        "MiDaS, demo": ("transformers", hub, authors, demo / "tiny_midas"),
        "ZoeDepth, demo": ("transformers", hub, authors, demo / "tiny_zoedepth"),
        "Endo-SfMLearner, demo": (
            "sc_sfmlearner",
            {"resample": "bilinear", "height": 160, "width": 160},
            {"height": 160, "width": 160},
            demo / "tiny_endo_sfmlearner",
        ),
    }
    # All as disparities: what they say is compared, not what it means.
    return {
        name: (spec(family, "disparity", **one), spec(family, "disparity", **other), weights)
        for name, (family, one, other, weights) in pairs.items()
    }


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Mean deviation of `one` from the fitted `other`, as a part of its mean deviation from its mean."""
    design = np.stack([other.ravel() - other.mean(), np.ones(other.size)], axis=1)
    found, *_ = np.linalg.lstsq(design, one.ravel(), rcond=None)
    return float(np.abs(one.ravel() - design @ found).mean() / np.abs(one - one.mean()).mean())


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        print("| network | frames | Hub's input | authors' input | apart | AbsRel Hub | AbsRel authors |")
        print("| --- | --- | --- | --- | ---: | ---: | ---: |")
        for name, (*specs, weights) in networks(Path(place)).items():
            models = [load_model(one, weights, "cpu") for one in specs]
            for video, (frames, depths) in videos().items():
                size = frames.shape[1:3]
                inputs = ["{1}x{0}".format(*model.input_size(*size)) for model in models]
                parts, errors = [], []
                for number, frame in enumerate(frames):
                    told = [model.predict(frame[None])[0].astype(np.float64) for model in models]
                    if "ZoeDepth" in name:
                        told = [1 / np.maximum(values, 1e-6) for values in told]
                    whole = [np.empty(size) for _ in told]
                    for values, out in zip(told, whole, strict=True):
                        resample(values, out, nearest=False, align_corners=False)
                    parts.append(apart(whole[1], whole[0]))
                    if depths is not None and "demo" in name:
                        errors.append([
                            evaluate_frame(LSQ, values, depths[number], output_kind="disparity")[0]["abs_rel"]
                            for values in told
                        ])  # fmt: skip
                means = [f"{value:.3f}" for value in np.mean(errors, axis=0)] if errors else ["–", "–"]
                row = [name, f"{video} {size[1]}x{size[0]}", *inputs, f"{100 * np.mean(parts):.1f} %", *means]
                print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
