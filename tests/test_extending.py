"""What docs/extending.md shows works as printed, in a copy of the project: each addition is one file, and no list."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

import dataset_trees as trees
from project import CONFIG, ROOT, Project
from scopedepth.stores.dataset import DatasetStore
from scopedepth.stores.prediction import PredictionStore

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FOLDER = "workflow_scripts/scopedepth"
ALIGNMENT = "evaluation/alignments/power_mean.py"
FILES = ("datasets/loaders/mine.py", "models/families/colours.py", "metrics/bias.py", ALIGNMENT)


def shown_file(name: str) -> str:
    """Return the file that the page shows under a name."""
    found = re.search(rf"`{re.escape(name)}`[^\n]*\n\n```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return found[1]


def shown_entries() -> dict[str, dict[str, Any]]:
    """Return what the page says to write into the configuration."""
    found: dict[str, dict[str, Any]] = {}
    for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        for kind, entries in yaml.safe_load(block).items():
            found.setdefault(kind, {}).update(entries)
    return found


def with_shown(project: Project, *names: str) -> None:
    """Write the page's files into a project."""
    for name in names:
        place = project.folder / FOLDER / name
        assert not place.exists()
        place.write_text(shown_file(name), encoding="utf-8")


@pytest.mark.workflow
def test_a_loader_a_family_and_a_protocol(tmp_path: Path) -> None:
    config = copy.deepcopy(CONFIG)
    shown = shown_entries()
    for kind in ("datasets", "models", "protocols"):
        config[kind] |= shown[kind]
    config["studies"]["small"] |= {
        "datasets": ["scanner"],
        "models": ["constant", "colours"],
        "protocols": ["median_150", "rms_ratio", "biased"],
        "headline": {"protocol": "median_150", "metric": "abs_rel"},
    }
    project = Project.create(tmp_path / "project", config)
    with_shown(project, *FILES)

    data = project.folder / "data/scanner/scene_07"
    stored = np.round(trees.depth_mm(48, 64, 20, 90) / 0.05).astype(np.uint16)
    stored[0] = 65535
    for number in (123, 124):
        trees.write_image(data / f"left/{number:06d}.jpg", trees.picture(48, 64))
    trees.write_image(data / "z/000123.png", stored)
    (project.folder / "weights/colours").mkdir(parents=True)
    np.save(project.folder / "weights/colours/weights.npy", [0.5, 0.25, 0.25])

    project.snakemake("results/scores/scanner/colours/median_150.parquet")
    sequence = DatasetStore(project.folder / "results/datasets/scanner.zarr").sequences["scene_07"]
    decoded = sequence.depth(0, 2)
    assert np.isnan(decoded[0, 0]).all()
    assert np.allclose(decoded[0, 1:], stored[1:] * 0.05)
    assert np.isnan(decoded[1]).all()
    manifest = json.loads((project.folder / "results/datasets/scanner.json").read_text(encoding="utf-8"))
    assert manifest["sequences"]["scene_07"]["notes"] == ["1 of 2 frames have no depth"]
    predicted = PredictionStore(project.folder / "results/predictions/scanner/colours.zarr")
    found = predicted.sequences["scene_07"].prediction(0, 1)
    colours = sequence.rgb(0, 1).astype(np.float32) / 255
    wanted = 1 / np.maximum(colours @ np.array([0.5, 0.25, 0.25], np.float32), 0.05)
    assert np.allclose(found, wanted, rtol=1e-3)

    # Of depth where it is known, in the alignment's space.
    known = np.isfinite(decoded[0])
    rows = pq.read_table(project.folder / "results/alignments/scanner/colours/rms_ratio.parquet").to_pylist()
    factor = np.sqrt(np.mean(decoded[0][known] ** 2.0) / np.mean(found[0][known].astype(float) ** 2))
    assert rows[0]["scale"] == pytest.approx(factor, rel=1e-6)
    assert (rows[0]["offset"], rows[0]["status"], rows[1]["scale"]) == (0.0, "ok", None)

    # No other family's, loader's or alignment's code is behind them.
    code = project.python(
        "from scopedepth.commands.configuration import *; from scopedepth.study.plan import Job\n"
        "plan = Plan(select_study(read_configs([], {}), 'small'), scripts())\n"
        "print(plan.code(Job('prepare', ('scanner',))), plan.code(Job('predict', ('scanner', 'colours'))))\n"
        "for name in ('rms_ratio', 'median_150'):\n"
        "    print(plan.code(Job('align', ('scanner', 'colours', name))))\n"
        "    print(plan.code(Job('score', ('scanner', 'colours', name))))"
    ).splitlines()
    named = [re.findall(r"evaluation\.alignments\.(\w+)", line) for line in code[1:]]
    assert named == [["power_mean"], [], ["median"], []]
    assert set(re.findall(r"scopedepth\.(?:models\.families|datasets\.loaders)\.(\w+)", code[0])) == {
        "mine",
        "colours",
    }


@pytest.mark.workflow
def test_a_metric_runs_no_fit(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    with_shown(project, "metrics/bias.py", ALIGNMENT)
    assert project.jobs() == set()

    config = project.read_config()
    config["protocols"]["median_depth"]["metrics"] = ["abs_rel", "bias_factor", "bias"]
    project.write_config(config)
    scored = project.jobs()
    assert {job.partition("(")[0] for job in scored} == {"score", "summarise", "report"}
    project.snakemake()
    study = project.folder / "results/studies/small"
    compared = 0
    for row in pq.read_table(study / "frames.parquet").to_pylist():
        if row["protocol"] != "median_depth":
            # Its scores were written before the file was there.
            assert row["bias"] is None
        elif row["model"] == "constant":
            store = DatasetStore(project.folder / f"results/datasets/{row['dataset']}.zarr")
            frame = store.sequences[row["sequence"]].depth(row["frame"], row["frame"] + 1)
            g = frame[frame > 0].astype(np.float64)
            p = np.median(g)
            assert row["bias_factor"] == pytest.approx(np.exp(abs(np.mean(np.log(p / g)))), rel=1e-6)
            assert row["bias"] == pytest.approx(abs(np.mean(p - g)), rel=1e-5)
            compared += 1
    assert compared > 3
    summary = pq.read_table(study / "summary.parquet").to_pylist()
    assert {row["metric"] for row in summary if row["protocol"] == "median_depth"} >= {"bias", "bias_factor"}
    assert "Bias factor" in (study / "report.html").read_text(encoding="utf-8")

    path = project.folder / FOLDER / "metrics/bias.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("exp(abs(log))", "exp(2 * log)"), encoding="utf-8")
    assert project.jobs() == scored


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("X = 1\n", "mine.py says no METRICS"),
        (
            "from scopedepth.vocabulary.metrics import Metric\n"
            'METRICS = (Metric("rmse", "RMSE", "mm", False, "other", "mine"),)\n',
            "mine.py says rmse, which is a metric already",
        ),
    ],
)
def test_a_file_of_metrics_that_says_none_or_known_ones(tmp_path: Path, said: str, wanted: str) -> None:
    project = Project.create(tmp_path / "project", CONFIG)
    (project.folder / FOLDER / "metrics/mine.py").write_text(said, encoding="utf-8")
    refused = project.command("plan")
    assert refused.returncode != 0
    assert wanted in refused.stderr
    assert "Traceback" not in refused.stderr


REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    ("datasets", "scanner", {"bits": 7}, "options.bits: Input should be greater than or equal to 8"),
    ("datasets", "scanner", {"depth": "z"}, "did you mean 'depths'? loader mine has depths, bits"),
    ("models", "colours", {"least": 0}, "options.least: Input should be greater than 0"),
    ("models", "colours", {"most": 1}, "no option 'most'"),
    (
        "protocols",
        "rms_ratio",
        {"alignment": {"method": "power_mean", "options": {"power": 0}}},
        "options.power: Input should be greater than 0",
    ),
    (
        "protocols",
        "rms_ratio",
        {"alignment": {"method": "power_mean", "space": "log_depth"}},
        "space: method",
    ),
    (
        "protocols",
        "rms_ratio",
        {"alignment": {"method": "power_mean", "scope": "sequence"}},
        "scope frame only",
    ),
    ("protocols", "rms_ratio", {"alignment": {"method": "power_means"}}, "Did you mean 'power_mean'?"),
    (
        "protocols",
        "rms_ratio",
        {"alignment": {"weight": "inverse_depth"}},
        "weight is for l1_affine, lsq_affine",
    ),
    ("datasets", "one", {"loader": "foldr"}, "Did you mean 'folder'? Allowed: c3vd"),
    ("models", "constant", {"family": "colour"}, "Did you mean 'colours'? Allowed: baseline, colours"),
]


def test_what_the_files_say_is_checked_before_anything_runs(tmp_path: Path) -> None:
    """In a process of its own: this one has listed the folders already."""
    config = copy.deepcopy(CONFIG)
    for kind, entries in shown_entries().items():
        config[kind] |= entries
    project = Project.create(tmp_path / "project", config)
    with_shown(project, *FILES)
    cases = []
    for kind, name, changes, _ in REFUSED:
        changed = copy.deepcopy(config)
        changed[kind][name] |= (
            changes if {"loader", "family", "alignment"} & changes.keys() else {"options": changes}
        )
        cases.append(changed)
    said = project.python(
        "import sys\nfrom scopedepth.config.load import ConfigError, check\n"
        f"check({config!r})\n"
        f"for case in {cases!r}:\n"
        "    try: print(check(case))\n"
        "    except ConfigError as error: print(error)\n"
        "print([heavy for heavy in ('numpy', 'cv2', 'torch') if heavy in sys.modules])"
    ).splitlines()
    for line, (kind, name, _, wanted) in zip(said, REFUSED, strict=False):
        assert line.startswith(f"{kind}.{name}")
        assert wanted in line
    assert said[len(REFUSED) :] == ["[]"]
