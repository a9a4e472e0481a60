"""What docs/models.md shows, as it stands there: entries of each family, and a class of one's own, in a whole study."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from project import CONFIG, ROOT, Project, write_frames
from scopedepth.models import FAMILIES
from test_models_families import export, write_monodepth2, write_sc
from tiny_models import dpt

PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def shown_models() -> dict[str, Any]:
    """The entries of all blocks of the page whose weights lie on the disk."""
    found: dict[str, Any] = {}
    for block in blocks("yaml"):
        for name, entry in (yaml.safe_load(block).get("models") or {}).items():
            if entry.get("weights", {}).get("kind", "path") == "path":
                found[name] = entry
    return found


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
        }
    }
    config["studies"]["small"].update(
        datasets=["one"],
        models=sorted(models),
        protocols=["fitted"],
        headline={"protocol": "fitted", "metric": "abs_rel"},
    )
    project = Project.create(tmp_path / "project", config)
    write_frames(project.folder / "data" / "one", ("left",))
    weights = project.folder / "weights"
    dpt(weights / "my_checkpoint")
    write_monodepth2(weights / "my_monodepth2")
    write_sc(weights / "my_sc_sfmlearner" / "dispnet_model_best.pth.tar")
    export(weights / "my_onnx.onnx", "n", "s")
    (code,) = [block for block in blocks("python") if block.startswith("# my_models/mine.py\n")]
    (project.folder / "my_models").mkdir()
    (project.folder / "my_models" / "mine.py").write_text(code, encoding="utf-8")
    project.snakemake()
    rows = pq.read_table(project.folder / "results/studies/small/summary.parquet").to_pylist()
    values = {row["model"]: row["value"] for row in rows if row["metric"] == "abs_rel"}
    assert set(values) == set(models)
    assert all(value is not None and value > 0 for value in values.values()), values
