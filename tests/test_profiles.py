"""Profiles name options that exist, and each job asks a scheduler for what its own frames and weights need."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from project import CONFIG, Project
from scopedepth.config.load import Study, select_study
from scopedepth.study.layout import Job
from scopedepth.study.needs import ASSUMED_FRAMES, Needs, unit_size
from scopedepth.study.plan import Plan

PROFILES = ("default", "slurm", "kubernetes")
# Options of a profile that belong to plugins, and the plugin's module.
PLUGINS = {
    "slurm": "snakemake_executor_plugin_slurm",
    "kubernetes": "snakemake_executor_plugin_kubernetes",
    "storage-s3": "snakemake_storage_plugin_s3",
}


@pytest.fixture(scope="module")
def options() -> set[str]:
    """The options that Snakemake knows, with those of the plugins that are installed."""
    help_text = subprocess.run(
        [sys.executable, "-m", "snakemake", "--help"], capture_output=True, text=True, check=True
    ).stdout
    return set(re.findall(r"--([a-z][a-z0-9-]+)", help_text))


@pytest.mark.parametrize("name", PROFILES)
def test_a_profiles_options_exist(root: Path, options: set[str], name: str) -> None:
    profile = yaml.safe_load((root / "profiles" / name / "profile.yaml").read_text(encoding="utf-8"))
    for option in profile:
        plugin = next((module for prefix, module in PLUGINS.items() if option.startswith(prefix + "-")), None)
        if plugin is None or find_spec(plugin) is not None:
            assert option in options, f"profiles/{name}: snakemake has no option --{option}"


@pytest.mark.parametrize("name", PROFILES)
def test_every_setting_of_a_profile_says_why(root: Path, name: str) -> None:
    """Settings that stand together share a reason: there is a comment above each of their runs."""
    lines = (root / "profiles" / name / "profile.yaml").read_text(encoding="utf-8").splitlines()
    commented = False
    for line in lines:
        if line.startswith("#"):
            commented = True
        elif not line.strip():
            commented = False
        elif not line.startswith(" "):
            assert commented, f"profiles/{name}: {line} has no reason above it"


def test_environment_and_project_pin_the_same_versions(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    environment = yaml.safe_load((root / "envs" / "scopedepth.yaml").read_text(encoding="utf-8"))
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert sorted(pip) == sorted(project["dependencies"])
    assert all("==" in pin for pin in pip)
    slurm = project["optional-dependencies"]["slurm"]
    assert set(slurm) <= set(project["optional-dependencies"]["dev"])
    assert slurm[0] in (root / "profiles" / "slurm" / "profile.yaml").read_text(encoding="utf-8")


@pytest.mark.workflow
def test_the_slurm_profile_groups_small_jobs_and_keeps_the_default_profile(tmp_path: Path) -> None:
    pytest.importorskip("snakemake_executor_plugin_slurm")
    config = copy.deepcopy(CONFIG)
    config["models"]["network"] = {
        "family": "transformers",
        "weights": {"kind": "hub", "repo": "owner/network", "revision": "0" * 40},
        "output": {"kind": "disparity"},
    }
    config["studies"]["small"]["models"].append("network")
    config["execution"] = {"gpu_kind": {"predict": "a100"}}
    project = Project.create(tmp_path / "project", config)
    done = project.snakemake("--dry-run", "--profile=profiles/slurm", "--executor=local")
    said = done.stdout
    assert "workflow specific profile profiles/default" in done.stderr + said
    jobs = re.split(r"\n\[", said)
    predict = next(job for job in jobs if "rule predict" in job and "model=network" in job)
    for wanted in ("constraint=a100", "cpus_per_task=4", "mem_mb=", "runtime="):
        assert wanted in predict
    baseline = next(job for job in jobs if "rule predict" in job and "model=constant" in job)
    assert "gpu=" not in baseline
    assert "constraint" not in baseline


def study(**execution: Any) -> Study:
    config = copy.deepcopy(CONFIG)
    config["execution"] = execution
    config["models"]["network"] = {
        "family": "transformers",
        "weights": {"kind": "hub", "repo": "owner/network", "revision": "0" * 40},
        "output": {"kind": "disparity"},
    }
    config["studies"]["small"]["models"].append("network")
    config["timings"] = {"quick": {}}
    config["studies"]["small"]["timing"] = "quick"
    return select_study(config)


def manifest(folder: Path, frames: int, height: int = 480, width: int = 640) -> Any:
    """Write the manifest of a dataset store and return a job's inputs with it."""
    path = folder / f"{frames}x{height}.json"
    sequences = {"one": {"frames": frames, "height": height, "width": width}}
    path.write_text(json.dumps({"sequences": sequences}), encoding="utf-8")
    return SimpleNamespace(unit_manifest=str(path), units_manifest=[str(path)])


NETWORK = SimpleNamespace(unit="one", model="network", protocol="median_depth")
BASELINE = SimpleNamespace(unit="one", model="constant", protocol="median_depth")


def test_memory_follows_frame_size_batch_and_weights_and_grows_with_each_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    needs = Needs(study())
    small, large = manifest(tmp_path, 10), manifest(tmp_path, 10, 1080, 1920)
    first = needs.predict_mem_mb(NETWORK, small, 1)
    assert needs.predict_mem_mb(NETWORK, small, 3) == 3 * first
    assert needs.predict_mem_mb(NETWORK, large, 1) > first + 5000
    assert Needs(study(batch=1)).predict_mem_mb(NETWORK, large, 1) < first
    assert needs.predict_mem_mb(BASELINE, small, 1) < first
    (tmp_path / "results" / "weights" / "network").mkdir(parents=True)
    (tmp_path / "results" / "weights" / "network" / "model.safetensors").write_bytes(bytes(2_000_000))
    assert needs.predict_mem_mb(NETWORK, small, 1) == first + 6


def test_time_follows_frames_and_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    needs = Needs(study())
    short, long = manifest(tmp_path, 100), manifest(tmp_path, 100_000)
    assert needs.predict_runtime(NETWORK, short, 1) < 15
    # 100,000 frames at an assumed 0.05 s, three times over.
    assert 250 < needs.predict_runtime(NETWORK, long, 1) < 280
    assert needs.predict_runtime(NETWORK, long, 2) == 2 * needs.predict_runtime(NETWORK, long, 1)
    assert Needs(study(device="cpu")).predict_runtime(NETWORK, long, 1) > 4000
    assert needs.align_runtime(BASELINE, long, 1) > needs.align_runtime(BASELINE, short, 1)
    assert needs.score_runtime(BASELINE, long, 1) == needs.align_runtime(BASELINE, long, 1)


def test_what_nobody_has_counted_yet_is_taken_for_a_long_video(tmp_path: Path) -> None:
    assert unit_size([str(tmp_path / "absent.json")]).n_frames == ASSUMED_FRAMES
    known = manifest(tmp_path, 10).unit_manifest
    assert unit_size([known, known]).n_frames == 20


def test_a_store_made_anew_is_counted_anew(tmp_path: Path) -> None:
    path = Path(manifest(tmp_path, 10).unit_manifest)
    assert unit_size([str(path)]).n_frames == 10
    path.write_text(path.read_text().replace('"frames": 10', '"frames": 30'))
    assert unit_size([str(path)]).n_frames == 30


def test_kinds_of_gpu_are_for_networks_and_for_timing() -> None:
    kinds = {"predict": "any_a", "models": {"network": "a100"}, "time": "l4"}
    needs = Needs(study(gpu_kind=kinds))
    assert needs.predict_kind(NETWORK) == "a100"
    assert needs.predict_kind(BASELINE) is None
    assert needs.time_kind(NETWORK) == "l4"
    assert Needs(study(gpu_kind={"predict": "any_a"})).predict_kind(NETWORK) == "any_a"
    assert Needs(study()).predict_kind(NETWORK) is None


def test_where_jobs_run_is_in_no_identity(root: Path) -> None:
    scripts = root / "workflow_scripts"
    kinds = {"predict": "a100", "time": "l4"}
    plans = [Plan(select, scripts) for select in (study(), study(batch=3, scratch="/tmp/x", gpu_kind=kinds))]
    jobs = [list(plan.jobs()) for plan in plans]
    assert jobs[0] == jobs[1]
    for job in jobs[0]:
        assert plans[0].spec(job) == plans[1].spec(job)
        assert plans[0].code(job) == plans[1].code(job)


@pytest.mark.parametrize(
    ("fields", "threads", "megabytes"),
    [
        ({}, 2, 2 * 4 * 1080 * 1920 * 960 / 1e6),  # a size that nobody has published
        ({}, 1, 4 * 1080 * 1920 * 960 / 1e6),
        ({"published": {"all": {"frames": 9, "size": [288, 360]}}}, 2, 2 * 4 * 288 * 360 * 176 / 1e6),
        ({"published": {"all": {"frames": 9, "size": [1080, 1920]}}, "stereo": {"max_disparity": 200}}, 2,
         2 * 4 * 1080 * 1920 * 208 / 1e6),
        ({"loader": "folder"}, 2, 0),
    ],
)  # fmt: skip
def test_memory_for_stereo_matching_follows_size_range_and_threads(
    fields: dict[str, Any], threads: int, megabytes: float
) -> None:
    config = copy.deepcopy(CONFIG)
    config["datasets"]["one"] |= {"loader": "stereo", "options": {}, **fields}
    needs = Needs(select_study(config))
    asked = needs.prepare_mem_mb(NETWORK, 1, threads)
    assert megabytes <= asked - 2000 <= 1.06 * megabytes + 1
    assert needs.prepare_mem_mb(NETWORK, 2, threads) == 2 * asked


@pytest.mark.parametrize(("device", "cores", "driver", "memory_gb", "gpus"), [
    ("auto", None, False, 64, 1), ("auto", 4, True, 64, 1),  # a cluster's node may have one; this machine has
    ("auto", 4, False, 17, None), ("auto", 4, False, 15, 1), ("auto", 3, False, 15, None),
    ("cuda:0", 4, True, 64, 1), ("cpu", 4, True, 1, None), ("cpu", None, False, 1, None),
])  # fmt: skip
def test_a_network_takes_a_gpu_where_there_may_be_one_or_memory_is_short(
    device: str,
    cores: int | None,
    driver: bool,
    memory_gb: int,
    gpus: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scopedepth.study.needs.gpu_at_hand", lambda: driver)
    monkeypatch.setattr("os.sysconf", {"SC_PAGE_SIZE": 1000, "SC_PHYS_PAGES": memory_gb * 10**6}.__getitem__)
    needs = Needs(study(device=device), cores)  # a network without weights at hand: 4 GB
    assert needs.predict_gpus(NETWORK) == gpus
    assert needs.predict_gpus(BASELINE) is None


@pytest.mark.parametrize(("loader", "cores", "threads"), [
    ("folder", None, 2), ("folder", 1, 2), ("folder", 6, 3), ("folder", 64, 8), ("stereo", 64, 2),
])  # fmt: skip
def test_preparing_takes_the_cores_that_there_are_but_matches_by_two(
    loader: str, cores: int | None, threads: int
) -> None:
    config = copy.deepcopy(CONFIG)
    config["datasets"]["one"] |= {"loader": loader, "options": {}}
    needs = Needs(select_study(config), cores)
    assert len(needs.study.units) == 2
    assert needs.prepare_threads(NETWORK) == threads


def test_everything_that_a_study_asks_for_is_a_whole_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SLURM and Kubernetes take nothing else."""
    monkeypatch.chdir(tmp_path)
    needs = Needs(study())
    inputs = manifest(tmp_path, 7)
    for wildcards in (NETWORK, BASELINE):
        asked = [
            needs.prepare_mem_mb(wildcards, 1),
            needs.prepare_runtime(wildcards, 1),
            needs.predict_cpus(wildcards),
            needs.predict_mem_mb(wildcards, inputs, 1),
            needs.predict_disk_mb(wildcards, inputs),
            needs.predict_runtime(wildcards, inputs, 1),
            needs.compare_mem_mb(wildcards, 1),
            needs.align_runtime(wildcards, inputs, 1),
            needs.time_mem_mb(wildcards, 1),
            needs.time_runtime(wildcards, 1),
            needs.summary_mem_mb(wildcards, 1),
            needs.summary_runtime(wildcards, 1),
        ]
        assert all(type(value) is int and value > 0 for value in asked)


def test_another_sequence_of_a_split_dataset_makes_no_other_unit_anew(root: Path) -> None:
    plans = []
    for sequences in (["left", "right"], ["left", "right", "third"]):
        config = copy.deepcopy(CONFIG)
        config["datasets"]["one"].update(split="sequence", sequences=sequences)
        plans.append(Plan(select_study(config), root / "workflow_scripts"))
    left, right = Job("prepare", ("one@left",)), Job("prepare", ("one@right",))
    assert plans[0].spec(left) == plans[1].spec(left)
    assert plans[0].spec(left) != plans[0].spec(right)
