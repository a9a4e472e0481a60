"""Snakemake in a fork of a process that has imported it once: imports are more than half of a dry run.

The tests start it hundreds of times. Where the start itself is what is tested, they start it as users do.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FORKS = multiprocessing.get_context("forkserver")
# Not the library: each project has a copy of its own.
FORKS.set_forkserver_preload(
    ["snakemake.cli", "snakemake.scheduling.job_scheduler", "snakemake_executor_plugin_slurm"]
)


def _be_snakemake(
    folder: Path, environment: Mapping[str, str], arguments: Sequence[str], output: Sequence[str]
) -> None:
    """Do what `python -m snakemake` does in a folder and an environment."""
    from snakemake.cli import main
    from snakemake.workflow import Workflow

    # It took this from the folder of the process that imported it.
    Workflow._rundir = str(folder)
    assert not any(name.partition(".")[0] == "scopedepth" for name in sys.modules)
    for standard, path in zip((1, 2), output, strict=True):
        os.dup2(os.open(path, os.O_WRONLY), standard)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # As Python begins: the folder, what the environment names, the libraries. Not what the tests have put before them.
    named = [place for place in environment.get("PYTHONPATH", "").split(os.pathsep) if place]
    ours = {str(ROOT), str(ROOT / "tests"), str(ROOT / "workflow_scripts")}
    sys.path[:] = [str(folder), *named, *(place for place in sys.path if place not in ours)]
    sys.argv[:] = ["snakemake", *arguments]
    main(list(arguments))


def run_snakemake(
    folder: Path, environment: Mapping[str, str], arguments: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in `folder` to its end; returns what it said and its exit status."""
    with tempfile.TemporaryDirectory() as scratch:
        output = [os.path.join(scratch, name) for name in ("out", "err")]
        for path in output:
            Path(path).touch()
        process = FORKS.Process(
            target=_be_snakemake, args=(folder, dict(environment), list(arguments), output)
        )
        process.start()
        process.join()
        out, err = (Path(path).read_text(encoding="utf-8", errors="replace") for path in output)
    assert process.exitcode is not None
    return subprocess.CompletedProcess(["snakemake", *arguments], process.exitcode, out, err)
