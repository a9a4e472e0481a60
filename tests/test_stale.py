"""No old number passes for a new one: what is stale runs, and what runs is what `explain` says."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from project import Project

pytestmark = pytest.mark.workflow


@pytest.fixture
def project(settled: Project, tmp_path: Path) -> Project:
    return settled.copy(tmp_path / "project")


def explained(project: Project) -> set[str]:
    """Return the jobs that `scopedepth explain` says the next run starts, named as Snakemake names them."""
    done = project.command("explain")
    assert done.stderr == ""
    found = set(re.findall(r"^  (\w+\([^)]*\)): ", done.stdout, re.MULTILINE))
    assert done.returncode == (1 if found else 0)
    # A fit and a score have a line for each protocol, and one job makes them.
    return {re.sub(r"^((?:align|score)\(.*), \w+\)$", r"\1)", job) for job in found}


def agreed(project: Project) -> set[str]:
    """Return what a dry run would start, which must be what `explain` says."""
    jobs = project.jobs()
    assert explained(project) == jobs
    return jobs


def rules(jobs: set[str]) -> set[str]:
    return {job.partition("(")[0] for job in jobs}


def write_weights(project: Project, text: str = "0.70") -> Path:
    path = project.folder / "weights/net/power.txt"
    path.write_text(text)
    return path


def older_weights(project: Project) -> None:
    path = write_weights(project)
    os.utime(path, (1e9, 1e9))


def weights_of_the_same_size_and_times(project: Project) -> None:
    path = project.folder / "weights/net/power.txt"
    before = path.stat()
    with path.open("r+") as file:
        file.write("0.71")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def older_depth_of_the_same_size(project: Project) -> None:
    path = project.folder / "data/one/left/depth/0000.png"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1  # inside the last block: the size stays
    path.write_bytes(content)
    os.utime(path, (1e9, 1e9))


def a_shorter_list(project: Project) -> None:
    (project.folder / "lists/two.txt").write_text("only 0001\n")


def another_camera(project: Project) -> None:
    (project.folder / "data/one/intrinsics.txt").write_text("100 0 16\n0 100 12\n0 0 1\n")


def in_place(project: Project, file: str, old: str, new: str) -> None:
    path = project.folder / "workflow_scripts/scopedepth" / file
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{file} no longer holds {old!r}; adapt this test"
    path.write_text(text.replace(old, new), encoding="utf-8")


NETWORK = {"fetch_weights", "predict", "align", "score", "summarise", "report"}
DATA = {"fetch_dataset", "prepare", "predict", "align", "score", "summarise", "report"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (write_weights, NETWORK),
        (older_weights, NETWORK),
        (weights_of_the_same_size_and_times, NETWORK),
        (older_depth_of_the_same_size, DATA),
        (another_camera, DATA),
        (a_shorter_list, DATA - {"fetch_dataset"}),
    ],
)
def test_what_a_job_reads_is_watched(
    project: Project, change: Callable[[Project], Any], expected: set[str]
) -> None:
    change(project)
    assert rules(agreed(project)) == expected


def test_what_a_job_does_not_read_makes_nothing_stale(project: Project) -> None:
    (project.folder / "data/one/readme.txt").write_text("Read me.")
    (project.folder / "data/one/left/.DS_Store").write_text("x")
    cache = project.folder / "weights/net/__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "net.cpython-311.pyc").write_bytes(b"x")
    in_place(project, "stores/sharded.py", "is damaged", "is broken")
    in_place(project, "fetch/__init__.py", "Put the data there", "Please put the data there")
    assert agreed(project) == set()


@pytest.mark.parametrize("part", ["weights", "source"])
def test_a_folder_that_is_not_there_is_said_until_it_is(project: Project, part: str) -> None:
    """The second run must not be content with what is left of an earlier one."""
    config = project.read_config()
    spec = config["models"]["net"] if part == "weights" else config["datasets"]["one"]
    spec[part]["path"] = "nowhere"
    project.write_config(config)
    for _ in range(2):
        assert agreed(project)
        done = project.snakemake(check=False)
        assert done.returncode != 0
        assert "nowhere" in done.stderr
        incomplete = project.folder / "results/studies/small/incomplete"
        rows = pq.read_table(incomplete / "summary.parquet").to_pylist()
        if part == "weights":
            assert {row["status"] for row in rows if row["model"] == "net"} == {"failed_prediction"}
            assert all(row["value"] is None for row in rows if row["model"] == "net")
        else:
            assert {row["dataset"] for row in rows} == {"two"}
    spec[part]["path"] = "weights/net" if part == "weights" else "data/one"
    project.write_config(config)
    project.snakemake()
    assert agreed(project) == set()


def interrupted(project: Project, log: str, how: int) -> None:
    """Run until the job with that log has begun, and end it."""
    path = project.folder / "results/logs" / log
    path.unlink(missing_ok=True)
    running = project.start()
    deadline = time.monotonic() + 120
    while not path.exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    if running.poll() is None:
        os.killpg(running.pid, how)
    running.wait()
    project.snakemake("--unlock")


@pytest.mark.parametrize(
    ("change", "log"),
    [
        (write_weights, "predict/one/net.log"),
        (another_camera, "prepare/one.log"),
        (lambda project: None, "score/one/net.log"),
    ],
)
def test_a_change_that_met_a_kill_is_not_forgotten(
    project: Project, settled: Project, change: Callable[[Project], Any], log: str
) -> None:
    change(project)
    path = project.folder / "workflow_scripts/scopedepth/evaluation/score.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n_ADDED = 1\n", encoding="utf-8")
    interrupted(project, log, signal.SIGKILL)
    # A job that ended in the moment of the kill holds, but Snakemake had not noted it yet and makes it once more.
    stale, jobs = explained(project), project.jobs()
    assert stale
    assert stale <= jobs
    project.snakemake()
    assert agreed(project) == set()
    if change is write_weights:
        name = "results/scores/one/net/median_depth.parquet"
        assert (project.folder / name).read_bytes() != (settled.folder / name).read_bytes()


def test_the_forecast_counts_what_runs(project: Project) -> None:
    write_weights(project)
    done = project.command("plan")
    everything = next(line for line in done.stdout.splitlines() if line.startswith("all"))
    assert everything.split()[1:3] == ["2", "2"], "two predictions to make, two cached"


def test_snakemakes_own_records_may_be_lost(project: Project) -> None:
    shutil.rmtree(project.folder / ".snakemake")
    assert agreed(project) == set()
    write_weights(project)
    jobs = agreed(project)
    assert rules(jobs) == NETWORK
    shutil.rmtree(project.folder / ".snakemake")
    assert agreed(project) == jobs
    project.snakemake()
    assert agreed(project) == set()


def test_results_that_were_put_back_are_not_taken_for_new_ones(project: Project) -> None:
    """Snakemake's records are of the newer results, the files of the older ones."""
    backup = project.folder / "backup"
    shutil.copytree(project.folder / "results", backup, symlinks=True)
    write_weights(project)
    project.snakemake()
    shutil.rmtree(project.folder / "results")
    backup.rename(project.folder / "results")
    assert rules(agreed(project)) == NETWORK
    project.snakemake()
    assert agreed(project) == set()


def test_what_is_whole_has_no_incomplete_report(project: Project) -> None:
    incomplete = project.folder / "results/studies/small/incomplete"
    incomplete.mkdir()
    project.snakemake()
    assert not incomplete.exists()
    # Ended by a signal when its last job was done: nothing failed.
    interrupted(project, "report/small.log", signal.SIGTERM)
    project.snakemake()
    assert not incomplete.exists()
    assert agreed(project) == set()


def test_a_deleted_manifest_costs_one_remaking(project: Project, settled: Project) -> None:
    (project.folder / "results/predictions/one/net.json").unlink()
    assert agreed(project)
    project.snakemake()
    assert agreed(project) == set()
    assert (project.folder / "results/predictions/one/net.json").read_bytes() == (
        settled.folder / "results/predictions/one/net.json"
    ).read_bytes()


def test_a_moved_and_a_copied_project_read_their_own_files(project: Project, tmp_path: Path) -> None:
    moved = Project(tmp_path / "moved")
    project.folder.rename(moved.folder)
    assert agreed(moved) == set()
    copied = moved.copy(tmp_path / "copied")
    write_weights(moved)
    assert agreed(copied) == set()
    copied.snakemake("--forcerun", "results/predictions/one/net.zarr", "--until", "predict")
    # The prediction is the same; the report shows when it was made.
    assert agreed(copied) == {"report(small)"}
    assert rules(agreed(moved)) == NETWORK


def test_a_target_of_another_study_is_one_line(project: Project) -> None:
    for target, said in (
        (
            "results/studies/other/report.html",
            "is of the study other, and the study chosen is small. Use: snakemake --cores all "
            "results/studies/other/report.html --config study=other",
        ),
        (
            "results/scores/one/constant/median_depth.parquet",
            "--config study=other",
        ),
        (
            "results/scores/one/constan/median_depth.parquet",
            "there is no model 'constan'. Did you mean 'constant'?",
        ),
        ("results/raw/three", "there is no dataset 'three'"),
        ("results/scores/one@left/net/median_depth.parquet", "the study small has no such part"),
    ):
        done = project.snakemake("--dry-run", target, check=False)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert said in done.stderr
        assert len([line for line in done.stderr.splitlines() if line.startswith("scopedepth: error")]) == 1
    before = sorted((project.folder / "results/studies").iterdir())
    assert [path.name for path in before] == ["small"]
    config = ("--config", "study=other")
    project.snakemake("--dry-run", "results/studies/other/report.html", *config)


def test_weights_in_the_home_folder_are_watched(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    home = project.folder / "home"
    shutil.copytree(project.folder / "weights/net", home / "net")
    monkeypatch.setenv("HOME", str(home))
    config = project.read_config()
    config["models"]["net"]["weights"]["path"] = "~/net"
    project.write_config(config)
    project.snakemake("--until", "predict")
    target = "results/predictions/one/net.json"
    assert project.jobs(target) == set()
    (home / "net/power.txt").write_text("0.72")
    assert project.jobs(target) == {"fetch_weights(net)", "predict(one, net)"}


def test_an_upgrade_that_changes_no_number_is_accepted(project: Project) -> None:
    path = project.folder / "workflow_scripts/scopedepth/prediction/engine.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n_ADDED = 1\n", encoding="utf-8")
    assert "predict" in rules(agreed(project))
    refused = project.command("accept")
    assert refused.returncode == 2
    assert "--why" in refused.stderr
    said = project.command("accept", "predict", "--dry-run", "--why", "a constant was added")
    assert "code of scopedepth.prediction.engine" in said.stdout
    assert "predict" in rules(agreed(project))
    done = project.command("accept", "--why", "a constant was added")
    assert done.returncode == 0, done.stderr
    assert "accepted: predict ×4" in done.stdout
    assert agreed(project) == set()
    project.snakemake()
    # A second change is another one; and a change of the configuration is none to accept.
    path.write_text(path.read_text(encoding="utf-8") + "\n_ADDED = 2\n", encoding="utf-8")
    config = project.read_config()
    config["models"]["brightness"]["options"]["exponent"] = 0.3
    project.write_config(config)
    done = project.command("accept", "--why", "another constant")
    assert "not accepted: predict(one, brightness): the configuration changed it" in done.stdout
    assert "accepted: predict ×2" in done.stdout
    jobs = agreed(project)
    assert {job for job in jobs if job.startswith("predict")} == {
        "predict(one, brightness)",
        "predict(two, brightness)",
    }


def test_files_that_change_while_a_job_reads_them_fail_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from scopedepth.job.run import Made, job

    weights = tmp_path / "weights"
    weights.mkdir()
    file = weights / "net.bin"
    file.write_bytes(b"one")
    before = file.stat()
    record = tmp_path / "x.run.json"

    def swap() -> None:
        file.write_bytes(b"two")
        file.write_bytes(b"one")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(SystemExit), job(tmp_path / "x.log", [Made(record)], inputs=[weights]):
        swap()
    said = capsys.readouterr().err
    assert f"{file} changed while this job read it" in said
    assert not record.exists()
