"""The workflow in other places than its author's: odd paths, read-only homes, other terminals, as a module."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from environments import make_environment
from project import CONFIG, ROOT, Project, parse_jobs, write_frames
from scopedepth.config.load import select_study
from scopedepth.datasets import find_sequences
from scopedepth.errors import ScopeDepthError
from scopedepth.job.interpreter import LINK, plain_path

OWN = """
class Mine:
    def __init__(self, weights, device, options): pass
    def predict(self, frames): return 1 + frames[..., 0]
"""
NOWHERE = "/proc/nowhere"  # where nobody can write, root neither


def tiny() -> dict[str, Any]:
    """One dataset, one model, one protocol."""
    config = copy.deepcopy(CONFIG)
    config["studies"]["small"] |= {
        "datasets": ["two"],
        "models": ["constant"],
        "protocols": ["median_depth"],
        "bootstrap": {"replicates": 100},
    }
    return config


def run(folder: Path, *command: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command without the tests' own place of the library."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=folder, env={**kept, **more}, capture_output=True, check=False)


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    return (done.stdout + done.stderr).decode("utf-8", "replace")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with its environment inside, in a folder of an unlucky name, run as `make demo` does it."""
    folder = tmp_path_factory.mktemp("odd") / "Müller & Söhne; d'or (1)" / "project"
    config = tiny()
    config["studies"]["small"]["models"].append("own")
    weights, code = {"kind": "path", "path": "my {nets} & more"}, {"code": "mine.py:Mine"}
    config["models"]["own"] = {
        "family": "python", "weights": weights, "output": {"kind": "depth"}, "options": code
    }  # fmt: skip
    project = Project.create(folder, config)
    # Braces in the names of data and of weights, too.
    write_frames(folder / "data" / "two", ("only {1}",), frames=2)
    for file in (folder / "data" / "two").rglob("*.png"):
        file.rename(file.with_name("{unit} " + file.name))
    (folder / "my {nets} & more").mkdir()
    (folder / "my {nets} & more" / "mine.py").write_text(OWN, encoding="utf-8")
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    make_environment(folder / ".venv", folder / "workflow_scripts")
    return project


@pytest.mark.workflow
def test_make_demo_in_an_odd_path_with_a_read_only_home_and_an_ascii_terminal(odd: Project) -> None:
    folder = odd.folder
    cache = {"NUMBA_CACHE_DIR": odd.environment()["NUMBA_CACHE_DIR"]}
    done = run(
        folder, "make", "demo", "CORES=2", HOME=NOWHERE, XDG_CACHE_HOME="", PYTHONIOENCODING="ascii", **cache
    )
    assert done.returncode == 0, said(done)
    assert done.stdout.isascii()
    assert b"report.html" in done.stdout
    # The dash of a table's empty cell is written otherwise, not left out.
    ranking = (folder / "results/studies/small/ranking.txt").read_text(encoding="utf-8")
    assert not ranking.isascii()
    explained = run(folder, ".venv/bin/scopedepth", "explain", PYTHONIOENCODING="ascii")
    assert explained.returncode == 0, said(explained)
    again = run(folder, ".venv/bin/snakemake", "--cores", "1")
    assert b"Nothing to be done" in again.stderr, said(again)


@pytest.mark.parametrize("option", ["--dag", "--rulegraph", "--filegraph", "--summary", "--detailed-summary"])
def test_what_only_looks_needs_no_number_of_cores(odd: Project, option: str) -> None:
    done = run(odd.folder, ".venv/bin/snakemake", option)
    assert done.returncode == 0, said(done)


@pytest.mark.workflow
def test_without_hooks_jobs_are_told_what_is_there_now(odd: Project) -> None:
    """A module's `onstart` is not called, and with --no-hooks nobody's is."""
    made = "results/datasets/two.json"
    if not (odd.folder / "results").exists():
        pytest.skip("the study was not run")
    done = run(odd.folder, ".venv/bin/snakemake", "--cores", "1", "--no-hooks", "--force", made)
    assert done.returncode == 0, said(done)
    # Its record is a new one, which the report shows; nothing else is made again.
    planned = said(run(odd.folder, ".venv/bin/snakemake", "--cores", "1", "-n"))
    assert parse_jobs(planned) <= {"report(small)"}


def test_a_module_with_a_prefix_is_refused(tmp_path: Path) -> None:
    module = f'module depth:\n    snakefile: "{ROOT}/Snakefile"\n    prefix: "x"\n    config: config\n'
    (tmp_path / "Snakefile").write_text(module + "use rule * from depth\n", encoding="utf-8")
    done = run(tmp_path, sys.executable, "-m", "snakemake", "-n")
    assert b"a module's prefix is not supported" in done.stderr, said(done)


def test_braces_in_the_path_are_said_at_once(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "a{b}", tiny())
    done = project.snakemake("-n", check=False)
    assert done.returncode == 1
    assert "Snakemake takes braces in a path for wildcards. Move the folder." in done.stderr
    assert "Traceback" not in done.stderr
    for name in ("Makefile", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, project.folder)
    done = subprocess.run(["make", "demo"], cwd=project.folder, capture_output=True, text=True, check=False)
    assert "braces and colons in its path" in done.stderr
    assert not (project.folder / ".venv").exists()


@pytest.mark.parametrize(
    "name", ["a b", "a&b", "a;b", "a'b", "ümlaut", 'a"b', "a$HOME", "a`b`", "a(b)", "a\\b", "a*b"]
)
@pytest.mark.parametrize("inside", [True, False], ids=["inside the project", "elsewhere"])
def test_a_shell_takes_the_path_of_python_as_one_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, inside: bool
) -> None:
    environment = tmp_path / name / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    here = environment.parent if inside else tmp_path / "project"
    here.mkdir(exist_ok=True)
    monkeypatch.chdir(here)
    plain = plain_path(str(environment / "bin" / "python"))
    # As Snakemake writes it: without quotes.
    done = subprocess.run(
        ["bash", "-c", f"{plain} -c 'import sys; print(sys.prefix)'"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (here / done.stdout.strip()).samefile(environment)
    assert LINK.is_symlink() == (not inside and name != "ümlaut")


def test_a_frame_whose_name_is_no_text_is_refused_by_name_and_other_files_are_passed(tmp_path: Path) -> None:
    config = tiny()
    write_frames(tmp_path / "data", ("left",), frames=2)
    spec = select_study(config).datasets["two"]
    stray = os.fsencode(tmp_path / "data" / "left") + b"/notes \xfc.txt"
    Path(os.fsdecode(stray)).write_bytes(b"words")
    (sequence,) = find_sequences(spec, tmp_path / "data")
    assert list(sequence.frame_ids) == ["0000", "0001"]
    for part in ("rgb", "depth"):
        file = tmp_path / "data" / "left" / part / "0001.png"
        file.rename(os.fsdecode(os.fsencode(file.parent) + b"/gr\xfcn 1.png"))
    with pytest.raises(ScopeDepthError, match=r"sequence left: the name of the frame grün 1 is not UTF-8"):
        find_sequences(spec, tmp_path / "data")


def test_a_path_that_cannot_be_helped_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake").write_text("no folder")
    with pytest.raises(ScopeDepthError, match="holds a sign that its shell does not take"):
        plain_path("/opt/my env/bin/python")


# As part of another workflow, in another folder, from another copy of the library.

OUTER = """
configfile: "mine.yaml"
module scopedepth:
    snakefile: "{workflow}/Snakefile"
    config: config
use rule * from scopedepth as depth_*
rule all:
    default_target: True
    input: "results/studies/small/ranking.txt"
"""


@pytest.mark.workflow
def test_as_a_module_in_another_directory_and_looked_at_from_an_installed_copy(tmp_path: Path) -> None:
    workflow = Project.create(tmp_path / "workflow", tiny()).folder
    outer, data = tmp_path / "outer", tmp_path / "data"
    outer.mkdir()
    data.mkdir()
    (outer / "Snakefile").write_text(OUTER.format(workflow=workflow), encoding="utf-8")
    (workflow / "config.yaml").rename(data / "mine.yaml")
    write_frames(data / "data" / "two", ("only",), frames=2)
    snakemake = (sys.executable, "-m", "snakemake", "--cores", "2", "--directory", str(data), "--snakefile")
    profile = ("--workflow-profile", str(workflow / "profiles" / "default"))
    cache = {"NUMBA_CACHE_DIR": Project(workflow).environment()["NUMBA_CACHE_DIR"]}
    done = run(tmp_path, *snakemake, str(outer / "Snakefile"), *profile, **cache)
    assert done.returncode == 0, said(done)
    assert (data / "results/studies/small/report.html").is_file()
    again = run(tmp_path, *snakemake, str(outer / "Snakefile"), *profile, **cache)
    assert b"Nothing to be done" in again.stderr, said(again)

    # Without a module, the same results hold.
    shutil.copy(data / "mine.yaml", data / "config.yaml")
    alone = run(tmp_path, *snakemake, str(workflow / "Snakefile"), "--dry-run", *profile, **cache)
    assert alone.returncode == 0, said(alone)

    # From an installation that is not this copy: by the workflow's name, or from its folder.
    make_environment(tmp_path / "env")
    scopedepth = str(tmp_path / "env" / "bin" / "scopedepth")
    stray = tmp_path / "env" / "lib"
    changed = next(stray.rglob("scopedepth/statistics/summarise.py"))
    changed.write_text(changed.read_text(encoding="utf-8") + "\nNEWER = 1\n", encoding="utf-8")
    refused = run(data, scopedepth, "explain")
    assert refused.returncode == 1
    assert b"scopedepth --workflow FOLDER" in refused.stderr
    explained = run(data, scopedepth, "--workflow", str(workflow), "explain")
    assert explained.returncode == 0, said(explained)
    assert b"up to date" in explained.stdout
    exported = run(data, scopedepth, "--workflow", str(workflow), "export", "small")
    assert exported.returncode == 0, said(exported)
    verified = run(data, scopedepth, "verify")
    assert verified.returncode == 0, said(verified)
    wrong = run(data, scopedepth, "--workflow", str(data), "explain")
    assert wrong.returncode == 1
    assert b"--workflow" in wrong.stderr
    # In the workflow's own folder no word is needed.
    for name in ("results", "config.yaml", "data"):
        (workflow / name).symlink_to(data / name)
    accepted = run(workflow, scopedepth, "accept", "--why", "the same", "--dry-run")
    assert b"nothing to accept" in accepted.stdout, said(accepted)
