"""A study outside the clone: the wheel with the workflow in it, `scopedepth init`, `run` and `list`, study.yaml."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import yaml

from project import ROOT, write_frames
from scopedepth.api import score
from scopedepth.cli import main
from scopedepth.commands.run import arguments
from scopedepth.config import files
from scopedepth.config.citations import bibliography
from scopedepth.config.files import read_configs
from scopedepth.config.load import select_study
from scopedepth.errors import ScopeDepthError
from scopedepth.job import shipped
from test_elsewhere import run, said

PROFILE = str(ROOT / "profiles" / "default")
BEGIN = ["--snakefile", str(ROOT / "Snakefile"), "--workflow-profile", PROFILE, "--cores", "all"]
MINE = """\
study: mine
studies:
  mine:
    datasets: [tissue]
    models: [tiny_endo_sfmlearner, brightness]
    protocols: [median_depth, own]
    headline: {protocol: own, metric: abs_rel}
    bootstrap: {replicates: 100}
datasets:
  tissue:
    loader: folder
    source: {kind: path, path: tissue}
    depth: {unit: mm, scale: 0.5}
protocols:
  own: {title: a clamp of mine, alignment: {method: median, scope: frame}, depth_range: {max: 120}}
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder made by `scopedepth init`, which is the current one."""
    assert main(["init", str(tmp_path / "Müller's (study)")]) == 0
    monkeypatch.chdir(tmp_path / "Müller's (study)")
    return tmp_path / "Müller's (study)"


def test_a_made_folder_holds_a_study_of_what_is_shipped(outside: Path) -> None:
    study = select_study(read_configs([], {}))
    assert study.name == "m_ller_s_study"
    assert study.spec["title"] == "Müller's (study)"
    assert list(study.datasets) == ["phantom"]
    weights = study.models["tiny_endo_depth"]["weights"]
    assert weights["kind"] == "path"
    assert Path(weights["path"]) == ROOT / "demo_weights" / "tiny_endo_depth"
    assert "study.yaml" in (outside / "README.md").read_text(encoding="utf-8")


def test_what_is_there_is_not_written_over(outside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (outside / "study.yaml").read_bytes()
    assert main(["init", "."]) == 1
    assert "study.yaml is there already" in capsys.readouterr().err
    assert (outside / "study.yaml").read_bytes() == before
    assert main(["init", "study.yaml/inside"]) == 1
    assert "cannot be made" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a {study}", "a{}", "12:30"])
def test_a_path_that_snakemake_does_not_take_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path / name)]) == 1
    assert "braces and colons in a path break the workflow" in capsys.readouterr().err
    assert not (tmp_path / name).exists()
    # Or is named by where one is.
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    assert main(["init", "mine"]) == 1


def test_own_entries_lie_over_the_folders_configuration_else_over_the_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Neither: the usual file is looked for, and found missing.
    with pytest.raises(ScopeDepthError, match=r"config\.yaml: cannot be read"):
        read_configs([], {})
    Path("study.yaml").write_text("execution: {batch: 3}\ndatasets: {phantom: {source: {frames: 7}}}\n")
    merged = read_configs([], {"study": "paper"})
    assert merged["execution"] == {"batch": 3}
    assert merged["study"] == "paper"
    # Mapping by mapping: the rest of the entry stays the catalogue's.
    shipped_entry = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["datasets"]["phantom"]
    assert merged["datasets"]["phantom"] == {
        **shipped_entry, "source": {**shipped_entry["source"], "frames": 7}
    }  # fmt: skip
    Path("config.yaml").write_text("execution: {batch: 1, device: cpu}\n")
    assert read_configs([], {}) == {
        "execution": {"batch": 3, "device": "cpu"},
        "datasets": {"phantom": {"source": {"frames": 7}}},
    }
    Path("last.yaml").write_text("execution: {batch: 9}\n")
    assert read_configs([Path("last.yaml")], {})["execution"] == {"batch": 9, "device": "cpu"}


def test_own_citations_and_protocols_stand_beside_the_shipped(outside: Path) -> None:
    shipped_entries = bibliography()
    Path("citations.bib").write_text("@misc{mine2026, title = {Mine}}\n")
    assert bibliography() == {**shipped_entries, "mine2026": "@misc{mine2026, title = {Mine}}"}
    Path("study.yaml").write_text(MINE, encoding="utf-8")
    import numpy as np

    depth = np.linspace(10, 100, 400).reshape(20, 20)
    assert score(2 * depth, depth, "own", kind="depth").metrics["abs_rel"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("study", "given", "expected"),
    [
        (None, [], []),
        (None, ["-n", "--cores", "3"], ["-n", "--cores", "3"]),
        ("paper", ["-n"], ["-n", "--config", "study=paper"]),
        ("paper", ["--config", "a=b", "-n"], ["--config", "study=paper", "a=b", "-n"]),
        (None, ["--profile", "slurm"], ["--profile", str(ROOT / "profiles" / "slurm")]),
        (None, ["--profile", "other"], ["--profile", "other"]),
        (None, ["results/raw/slurm", "slurm"], ["results/raw/slurm", "slurm"]),
    ],
)
def test_what_snakemake_is_given(
    outside: Path, study: str | None, given: list[str], expected: list[str]
) -> None:
    assert arguments(study, given) == [*BEGIN, *expected]


def test_a_profile_of_ones_own_wins_over_the_shipped(outside: Path) -> None:
    Path("slurm").mkdir()
    assert arguments(None, ["--profile", "slurm"]) == [*BEGIN, "--profile", "slurm"]


def test_a_folder_without_a_study_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScopeDepthError, match="scopedepth init FOLDER"):
        arguments(None, ["-n"])
    assert arguments(None, ["--configfile", "x.yaml"])[-2:] == ["--configfile", "x.yaml"]


def test_the_command_that_errors_name_is_one_that_works_here(
    outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shipped.runs_by() == "scopedepth run --cores all"
    monkeypatch.chdir(ROOT)
    assert shipped.runs_by("2") == "snakemake --cores 2"


def test_what_can_be_named_is_listed(outside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "studies"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "studies:"
    assert [line.split()[0] for line in lines if "(chosen)" in line] == ["m_ller_s_study"]
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert {line for line in out.splitlines() if not line.startswith(" ")} == {
        "studies:", "datasets:", "models:", "protocols:", "timings:"
    }  # fmt: skip
    assert "depth_anything_small" in out


def test_a_command_misspelt_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exprot", "demo"]) == 1
    assert "Did you mean 'export'?" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["verify", "--no-such"])
    assert ended.value.code == 2


def test_without_the_workflow_the_package_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shipped, "workflow_folder", lambda: None)
    monkeypatch.chdir(tmp_path)
    assert main(["init", "x"]) == 1
    assert "install its wheel" in capsys.readouterr().err
    assert files.default_files() == [files.DEFAULT]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment far from the clone, with the wheel of this copy and the packages of the tests' own."""
    base = tmp_path_factory.mktemp("wheel")
    # What git knows: no build of before lies in it.
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in tracked.stdout.decode().splitlines():
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/", "benchmarks/")):
            (base / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, base / "source" / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "wheel", *offline, "--wheel-dir", str(base), str(base / "source")], check=True)
    (wheel,) = base.glob("*.whl")
    folder = base / "an environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next((folder / "lib").glob("python3*")) / "site-packages"
    (packages / "zz_there.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    python = str(folder / "bin" / "python")
    subprocess.run([*pip, "--python", python, "install", "--no-deps", str(wheel)], check=True)
    return folder


def test_the_wheel_carries_the_workflow(environment: Path) -> None:
    (wheel,) = environment.parent.glob("*.whl")
    names = {name.partition(".data/data/share/scopedepth/")[2] for name in zipfile.ZipFile(wheel).namelist()}
    source = environment.parent / "source"
    folders = ("rules", "schemas", "envs", "profiles", "demo_weights", "model_classes", "workflow_scripts")
    wanted = {"Snakefile", "config.yaml", "citations.bib"} | {
        path.relative_to(source).as_posix()
        for folder in folders
        for path in (source / folder).rglob("*")
        if path.is_file() and path.relative_to(source).parts[1] not in ("scopedepth", "scopedepth.egg-info")
    }
    assert names - {""} == wanted


@pytest.mark.workflow
def test_a_study_from_an_installed_wheel(environment: Path, tmp_path: Path) -> None:
    scopedepth = str(environment / "bin" / "scopedepth")
    made = run(tmp_path, scopedepth, "init", "my study")
    assert made.returncode == 0, said(made)
    folder = tmp_path / "my study"
    (folder / "study.yaml").write_text(MINE, encoding="utf-8")
    write_frames(folder / "tissue", ("one",), frames=3)
    done = run(folder, scopedepth, "run", "--cores", "2")
    assert done.returncode == 0, said(done)
    assert (folder / "results/studies/mine/report.html").is_file()
    again = run(folder, scopedepth, "run")
    assert b"Nothing to be done" in again.stderr, said(again)
    explained = run(folder, scopedepth, "explain")
    assert b"up to date" in explained.stdout, said(explained)
    exported = run(folder, scopedepth, "export", "mine", "--out", "mine.zip")
    assert exported.returncode == 0, said(exported)
    names = set(zipfile.ZipFile(folder / "mine.zip").namelist())
    assert {"Snakefile", "rules/common.smk", "workflow_scripts/scopedepth/cli.py", "config.yaml"} <= names
    asked = "import scopedepth; print(*scopedepth.open('results', 'mine').summary.protocol.unique())"
    opened = run(folder, str(environment / "bin" / "python"), "-c", asked)
    assert set(opened.stdout.decode().split()) == {"median_depth", "own"}, said(opened)
