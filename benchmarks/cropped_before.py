"""How far a protocol's numbers move where a network sees the whole frame and not the window that its source cuts out.

    python benchmarks/cropped_before.py [--frames 6]

EndoDAC and Endo-GeDE cut Hamlyn 14 to 27 and C3VD to a window before the network. Here the demonstration's networks
predict frames of the demonstration's phantoms twice, whole and cut to the same shares of width and height; both are
scored inside the window by EndoDAC's alignment, range and limits. EndoOmni cuts each Hamlyn frame's black border; a
border of 4 % stands for it. Printed: mean AbsRel of each, a row a network.
"""

from __future__ import annotations

import argparse
import copy
import sys
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from demo_networks.judge import demonstration  # noqa: E402
from scopedepth.config.load import select_study  # noqa: E402
from scopedepth.config.protocols import ProtocolSpec  # noqa: E402
from scopedepth.evaluation.single import evaluate_frame  # noqa: E402
from scopedepth.models import load_model  # noqa: E402

# Shares of width and height: left, right, top, bottom.
WINDOWS = {
    "Hamlyn 14 to 27": (180 / 720, 590 / 720, 0.0, 1.0),
    "C3VD": (200 / 1350, 1150 / 1350, 180 / 1080, 900 / 1080),
    "a border of 4 %": (0.04, 0.96, 0.04, 0.96),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--frames", type=int, default=6, help="frames of each of the demonstration's sequences"
    )
    frames = parser.parse_args().frames
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    study = select_study(config, "demo")
    protocol = {"name": "endodac", **ProtocolSpec.model_validate(config["protocols"]["endodac"]).model_dump()}
    pictures = demonstration(frames)
    height, width = pictures[0][1].shape
    print(
        "| window | network | AbsRel, whole frame seen | AbsRel, window seen | difference |\n|---|---|---|---|---|"
    )
    for title, (left, right, top, bottom) in WINDOWS.items():
        rows, columns = (
            slice(int(top * height), int(bottom * height)),
            slice(int(left * width), int(right * width)),
        )
        window = copy.deepcopy(protocol)
        window["crops"] = [
            {
                "datasets": ["*"], "sequences": ["*"], "left": columns.start, "right": columns.stop,
                "top": rows.start, "bottom": rows.stop, "before_network": True,
            }
        ]  # fmt: skip
        for name, spec in study.models.items():
            if not name.startswith("tiny_"):
                continue
            model = load_model(spec, ROOT / spec["weights"]["path"], "cpu")
            whole, cut = [], []
            for rgb, depth in pictures:
                truth = np.where(depth > 0, depth, np.nan).astype(np.float32)
                seen = np.ascontiguousarray(rgb[rows, columns])
                for values, image, reference in ((whole, rgb, truth), (cut, seen, truth[rows, columns])):
                    metrics, _, _ = evaluate_frame(
                        window,
                        model.predict(image[None])[0],
                        np.ascontiguousarray(reference),
                        output_kind=model.output_kind,
                        output_unit=model.unit,
                    )
                    values.append(metrics["abs_rel"])
            a, b = np.mean(whole), np.mean(cut)
            print(f"| {title} | {name} | {a:.4f} | {b:.4f} | {100 * (a / b - 1):+.0f} % |", flush=True)


if __name__ == "__main__":
    main()
