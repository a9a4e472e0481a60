"""Runs the loaders of published protocols on made trees, and writes down what their networks and scores would get.

    python benchmarks/source_loaders.py CHECKOUTS

CHECKOUTS is a folder that holds a checkout of each source at the commit below, named as its repository. Nothing of
theirs is copied into the project: their modules are loaded from there (the scripts that export depth from a copy in a
temporary folder, since they write beside themselves), and what they answer goes to tests/source_loaders.json, which
tests/test_source_loaders.py compares with our views and lists.

Needs, beside the project's own environment: torchvision.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import runpy
import shutil
import sys
import tempfile
import types
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "workflow_scripts")]

from source_loaders import ANSWERS, FED, SCARED_LINES, SIMCOL_LINES, TREES, answer  # noqa: E402

SIMCOL_PARTS = ("SyntheticColon_I", "SyntheticColon_II", "SyntheticColon_III")
ENDODAC = ("BeileiCui/EndoDAC", "22ec911")
ENDO_GEDE = ("BaymaxShao/Endo-GeDE", "33a236b")
AF_SFMLEARNER = ("ShuweiShao/AF-SfMLearner", "53d01a4")


def main() -> None:
    """Ask the loaders and write their answers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkouts", type=Path)
    checkouts = parser.parse_args().checkouts
    answers: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        data = Path(folder, "data")
        for name, write in TREES.items():
            write(data / name)
        for source in (ENDODAC, ENDO_GEDE):
            checkout = checkouts / source[0].rpartition("/")[2]
            for name, file, loader, high in (
                ("hamlyn", "hamlyn_dataset", "HamlynDataset", 150.0),
                ("c3vd", "c3vd_dataset", "C3VDDataset", 100.0),
            ):
                module = loaded(checkout, file)
                frames = getattr(module, loader)(str(data / name), *FED, [0], 4)
                answers[f"{source[0]} {name}"] = {
                    "commit": source[1],
                    "functions": f"datasets/{file}.py, {loader}",
                    "frames": {
                        _key(scan): answer(fed_of(item), np.asarray(item["depth_gt"]), 1e-3, high)
                        for scan, item in zip(frames.scans, frames, strict=False)
                    },
                }
        for source, name, split, lines, options in (
            (AF_SFMLEARNER, "scared", "endovis", SCARED_LINES, []),
            (ENDO_GEDE, "simcol", "simcol", SIMCOL_LINES, ["--usage", "eval"]),
        ):
            checkout = checkouts / source[0].rpartition("/")[2]
            depths = exported(checkout, Path(folder, "copy"), data / name, split, lines, options)
            images = image_paths(checkout, name, data / name, lines)
            scale = 200.0 if name == "simcol" else 1.0  # its depth is 0 to 1 for 20 cm
            answers[f"{source[0]} {name}"] = {
                "commit": source[1],
                "functions": "export_gt_depth.py; get_image_path of the dataset",
                "frames": {
                    line: answer(
                        np.asarray(Image.open(image).convert("RGB").resize(FED[::-1], Image.Resampling.LANCZOS)),
                        depth * scale, 1e-3, 1e9,
                    )
                    for line, image, depth in zip(lines, images, depths, strict=True)
                },
            }  # fmt: skip
    text = json.dumps(answers, indent=None, separators=(",", ":"))
    ANSWERS.write_text(text.replace('},"', '},\n"') + "\n", encoding="utf-8")


def _key(scan: dict[str, Any]) -> str:
    sequence, index = scan["sequence"], scan["index"]
    return f"rectified{sequence:02d} {index:010d}" if isinstance(sequence, int) else f"{sequence} {index}"


def fed_of(item: dict[Any, Any]) -> np.ndarray:
    """Return the network's input in grey levels, (h, w, 3)."""
    return np.asarray(item["color", 0, 0]).transpose(1, 2, 0) * 255.0


def loaded(checkout: Path, name: str) -> Any:
    """Return a module of a checkout's folder datasets."""
    package = types.ModuleType("datasets")
    package.__path__ = [str(checkout / "datasets")]
    # Imported by the sources and not used for what is asked here.
    stand_ins = {"skimage": types.ModuleType("skimage"), "skimage.transform": types.ModuleType("transform")}
    stand_ins["skimage"].transform = stand_ins["skimage.transform"]  # type: ignore[attr-defined]
    with mock.patch.dict(sys.modules, {"datasets": package, **stand_ins}):
        spec = importlib.util.spec_from_file_location(
            f"datasets.{name}", checkout / "datasets" / f"{name}.py"
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def exported(
    checkout: Path, copy: Path, data: Path, split: str, lines: list[str], options: list[str]
) -> list[np.ndarray]:
    """Return the depths that a checkout's export_gt_depth.py writes for a list."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(checkout, copy)
    (copy / "splits" / split / "test_files.txt").write_text("\n".join(lines))
    moves = types.ModuleType("six.moves")
    moves.urllib = None  # type: ignore[attr-defined]
    arguments = ["export_gt_depth.py", "--data_path", str(data), "--split", split, *options]
    utils = [name for name in sys.modules if name == "utils" or name.startswith("utils.")]
    for name in utils:
        del sys.modules[name]
    with (
        mock.patch.dict(sys.modules, {"six": types.ModuleType("six"), "six.moves": moves}),
        mock.patch.object(sys, "argv", arguments),
        mock.patch.object(sys, "path", [str(copy), *sys.path]),
    ):
        runpy.run_path(str(copy / "export_gt_depth.py"), run_name="__main__")
    depths = np.load(copy / "splits" / split / "gt_depths.npz", allow_pickle=True)["data"]
    return [np.asarray(depth) for depth in depths]


def image_paths(checkout: Path, name: str, data: Path, lines: list[str]) -> list[str]:
    """Return the image that a checkout's loader reads for each line of a list."""
    found = []
    for line in lines:
        words = line.split()
        if name == "scared":
            cls = loaded(checkout, "scared_dataset").SCAREDRAWDataset
            own = types.SimpleNamespace(data_path=str(data), img_ext=".png", side_map={"l": 2, "r": 3})
            found.append(cls.get_image_path(own, words[0], int(words[1]), words[2]))
            continue
        cls = loaded(checkout, "simcol_dataset").SimColRAWDataset
        part = int(words[0]) - 1
        folder = f"{SIMCOL_PARTS[part]}/Frames_{'SBO'[part]}{words[1]}"
        own = types.SimpleNamespace(data_path=str(data), img_ext=".png")
        found.append(cls.get_image_path(own, folder, int(words[2])))
    return found


if __name__ == "__main__":
    main()
