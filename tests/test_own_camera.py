"""A class that asks for intrinsics is handed those of each sequence; where none are known, it does not run."""

from __future__ import annotations

import argparse
import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import operations
from project import ROOT
from scopedepth.commands import plan as plan_command
from scopedepth.config.load import select_study
from scopedepth.errors import ScopeDepthError
from scopedepth.job.manifest import write_json
from scopedepth.models import load_model
from scopedepth.models.base import DepthModel
from scopedepth.prediction.predict import predict_unit
from scopedepth.stores.prediction import PredictionStore
from scopedepth.stores.sharded import ArraySpec, ShardedStore
from scopedepth.study.asked import refuse_unfit
from scopedepth.study.layout import Job
from scopedepth.study.made_from import MadeFrom
from scopedepth.study.plan import Plan
from scopedepth.timing.subject import Subject, with_stand_in_camera
from scopedepth.vocabulary.flags import FRAME_OK
from tiny_models import scene, spec

PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
(RAYS,) = [
    b for b in re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S) if b.startswith("# my_camera/rays.py")
]
FIRST = [[30.0, 0.0, 15.5], [0.0, 31.0, 11.0], [0.0, 0.0, 1.0]]
SECOND = [[60.0, 0.0, 14.0], [0.0, 60.0, 12.5], [0.0, 0.0, 1.0]]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "my_camera"
    folder.mkdir()
    (folder / "rays.py").write_text(RAYS)
    return folder


def dataset(path: Path, cameras: dict[str, list[list[float]] | None]) -> Path:
    arrays = {
        "rgb": ArraySpec((24, 32, 3), "uint8", ("y", "x", "channel")),
        "status": ArraySpec((), "uint8"),
    }
    groups = {
        name: {"n_frames": 20, "arrays": arrays, "attrs": {"units": "mm", "intrinsics": camera}}
        for name, camera in cameras.items()
    }
    with ShardedStore(path, {}, groups, 16, attrs={"sequences": list(cameras)}) as store:
        for name, shard, start, stop in store.missing():
            blocks = {"rgb": scene(stop - start, 24, 32), "status": np.full(stop - start, FRAME_OK, np.uint8)}
            store.write_shard(name, shard, blocks)
        store.finish()
    return path


def expected(camera: list[list[float]]) -> np.ndarray:
    """One over the length of the ray through each pixel, written out."""
    (fx, _, cx), (_, fy, cy), _ = camera
    y, x = np.mgrid[:24, :32]
    return 1 / np.sqrt(((x - cx) / fx) ** 2 + ((y - cy) / fy) ** 2 + 1)


def test_each_sequence_has_its_own_camera(tmp_path: Path, weights: Path) -> None:
    data = dataset(tmp_path / "d.zarr", {"a": FIRST, "b": SECOND})
    told = spec("python", code="rays.py:Rays")
    predict_unit(told, data, weights, tmp_path / "p.zarr", tmp_path / "p.json", "cpu", 7)
    for name, camera in (("a", FIRST), ("b", SECOND)):
        found = PredictionStore(tmp_path / "p.zarr").sequences[name].prediction(0, 20)
        np.testing.assert_allclose(found, np.broadcast_to(expected(camera), found.shape), rtol=2**-12)


def test_without_a_camera_nothing_is_predicted(tmp_path: Path, weights: Path) -> None:
    data = dataset(tmp_path / "d.zarr", {"a": FIRST, "b": None})
    with pytest.raises(
        ScopeDepthError, match=r"Model m asks for the camera's intrinsics, and sequence b .* has none"
    ):
        predict_unit(
            spec("python", code="rays.py:Rays"),
            data,
            weights,
            tmp_path / "p.zarr",
            tmp_path / "p.json",
            "cpu",
        )
    assert not list(tmp_path.glob("p.*"))
    with pytest.raises(ScopeDepthError, match="no camera is known"):
        load_model(spec("python", code="rays.py:Rays"), weights, "cpu").predict(scene(1, 24, 32))


def test_a_class_cannot_change_the_camera_of_the_next_frames(tmp_path: Path, weights: Path) -> None:
    (weights / "rays.py").write_text(
        RAYS.replace("        _, height", "        inside = intrinsics\n        _, height").replace(
            "        return", "        inside[:] = 0\n        return"
        )
    )
    camera = np.array(FIRST)
    model = load_model(spec("python", code="rays.py:Rays"), weights, "cpu").with_camera(camera)
    frames = scene(1, 24, 32)
    np.testing.assert_array_equal(model.predict(frames), model.predict(frames))
    np.testing.assert_array_equal(camera, FIRST)


def test_what_is_timed_has_a_camera_that_stands_in(weights: Path) -> None:
    model = with_stand_in_camera(load_model(spec("python", code="rays.py:Rays"), weights, "cpu"), 24, 32)
    assert model.grid(24, 32) == (24, 32)
    assert Subject(model, 2, 24, 32).end_to_end().shape == (2, 24, 32)
    narrow = model.with_camera(np.array(SECOND))
    np.testing.assert_allclose(narrow.predict(scene(1, 24, 32))[0], expected(SECOND), rtol=1e-6)
    across = model.predict(scene(1, 24, 32))[0]
    # The width of a frame at its own width from the camera: 2 atan(1/2) = 53 degrees.
    np.testing.assert_allclose(across, expected([[32, 0, 15.5], [0, 32, 11.5], [0, 0, 1]]), rtol=1e-6)


def test_who_does_not_ask_is_not_told(tmp_path: Path) -> None:
    model = load_model(spec("baseline", kind="brightness"), tmp_path, "cpu")
    assert isinstance(model, DepthModel)
    assert not model.wants_intrinsics
    assert model.with_camera(np.eye(3)) is model


def study_of(code: str, folder: Path) -> dict[str, Any]:
    config = copy.deepcopy(operations.CONFIG)
    config["models"]["net"] = {
        "family": "python",
        "weights": {"kind": "path", "path": str(folder)},
        "output": {"kind": "depth"},
        "options": {"code": code},
    }
    return config


def test_a_dataset_without_a_camera_is_refused_at_planning(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it is prepared, and as long as it would not be prepared again; a class in a package is asked in the job."""
    monkeypatch.chdir(tmp_path)
    plan = Plan(select_study(study_of("rays.py:Rays", weights)), operations.SCRIPTS)
    made_from = MadeFrom(plan)
    refuse_unfit(plan, made_from)
    page = Job("prepare", ("two",)).path("page", made_from.results)
    page.parent.mkdir(parents=True)
    write_json(page, {"sequences": [{"name": "a", "intrinsics": FIRST}, {"name": "b", "intrinsics": None}]})
    refuse_unfit(plan, made_from)
    monkeypatch.setattr(MadeFrom, "runs", lambda self: {Job("prepare", ("one",)): "missing"})
    with pytest.raises(
        ScopeDepthError, match=r"models\.net asks .*intrinsics, and sequence b of two has none"
    ):
        refuse_unfit(plan, made_from)
    for code, written in [("none.py:Rays", RAYS), ("rays.py:Other", RAYS), ("rays.py:Rays", "class Rays(")]:
        (weights / "rays.py").write_text(written)
        unknown = Plan(select_study(study_of(code, weights)), operations.SCRIPTS)
        refuse_unfit(unknown, made_from)


@pytest.mark.parametrize(
    ("window", "changes", "words"),
    [
        (
            'window = {"frames": 8}',
            {"split": "sequence", "sequences": ["s"], "cut": {"s": [20]}},
            "two is none.*cut",
        ),
        ("window: dict = OTHER", {"frames": {"list": {"path": "test.txt"}}}, r"two is none.*frames\.list"),
        ("window = None", {"frames": {"list": {"path": "test.txt"}}}, None),
        ('window = {"frames": 8}', {"frames": {"start": 5, "stop": 40, "step": 2}}, None),
    ],
)
def test_frames_that_are_no_video_are_refused_at_planning(
    tmp_path: Path, weights: Path, window: str, changes: dict[str, Any], words: str | None
) -> None:
    (weights / "rays.py").write_text(f"OTHER = {{'frames': 3}}\nclass Rays:\n    {window}\n")
    config = study_of("rays.py:Rays", weights)
    config["datasets"]["two"] |= changes
    plan = Plan(select_study(config), operations.SCRIPTS)
    if words is None:
        return refuse_unfit(plan, MadeFrom(plan, tmp_path))
    with pytest.raises(
        ScopeDepthError, match=f"models.net asks for windows of a video, and the dataset {words}"
    ):
        refuse_unfit(plan, MadeFrom(plan, tmp_path))
    return None


def test_the_command_that_plans_refuses(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (weights / "rays.py").write_text("class Rays:\n    window = {'frames': 8}\n")
    config = study_of("rays.py:Rays", weights)
    config["datasets"]["two"]["frames"] = {"exclude": {"path": "bad.txt"}}
    study = Plan(select_study(config), operations.SCRIPTS)
    monkeypatch.setattr("scopedepth.commands.configuration.plan_of", lambda options: study)
    parser = argparse.ArgumentParser()
    plan_command.add_arguments(parser)
    with pytest.raises(ScopeDepthError, match=r"dataset two is none.*frames\.exclude"):
        plan_command.run(parser.parse_args(["--results", str(tmp_path)]))
