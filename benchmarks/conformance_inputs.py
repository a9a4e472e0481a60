"""What published code feeds its networks, as numbers: makes tests/conformance_inputs.json anew.

    python benchmarks/conformance_inputs.py FOLDER

FOLDER holds checkouts of the sources, named as in SOURCES. Their own functions are imported and run on images that
a seed makes; none of their code is here. It wants torchvision and scikit-image besides this project's environment.
What a source needs for its network alone (its layers, its weights) is replaced by an empty module.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import cv2
import numpy as np
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "workflow_scripts"), str(ROOT / "tests")]

from conformance_frames import SIZES, frame, sample  # noqa: E402

SOURCES = {
    "Depth-Anything": "LiheYoung/Depth-Anything@1d03336771fe09c5398ffdd211441e33941a97dc",
    "Depth-Anything-V2": "DepthAnything/Depth-Anything-V2@a561b849ebae10a6f5ef49e26c83cbbcd36c71bf",
    "MiDaS": "isl-org/MiDaS@454597711a62eabcbf7d1e89f3fb9f569051ac9b",
    "ZoeDepth": "isl-org/ZoeDepth@d87f17b2f5fdcb174cf4fb115491f4a6c60de152",
    "EndoSLAM": "CapsuleEndoscope/EndoSLAM@9bd8577b0436c5e05ca4280c0e493d2b9027c2e3",
    "monodepth2": "nianticlabs/monodepth2@b676244e5a1ca55564eb5d16ab521a48f823af31",
}
MIDAS = ("dpt_large_384", "dpt_hybrid_384", "dpt_beit_large_512", "dpt_swin2_large_384")
# Height and width that a user of Endo-SfMLearner's test_disp.py may ask for: EndoSLAM's own, its default, a small one.
SC_SIZES = ((320, 320), (256, 832), (128, 160))


@contextmanager
def imported(folder: Path, *empty: str) -> Iterator[Callable[[str], ModuleType]]:
    """Give a function that imports a module from `folder`; modules named `empty` are stand-ins meanwhile."""
    hidden = {name: sys.modules.pop(name) for name in empty if name in sys.modules}
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    sys.modules.update({name: MagicMock() for name in empty})
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            # Sources have modules of the same name; libraries stay.
            if name in empty or str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]
        sys.modules.update(hidden)


def bgr(size: tuple[int, int]) -> np.ndarray:
    return np.ascontiguousarray(frame(*size)[..., ::-1])


def depth_anything(folder: Path) -> dict[str, Callable[[tuple[int, int]], np.ndarray]]:
    # run.py builds this pipeline under its `if __name__`; the classes and their arguments are its own.
    with imported(folder / "Depth-Anything") as load:
        theirs = load("depth_anything.util.transform")
    arguments = {
        "width": 518,
        "height": 518,
        "resize_target": False,
        "keep_aspect_ratio": True,
        "ensure_multiple_of": 14,
        "resize_method": "lower_bound",
        "image_interpolation_method": cv2.INTER_CUBIC,
    }
    imagenet = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    steps = [theirs.Resize(**arguments), theirs.NormalizeImage(**imagenet), theirs.PrepareForNet()]

    def v1(size: tuple[int, int]) -> np.ndarray:
        sample: dict[str, Any] = {"image": frame(*size) / 255.0}
        for step in steps:
            sample = step(sample)
        return sample["image"]

    nets = ("depth_anything_v2.dinov2", "depth_anything_v2.util.blocks")
    with imported(folder / "Depth-Anything-V2", *nets) as load:
        network = load("depth_anything_v2.dpt").DepthAnythingV2

    def v2(size: tuple[int, int]) -> np.ndarray:
        tensor, _ = network.image2tensor(None, bgr(size), 518)
        return tensor[0].cpu().numpy()

    return {"depth_anything": v1, "depth_anything_v2": v2}


def midas(folder: Path) -> dict[str, Callable[[tuple[int, int]], np.ndarray]]:
    with imported(folder / "MiDaS", "midas.dpt_depth", "midas.midas_net", "midas.midas_net_custom") as load:
        loader = load("midas.model_loader")
    loader.DPTDepthModel = lambda **_: torch.nn.Identity()
    found: dict[str, Callable[[tuple[int, int]], np.ndarray]] = {}
    for kind in MIDAS:
        _, transform, _, _ = loader.load_model(torch.device("cpu"), "", kind, optimize=False)
        found[f"midas {kind}"] = lambda size, own=transform: own({"image": frame(*size) / 255.0})["image"]
    with imported(folder / "MiDaS" / "tf") as load:
        exported = load("transforms")
    # run_onnx.py builds this pipeline within `run`.
    resize = exported.Resize(
        256,
        256,
        resize_target=None,
        keep_aspect_ratio=False,
        ensure_multiple_of=32,
        resize_method="upper_bound",
        image_interpolation_method=cv2.INTER_CUBIC,
    )
    found["midas_v21_small onnx"] = lambda size: exported.PrepareForNet()(
        resize({"image": frame(*size) / 255.0})
    )["image"]
    return found


def zoedepth(folder: Path) -> dict[str, Callable[[tuple[int, int]], np.ndarray]]:
    """`infer` with its own padding and flipping; the network notes what it is given and answers with its brightness."""
    with imported(folder / "ZoeDepth") as load:
        base = load("zoedepth.models.depth_model")
        prepare = load("zoedepth.models.base_models.midas").PrepForMidas(
            resize_mode="minimal", keep_aspect_ratio=True, img_size=[384, 512]
        )

    class Noting(base.DepthModel):  # type: ignore[name-defined,misc]
        seen: list[np.ndarray]

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            given = prepare(x)
            self.seen.append(given[0].numpy())
            # Not symmetric, so that a flip shows.
            ramp = torch.linspace(0, 1, given.shape[-1])
            return {"metric_depth": given.mean(dim=1, keepdim=True) + ramp}

    model = Noting()

    def run(size: tuple[int, int], what: str) -> np.ndarray:
        model.seen = []
        answer = model.infer_pil(Image.fromarray(frame(*size)))
        return {"input": model.seen[0], "mirrored": model.seen[1], "answer": answer[None]}[what]

    return {
        f"zoedepth {what}": lambda size, what=what: run(size, what)
        for what in ("input", "mirrored", "answer")
    }


def sc_sfmlearner(folder: Path) -> dict[str, Callable[[tuple[int, int]], np.ndarray]]:
    with imported(folder / "EndoSLAM" / "EndoSfMLearner", "models", "path", "tqdm") as load:
        theirs = load("test_disp")
    theirs.device = torch.device("cpu")

    def run(size: tuple[int, int], wanted: tuple[int, int]) -> np.ndarray:
        with tempfile.TemporaryDirectory() as place:
            file = str(Path(place, "frame.png"))
            Image.fromarray(frame(*size)).save(file)
            arguments = SimpleNamespace(img_height=wanted[0], img_width=wanted[1])
            return theirs.load_tensor_image(file, arguments)[0].numpy()

    return {f"endo_sfmlearner {h}x{w}": lambda size, wanted=(h, w): run(size, wanted) for h, w in SC_SIZES}


def monodepth2(_: Path) -> dict[str, Callable[[tuple[int, int]], np.ndarray]]:
    # test_simple.py has no function for it; these are the two calls of its loop over images (lines 127 and 128).
    from torchvision import transforms

    def run(size: tuple[int, int]) -> np.ndarray:
        picture = Image.fromarray(frame(*size)).resize((320, 256), Image.Resampling.LANCZOS)
        return transforms.ToTensor()(picture).numpy()

    return {"monodepth2 256x320": run}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "tests" / "conformance_inputs.json")
    arguments = parser.parse_args()
    cases: dict[str, Any] = {}
    for source in (depth_anything, midas, zoedepth, sc_sfmlearner, monodepth2):
        for name, run in source(arguments.folder).items():
            cases[name] = {f"{h}x{w}": sample(np.asarray(run((h, w)))) for h, w in SIZES}
            print(name, {size: case["shape"] for size, case in cases[name].items()}, flush=True)
    versions = {
        name: importlib.import_module(module).__version__
        for name, module in (("numpy", "numpy"), ("opencv", "cv2"), ("pillow", "PIL"), ("skimage", "skimage"))
    }
    versions |= {
        name: importlib.import_module(name).__version__ for name in ("torch", "torchvision", "scipy")
    }
    text = json.dumps({"sources": SOURCES, "versions": versions}, indent=1)[:-2] + ',\n "cases": {\n'
    lines = []
    for name, sizes in cases.items():
        inner = ",\n".join(f"   {json.dumps(size)}: {json.dumps(case)}" for size, case in sizes.items())
        lines.append(f"  {json.dumps(name)}: {{\n{inner}\n  }}")
    arguments.out.write_text(text + ",\n".join(lines) + "\n }\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
