"""What stands in for the parts of a source that an evaluation of given arrays does not need: networks, loaders,
options. benchmarks/conformance.py loads the sources' own modules with them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
import sys
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import matplotlib.pyplot
import numpy as np
import pandas
import PIL.Image
import scipy.ndimage
import scipy.stats
import torch
import tqdm.auto
from numpy.typing import NDArray

# Loaded before any stand-in: the sources import them, and compiled modules load once.
LOADED = (cv2, matplotlib.pyplot, pandas, PIL.Image, scipy.ndimage, scipy.stats, torch, tqdm.auto)

Array = NDArray[Any]


class Anything:
    """Is called, indexed and asked for attributes, and gives itself."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, key: Any) -> Any:
        return 0

    def __iter__(self) -> Iterator[Any]:
        return iter(())


def stand_in(name: str, **members: Any) -> types.ModuleType:
    """Return a module of `members`; any other name in it is an `Anything`."""
    module = types.ModuleType(name)
    module.__path__ = []  # type: ignore[attr-defined]
    module.__dict__.update(members)
    module.__getattr__ = lambda member: _unless_dunder(member)  # type: ignore[method-assign]
    return module


def _unless_dunder(member: str) -> Any:
    if member.startswith("__"):
        raise AttributeError(member)
    return Anything()


@contextlib.contextmanager
def loaded(
    checkout: Path, file: str, stand_ins: dict[str, types.ModuleType], own: tuple[str, ...] = ()
) -> Any:
    """Give a checkout's module with stand-ins for others; `own` are its packages that are really imported."""
    before = set(sys.modules)
    with (
        instead(stand_ins),
        mock.patch.object(sys, "path", [str(checkout), *sys.path]),
        quiet(),
    ):
        for name in list(sys.modules):
            if name.partition(".")[0] in own and name not in stand_ins:
                del sys.modules[name]
        spec = importlib.util.spec_from_file_location("source_module", checkout / file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in own:
            del sys.modules[name]


@contextlib.contextmanager
def instead(stand_ins: dict[str, types.ModuleType]) -> Iterator[None]:
    """Let modules be replaced; what else is imported meanwhile stays (compiled modules load once)."""
    before = {name: sys.modules.get(name) for name in stand_ins}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def on_the_cpu() -> Iterator[None]:

    with (
        mock.patch.object(torch.Tensor, "cuda", lambda self, *args, **kwargs: self),
        mock.patch.object(torch, "load", return_value={}),
    ):
        yield


def options(**values: Any) -> types.SimpleNamespace:
    """Return the options of monodepth2's descendants for an evaluation of one camera's predictions."""
    common: dict[str, Any] = {
        "eval_mono": True, "eval_stereo": False, "ext_disp_to_eval": None, "save_pred_disps": False, "no_eval": False,
        "disable_median_scaling": False, "pred_depth_scale_factor": 1, "eval_split": "endovis",
        "eval_eigen_to_benchmark": False, "post_process": False, "visualize_depth": False, "num_workers": 0,
        "data_path": "", "height": 256, "width": 320, "load_weights_folder": ".", "model_type": "",
        "min_depth": 1.0, "max_depth": math.inf, "num_layers": 18,
    }  # fmt: skip
    return types.SimpleNamespace(**{**common, **values})


def with_members(module: Any, **members: Any) -> Any:
    """Return `module` with some members of its own."""
    copy = types.ModuleType(module.__name__)
    copy.__dict__.update(module.__dict__)
    copy.__dict__.update(members)
    return copy


@contextlib.contextmanager
def package(name: str, place: Path) -> Iterator[None]:
    """Let `name` be a package at `place` whose own __init__ is not run."""
    module = types.ModuleType(name)
    module.__path__ = [str(place)]  # type: ignore[attr-defined]
    with instead({name: module}):
        yield


class FrameList:
    """Stands for a data set's loader: the depths that evaluate() asks for, and nothing to see."""

    def __init__(self, depths: Array) -> None:
        self.depths = depths

    def __call__(self, *args: Any, **kwargs: Any) -> FrameList:
        return self

    def __len__(self) -> int:
        return len(self.depths)

    def __getitem__(self, index: int) -> dict[Any, Any]:
        if index >= len(self.depths):
            raise IndexError(index)
        return {
            ("color", 0, 0): np.zeros((3, 2, 2), np.float32), "depth_gt": self.depths[index], "sequence": 1,
            "keyframe": 1, "frame_id": index, "index": index,
        }  # fmt: skip


class Network:
    """Stands for a network: gives the next output, whatever it sees."""

    def __init__(self, outputs: Array) -> None:
        self.outputs = iter(outputs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:

        return {("disp", 0): torch.from_numpy(next(self.outputs)[None, None])}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Any) -> None:
        pass

    def cuda(self) -> None:
        pass

    def eval(self) -> None:
        pass


class Pretrained(Network):
    """Stands for Depth Anything as mytest_da.py loads and calls it."""

    def __init__(self, output: Array) -> None:
        self.output = output

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return torch.from_numpy(self.output[None])

    def from_pretrained(self, name: str) -> Pretrained:
        return self
