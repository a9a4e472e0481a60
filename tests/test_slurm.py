"""The workflow on a real SLURM: two nodes on this machine, one GPU between them, set up by slurm/cluster.sh."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from project import Project

pytestmark = [pytest.mark.slurm, pytest.mark.workflow]

CLUSTER = Path(__file__).parent / "slurm" / "cluster.sh"
CANNOT = 77
# The profile as it is shipped, with a cluster of this size: no accounts, quick answers, two jobs at a time.
PROFILE = (
    "--profile=profiles/slurm",
    "--slurm-no-account",
    "--slurm-status-command=squeue",
    "--slurm-init-seconds-before-status-checks=2",
    "--seconds-between-status-checks=2",
    "--latency-wait=10",
)
# Models that get into trouble, and at how many attempts.
ADDED = {"hungry": 1, "slow": 1, "stranded": 1, "cancelled": 2}
STRANDED_ALONE = "'plain' if wildcards.model == 'stranded' and attempt == 1 else 'small_gpu'"
# Their trouble, written into the copy's job/run.py, which is in no identity.
FAULTS = """

def _misbehave(log):
    import os, time
    from pathlib import Path

    fault = Path("faults", Path(log).stem)
    try:
        left = int(fault.read_text())
    except OSError:
        return
    if left == 0:
        return
    fault.write_text(str(left - 1))
    fault.with_suffix(".asleep").touch()
    if fault.name == "hungry":
        hoard = [bytearray(os.urandom(1) * 100_000_000) for _ in range(15)]
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SLURM_CONF")
        done = subprocess.run([CLUSTER, "start"], capture_output=True, text=True, check=False)
        if done.returncode == CANNOT:
            pytest.skip(done.stdout.strip().splitlines()[-1])
        assert done.returncode == 0, done.stdout + done.stderr
        yield
        subprocess.run([CLUSTER, "stop"], check=True)


@dataclass(frozen=True)
class Both:
    """One study made twice in one folder: what came out on this machine, and on the cluster, whose results are left."""

    project: Project
    here: dict[str, bytes]
    there: dict[str, bytes]
    submitted: int


@pytest.fixture(scope="module")
def both(cluster: None, finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Both:
    project = finished.copy(tmp_path_factory.mktemp("slurm") / "project")
    config = project.read_config()
    config["studies"]["small"]["datasets"] = ["one"]
    project.write_config(config)
    # Made here already but for the tables of a study of one dataset.
    project.snakemake()
    for path in (project.folder / "results").glob("*/two*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    here = made(project)
    for name in ("results", ".snakemake"):
        shutil.rmtree(project.folder / name)
    # Each prediction with the GPU, of which the cluster has one.
    done = on_cluster(project, "--jobs=2", "--set-resources", "predict:gpu=1")
    return Both(project, here, made(project), submitted(done))


def on_cluster(project: Project, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return project.snakemake(*PROFILE, *arguments, check=check)


def submitted(done: subprocess.CompletedProcess[str]) -> int:
    return done.stderr.count("has been submitted with SLURM jobid")


def made(project: Project) -> dict[str, bytes]:
    """Return the bytes of everything that must not depend on where it was made."""
    found = {}
    for path in sorted((project.folder / "results").rglob("*")):
        name = str(path.relative_to(project.folder))
        if not path.is_file() or (
            name.startswith(("results/logs", "results/studies")) and path.suffix != ".parquet"
        ):
            continue
        # Where the user's own data lie is different in each copy.
        if name.endswith((".run.json", ".snakemake_timestamp", "/timing.parquet", "/in_place.json")) or (
            name.startswith("results/.leaves")
        ):
            continue
        found[name] = path.read_bytes()
    return found


def test_stores_and_tables_are_the_same_bytes_as_on_one_machine(both: Both) -> None:
    assert list(both.here) == list(both.there)
    assert [name for name in both.here if both.here[name] != both.there[name]] == []
    assert any(name.endswith("frames.parquet") for name in both.here)
    assert both.project.jobs(*PROFILE) == set()


def test_small_jobs_are_sent_as_one(both: Both) -> None:
    """A store, two predictions, one job of two fits and two scores, the summary and the report."""
    assert both.submitted == 6


def test_the_gpu_is_given_to_one_job_at_a_time(both: Both) -> None:
    spans = []
    for path in (both.project.folder / "results" / "predictions").rglob("*.run.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        began = time.mktime(time.strptime(record["began"], "%Y-%m-%dT%H:%M:%SZ"))
        spans.append((began, began + record["seconds"]))
    first, second = sorted(spans)
    # Beginnings are in whole seconds.
    assert first[1] <= second[0] + 1


def test_adding_a_model_submits_that_models_jobs_alone(both: Both, tmp_path: Path) -> None:
    project = both.project.copy(tmp_path / "project")
    add_models(project, "again")
    fits = {f"{rule}(one, again)" for rule in ("align", "score")}
    jobs = project.jobs()
    assert jobs == {"predict(one, again)", "summarise(small)", "report(small)", *fits}, project.command(
        "explain"
    ).stdout
    done = on_cluster(project, "--jobs=2", "--until", "predict")
    assert submitted(done) == 1


def test_what_goes_wrong_on_a_cluster_is_tried_again_or_reported(both: Both, tmp_path: Path) -> None:
    """Over memory, over time, on a node that dies: tried again. Cancelled every time: reported; the rest is done."""
    project = both.project.copy(tmp_path / "project")
    add_models(project, *ADDED)
    (project.folder / "faults").mkdir()
    for model, times in ADDED.items():
        (project.folder / "faults" / model).write_text(str(times))
    jobs = project.folder / "workflow_scripts" / "scopedepth" / "job" / "run.py"
    text = jobs.read_text(encoding="utf-8")
    assert "    began = time.time()\n" in text
    jobs.write_text(
        text.replace("    began = time.time()\n", "    began = time.time()\n    _misbehave(log)\n") + FAULTS
    )

    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "snakemake",
            "--cores=2",
            "--nocolor",
            *PROFILE,
            "--jobs=4",
            "--retries=1",
            "--until=predict",
            "--set-resources",
            f"predict:constraint={STRANDED_ALONE}",
        ],
        cwd=project.folder,
        env=project.environment(),
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(process.communicate)
        while process.poll() is None:
            make_mischief(project)
            time.sleep(0.3)
        said = reading.result()[1]
    subprocess.run([CLUSTER, "node", "scope1"], check=True)

    assert process.returncode != 0, said[-3000:]
    # Over memory is FAILED here, where memory is sampled; with control groups it is OUT_OF_MEMORY.
    for status in ("FAILED", "TIMEOUT", "NODE_FAIL", "CANCELLED"):
        assert f"'{status}'" in said, f"{status} is not in:\n{said[-6000:]}"
    logs = project.folder / "results" / "logs" / "slurm"
    assert any("exceeded" in path.read_text().lower() for path in logs.rglob("*hungry*/*.log"))
    # Twice as much memory was asked for at the second attempt.
    asked = [int(found) for found in re.findall(r"mem_mb=(\d+)", said)]
    assert max(asked) == 2 * min(asked)
    stores = project.folder / "results" / "predictions" / "one"
    assert {path.stem for path in stores.glob("*.zarr")} == {
        "constant",
        "brightness",
        "hungry",
        "slow",
        "stranded",
    }
    assert "failed: cancelled on one: " in said

    # The next command completes it.
    done = on_cluster(project, "--jobs=2", "--until=predict")
    assert submitted(done) == 1
    for model in ADDED:
        assert chunks(stores / f"{model}.zarr") == chunks(stores / "constant.zarr")


def make_mischief(project: Project) -> None:
    """Do to the running jobs what their models' names say, once they are asleep."""
    for job, node, model in running_jobs():
        asleep = project.folder / "faults" / f"{model}.asleep"
        if not asleep.exists():
            continue
        asleep.unlink()
        if model == "slow":
            # SLURM counts limits in minutes: its end is moved nearer instead.
            subprocess.run(["scontrol", "update", f"JobId={job}", "EndTime=now+1"], check=True)
        elif model == "cancelled":
            subprocess.run(["scancel", job], check=True)
        elif model == "stranded":
            kill_node(node)


def running_jobs() -> list[tuple[str, str, str]]:
    """Return the number, node and model of each prediction that runs on the cluster."""
    listed = subprocess.run(
        ["squeue", "--noheader", "--states=R", "--format=%i|%N|%k"],
        capture_output=True,
        text=True,
        check=False,
    )
    rows = [line.split("|") for line in listed.stdout.splitlines()]
    return [(job, node, comment.rpartition("_")[2]) for job, node, comment in rows]


def kill_node(node: str) -> None:
    """End a node's daemon and all that runs under it, as a loss of power does."""
    daemon = int(Path("/var/spool/scopedepth-slurm", f"{node}.pid").read_text())
    parents, commands = processes()
    steps = [
        pid for pid, command in commands.items() if command.startswith("slurmstepd: [") and on_node(pid, node)
    ]
    doomed = [daemon, *steps]
    for pid in doomed:
        doomed += [child for child, parent in parents.items() if parent == pid]
    for pid in doomed:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def processes() -> tuple[dict[int, int], dict[int, str]]:
    """Return each process's parent and command line."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return {int(row[0]): int(row[1]) for row in rows}, {int(row[0]): row[2] for row in rows}


def on_node(step: int, node: str) -> bool:
    """Tell whether the job step's process `step` runs on `node`."""
    job = re.search(r"\[(\d+)\.", Path(f"/proc/{step}/cmdline").read_text())
    return job is not None and (job[1], node) in {(number, place) for number, place, _ in running_jobs()}


def add_models(project: Project, *names: str) -> None:
    config = project.read_config()
    for name in names:
        config["models"][name] = copy.deepcopy(config["models"]["constant"])
    config["studies"]["small"]["models"] += names
    project.write_config(config)


def chunks(store: Path) -> dict[str, bytes]:
    """Return a store's numbers; its attributes name the model."""
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("c/*") if path.is_file()}
