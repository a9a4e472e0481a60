"""The command `scopedepth`: what it prints, and how it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from project import Project
from scopedepth.cli import main
from scopedepth.commands import explain
from scopedepth.commands.configuration import read_config
from scopedepth.config.load import ConfigError


@pytest.mark.workflow
def test_plan_says_what_is_cached_and_what_a_study_would_cost(finished: Project) -> None:
    done = finished.command("plan")
    assert done.returncode == 0, done.stderr
    assert "constant" in done.stdout
    everything = next(line for line in done.stdout.splitlines() if line.startswith("all"))
    assert everything.split()[1:3] == ["0", "4"], "no job to run, four cached"
    compared = finished.command("plan", "--actual")
    assert compared.returncode == 0, compared.stderr


@pytest.mark.workflow
def test_check_dataset_prints_what_was_found_and_draws_a_sheet(finished: Project, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    done = finished.command("check-dataset", "one", "--sheet", str(sheet))
    assert done.returncode == 0, done.stderr
    assert "left" in done.stdout
    assert "32" in done.stdout
    assert "24" in done.stdout
    assert sheet.read_bytes().startswith(b"\x89PNG")
    unknown = finished.command("check-dataset", "onee")
    assert unknown.returncode == 1
    assert "Did you mean 'one'?" in unknown.stderr


def test_the_paper_can_be_planned_before_anything_is_there(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "--configfile", str(root / "config.yaml"), "--study", "paper"]) == 0
    printed = capsys.readouterr().out
    assert "depth_anything_small" in printed
    assert "rectified17" in printed, "what is not counted is named"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("study: [", "config.yaml, line"),
        ("- a\n- b\n", "a mapping of study"),
        ("study: a\nstudy: b\n", "'study' is given twice"),
        ("study: !!python/object/apply:os.system ['echo unsafe']\n", "could not determine a constructor"),
        ("\x00", "config.yaml"),
    ],
)
def test_broken_yaml_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_configuration_says_where_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["explain", "results/x"]) == 1
    assert "Run this in the workflow's folder" in capsys.readouterr().err


SPEC: dict[str, Any] = {
    "precision": "fp32",
    "size": None,
    "metrics": ["rmse", "abs_rel"],
    "protocols": {"a": {"space": "depth"}},
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"precision": "bf16"}, ['precision: "fp32" -> "bf16"']),
        ({"protocols": {"a": SPEC["protocols"]["a"], "b": {"space": "depth"}}}, ["protocols.b: added"]),
        ({"protocols": {}}, ["protocols.a: removed"]),
        ({"protocols": {"a": {"space": "depth", "weight": 1}}}, ["protocols.a.weight: added"]),
        ({"metrics": ["rmse", "mae"]}, ['metrics: added "mae"; removed "abs_rel"']),
        ({"metrics": ["abs_rel", "rmse"]}, ["metrics: in another order, or another number of times"]),
        ({"metrics": ["rmse", "abs_rel", {"long": 60 * "x"}]}, ["metrics: added {…}"]),
        ({"size": {"height": 60 * "x"}}, ["size: null -> {…}"]),
        (
            {"precision": None, "size": 80 * "x"},
            ['precision: "fp32" -> null', f'size: null -> "{56 * "x"}...'],
        ),
        ({}, []),
    ],
)
def test_what_changed_is_said_in_one_short_line_each(change: dict[str, Any], said: list[str]) -> None:
    assert list(explain._differences(SPEC, {**SPEC, **change}, "")) == said
