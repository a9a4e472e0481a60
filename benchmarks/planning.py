"""How long Snakemake thinks before a large study starts, and with how much memory: dry runs of made-up studies.

    python benchmarks/planning.py                        the table, as Markdown
    python benchmarks/planning.py --plot docs/images/planning.svg
    python benchmarks/planning.py --units 25                one size, for a look

Processor seconds are counted beside seconds by the clock: the former do not depend on what else runs. "Bare" is a
Snakefile of as many jobs with one input and one output each, and nothing else: what Snakemake itself takes. Each
copy of the project plans one small study before: Python compiles its modules and digests of the code are kept then.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from project import Project  # noqa: E402

BARE = """
N = {jobs}
rule all:
    input: expand("out/{{i}}", i=range(N))
rule one:
    output: "mid/{{i}}"
    shell: "touch {{output}}"
rule two:
    input: "mid/{{i}}"
    output: "out/{{i}}"
    shell: "touch {{output}}"
"""
# Units, models and protocols. The last one is a study of 10,000 units.
SHAPES = ((1, 20, 10), (5, 20, 10), (25, 20, 10), (50, 20, 10), (100, 20, 10), (10_000, 1, 1))


@dataclass(frozen=True)
class Measured:
    """One dry run."""

    jobs: int
    seconds: float
    cpu_seconds: float
    megabytes: float


def configuration(units: int, models: int, protocols: int) -> dict[str, Any]:
    """Return a study of that shape, of which nothing has been made."""
    names = [f"model_{number}" for number in range(models)]
    ways = [f"protocol_{number}" for number in range(protocols)]
    return {
        "study": "large",
        "studies": {
            "large": {
                "datasets": ["videos"],
                "models": names,
                "protocols": ways,
                "headline": {"protocol": ways[0], "metric": "abs_rel"},
            }
        },
        "datasets": {
            "videos": {
                "loader": "folder",
                "source": {"kind": "url", "files": [{"url": "https://example.org/videos.zip"}]},
                "split": "sequence",
                "sequences": [f"video_{number:05d}" for number in range(units)],
            }
        },
        "models": {
            name: {
                "family": "transformers",
                "weights": {"kind": "hub", "repo": f"owner/{name}", "revision": "0" * 40},
                "output": {"kind": "disparity"},
            }
            for name in names
        },
        "protocols": {
            name: {"title": name, "alignment": {"method": "median", "scope": "frame"}} for name in ways
        },
    }


def dry_run(folder: Path, jobs: int, environment: dict[str, str]) -> Measured:
    """Plan the workflow in `folder` and return what that took."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "all", "--cores", "2", "all"]
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the dry run in {folder} failed; run it there by hand: {' '.join(command)}")
    return Measured(jobs, time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def plan(units: int, models: int, protocols: int) -> tuple[Measured, Measured]:
    """Return what planning a study took, and what a bare Snakefile of as many jobs takes."""
    # A unit is prepared and predicted by each model, and each prediction fitted and scored under all protocols.
    jobs = 1 + units + models + 3 * units * models + 2
    with tempfile.TemporaryDirectory() as scratch:
        project = Project.create(Path(scratch, "study"), configuration(1, 1, 1))
        dry_run(project.folder, 1, project.environment())
        project.write_config(configuration(units, models, protocols))
        ours = dry_run(project.folder, jobs, project.environment())
        bare = Path(scratch, "bare")
        bare.mkdir()
        (bare / "Snakefile").write_text(BARE.format(jobs=jobs // 2), encoding="utf-8")
        shutil.copytree(project.folder / "profiles", bare / "profiles")
        return ours, dry_run(bare, jobs, dict(os.environ))


def as_table(measured: list[tuple[tuple[int, int, int], Measured, Measured]]) -> str:
    lines = [
        "| units x models x protocols | jobs | seconds | processor seconds | memory, MB | bare: processor seconds "
        "| memory, MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for shape, ours, bare in measured:
        study = " x ".join(f"{number:,}" for number in shape)
        took = f"{ours.seconds:.0f} | {ours.cpu_seconds:.1f} | {ours.megabytes:.0f}"
        lines.append(f"| {study} | {ours.jobs:,} | {took} | {bare.cpu_seconds:.1f} | {bare.megabytes:.0f} |")
    return "\n".join(lines)


def plot(measured: list[tuple[tuple[int, int, int], Measured, Measured]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "planning"
    import matplotlib.pyplot as plt

    rows = sorted(((row[1], row[2]) for row in measured), key=lambda pair: pair[0].jobs)
    jobs = [ours.jobs for ours, _ in rows]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axis, field, title in (
        (axes[0], "cpu_seconds", "processor seconds"),
        (axes[1], "megabytes", "memory, MB"),
    ):
        axis.plot(jobs, [getattr(ours, field) for ours, _ in rows], "o-", label="a study", color="#1f5fa8")
        axis.plot(
            jobs, [getattr(bare, field) for _, bare in rows], "s--", label="bare Snakefile", color="#767676"
        )
        axis.set(xlabel="jobs", title=title, xscale="log", yscale="log")
        axis.grid(True, which="both", alpha=0.2)
    axes[0].legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--units", type=int, help="one shape only: so many units")
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--protocols", type=int, default=10)
    parser.add_argument("--plot", type=Path, help="SVG to write")
    options = parser.parse_args()
    shapes = SHAPES if options.units is None else ((options.units, options.models, options.protocols),)
    measured = []
    for shape in shapes:
        measured.append((shape, *plan(*shape)))
        print(measured[-1], file=sys.stderr, flush=True)
    print(as_table(measured))
    if options.plot:
        plot(measured, options.plot)


if __name__ == "__main__":
    main()
