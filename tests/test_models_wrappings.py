"""Weights in other wrappings than the published files': opened where that is safe, else named with what was found."""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scopedepth.errors import ScopeDepthError
from scopedepth.models import load_model
from scopedepth.models.checkpoints import read_checkpoint
from scopedepth.models.monodepth2_networks import DispResNet
from test_models_families import FRAMES, NARROW, WIDE, write_monodepth2, write_sc
from tiny_models import spec

FILE = "dispnet_model_best.pth.tar"


def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(DispResNet(WIDE, NARROW).state_dict())


def prefixed(prefix: str, others: tuple[str, ...] = ()) -> dict[str, torch.Tensor]:
    found = {prefix + key: value for key, value in tensors().items()}
    return found | {other: torch.zeros(3) for other in others}


class Config:
    """A training script's own class, which this project does not have."""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    folder = write_sc(tmp_path_factory.mktemp("plain") / FILE)
    return load_model(spec("sc_sfmlearner"), folder, "cpu").predict(FRAMES)


WRAPPINGS: dict[str, tuple[Any, str]] = {
    "bare": (tensors, ""),
    "ordered": (lambda: OrderedDict(tensors()), ""),
    "model": (lambda: {"model": tensors(), "epoch": 3}, "took the tensors under 'model', of model, epoch"),
    "model_state_dict and an optimiser": (
        lambda: {"optimizer_state": {"m": torch.zeros(2)}, "model_state_dict": tensors()},
        "took the tensors under 'model_state_dict'",
    ),
    "a name of one's own": (lambda: {"depth": tensors()}, "took the tensors under 'depth'"),
    "a mapping in a mapping": (
        lambda: {"checkpoint": {"state_dict": tensors(), "epoch": 3}, "date": "May"},
        "took the tensors under 'checkpoint', of checkpoint, date",
    ),
    "DataParallel": (lambda: {"state_dict": prefixed("module.")}, "tensors named module.*"),
    "a part of a larger network": (
        lambda: {"state_dict": prefixed("depth_net.", ("pose_net.decoder.weight",))},
        "tensors named depth_net.*; left pose_net.decoder.weight",
    ),
    "both": (lambda: prefixed("module.disp_net."), "tensors named module.disp_net.*"),
    "a pose network like the depth network": (
        lambda: prefixed("depth_net.", ("pose_net.encoder.encoder.conv1.weight",)),
        "tensors named depth_net.*",
    ),
    "NumPy's numbers": (
        lambda: {
            "epoch": np.int64(3),
            "best": np.float32(0.1),
            "seen": np.arange(3),
            "state_dict": tensors(),
        },
        "",
    ),
    "an argparse Namespace": (
        lambda: {"args": argparse.Namespace(lr=1e-4, save=Path("runs")), "state_dict": tensors()},
        "",
    ),
    "numbers among the tensors": (
        lambda: {**tensors(), "height": 64, "note": "best"},
        "left height, note, which are no tensors",
    ),
}


@pytest.mark.parametrize("case", WRAPPINGS)
def test_loaded_and_said(case: str, expected: np.ndarray, tmp_path: Path, capsys: Any) -> None:
    content, said = WRAPPINGS[case]
    torch.save(content(), tmp_path / FILE)
    model = load_model(spec("sc_sfmlearner"), tmp_path, "cpu")
    err = capsys.readouterr().err
    assert (said in err) if said else (err == ""), err
    np.testing.assert_array_equal(model.predict(FRAMES), expected)


REFUSED: dict[str, tuple[Any, str]] = {
    "two networks": (
        lambda: prefixed("teacher.") | prefixed("student."),
        r"several networks that fit, under teacher\., student\..*startswith\('teacher\.'\)",
    ),
    "two mappings": (
        lambda: {"depth": tensors(), "pose": {"w": torch.zeros(2)}},
        r"tensors under depth, pose.*t\['depth'\]",
    ),
    "no tensors": (lambda: {"epoch": 3, "args": {"lr": 1}}, r"holds no named tensors, only epoch, args"),
    "a list": (lambda: [torch.zeros(2)], r"holds a list, not named tensors"),
    "a class of one's own": (
        lambda: {"config": Config(), "state_dict": tensors()},
        r"holds test_models_wrappings\.Config and would run code.*weights_only=False.*t\.get\('state_dict', t\)",
    ),
    "another network": (lambda: {"net.weight": torch.zeros(3)}, r"it holds net\.weight"),
    "an unknown tensor": (
        lambda: {**tensors(), "attention.weight": torch.zeros(3)},
        r"unknown attention\.weight",
    ),
    "integers for fractions, as of a network that was quantised": (
        lambda: {key: value.to(torch.uint8) for key, value in tensors().items()},
        r"another shape or kind of number of",
    ),
    "complex numbers": (
        lambda: {key: value.to(torch.complex64) for key, value in tensors().items()},
        r"another shape or kind of number of",
    ),
    "numbers for tensors": (
        lambda: {key: value.numpy() for key, value in tensors().items()},
        r"holds no named tensors",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_a_line_with_what_was_found(case: str, tmp_path: Path) -> None:
    content, said = REFUSED[case]
    torch.save(content(), tmp_path / FILE)
    with pytest.raises(ScopeDepthError, match=said) as caught:
        load_model(spec("sc_sfmlearner"), tmp_path, "cpu")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("case", ["a class of one's own", "two networks"])
def test_the_line_that_converts_does(case: str, expected: np.ndarray, tmp_path: Path) -> None:
    content = REFUSED[case][0]()
    torch.save(content, tmp_path / FILE)
    with pytest.raises(ScopeDepthError) as caught:
        load_model(spec("sc_sfmlearner"), tmp_path, "cpu")
    line = str(caught.value)[str(caught.value).index("t = torch.load") :]
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}; import torch; {line}"],
        cwd=tmp_path,
        check=True,
    )
    np.testing.assert_array_equal(
        load_model(spec("sc_sfmlearner"), tmp_path, "cpu").predict(FRAMES), expected
    )


def test_monodepth2s_two_files(tmp_path: Path, capsys: Any) -> None:
    plain = write_monodepth2(tmp_path / "plain")
    wrapped = tmp_path / "wrapped"
    wrapped.mkdir()
    for file in ("encoder.pth", "depth.pth"):
        content = torch.load(plain / file, weights_only=True)
        extra = {
            key: np.int64(value) for key, value in content.items() if not isinstance(value, torch.Tensor)
        }
        moved = {f"module.{key}": value for key, value in content.items() if isinstance(value, torch.Tensor)}
        torch.save({**moved, **{f"module.{key}": value for key, value in extra.items()}}, wrapped / file)
    model = load_model(spec("monodepth2", centred=True), wrapped, "cpu")
    assert capsys.readouterr().err.count("named module.*") == 2
    assert model.grid(90, 130) == (64, 96)
    expected = load_model(spec("monodepth2", centred=True), plain, "cpu").predict(FRAMES)
    np.testing.assert_array_equal(model.predict(FRAMES), expected)


def test_paths_of_another_system(tmp_path: Path) -> None:
    """A Namespace from Windows holds a WindowsPath, which cannot be made here."""
    import io
    import pickle
    import zipfile

    torch.save({"state_dict": tensors()}, tmp_path / "own.pth")
    data = pickle.dumps({"args": Path("a", "b")}, protocol=2)
    name = type(Path()).__name__.encode()
    assert name in data
    buffer = io.BytesIO()
    with zipfile.ZipFile(tmp_path / "own.pth") as before, zipfile.ZipFile(buffer, "w") as after:
        for entry in before.namelist():
            content = before.read(entry)
            if entry.endswith("data.pkl"):
                content = data.replace(name, b"WindowsPath")
            after.writestr(entry, content)
    (tmp_path / "other.pth").write_bytes(buffer.getvalue())
    with pytest.raises(ScopeDepthError, match="no named tensors, only args"):
        read_checkpoint(tmp_path / "other.pth", "m")


class Bomb:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch exploded",)


class Disguised:
    """Asks for the maker of NumPy's numbers, and hands it a call."""

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return np.float64(0).__reduce__()[0], (np.dtype("O"), Bomb())


BOMBS: dict[str, Any] = {
    "in a Namespace": lambda: argparse.Namespace(a=Bomb()),
    "in an array of objects": lambda: np.array([Bomb(), 1], dtype=object),
    "as a number": Disguised,
    "in a mapping of options": lambda: {"deep": [{"er": Bomb()}]},
}


@pytest.mark.parametrize("case", BOMBS)
def test_plain_data_carry_no_code(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"args": BOMBS[case](), "state_dict": tensors()}, tmp_path / FILE)
    with pytest.raises(ScopeDepthError, match=r"refused: .*(posix|os)\.system"):
        load_model(spec("sc_sfmlearner"), tmp_path, "cpu")
    assert not (tmp_path / "exploded").exists()
    # Opened without care, each of them would; NumPy notices the number, too late.
    with contextlib.suppress(TypeError):
        torch.load(tmp_path / FILE, weights_only=False)
    assert (tmp_path / "exploded").exists()
