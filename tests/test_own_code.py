"""A class of one's own, or of an installed package, beside weights that are fetched and never run."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
import site
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import operations
from http_site import serve
from interrupted import interrupted, written
from partial import partial
from project import ROOT
from scopedepth.config.load import ConfigError, select_study
from scopedepth.errors import ScopeDepthError
from scopedepth.fetch.weights import fetch_weights
from scopedepth.job.manifest import digest_tree
from scopedepth.models import load_model
from scopedepth.prediction.predict import predict_unit
from scopedepth.stores.prediction import PredictionStore
from scopedepth.study.layout import Job
from scopedepth.study.made_from import MadeFrom
from scopedepth.study.plan import Plan
from test_weights import add_model, hub
from tiny_models import scene, spec, write_dataset

CLASS = """
import pathlib

import numpy as np


class Net:
    def __init__(self, weights, device, options):
        self.power = 0.5 if weights is None else float((weights / "model.safetensors").read_text())

    def predict(self, frames):
        return np.maximum(frames.mean(axis=3), 1.0).astype(np.float32) ** np.float32(-self.power)
"""
# What a repository may hold beside its weights: it says so if it is ever run.
TRAP = "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\n" + CLASS


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Weights from the Hub, with code beside them."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    files = {"model.safetensors": b"0.75", "net.py": TRAP.encode(), "neighbour.py": TRAP.encode()}
    out = tmp_path / "results/weights/m"
    out.parent.mkdir(parents=True)
    path = list(sys.path)
    with serve() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        add_model(running, "some/depth", files)
        given = partial(name="m", weights=hub(files=["*"] * 2))
        fetch_weights(given, out, out.with_suffix(".json"))
    yield out
    sys.path[:] = path
    assert not (out / "ran").exists()


def own(folder: Path, code: str = CLASS) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "net.py").write_text(code)
    return folder


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package as pip leaves it, depth-pack 1.2 with the module depthpack.net."""
    place = tmp_path / "site"
    (place / "depthpack").mkdir(parents=True)
    (place / "depthpack/__init__.py").write_text("")
    (place / "depthpack/net.py").write_text(CLASS)
    info = place / "depth_pack-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: depth-pack\nVersion: 1.2\n")
    (info / "top_level.txt").write_text("depthpack\n")
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setattr(site, "getusersitepackages", lambda: str(place))
    yield place
    for name in [name for name in sys.modules if name.partition(".")[0] == "depthpack"]:
        del sys.modules[name]


def said(frames: np.ndarray, power: float) -> np.ndarray:
    return np.maximum(frames.mean(axis=3), 1.0).astype(np.float32) ** np.float32(-power)


def test_own_code_reads_fetched_weights(tmp_path: Path, fetched: Path) -> None:
    code = own(tmp_path / "mine")
    frames = scene(2, 24, 32)
    model = load_model(spec("python", code="net.py:Net", folder=str(code)), fetched, "cpu")
    np.testing.assert_array_equal(model.predict(frames), said(frames, 0.75))
    assert model.own_code == digest_tree(code)
    without = load_model(spec("python", code="net.py:Net", folder=str(code)), Path(os.devnull), "cpu")
    np.testing.assert_array_equal(without.predict(frames), said(frames, 0.5))


def test_what_was_fetched_is_not_imported(tmp_path: Path, fetched: Path) -> None:
    code = own(
        tmp_path / "mine", f"import sys\nsys.path.insert(0, {str(fetched)!r})\nimport beside_weights\n{CLASS}"
    )
    (fetched / "beside_weights.py").write_text(CLASS)
    with pytest.raises(
        ScopeDepthError, match=r"imports beside_weights from .*nor in options\.folder nor installed"
    ):
        load_model(spec("python", code="net.py:Net", folder=str(code)), fetched, "cpu")
    del sys.modules["beside_weights"]


def test_a_pickle_that_was_fetched_runs_nothing(tmp_path: Path, fetched: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save(pickle.PickleBuffer, tmp_path / "net.pt")
    shutil.move(tmp_path / "net.pt", fetched / "net.pt")
    asks = CLASS.replace(
        "        self.power",
        "        import torch\n        torch.load(weights / 'net.pt', weights_only=False)\n        self.power",
    )
    with pytest.raises(pickle.UnpicklingError):
        load_model(
            spec("python", code="net.py:Net", folder=str(own(tmp_path / "mine", asks))), fetched, "cpu"
        )


def test_a_package_and_its_version(tmp_path: Path, fetched: Path, installed: Path) -> None:
    frames = scene(2, 24, 32)
    told: dict[str, Any] = {"code": "depthpack.net:Net", "packages": ["Depth_Pack==1.2"]}
    model = load_model(spec("python", **told), fetched, "cpu")
    np.testing.assert_array_equal(model.predict(frames), said(frames, 0.75))
    assert model.own_code is None
    refused: list[tuple[dict[str, Any], str]] = [
        ({"packages": ["depth-pack==1.3"]}, r"needs depth-pack==1\.3, and 1\.2 is installed: pip install"),
        ({"packages": ["no-such-pack==1"]}, r"needs no-such-pack==1: pip install no-such-pack==1"),
        ({"code": "numpy.ma:Net"}, r"numpy\.ma, which comes from numpy; options\.packages names"),
        ({"code": "sitecustom.x:Net"}, "is no installed package's"),
        ({"code": "depthpack.none:Net"}, r"has no module depthpack\.none"),
        ({"code": "depthpack.net:None_"}, r"depthpack\.net has no class None_"),
    ]
    for other, words in refused:
        with pytest.raises(ScopeDepthError, match=words):
            load_model(spec("python", **{**told, **other}), fetched, "cpu")


def test_a_package_that_is_worked_on_is_refused(
    fetched: Path, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As pip install -e leaves it: its code lies elsewhere, and changes under the same version."""
    monkeypatch.setattr(site, "getusersitepackages", lambda: "/nowhere")
    told: dict[str, Any] = {"code": "depthpack.net:Net", "packages": ["depth-pack==1.2"]}
    with pytest.raises(ScopeDepthError, match=r"imports depthpack.* nor installed"):
        load_model(spec("python", **told), fetched, "cpu")


def test_resumed_and_moved_the_bytes_are_the_same(
    tmp_path: Path, fetched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted in the third of its shards, then carried to another folder with its weights and its code."""
    data = write_dataset(tmp_path / "d.zarr", {"s": scene(150, 24, 32)})
    own(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    told = spec("python", code="net.py:Net", folder="mine")

    def predict(folder: Path) -> str:
        monkeypatch.chdir(folder)
        predict_unit(told, data, Path("results/weights/m"), Path("p.zarr"), Path("p.json"), "cpu", 8, 1)
        return digest_tree(folder / "p.zarr")

    whole = predict(tmp_path)
    assert PredictionStore(tmp_path / "p.zarr").attrs["own_code"] == digest_tree(tmp_path / "mine")
    here = tmp_path / "here"
    for name in ("results", "mine"):
        shutil.copytree(tmp_path / name, here / name)
    interrupted(monkeypatch, 2, lambda: predict(here))
    there = tmp_path / "there"
    shutil.move(here, there)
    shards = written(monkeypatch)
    assert predict(there) == whole
    assert shards == [2]
    # Other code goes on with nothing of it.
    (there / "mine/net.py").write_text(CLASS + "\n# other\n")
    shutil.move(there / "p.zarr", there / "old.zarr")
    interrupted(monkeypatch, 2, lambda: predict(there))
    (there / "mine/net.py").write_text(CLASS)
    shards.clear()
    predict(there)
    assert shards == [0, 1, 2]


def study(**options: Any) -> dict[str, Any]:
    config = copy.deepcopy(operations.CONFIG)
    config["models"]["net"] = {
        "family": "python",
        "weights": {"kind": "hub", "repo": "some/depth"},
        "output": {"kind": "depth"},
        "options": {"code": "net.py:Net", **options},
    }
    return config


def test_the_plan_knows_the_code_beside_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own(tmp_path / "mine")
    plan = Plan(select_study(study(folder="mine")), operations.SCRIPTS)
    predict = Job("predict", ("one", "net"))
    assert [leaf.root for leaf in plan.leaves(predict)] == [Path("mine")]
    assert (
        plan.leaves(Job("predict", ("one", "brightness")))
        == plan.leaves(Job("fetch_weights", ("net",)))
        == []
    )
    files = plan.own_code("predict")
    assert callable(files)
    assert files(predict.wildcards) == ["mine/net.py"]
    now = MadeFrom(plan, planning=False).now(predict)
    (tmp_path / "mine/net.py").write_text(CLASS + "# edited\n")
    assert MadeFrom(plan, planning=False).now(predict) != now
    assert Plan(select_study(operations.CONFIG), operations.SCRIPTS).own_code("predict") == []


@pytest.mark.parametrize("folder", ["results/weights/net", ".", "results", "link"])
def test_what_was_fetched_is_no_folder_of_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/weights/net").mkdir(parents=True)
    (tmp_path / "link").symlink_to("results/weights/net")
    plan = Plan(select_study(study(folder=folder)), operations.SCRIPTS)
    with pytest.raises(ScopeDepthError, match="what was fetched is not run as code"):
        plan.own_code("predict")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, r"code that was downloaded is not run.*options\.folder"),
        ({"code": "pack.net:Net"}, r"packages must name the package of pack\.net:Net"),
        ({"code": "pack.net:Net", "packages": ["pack"]}, r"options\.packages"),
        ({"code": "pack.net:Net", "packages": ["pack>=1"]}, r"options\.packages"),
        ({"code": "pack.net:Net", "packages": ["pack==1.*"]}, r"options\.packages"),
        ({"code": "pack.net:Net", "packages": ["pack==1"], "folder": "mine"}, "folder is for code in a file"),
        ({"folder": ""}, r"options\.folder"),
    ],
)
def test_what_a_configuration_may_not_say(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        select_study(study(**options))


def test_code_without_weights_is_told_where_to_lie() -> None:
    config = study(code="my_code/net.py:Net")
    config["models"]["net"]["weights"] = {"kind": "none"}
    words = r'my_code/net\.py is looked for in a folder: options: \{code: "net\.py:Net", folder: my_code\}'
    with pytest.raises(ConfigError, match=words):
        select_study(config)


MOGE = """
import torch


class MoGeModel(torch.nn.Module):
    @classmethod
    def from_pretrained(cls, path):
        made = cls()
        made.scale = torch.nn.Parameter(torch.load(path, weights_only=True)["scale"])
        return made

    def infer(self, image, num_tokens, fov_x, force_projection, use_fp16):
        depth = self.scale * image[:, 0] * (1.0 if fov_x is None else fov_x)
        return {"depth": torch.where(image[:, 2] > 0.5, torch.inf, depth).detach()}
"""


def test_the_adapter_of_moge(tmp_path: Path, installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """config.yaml's entry beside a package of that name and version: masks are no answer, the camera is its angle."""
    torch = pytest.importorskip("torch")
    for name in [name for name in sys.modules if name.partition(".")[0] == "moge"]:
        monkeypatch.delitem(sys.modules, name)
    (installed / "moge/model").mkdir(parents=True)
    for file, content in (("__init__.py", ""), ("model/__init__.py", ""), ("model/v2.py", MOGE)):
        (installed / "moge" / file).write_text(content)
    info = installed / "dlr_moge-2.0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dlr-moge\nVersion: 2.0.0\n")
    weights = tmp_path / "w"
    weights.mkdir()
    torch.save({"scale": torch.tensor(3.0)}, weights / "model.pt")
    entry = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["models"]["moge2_small"]
    told = spec("python", entry["output"]["kind"], entry["output"]["unit"], **entry["options"])
    told["options"]["folder"] = str(ROOT / told["options"]["folder"])
    frames = scene(2, 24, 32)
    model = load_model(told, weights, "cpu")
    assert model.parameters == 1
    expected = np.where(frames[..., 2] > 127, np.inf, frames[..., 0] * (3 / 255))
    np.testing.assert_allclose(model.predict(frames), expected, rtol=1e-6)
    assert 0.1 < np.isinf(expected).mean() < 0.9
    told["options"]["code"] = "moge2.py:MoGe2WithCamera"
    camera = np.array([[16.0, 0, 15.5], [0, 16, 11.5], [0, 0, 1]])  # a right angle across the width
    found = load_model(told, weights, "cpu").with_camera(camera).predict(frames)
    np.testing.assert_allclose(found, 90 * expected, rtol=1e-6)
    for name in [name for name in sys.modules if name.partition(".")[0] == "moge"]:
        del sys.modules[name]
