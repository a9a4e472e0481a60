"""Configuration files: Snakemake and the commands read them alike, and neither takes a key twice."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from project import CONFIG, ROOT, Project
from scopedepth.config.files import read_configs
from scopedepth.config.load import ConfigError

PRINTS = """
include: "{root}/rules/configuration.smk"
configfile: "config.yaml"
import json
print("CONFIG " + json.dumps(config), file=sys.stderr)
rule all:
"""
MINE = (
    "study: mine\nstudies:\n  mine: {models: [constant]}\nmodels: {constant: {options: {kind: brightness}}}\n"
)
MORE = "models: {constant: {options: {exponent: 1.5}}, brightness: null}\nexecution: {batch: 2}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(MINE, encoding="utf-8")
    (tmp_path / "more.yaml").write_text(MORE, encoding="utf-8")
    (tmp_path / "Snakefile").write_text(PRINTS.format(root=ROOT), encoding="utf-8")
    return tmp_path


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--configfile", "mine.yaml"],
        ["--configfile", "mine.yaml", "more.yaml"],
        ["--configfile", "more.yaml", "mine.yaml", "--config", "study=small", "execution={batch: 3}"],
        ["--config", "study=mine", "note=1.5"],
        ["-without config.yaml-", "--configfile", "mine.yaml"],
    ],
    ids=" ".join,
)
def test_the_commands_take_the_overlays_that_snakemake_takes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    if arguments[:1] == ["-without config.yaml-"]:
        (folder / "config.yaml").unlink()
        del arguments[0]
    done = snakemake(folder, *arguments)
    (printed,) = [line for line in done.stderr.splitlines() if line.startswith("CONFIG ")]
    monkeypatch.chdir(folder)
    assert _config_of(arguments) == json.loads(printed.removeprefix("CONFIG "))


def _config_of(arguments: list[str]) -> dict[str, Any]:
    import argparse

    from scopedepth.commands import configuration

    parser = argparse.ArgumentParser()
    configuration.add_arguments(parser)
    return configuration.config_of(parser.parse_args(arguments))


WRONG = [
    (
        "study: small\nstudy: other\n",
        "config.yaml, line 2: 'study' is given twice; keep one, with what stands below both.",
    ),
    ("models:\n  a: {x: 1}\n  b: {}\n  a: {}\n", "config.yaml, line 4: 'a' is given twice"),
    ("models: {a: {x: 1, x: 1}}\n", "config.yaml, line 1: 'x' is given twice"),
    ('{"study": "a", "study": "a"}', "config.yaml, line 1: 'study' is given twice"),
    (
        "__use_yte__: true\nstudy: small\n",
        "config.yaml: __use_yte__ is set, and configurations are no templates.",
    ),
    ("study: [\n", "config.yaml, line 2: "),
    ("- a\n", "config.yaml: a mapping of study, studies"),
    ("study: !!python/name:os.system x\n", "config.yaml, line 1: "),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_is_wrong_with_a_file_is_the_same_line_for_both(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    done = snakemake(folder)
    assert done.returncode == 1
    assert f"scopedepth: error: {said}" in done.stderr
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError) as caught:
        read_configs([], {})
    assert str(caught.value) in done.stderr


def test_an_overlay_with_a_key_given_twice_is_refused_by_both(folder: Path) -> None:
    (folder / "mine.yaml").write_text("execution: {batch: 2}\nexecution: {batch: 3}\n", encoding="utf-8")
    done = snakemake(folder, "--configfile", "more.yaml", "mine.yaml")
    assert "mine.yaml, line 2: 'execution' is given twice" in done.stderr
    command = [sys.executable, "-m", "scopedepth.cli", "plan", "--configfile", "more.yaml", "mine.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "mine.yaml, line 2: 'execution' is given twice" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["explain", "--configfile", "config.yaml", "results/x"],
            "results/x: there is no such configuration.",
        ),
        (["explain", "--config", "study=small", "results/x"], "'results/x' is no KEY=VALUE."),
        (["plan", "--config", "=1"], "--config =1: "),
        (["plan", "--config", "study=nosuch"], "study: 'nosuch' is not known."),
        (["plan", "--configfile", "none.yaml"], "none.yaml: there is no such configuration."),
    ],
)
def test_what_the_arguments_cannot_mean_is_one_line(folder: Path, arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "scopedepth.cli", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"scopedepth: error: {said}")
    assert done.stderr.count("\n") == 1


def test_a_study_of_an_overlay_is_planned_checked_and_explained(tmp_path: Path) -> None:
    """A file of one's own beside the one that is shipped: nothing of that is edited."""
    project = Project.create(tmp_path / "project", copy.deepcopy(CONFIG))
    mine = {"studies": {"mine": {**CONFIG["studies"]["small"], "datasets": ["two"]}}}
    (project.folder / "mine.yaml").write_text(yaml.safe_dump(mine), encoding="utf-8")
    overlay = ("--configfile", "mine.yaml", "--config", "study=mine")
    assert "two" in project.command("plan", *overlay).stdout
    explained = project.command("explain", *overlay)
    assert "The next run of the study mine starts 10 jobs, for 14 results:" in explained.stdout
    assert len(project.jobs(*overlay)) == 10
    assert "has not been fetched" in project.command("check-dataset", "two", *overlay).stderr
