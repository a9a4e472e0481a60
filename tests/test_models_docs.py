"""What docs/models.md shows, as it stands there: entries of each family, and a class of one's own, in a whole study."""

from __future__ import annotations

import copy
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy
import yaml

import tiny_models
from http_site import serve
from project import CONFIG, ROOT, Project, write_frames
from scopedepth.config.base import plain_spec
from scopedepth.config.load import select_study
from scopedepth.config.protocols import ProtocolSpec
from scopedepth.evaluation.single import evaluate_frame
from scopedepth.fetch.weights import fetch_weights
from scopedepth.models import FAMILIES, load_model
from test_models_families import export, write_monodepth2, write_sc
from test_weights import add_model
from tiny_models import dpt

PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def shown_models() -> dict[str, Any]:
    """The entries of all blocks of the page whose weights lie on the disk, or that have none."""
    found: dict[str, Any] = {}
    for block in blocks("yaml"):
        shown = yaml.safe_load(block.replace("SCIPY", scipy.__version__).replace("PYTHON", sys.executable))
        for name, entry in (shown.get("models") or {}).items():
            if entry.get("weights", {}).get("kind", "path") == "path":
                found[name] = entry
    return found


def test_own_code_beside_weights_of_the_hub_as_the_page_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checked, fetched from a server on this machine, and predicted; the version is the one at hand."""
    (shown,) = [block for block in blocks("yaml") if "folder: my_code" in block]
    entry = yaml.safe_load(shown.replace("NUMPY", np.__version__))["models"]["published"]
    config = copy.deepcopy(CONFIG)
    config["models"]["published"] = entry
    config["studies"]["small"]["models"] = ["published"]
    model = select_study(config).models["published"]
    (code,) = [block for block in blocks("python") if block.startswith("# my_code/published.py\n")]
    (tmp_path / "my_code").mkdir()
    (tmp_path / "my_code" / "published.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    with serve() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        add_model(running, "someone/depth-model", {"config.json": b'{"gain": 3}'})
        fetch_weights(model, tmp_path / "w" / "published", tmp_path / "w" / "published.json")
    frames = np.full((1, 4, 6, 3), 2, np.uint8)
    np.testing.assert_allclose(load_model(model, tmp_path / "w" / "published", "cpu").predict(frames), 1)


def test_the_protocol_of_pixels_without_an_answer_as_the_page_shows_it() -> None:
    (shown,) = [block for block in blocks("yaml") if "uncovered: leave_out" in block]
    (entry,) = yaml.safe_load(shown)["protocols"].values()
    spec = plain_spec("p", ProtocolSpec.model_validate(entry))
    depth = np.linspace(20.0, 90.0, 48).reshape(6, 8)
    output = 0.5 * depth
    output[:2] = np.nan
    metrics, fit, status = evaluate_frame(spec, output, depth, output_kind="depth")
    assert (status, fit.n_pixels) == ("ok", 32)
    assert metrics == {"abs_rel": pytest.approx(0, abs=1e-12), "delta1": 1.0}


def write_code(folder: Path, file: str) -> Path:
    """Write a block of Python of the page to the file that its first line names; return the file's folder."""
    (code,) = [block for block in blocks("python") if block.startswith(f"# {file}\n")]
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(code, encoding="utf-8")
    return (folder / file).parent


def test_a_videos_windows_as_the_page_shows_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Brighter and brighter from window to window, the depth of a scene at rest stays as it is."""
    monkeypatch.setattr("sys.path", [*sys.path])
    folder = write_code(tmp_path, "my_video/steady.py")
    model = load_model(tiny_models.spec("python", "affine_depth", code="steady.py:Steady"), folder, "cpu")
    still = tiny_models.scene(1, 12, 16)[0].astype(float) / 2
    frames = np.stack([still * (1 + 0.02 * number) for number in range(54)]).astype(np.uint8)
    assert model.window is not None
    first, second, *_ = model.window.pieces(54)
    model.start_sequence()
    said = [model.predict(frames[piece.first : piece.stop]) for piece in (first, second)]
    np.testing.assert_allclose(said[1][:10].mean(), said[0][22:].mean(), rtol=1e-3)
    model.start_sequence()
    assert abs(model.predict(frames[22:])[:10].mean() / said[0][22:].mean() - 1) > 0.01


@pytest.mark.workflow
def test_every_family_runs_in_a_study_as_the_page_shows_it(tmp_path: Path) -> None:
    models = shown_models()
    assert {entry["family"] for entry in models.values()} == set(FAMILIES)
    config = copy.deepcopy(CONFIG)
    config["models"] = models
    # Of every kind of output this protocol finds what is unknown.
    config["protocols"] = {
        "fitted": {
            "title": "least squares",
            # A network of random weights may well say near where it is far.
            "alignment": {"method": "lsq_affine", "space": "disparity", "negative_scale": "score"},
            "clamp": {"disparity": "inverse_max_depth"},
            "uncovered": "leave_out",
        },
        # Of a depth up to a shift, this one.
        "fitted_depth": {
            "title": "least squares in depth",
            "alignment": {"method": "lsq_affine", "space": "depth", "negative_scale": "score"},
        },
    }
    config["studies"]["small"].update(
        datasets=["one"],
        models=sorted(models),
        protocols=["fitted", "fitted_depth"],
        headline={"protocol": "fitted", "metric": "abs_rel"},
    )
    project = Project.create(tmp_path / "project", config)
    write_frames(project.folder / "data" / "one", ("left",))
    weights = project.folder / "weights"
    dpt(weights / "my_checkpoint")
    write_monodepth2(weights / "my_monodepth2")
    write_sc(weights / "my_sc_sfmlearner" / "dispnet_model_best.pth.tar")
    write_monodepth2(weights / "my_descendant", seed=1)
    export(weights / "my_onnx.onnx", "n", "s")
    export(weights / "my_export.onnx", "n", "s")
    for file in ("my_models/mine.py", "my_package/adapter.py", "my_video/steady.py"):
        write_code(project.folder, file)
    project.snakemake()
    rows = pq.read_table(project.folder / "results/studies/small/summary.parquet").to_pylist()
    fitting = {name: "fitted_depth" if name == "my_video" else "fitted" for name in models}
    values = {
        row["model"]: row["value"]
        for row in rows
        if row["metric"] == "abs_rel" and row["protocol"] == fitting[row["model"]]
    }
    assert set(values) == set(models)
    assert all(value is not None and value > 0 for value in values.values()), values
