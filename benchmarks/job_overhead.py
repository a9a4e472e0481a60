"""What a job costs before and after its own work: under Snakemake alone, through SLURM, and grouped through SLURM.

    python benchmarks/job_overhead.py            on this machine
    python benchmarks/job_overhead.py --slurm    also through the test cluster of tests/slurm (root on Debian)

Every Python process writes down, as it ends, how much processor time it took. A job's own work is the trivial
baseline on three frames of 24 x 32: next to nothing, so that what is counted is what surrounds it.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from project import Project  # noqa: E402

MODELS = 10
# Loaded by every Python process that has its folder on PYTHONPATH.
HOOK = """
import atexit, json, os, sys, time

def note(began=time.time()):
    used = os.times()
    argv = " ".join(sys.argv)
    kind = "script" if ".snakemake/scripts" in argv else "head"
    if "--target-jobs" in argv:
        kind = "jobstep" if "slurm-jobstep" in argv else "inner"
    line = {"kind": kind, "cpu": used.user + used.system, "seconds": time.time() - began}
    with open(os.environ["PROCESS_NOTES"], "a") as file:
        file.write(json.dumps(line) + "\\n")

atexit.register(note)
"""
SLURM = (
    "--profile=profiles/slurm",
    "--slurm-no-account",
    "--slurm-status-command=squeue",
    "--slurm-init-seconds-before-status-checks=2",
    "--seconds-between-status-checks=2",
    "--jobs=2",
)


def run(project: Project, notes: Path, *arguments: str) -> dict[str, list[dict[str, float]]]:
    """Run Snakemake and return what each of its processes noted, by kind."""
    notes.unlink(missing_ok=True)
    hook = notes.parent / "hook"
    hook.mkdir(exist_ok=True)
    (hook / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
    environment = project.environment()
    environment["PYTHONPATH"] += f"{os.pathsep}{hook}"
    environment["PROCESS_NOTES"] = str(notes)
    command = [sys.executable, "-m", "snakemake", "--cores=1", "--quiet", "all", *arguments]
    began = time.monotonic()
    subprocess.run(command, cwd=project.folder, env=environment, check=True, capture_output=True)
    found: dict[str, list[dict[str, float]]] = {"all": [{"cpu": 0.0, "seconds": time.monotonic() - began}]}
    for line in notes.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        found.setdefault(entry["kind"], []).append(entry)
    return found


def cpu(found: dict[str, list[dict[str, float]]], kind: str) -> float:
    """Return the processor seconds of all processes of a kind."""
    return sum(entry["cpu"] for entry in found.get(kind, []))


def report(title: str, found: dict[str, list[dict[str, float]]], jobs: int, idle: float) -> None:
    """Print processor seconds a job; `idle` is what Snakemake takes before the first of them."""
    head = (cpu(found, "head") - idle) / jobs
    print(f"\n{title}: {jobs} jobs in {found['all'][0]['seconds']:.0f} s")
    print(f"  snakemake that plans       {head:6.2f} s of a processor a job, after {idle:.1f} s once")
    for kind, said in (
        ("jobstep", "snakemake in the job"),
        ("inner", "snakemake in the job's step"),
        ("script", "the script, with imports"),
    ):
        if kind in found:
            middle = statistics.median(entry["cpu"] for entry in found[kind])
            print(f"  {said:26s} {middle:6.2f} s each, {len(found[kind])} of them")
    total = sum(cpu(found, kind) for kind in ("head", "jobstep", "inner", "script")) - idle
    print(f"  together                   {total / jobs:6.2f} s of a processor a job")


def many_models(project: Project) -> None:
    config = project.read_config()
    names = [f"constant_{number}" for number in range(MODELS)]
    config["models"] = {name: copy.deepcopy(config["models"]["constant"]) for name in names}
    config["studies"]["small"].update(models=names, datasets=["two"], protocols=["median_depth"])
    project.write_config(config)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slurm", action="store_true", help="also through the test cluster")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        project = Project.create(Path(scratch, "project"))
        many_models(project)
        project.snakemake("--until", "prepare")
        notes = Path(scratch, "notes")
        idle = cpu(run(project, notes, "--dry-run"), "head")
        there = project.copy(Path(scratch, "there"))
        report("Here", run(project, notes, "--until", "predict"), MODELS, idle)
        # Compiled kernels are kept: the first one of a machine compiles them.
        project.snakemake("--until", "score")
        if not options.slurm:
            return
        cluster = ROOT / "tests" / "slurm" / "cluster.sh"
        subprocess.run([cluster, "start"], check=True)
        try:
            report("SLURM, a job each", run(there, notes, *SLURM, "--until", "predict"), MODELS, idle)
            report(
                "SLURM, fits and scores grouped",
                run(there, notes, *SLURM, "--until", "score"),
                2 * MODELS,
                idle,
            )
        finally:
            subprocess.run([cluster, "stop"], check=True)


if __name__ == "__main__":
    main()
