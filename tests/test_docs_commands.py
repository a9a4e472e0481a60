"""Every command that README and docs give runs as it is written, in a clone as a stranger has it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from commands_in_docs import FENCE, commands
from environments import make_environment
from project import ROOT, Project, write_frames, write_video

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Run:
    """How a command is run: itself, or `instead`; the status it ends with, and a part of what it says."""

    instead: str = ""
    status: int = 0
    says: str = ""


# Commands that are run, in this order. Those that need a GPU, a cluster, a network or hours are planned with -n.
RUN: dict[str, Run] = {
    ". .venv/bin/activate": Run(),
    # Nothing is there yet.
    "snakemake -n": Run(says="report"),
    "snakemake --dry-run": Run(says="report"),
    "scopedepth plan": Run(says="tiny_midas"),
    "scopedepth plan --study paper": Run(says="depth_anything_small"),
    "scopedepth plan --configfile mine.yaml": Run(says="tiny_midas"),
    "scopedepth plan --configfile FILE": Run("scopedepth plan --configfile config.yaml"),
    "snakemake --unlock": Run(),
    "snakemake --cores 8 --resources gpu=1": Run("snakemake --cores 8 --resources gpu=1 -n"),
    "snakemake --cores 8 --resources gpu=1 --config study=paper": Run(
        "snakemake --cores 8 --resources gpu=1 --config study=paper -n"
    ),
    "snakemake --cores 2 --config study=finetune_demo": Run(
        "snakemake --cores 2 --config study=finetune_demo -n", says="rule finetune"
    ),
    "snakemake --cores 2 --config study=reference_demo": Run(
        "snakemake --cores 2 --config study=reference_demo -n", says="rule redraw"
    ),
    "snakemake --cores 2 --config study=robust_demo": Run(
        "snakemake --cores 2 --config study=robust_demo -n", says="phantom_smoke_5"
    ),
    "snakemake --cores 2 --config study=video_demo": Run(
        "snakemake --cores 2 --config study=video_demo -n", says="phantom_video"
    ),
    "snakemake --cores 8 --config study=paper": Run("snakemake --cores 8 --config study=paper -n"),
    "snakemake --cores 8 --resources gpu=1 --config study=mine": Run(
        "snakemake --cores 8 --resources gpu=1 --config study=mine -n", says="depth_anything_small"
    ),
    "snakemake --cores 8 --force results/timing/full/endo_depth.parquet --config study=paper": Run(
        "snakemake -n --cores 8 --force results/timing/full/endo_depth.parquet --config study=paper",
        says="rule time",
    ),
    "snakemake --profile profiles/slurm": Run("snakemake --profile profiles/slurm -n"),
    "snakemake --profile profiles/slurm -n": Run(says="report"),
    "snakemake --profile profiles/slurm --until fetch_dataset fetch_list fetch_weights": Run(
        "snakemake --profile profiles/slurm -n --until fetch_dataset fetch_list fetch_weights",
        says="fetch_dataset",
    ),
    "snakemake --profile profiles/slurm --config study=demo": Run(
        "snakemake --profile profiles/slurm -n --config study=demo"
    ),
    "snakemake --profile profiles/slurm --config study=paper": Run(
        "snakemake --profile profiles/slurm -n --config study=paper"
    ),
    "CUDA_VISIBLE_DEVICES=2,3 snakemake --resources gpu=2 …": Run(
        "CUDA_VISIBLE_DEVICES=2,3 snakemake --resources gpu=2 -n"
    ),
    "snakemake --cores 4 --until fetch_dataset fetch_list fetch_weights": Run(
        "snakemake --cores 4 -n --until fetch_dataset fetch_list fetch_weights", says="fetch_dataset"
    ),
    "scopedepth check-dataset my_colon": Run(
        status=1, says="my_colon has not been fetched. Name it in a study"
    ),
    "scopedepth export paper": Run(status=1, says="The study paper is not finished"),
    # One's own images.
    "snakemake --cores 8 results/raw/my_data --config study=mine": Run(),
    "snakemake --cores 2 results/raw/my_data --config study=mine": Run(),
    "scopedepth check-dataset my_data": Run(says="patient1"),
    "scopedepth check-dataset my_data --page my_data.html": Run(says="page: my_data.html"),
    "scopedepth check-dataset scanner --page scanner.html": Run(
        "scopedepth check-dataset my_data --page scanner.html", says="page: scanner.html"
    ),
    "scopedepth check-dataset NAME": Run("scopedepth check-dataset my_data", says="patient1"),
    # A video without depth.
    "snakemake --cores 8 results/raw/own --configfile own.yaml": Run(says="1 .avi"),
    "scopedepth check-dataset own --configfile own.yaml": Run(says="recorded: 3 frames of 32x24"),
    "snakemake --cores 8 --configfile own.yaml": Run(
        "snakemake --cores 8 --configfile own.yaml -n", says="rule predict"
    ),
    # From here on without the model that would be fetched: see `without_what_is_fetched`.
    "snakemake --cores 8 --config study=mine": Run(says="report.html"),
    "snakemake --cores 1 --report run.zip": Run(),
    "snakemake --cores 8 --configfile mine.yaml": Run(says="Nothing to be done"),
    "export XDG_CACHE_HOME=$PWD/.snakemake/cache": Run(
        "export XDG_CACHE_HOME=$PWD/.snakemake/cache; snakemake -n"
    ),
    "scopedepth plan --study NAME": Run("scopedepth plan --study mine", says="constant"),
    "scopedepth explain": Run(says="up to date"),
    "scopedepth explain PATH": Run("scopedepth explain results/studies/mine/report.html", says="up to date"),
    "scopedepth explain results/…": Run(
        "scopedepth explain results/datasets/my_data.zarr", says="up to date"
    ),
    "scopedepth verify": Run(says="0 jobs with damaged results"),
    "scopedepth export STUDY": Run("scopedepth export mine", says="mine.crate.zip"),
    'scopedepth accept --why "..."': Run(says="nothing to accept"),
    'scopedepth accept predict --why "..."': Run(says="nothing to accept"),
    'scopedepth accept --why "0.2: the engine was split into two files; predictions of c3vd are equal"': Run(
        says="nothing to accept"
    ),
    # A folder of one's own.
    "scopedepth init ~/studies/colon": Run("scopedepth init colon", says="scopedepth run"),
    "scopedepth init FOLDER": Run("scopedepth init another", says="scopedepth run"),
    "cd ~/studies/colon": Run("cd colon"),
    "scopedepth list": Run("cd colon && scopedepth list", says="colon  (chosen)"),
    "scopedepth run": Run("cd colon && scopedepth run -n", says="results/studies/colon/report.html"),
    "scopedepth run -n": Run("cd colon && scopedepth run -n", says="results/studies/colon/report.html"),
    "scopedepth run --cores 4 results/raw/phantom": Run(
        "cd colon && scopedepth run --cores 4 results/raw/phantom -n", says="rule fetch_dataset"
    ),
    "scopedepth run --profile slurm": Run("cd colon && scopedepth run --profile slurm -n", says="report"),
    "scopedepth completion bash": Run(says="complete -o default -F _scopedepth scopedepth"),
    "snakemake --forceall": Run("snakemake --forceall -n", says="predict"),
    "python docs/describe_protocols.py": Run("PYTHONPATH=workflow_scripts python docs/describe_protocols.py"),
    "python docs/draw_house.py": Run("python docs/draw_house.py"),
    "python benchmarks/fuzz.py": Run("python benchmarks/fuzz.py --help"),
    "python benchmarks/operations.py": Run("python benchmarks/operations.py --help"),
    "python benchmarks/other_python.py": Run("python benchmarks/other_python.py --help"),
    "python benchmarks/predict.py": Run("python benchmarks/predict.py --help"),
    "python benchmarks/score.py": Run("python benchmarks/score.py --help"),
    "python benchmarks/strata.py": Run("python benchmarks/strata.py --help"),
    "python benchmarks/strata.py --cost": Run("python benchmarks/strata.py --help", says="--cost"),
    "python benchmarks/survival.py": Run("python benchmarks/survival.py --help"),
    "python benchmarks/timing_repeatability.py": Run("python benchmarks/timing_repeatability.py --help"),
}
# Commands that are not run here, and why.
NOT_RUN = {
    "make demo": ".ci/run runs it whole, and tests/test_elsewhere.py a small one",
    "snakemake --directory DATA --snakefile WORKFLOW/Snakefile --workflow-profile WORKFLOW/profiles/default": (
        "tests/test_elsewhere.py runs it"
    ),
    "scopedepth --workflow WORKFLOW explain": "tests/test_elsewhere.py runs it",
    "scopedepth merge A.crate.zip B.crate.zip": "tests/test_merge.py runs it",
    "scopedepth merge ours.crate.zip theirs.crate.zip --out merged": "tests/test_merge.py runs it",
    "scopedepth deploy tiny_endo_depth": "tests/test_deploy.py runs it",
    "pip install 'onnx==1.23.2' 'onnxscript==0.7.2'": "it takes packages from a registry",
    "scopedepth card tiny_midas --out tiny_midas.card.md": "tests/test_card.py runs it",
    "python -m venv /tmp/mlc && /tmp/mlc/bin/pip install 'mlcroissant[parquet]==1.1.1'": (
        "it takes packages from a registry"
    ),
    "pip wheel --no-deps .": "tests/test_outside.py builds the wheel",
    "make test": "it runs these tests",
    "pip install -r requirements.txt": "it takes packages from a registry; `make demo` does the same",
    "pip install -e '.[finetune]'": "it takes packages from a registry",
    "pip install -e '.[hdf5]'": "it takes packages from a registry",
    "pip install -e '.[sevenzip]'": "it takes packages from a registry",
    "pip install -e '.[slurm]'": "it takes packages from a registry",
    "git clone ADDRESS scopedepth && cd scopedepth": "the clone of these tests is made so",
    "python3.11 -m venv .venv && . .venv/bin/activate": "the environment of these tests is made so",
    "python benchmarks/sizing.py": "it plans studies of up to a million frames, for minutes, and has no options",
}


def shown() -> set[str]:
    return {command for page in PAGES for command in commands(page)}


def test_every_command_of_the_docs_is_run_or_is_listed_with_a_reason() -> None:
    assert shown() == RUN.keys() | NOT_RUN.keys()
    assert not RUN.keys() & NOT_RUN.keys()


def test_no_word_stands_behind_config_that_is_no_value() -> None:
    """`--config` takes what follows it: a target must stand before."""
    for command in shown():
        after = re.search(r"--config (.*)", command)
        words = after[1].split() if after else []
        values = [word for word in words if not word.startswith("-")]
        assert all("=" in word for word in values), command


def add_to_the_configuration(path: Path, page: Path) -> None:
    """Write a page's entries under the sections of a configuration that are there, as a reader is told to."""
    text = path.read_text(encoding="utf-8")
    for block in (
        match[2] for match in FENCE.finditer(page.read_text(encoding="utf-8")) if match[1] == "yaml"
    ):
        for section, lines in re.findall(r"^(\w+):\n((?:(?: .*)?\n)+)", block, re.MULTILINE):
            before, found, after = text.partition(f"\n{section}:\n")
            assert found, f"config.yaml has no section {section}"
            text = f"{before}{found}{lines}{after}"
    path.write_text(text, encoding="utf-8")


def without_what_is_fetched(path: Path) -> None:
    """Let the study `mine` be the one that is chosen, with models that need no network."""
    text = path.read_text(encoding="utf-8")
    text = text.replace(
        "models: [depth_anything_small, constant, brightness]",
        "models: [constant, brightness]\n    bootstrap: {replicates: 100}",
    )
    path.write_text(text.replace("\nstudy: demo\n", "\nstudy: mine\n"), encoding="utf-8")
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert config["study"] == "mine"
    assert "depth_anything_small" not in config["studies"]["mine"]["models"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone with its environment, the tutorial's images and its entries of the configuration."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no clone of a repository")
    folder = tmp_path_factory.mktemp("stranger") / "scopedepth"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    make_environment(folder / ".venv", folder / "workflow_scripts")
    write_frames(folder / "my_data", ("patient1",))
    (folder / "my_data" / "patient1" / "intrinsics.txt").write_text(
        "30 0 16\n0 30 12\n0 0 1\n", encoding="utf-8"
    )
    add_to_the_configuration(folder / "config.yaml", ROOT / "docs" / "tutorial.md")
    entry = next(
        match[2]
        for match in FENCE.finditer((ROOT / "docs" / "datasets.md").read_text(encoding="utf-8"))
        if match[1] == "yaml"
    )
    (folder / "own.yaml").write_text(entry, encoding="utf-8")
    write_video(folder / "recordings" / "recorded.avi")
    (folder / "mine.yaml").write_text("execution: {batch: 2}\n", encoding="utf-8")
    return folder


@pytest.mark.workflow
@pytest.mark.parametrize("command", RUN)
def test_a_command_of_the_docs_does_what_they_say(clone: Path, command: str) -> None:
    run = RUN[command]
    if "profiles/slurm" in command and find_spec("snakemake_executor_plugin_slurm") is None:
        pytest.skip("the plugin for SLURM is not installed")
    if command == "snakemake --cores 8 --config study=mine":
        without_what_is_fetched(clone / "config.yaml")
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    kept["NUMBA_CACHE_DIR"] = Project(clone).environment()["NUMBA_CACHE_DIR"]
    done = subprocess.run(
        ["bash", "-c", f". .venv/bin/activate && {run.instead or command}"],
        cwd=clone,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == run.status, said
    assert run.says in said
    assert "Traceback" not in said
