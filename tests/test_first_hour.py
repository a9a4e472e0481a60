"""A stranger's first hour: a clone in a folder with an unlucky name, data and networks of one's own.

`.ci/run` runs the demonstration, whole and in a fresh clone, and test_elsewhere.py a small one at an odd place.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from environments import make_environment
from project import ROOT, Project

FRAMES = 4
HEIGHT, WIDTH = 48, 64
BACKGROUND = 1e10

# A reader's own words, in the form that docs/models.md and docs/datasets.md show.
CLASS = '''
class Mine:
    """Red is two levels a millimetre."""

    def __init__(self, weights, device, options):
        self.device = device

    def predict(self, frames):
        return frames[..., 0] / 2
'''
MINE = """\
study: mine
studies:
  mine:
    datasets: [tissue]
    models: [mine, exported, constant, brightness]
    protocols: [metric_depth, median_depth]
    headline: {protocol: median_depth, metric: abs_rel}
datasets:
  tissue:
    loader: folder
    source: {kind: path, path: eigene Daten}
    depth: {unit: m}
models:
  mine:
    family: python
    weights: {kind: path, path: my_models}
    output: {kind: metric_depth, unit: mm}
    options: {code: "mine.py:Mine"}
  exported:
    family: onnx
    weights: {kind: path, path: exported}
    output: {kind: depth}
    options: {mean: null, std: null}
"""


def write_tissue(folder: Path) -> dict[str, np.ndarray]:
    """Write images and their depth in metres, with a background that no body has; returns the depth in mm by name."""
    import cv2
    import tifffile

    (folder / "Äneas 1" / "rgb").mkdir(parents=True)
    (folder / "Äneas 1" / "depth").mkdir()
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    written = {}
    for frame in range(FRAMES):
        depth = 40 + 30 * np.sin(x / 9 + frame) * np.cos(y / 7)
        rgb = np.stack([np.round(2 * depth), np.full_like(depth, 90), 255 - depth], axis=-1).astype(np.uint8)
        stored = (depth / 1000).astype(np.float32)
        stored[:6] = BACKGROUND
        cv2.imwrite(str(folder / "Äneas 1" / "rgb" / f"{frame:03d}.png"), rgb[..., ::-1])
        tifffile.imwrite(folder / "Äneas 1" / "depth" / f"{frame:03d}.tiff", stored)
        written[f"{frame:03d}"] = np.where(stored < BACKGROUND, depth, np.nan)
    return written


def export(folder: Path) -> None:
    """Write a network that gives the red of the frame, as other tools export one."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install -e '.[dev]'")
    from onnx import TensorProto, helper, numpy_helper

    folder.mkdir()
    red = numpy_helper.from_array(np.array([1, 0, 0], np.float32).reshape(1, 3, 1, 1), "red")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "red"], ["depth"])],
        "red",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("depth", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [red],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "red.onnx")


class Stranger:
    """Somebody in a fresh clone, in front of a shell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def types(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line in the activated environment."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        kept["NUMBA_CACHE_DIR"] = Project(self.folder).environment()["NUMBA_CACHE_DIR"]
        return subprocess.run(
            ["bash", "-c", f". .venv/bin/activate && {line}"],
            cwd=self.folder,
            env=kept,
            capture_output=True,
            text=True,
            check=False,
        )

    def succeeds(self, line: str) -> str:
        """Run a line that must succeed; returns what it said."""
        done = self.types(line)
        assert done.returncode == 0, f"{line}:\n{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no clone of a repository")
    folder = tmp_path_factory.mktemp("home") / "Zürich Labor" / "ScopeDepth"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    make_environment(folder / ".venv", folder / "workflow_scripts")
    return Stranger(folder)


@pytest.mark.workflow
def test_own_images_an_own_class_and_an_own_onnx_file(stranger: Stranger) -> None:
    depth = write_tissue(stranger.folder / "eigene Daten")
    (stranger.folder / "my_models").mkdir()
    (stranger.folder / "my_models" / "mine.py").write_text(CLASS, encoding="utf-8")
    export(stranger.folder / "exported")
    mine = stranger.folder / "mine.yaml"
    mine.write_text(MINE, encoding="utf-8")
    stranger.succeeds("snakemake --cores 2 results/raw/tissue --configfile mine.yaml")
    # The background is depth as long as nobody says otherwise, and that is said.
    asked = stranger.succeeds("scopedepth check-dataset tissue --configfile mine.yaml")
    offered = re.search(r"set depth\.invalid to \[(\S+?)\]", asked)
    assert offered, asked
    assert float(offered[1]) == pytest.approx(BACKGROUND, rel=1e-6)
    mine.write_text(
        MINE.replace("depth: {unit: m}", f"depth: {{unit: m, invalid: [{offered[1]}]}}"), encoding="utf-8"
    )
    answered = stranger.succeeds("scopedepth check-dataset tissue --configfile mine.yaml")
    assert "depth.invalid" not in answered
    medians = [float(value) for value in re.findall(r"median ([\d.]+) \(mm\)", answered)]
    assert medians
    assert medians[0] == pytest.approx(float(np.nanmedian([*depth.values()])), abs=2)

    said = stranger.succeeds("snakemake --cores 2 --configfile mine.yaml")
    assert "results/studies/mine/report.html" in said
    scores = stranger.succeeds(
        "python -c \"import pandas as p; t = p.read_parquet('results/studies/mine/frames.parquet'); "
        "means = t[t.status == 'ok'].groupby(['protocol', 'model'], observed=True)[['rmse', 'abs_rel']].mean(); "
        'print(means.to_csv())"'
    )
    found = {
        tuple(line.split(",")[:2]): [float(n) for n in line.split(",")[2:]] for line in scores.split()[1:]
    }
    # Half a level of red is a quarter of a millimetre; taken for millimetres, metres would be wrong by a thousand.
    assert 0 < found["metric_depth", "mine"][0] < 0.25
    assert 0 < found["median_depth", "mine"][1] < 0.02
    assert 0 < found["median_depth", "exported"][1] < 0.02
    assert found["median_depth", "constant"][1] > 0.1
    frames = stranger.succeeds(
        "python -c \"import pandas as p; t = p.read_parquet('results/studies/mine/frames.parquet'); "
        "print(t[(t.model == 'mine') & (t.protocol == 'metric_depth')][['status', 'n_pixels']].to_csv(index=False))\""
    )
    assert frames.split()[1:] == [f"ok,{(HEIGHT - 6) * WIDTH}"] * FRAMES
    stranger.succeeds("scopedepth verify")
    assert "up to date" in stranger.succeeds("scopedepth explain --configfile mine.yaml")
