"""Runs the evaluations that published protocols come from on made arrays, and writes down what they answer.

    python benchmarks/conformance.py CHECKOUTS [protocol ...]

CHECKOUTS is a folder that holds a checkout of each source at the commit below, named as its repository (`git clone`,
`git checkout`). Nothing of theirs is copied: their modules are loaded from there, with stand-ins for what an
evaluation of given arrays does not need (networks, loaders of files, options), and their own functions are called.
What they answer goes to tests/conformance/{protocol}.json, which tests/test_conformance.py compares with ours.

Needs, beside the project's own environment: scikit-image, scikit-learn, omegaconf.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import json
import math
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "workflow_scripts")]

from conformance.arrays import Case, Frames, make  # noqa: E402
from conformance.cases import all_cases  # noqa: E402
from stand_ins import (  # noqa: E402
    Anything,
    FrameList,
    Network,
    Pretrained,
    instead,
    loaded,
    on_the_cpu,
    options,
    package,
    quiet,
    stand_in,
    with_members,
)

Array = NDArray[Any]
Answers = list[dict[str, float] | None]
"""What a source says of each frame (or of the one sequence): its numbers by our metrics' names; None: nothing."""

EIGEN = ("abs_rel", "sq_rel", "rmse", "rmse_log", "delta1", "delta2", "delta3")


@dataclass(frozen=True)
class Source:
    """Where a protocol comes from, and how it is run here.

    factors: what a number of the source is multiplied by to have our unit. per: what it answers for.
    """

    repository: str
    commit: str
    file: str
    functions: str
    how: str
    run: Callable[[Path, Case, Frames], Answers]
    precision: str = "float64; ends of the range in float32"
    per: str = "frame"
    factors: dict[str, float] | None = None
    factors_of: dict[str, dict[str, float]] | None = None
    """The same for a single data set."""

    @property
    def folder(self) -> str:
        return self.repository.rpartition("/")[2]


def named(names: tuple[str, ...], values: Any) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def without_missing(depth: Array) -> Array:
    """Return depth with 0 where it is missing, as the sources' files have it."""
    return np.nan_to_num(depth, nan=0.0)


def as_float64(case: Case, frames: Frames) -> Frames:
    """Return the same numbers in float64, in which a source adds up without loss.

    The ends of a range are tried in float32, as depth comes: there 0.001 is the float32 that is nearest to it.
    """
    if case.recipe == "ends":
        return frames
    return Frames(frames.depth.astype(np.float64), frames.output.astype(np.float64))


# monodepth2 and its descendants: their whole evaluation runs, and what it computes for each frame is written down.


def recorded(module: Any, names: tuple[str, ...], function: str = "compute_errors") -> Answers:
    """Let `module` write down what its function answers; return the list that it fills."""
    answers: Answers = []
    original = getattr(module, function)

    def record(*args: Any) -> Any:
        errors = original(*args)
        answers.append(named(names, errors))
        return errors

    setattr(module, function, record)
    return answers


def monodepth2_file(metres: float | int, split: str) -> Callable[[Path, Case, Frames], Answers]:
    """Run evaluate() of monodepth2 or AF-SfMLearner on files of disparities and depths."""

    def run(checkout: Path, case: Case, frames: Frames) -> Answers:
        stand_ins = {
            name: stand_in(name)
            for name in ("layers", "utils", "options", "datasets", "networks", "torchvision")
        }
        with (
            loaded(checkout, "evaluate_depth.py", stand_ins) as module,
            tempfile.TemporaryDirectory() as folder,
        ):
            answers = recorded(module, EIGEN)
            place = Path(folder) / split
            place.mkdir()
            np.savez(place / "gt_depths.npz", data=without_missing(frames.depth) * metres)
            np.save(place / "disparities.npy", frames.output)
            module.splits_dir = folder
            module.evaluate(options(ext_disp_to_eval=str(place / "disparities.npy"), eval_split=split))
        return answers

    return run


def descendant(
    model: str, network: tuple[str, str], splits: dict[str, str]
) -> Callable[[Path, Case, Frames], Answers]:
    """Run evaluate() of EndoDAC and those that follow it, with a stand-in that gives the outputs.

    network: module and class that evaluate() makes the network of. splits: its name of each of our data sets.
    """

    def run(checkout: Path, case: Case, frames: Frames) -> Answers:
        split = splits[case.dataset]
        depths = without_missing(frames.depth)
        if split == "simcol":
            depths = depths / depths.dtype.type(200)
        given = Network(frames.output)
        maker_module = stand_in(network[0], **{network[1]: lambda *args, **kwargs: given})
        loader = FrameList(depths)
        names = ("SCAREDRAWDataset", "HamlynDataset", "C3VDDataset", "SERVCTDataset", "SimColRAWDataset")
        stand_ins = {
            name: stand_in(name)
            for name in (
                "options",
                "models",
                "models.encoders",
                "models.decoders",
                "torchvision",
                "six",
                "six.moves",
            )
        }
        stand_ins["datasets"] = stand_in("datasets", **dict.fromkeys(names, loader))
        stand_ins[network[0]] = maker_module
        setattr(stand_ins["models"], network[0].rpartition(".")[2], maker_module)
        with (
            loaded(checkout, "evaluate_depth.py", stand_ins, own=("utils",)) as module,
            tempfile.TemporaryDirectory() as folder,
            on_the_cpu(),
        ):
            answers = recorded(
                module, EIGEN, "compute_errors_simcol" if split == "simcol" else "compute_errors"
            )
            (Path(folder) / split).mkdir()
            np.savez(Path(folder) / split / "gt_depths.npz", data=depths)
            module.splits_dir = folder
            module.readlines = lambda name: []
            module.st = Anything()
            with contextlib.suppress(TypeError, ValueError, IndexError, RuntimeError):
                # What comes after the frames, their table of means, may fail on frames without numbers.
                module.evaluate(
                    options(
                        eval_split=split, model_type=model, lora_rank=4, lora_type="", peft_type="",
                        pretrained_path="", residual_block_indexes=[], include_cls_token=True,
                    )
                )  # fmt: skip
        assert len(answers) == len(frames.depth), f"{len(answers)} answers for {len(frames.depth)} frames"
        return answers

    return run


def endodac_script(checkout: Path, case: Case, frames: Frames) -> Answers:
    """Run mytest_da.py, a script, once for each frame, in a folder of its own."""
    depths = without_missing(frames.depth)
    return [_run_script(checkout, depth, output) for depth, output in zip(depths, frames.output, strict=True)]


def _run_script(checkout: Path, depth: Array, output: Array) -> dict[str, float] | None:
    stand_ins = {
        name: stand_in(name)
        for name in (
            "depth_anything",
            "depth_anything.util",
            "depth_anything.util.transform",
            "torchvision",
            "matplotlib",
        )
    }
    seen = {"image": np.zeros((3, 2, 2), np.float32)}
    stand_ins["torchvision.transforms"] = stand_in(
        "torchvision.transforms", Compose=lambda steps: lambda sample: seen
    )
    stand_ins["datasets"] = stand_in("datasets", SCAREDRAWDataset=FrameList(depth[None]))
    stand_ins["depth_anything.dpt"] = stand_in("depth_anything.dpt", DepthAnything=Pretrained(output))
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "mytest_da.py"
        shutil.copy(checkout / "mytest_da.py", script)
        place = Path(folder) / "splits" / "endovis"
        place.mkdir(parents=True)
        (place / "test_files.txt").write_text("dataset3/keyframe4 390 l\n", encoding="utf-8")
        np.savez(place / "gt_depths.npz", data=depth[None])
        # A frame without a pixel leaves no errors to average, and the script ends on that.
        ends_early = () if (depth > 0).any() else (IndexError, TypeError)
        errors: Any = ()
        with (
            instead(stand_ins),
            quiet(),
            on_the_cpu(),
            contextlib.chdir(folder),
            mock.patch.object(cv2, "imread", return_value=np.zeros((*depth.shape, 3), np.uint8)),
            mock.patch("scipy.stats.t.interval", return_value=(0.0, 0.0)),
            mock.patch("scipy.stats.sem", return_value=0.0),
            contextlib.suppress(*ends_early),
        ):
            errors = runpy.run_path(str(script))["errors"]
    return named(EIGEN, errors[0]) if len(errors) else None


def endodav(alignment: str) -> Callable[[Path, Case, Frames], Answers]:
    """Run evaluate() on the depths of one video; a video of disparities is one of its own disp2depth."""

    def run(checkout: Path, case: Case, frames: Frames) -> Answers:
        class Videos:
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                pass

            def __iter__(self) -> Iterator[Any]:
                yield {
                    "pred_depths": frames.output.copy(),
                    "depths": without_missing(frames.depth),
                    "filename": "rectified01",
                }

        names = (
            "options",
            "models",
            "models.encoders",
            "models.decoders",
            "models.endodac",
            "models.endodav",
        )
        stand_ins = {name: stand_in(name) for name in (*names, "torchvision", "imageio", "imageio.v2")}
        stand_ins["datasets"] = stand_in("datasets", HamlynVideos=Videos)
        with (
            loaded(checkout, "evaluate_depth_video_hamlyn.py", stand_ins, own=("utils",)) as module,
            tempfile.TemporaryDirectory() as folder,
        ):
            answers = recorded(module, EIGEN)
            module.readlines = lambda name: ["rectified01"]
            module.st = Anything()
            with contextlib.suppress(TypeError, ValueError, IndexError):
                module.evaluate(
                    options(
                        pred_root=folder, eval_split="hamlyn_video", max_length=None,
                        disp2depth=case.kind == "scaled_disparity",
                        depth_align=alignment,
                    )
                )  # fmt: skip
        assert len(answers) == len(frames.depth)
        return answers

    return run


def endoomni(checkout: Path, case: Case, frames: Frames) -> Answers:
    """Run evaluate() with a network and a loader that give the frames."""
    stand_ins = {
        name: stand_in(name)
        for name in (
            "util",
            "util.Mix_Dataloader",
            "models",
            "models.depth_anything",
            "models.depth_anything.dpt",
        )
    }
    with loaded(checkout, "evaluate.py", stand_ins) as module:
        answers = recorded(module, EIGEN)
        samples = [
            {"image": torch.zeros(1, 3, 2, 2), "depth": torch.from_numpy(depth)[None]}
            for depth in without_missing(frames.depth)
        ]
        outputs = iter(frames.output)
        with contextlib.suppress(TypeError, ValueError):
            module.evaluate(
                lambda image: torch.from_numpy(next(outputs))[None],
                samples,
                types.SimpleNamespace(device="cpu", scaling="median"),
            )
    assert len(answers) == len(frames.depth)
    return answers


# The general protocols. Depths are in metres there.


MARIGOLD = ("abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "delta1", "delta2", "delta3", "irmse", "silog")


def marigold(alignment: str) -> Callable[[Path, Case, Frames], Answers]:
    """Run script/depth/eval.py, a script, with one frame a time; the mask is that of its loader's class."""

    def run(checkout: Path, case: Case, frames: Frames) -> Answers:

        names = (
            "src",
            "src.util",
            "src.util.depth_transform",
            "omegaconf",
            "torchvision",
            "torchvision.transforms",
        )
        stand_ins = {name: stand_in(name) for name in names}
        with loaded(checkout, "src/dataset/base_depth_dataset.py", stand_ins) as module:
            maker = module.BaseDepthDataset.__new__(module.BaseDepthDataset)
            maker.min_depth, maker.max_depth = 1e-3, 10.0
            valid_mask = maker._get_valid_mask
        answers: Answers = []
        for depth, output in zip(without_missing(frames.depth), frames.output, strict=True):
            metres = torch.from_numpy(depth.astype(np.float64) / 1000)
            sample = {
                "depth_raw_linear": metres,
                "valid_mask_raw": valid_mask(metres),
                "rgb_relative_path": "a.png",
            }

            class One:
                name_mode, min_depth, max_depth, disp_name, filename_ls_path = None, 1e-3, 10.0, "", ""

                def __len__(self) -> int:
                    return 1

                def __getitem__(self, index: int, sample: Any = sample) -> Any:
                    return sample

            stand_ins = {
                "src.dataset": stand_in(
                    "src.dataset", get_dataset=lambda *a, **k: One(), get_pred_name=lambda *a, **k: "a.npy"
                ),
            }
            with tempfile.TemporaryDirectory() as folder:
                np.save(Path(folder) / "a.npy", output)
                (Path(folder) / "c.yaml").write_text("{}", encoding="utf-8")
                arguments = [
                    "eval.py", "--prediction_dir", folder, "--dataset_config", f"{folder}/c.yaml", "--base_data_dir",
                    folder, "--output_dir", folder, "--alignment", alignment, "--no_cuda",
                ]  # fmt: skip
                with package("src", checkout / "src"), instead(stand_ins), quiet():
                    # Its table of means wants a pandas of before copy-on-write, and no mean is read here.
                    importlib.import_module("src.util.metric").MetricTracker = Anything()  # type: ignore[attr-defined]
                    with mock.patch.object(sys, "argv", arguments):
                        runpy.run_path(str(checkout / "script/depth/eval.py"), run_name="__main__")
                lines = (Path(folder) / "per_sample_metrics.csv").read_text(encoding="utf-8").splitlines()
            answers.append(named(MARIGOLD, lines[1].split(",")[1:]))
        return answers

    return run


def midas(checkout: Path, case: Case, frames: Frames) -> Answers:
    """The gist's BadPixelMetric, with NYU's mask and depth cap, in double precision; bad pixels are 1 - delta1."""

    stand_ins = {
        name: stand_in(name)
        for name in ("dpt", "dpt.midas_net", "dpt.transforms", "torchvision", "torchvision.transforms")
    }
    answers: Answers = []
    with loaded(checkout, "validate_nyu.py", stand_ins) as module:
        metric = module.BadPixelMetric()
        module.torch = with_members(torch, zeros_like=lambda values, dtype=None: torch.zeros_like(values))
        with mock.patch.object(torch.Tensor, "float", torch.Tensor.double):
            for depth, output in zip(without_missing(frames.depth), frames.output, strict=True):
                metres = torch.from_numpy(depth.astype(np.float64) / 1000)[None]
                mask = ((metres > 0) & (metres < 10)).double()
                bad = metric(torch.from_numpy(output.astype(np.float64))[None], metres, mask)
                answers.append({"delta1": 1.0 - float(bad) / 100.0})
    return answers


def moge(checkout: Path, case: Case, frames: Frames) -> Answers:

    stand_ins = {
        "utils3d": stand_in(
            "utils3d",
            pt=types.SimpleNamespace(masked_nearest_resize=lambda mask, size, return_index: (mask, None)),
        ),
        "moge.utils.geometry_torch": stand_in("moge.utils.geometry_torch"),
        "moge.utils.tools": stand_in("moge.utils.tools", timeit=lambda function=None, **kwargs: function),
    }
    answers: Answers = []
    with package("moge", checkout / "moge"), instead(stand_ins), quiet():
        module = importlib.import_module("moge.test.metrics")
        for depth, output in zip(frames.depth, frames.output, strict=True):
            metres = torch.from_numpy(depth.astype(np.float64) / 1000)
            gt = {
                "depth_mask": torch.isfinite(metres), "depth": metres, "points": None, "is_metric": True,
                "has_sharp_boundary": False,
            }  # fmt: skip
            try:
                found, _ = module.compute_metrics(
                    {"disparity_affine_invariant": torch.from_numpy(output.astype(np.float64))}, gt
                )
            except RuntimeError:  # no pixel to fit
                answers.append(None)
                continue
            numbers = found["disparity_affine_invariant"]
            answers.append({"abs_rel": numbers["rel"], "delta1": numbers["delta1"]})
    for name in [name for name in sys.modules if name.startswith("moge")]:
        del sys.modules[name]
    return answers


def video_depth_anything(checkout: Path, case: Case, frames: Frames) -> Answers:
    """eval_depthcrafter() on files, in metres, with the greatest depth of NYUv2; it answers for the video."""
    folder_of = str(checkout / "benchmark" / "eval")
    with (
        mock.patch.object(sys, "path", [folder_of, *sys.path]),
        loaded(checkout, "benchmark/eval/eval.py", {}, own=("metric",)) as module,
        tempfile.TemporaryDirectory() as folder,
    ):
        module.device = "cpu"
        outputs, depths = [], []
        for number, (depth, output) in enumerate(
            zip(without_missing(frames.depth), frames.output, strict=True)
        ):
            outputs.append(f"{folder}/output{number}.npy")
            depths.append(f"{folder}/depth{number}.npy")
            np.save(outputs[-1], output)
            np.save(depths[-1], depth.astype(np.float64))
        height, width = frames.depth.shape[1:]
        arguments = types.SimpleNamespace(max_eval_len=500, max_depth_eval=10.0, a=0, b=height, c=0, d=width)
        try:
            values = module.eval_depthcrafter(outputs, depths, [1000.0] * len(depths), arguments)
        except np.linalg.LinAlgError:
            return [None]
    return [named(("abs_rel", "rmse", "delta1"), values)]


def simcol(checkout: Path, case: Case, frames: Frames) -> Answers:
    """process_depths() on files, without its assertions (python -O): frames of another size, and float64."""

    code = compile(
        (checkout / "evaluation/eval_synthetic_depth.py").read_text(encoding="utf-8"),
        "eval",
        "exec",
        optimize=1,
    )
    with tempfile.TemporaryDirectory() as folder, quiet():
        trajectory = "/SyntheticColon_I_Test/Frames_S5_OP"
        outputs, depths = Path(f"{folder}/out{trajectory}/depth"), Path(folder) / "gt/Frames_S5"
        outputs.mkdir(parents=True)
        depths.mkdir(parents=True)
        for number, (depth, output) in enumerate(zip(frames.depth, frames.output, strict=True)):
            stored = np.rint(without_missing(depth) * (65280 / 200)).astype(np.uint16)
            PIL.Image.fromarray(stored).save(depths / f"Depth_{number:04d}.png")
            shares = output.astype(np.float64) / 200
            shares = shares.astype(np.float16) if case.recipe == "half precision" else shares
            np.save(outputs / f"FrameBuffer_{number:04d}.npy", shares)
        names: dict[str, Any] = {"__name__": "source"}
        with mock.patch.object(sys, "argv", ["eval", f"{folder}/out", f"{folder}/gt"]):
            exec(code, names)
        answers: Answers = []
        original = names["eval_depth"]

        def record(pred: Array, gt: Array) -> Any:
            found = original(pred, gt)
            answers.append(named(("mae", "median_rel", "rmse"), found))
            return found

        names["eval_depth"] = record
        names["process_depths"]([trajectory], f"{folder}/out", f"{folder}/gt/")
    return answers


def endoslam_notebook(checkout: Path, case: Case, frames: Frames) -> Answers:
    """The notebook's cells that compute its RMSE, on depths as its 8-bit images hold them."""
    path = checkout / "EndoSfMLearner/endoSfm_depth_tests.ipynb"
    cells = ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    first = next(i for i, cell in enumerate(cells) if "def rmsdiff" in cell)
    names: dict[str, Any] = {
        "np": np,
        "ground_truth_grey": [depth.astype(np.uint8) for depth in without_missing(frames.depth)],
        "endosfm_preds": frames.output.astype(np.float64),
    }
    for cell in cells[first : first + 3]:
        exec(compile(cell, str(path), "exec"), names)
    return [{"nrmse": float(value)} for value in names["endosfm_rmse"]]


def endosfmlearner(checkout: Path, case: Case, frames: Frames) -> Answers:
    """DepthEvalEigen.evaluate_depth() of eval_depth.py, a script, whose last two statements start it."""
    path = checkout / "EndoSfMLearner/eval_depth.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = tree.body[:-2]
    names: dict[str, Any] = {"__name__": "source"}
    arguments = ["eval_depth.py", "--dataset", "nyu", "--pred_depth", "", "--gt_depth", ""]
    with mock.patch.object(sys, "argv", arguments), instead({"path": stand_in("path")}), quiet():
        exec(compile(tree, str(path), "exec"), names)
        answers: Answers = []
        original = names["compute_depth_errors"]

        def record(gt: Array, pred: Array) -> Any:
            found = original(gt, pred)
            answers.append(named(("abs_rel", "log10", "rmse", "delta1", "delta2", "delta3"), found))
            return found

        names["compute_depth_errors"] = record
        metres = without_missing(frames.depth).astype(np.float64) / 1000
        names["DepthEvalEigen"]().evaluate_depth(metres, frames.output)
    return answers


def depth_anything_metric(checkout: Path, case: Case, frames: Frames) -> Answers:
    """eval_depth() of metric_depth/util/metric.py; the mask and the resizing are those that train.py states."""

    answers: Answers = []
    with loaded(checkout, "metric_depth/util/metric.py", {}) as module:
        for depth, output in zip(without_missing(frames.depth), frames.output, strict=True):
            target = torch.from_numpy(depth.astype(np.float64) / 1000)
            pred = torch.from_numpy(output.astype(np.float64) / 1000)
            pred = torch.nn.functional.interpolate(
                pred[None, None], target.shape, mode="bilinear", align_corners=True
            )[0, 0]
            valid = (target > 0) & (target >= 0.001) & (target <= 20.0)
            if valid.sum() < 10:
                answers.append(None)
                continue
            found = module.eval_depth(pred[valid], target[valid])
            ours = {"d1": "delta1", "d2": "delta2", "d3": "delta3"}
            answers.append({ours.get(name, name): value for name, value in found.items() if name != "silog"})
    return answers


def endostreamdepth(checkout: Path, case: Case, frames: Frames) -> Answers:
    """eval_depth() of quantitative.py, on predictions in its unit, 100 mm, that have the depth's grid."""
    names = ("natsort", "boundary_metric", "tifffile", "skimage", "skimage.transform")
    answers: Answers = []
    with loaded(checkout, "evaluation/quantitative.py", {name: stand_in(name) for name in names}) as module:
        for depth, output in zip(without_missing(frames.depth), frames.output, strict=True):
            try:
                found = module.eval_depth(output / 100, depth, mask=depth > 0)
            except ValueError:  # no pixel
                answers.append(None)
                continue
            ours = {"d1": "delta1", "d2": "delta2", "d3": "delta3"}
            left_out = ("silog", "near", "mid", "far")
            answers.append({ours.get(k, k): v for k, v in found.items() if not k.endswith(left_out)})
    return answers


IN_METRES = {"sq_rel": 1000.0, "rmse": 1000.0, "irmse": 0.001}

SOURCES: dict[str, Source] = {
    "monodepth2": Source(
        "nianticlabs/monodepth2", "b676244", "evaluate_depth.py", "evaluate, compute_errors",
        "whole, on files of disparities and depths, with a split other than eigen",
        monodepth2_file(1e-3, "eigen_benchmark"),
        factors=IN_METRES,
    ),
    "af_sfmlearner": Source(
        "ShuweiShao/AF-SfMLearner", "53d01a4", "evaluate_depth.py", "evaluate, compute_errors",
        "whole, on files of disparities and depths, with its split endovis", monodepth2_file(1, "endovis"),
    ),
    "endodac": Source(
        "BeileiCui/EndoDAC", "22ec911", "evaluate_depth.py, utils/", "evaluate, compute_errors, disp_to_depth",
        "whole, with stand-ins for network and loaders", descendant(
            "endodac", ("models.endodac", "endodac"),
            {"scared": "endovis", "hamlyn": "hamlyn", "hamlyn_rectified_endodac": "hamlyn", "c3vd_endodac": "c3vd"},
        ),
    ),
    "endodac_disparity": Source(
        "BeileiCui/EndoDAC", "22ec911", "mytest_da.py", "the script: align_shift_and_scale, compute_errors",
        "whole, once a frame, with stand-ins for network and images", endodac_script,
    ),
    "endoomni": Source(
        "TianCuteQY/EndoOmni", "36c5e18", "evaluate.py", "evaluate, compute_errors",
        "whole, with stand-ins for network and loader", endoomni,
    ),
    "endodav_scale": Source(
        "Zanue/EndoDAV", "8a9681b", "evaluate_depth_video_hamlyn.py, utils/",
        "evaluate, median_scaling, compute_errors",
        "whole, with depth_align scale and given depths", endodav("scale"),
    ),
    "endodav_scale_shift": Source(
        "Zanue/EndoDAV", "8a9681b", "evaluate_depth_video_hamlyn.py, utils/",
        "evaluate, align_shift_and_scale, compute_errors", "whole, with depth_align scale_shift and given depths",
        endodav("scale_shift"),
    ),
    "endo_gede": Source(
        "BaymaxShao/Endo-GeDE", "33a236b", "evaluate_depth.py, utils/",
        "evaluate, compute_errors, compute_errors_simcol",
        "whole, with stand-ins for network and loaders; SimCol in its own unit, 20 cm", descendant(
            "gdemode", ("models.gdemode", "gd_emode"),
            {
                "scared": "endovis", "hamlyn": "hamlyn", "hamlyn_rectified_endodac": "hamlyn", "c3vd_endodac": "c3vd",
                "serv_ct": "servct", "simcol3d": "simcol",
            },
        ),
        factors_of={"simcol3d": {"sq_rel": 10.0, "rmse": 10.0}},
    ),
    "marigold_depth": Source(
        "prs-eth/Marigold", "b1dffaa", "script/depth/eval.py, src/util/",
        "the script; BaseDepthDataset._get_valid_mask",
        "whole, once a frame, with --alignment least_square and NYU's range; depths in metres and float64",
        marigold("least_square"), "float64 depths, float32 predictions", factors=IN_METRES,
    ),
    "marigold_disparity": Source(
        "prs-eth/Marigold", "b1dffaa", "script/depth/eval.py, src/util/",
        "the script; BaseDepthDataset._get_valid_mask",
        "whole, once a frame, with --alignment least_square_disparity and NYU's range; depths in metres and float64",
        marigold("least_square_disparity"), "float64 depths, float32 predictions", factors=IN_METRES,
    ),
    "midas": Source(
        "a public copy of the gist ranftlr/a1c7a24ebb24ce0e2f2ace5bce917022", "",
        "validate_nyu.py", "BadPixelMetric",
        "the class as it is, given NYU's mask and made to calculate in float64", midas,
        "float64",
    ),
    "moge_affine_disparity": Source(
        "microsoft/MoGe", "0744441", "moge/test/metrics.py, moge/utils/alignment.py",
        "compute_metrics, align_affine_lstsq, rel_depth, delta1_depth", "as it is, in metres, float64", moge, "float64",
    ),
    "video_depth_anything": Source(
        "DepthAnything/Video-Depth-Anything", "4f5ae23", "benchmark/eval/eval.py, metric.py",
        "eval_depthcrafter and the metrics", "on files, in metres, with NYUv2's greatest depth", video_depth_anything,
        "float64 depths, float32 predictions", per="sequence", factors=IN_METRES,
    ),
    "simcol_challenge": Source(
        "anitarau/simcol", "6ba3b97", "evaluation/eval_synthetic_depth.py", "process_depths, load_depth, eval_depth",
        "on files, without assertions, with predictions in float64 where it wants float16", simcol, "float64",
        factors={"mae": 10.0, "rmse": 10.0, "median_rel": 0.01},
    ),
    "endoslam_minmax": Source(
        "CapsuleEndoscope/EndoSLAM", "9bd8577", "EndoSfMLearner/endoSfm_depth_tests.ipynb", "rmsdiff, norm",
        "the three cells that compute its RMSE", endoslam_notebook, "float64",
    ),
    "endosfmlearner": Source(
        "CapsuleEndoscope/EndoSLAM", "9bd8577", "EndoSfMLearner/eval_depth.py",
        "DepthEvalEigen.evaluate_depth, compute_depth_errors", "with its data set nyu, in metres", endosfmlearner,
        factors=IN_METRES,
    ),
    "endomust": Source(
        "BaymaxShao/EndoMUST", "a513154", "evaluate_depth.py, utils/", "evaluate, compute_errors",
        "whole, with stand-ins for network and loaders", descendant(
            "endomust", ("models.endomust", "endomust"), {"scared": "endovis", "hamlyn": "hamlyn"},
        ),
    ),
    "dares": Source(
        "mobarakol/DARES", "51dbeb4", "evaluate_depth.py", "evaluate, compute_errors",
        "whole, on files of disparities and depths, with its split endovis", monodepth2_file(1, "endovis"),
    ),
    "endostreamdepth": Source(
        "MedICL-VU/EndoStreamDepth", "4cf004f", "evaluation/quantitative.py", "eval_depth",
        "the function as it is, on predictions of the depth's size", endostreamdepth,
    ),
    "depth_anything_metric": Source(
        "DepthAnything/Depth-Anything-V2", "a561b84", "metric_depth/util/metric.py, train.py", "eval_depth",
        "the function as it is; mask and resizing after train.py's text; metres, float64", depth_anything_metric,
        "float64", factors=IN_METRES,
    ),
}  # fmt: skip


def answers_of(name: str, checkouts: Path) -> dict[str, Any]:
    """Return what a protocol's source answers on all its cases, as the test reads it."""
    source = SOURCES[name]
    check_commit(checkouts / source.folder, source.commit)
    found = {}
    for case in all_cases(name):
        frames = make(case)
        given = as_float64(case, frames)
        with quiet():
            answers = source.run(checkouts / source.folder, case, given)
        found[case.name] = {
            "digest": frames.digest,
            "answers": [None if one is None else {k: _number(v) for k, v in one.items()} for one in answers],
        }
    return {
        "repository": source.repository,
        "commit": source.commit,
        "file": source.file,
        "functions": source.functions,
        "how": source.how,
        "precision": source.precision,
        "per": source.per,
        "factors": {"": source.factors or {}, **(source.factors_of or {})},
        "cases": found,
    }


def check_commit(checkout: Path, commit: str) -> None:
    """End the program where a checkout is missing, or is one of Git's at another commit."""
    if not checkout.is_dir():
        sys.exit(f"{checkout} is missing: a checkout of that repository at {commit or 'any commit'}")
    if commit and (checkout / ".git").exists():
        head = subprocess.run(
            ["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        if not head.startswith(commit):
            sys.exit(f"{checkout} is at {head[:7]}, not at {commit}")


def _number(value: float) -> float | str:
    """Return a number as JSON holds it: NaN and infinities by name."""
    return value if math.isfinite(value) else str(value)


def main() -> None:
    checkouts, names = Path(sys.argv[1]).resolve(), sys.argv[2:] or list(SOURCES)
    for name in names:
        answers = answers_of(name, checkouts)
        path = ROOT / "tests" / "conformance" / f"{name}.json"
        path.write_text(json.dumps(answers, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {len(answers['cases'])} cases", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    main()
