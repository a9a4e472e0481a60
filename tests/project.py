"""A small copy of the project that tests can run, edit and break: two datasets of tiny frames, two models."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from warm_snakemake import run_snakemake

ROOT = Path(__file__).resolve().parent.parent
CODE = ("Snakefile", "rules", "workflow_scripts", "profiles", "envs", "schemas")

CONFIG: dict[str, Any] = {
    "study": "small",
    "studies": {
        "small": {
            "datasets": ["one", "two"],
            "models": ["constant", "brightness"],
            "protocols": ["median_depth", "sequence_scale"],
            "headline": {"protocol": "median_depth", "metric": "abs_rel"},
            "bootstrap": {"replicates": 100},
        }
    },
    "datasets": {
        name: {
            "loader": "folder",
            "source": {"kind": "path", "path": f"data/{name}"},
            "depth": {"unit": "mm", "scale": 0.5, "origin": "rendered"},
        }
        for name in ("one", "two")
    },
    "models": {
        name: {"family": "baseline", "output": {"kind": "depth"}, "options": {"kind": name}}
        for name in ("constant", "brightness")
    },
    "protocols": {
        "median_depth": {"title": "ratio of medians", "alignment": {"method": "median", "scope": "frame"}},
        "sequence_scale": {
            "title": "one factor a video",
            "alignment": {"method": "median", "scope": "sequence"},
        },
    },
}


def write_frames(folder: Path, sequences: tuple[str, ...], frames: int = 3, seed: int = 0) -> None:
    """Write small images whose brightness follows their depth, in the layout of the loader `folder`."""
    import cv2

    random = np.random.default_rng(seed)
    for sequence in sequences:
        for part in ("rgb", "depth"):
            (folder / sequence / part).mkdir(parents=True, exist_ok=True)
        for frame in range(frames):
            depth = random.uniform(20, 100, (24, 32))
            grey = np.clip(255 * (20 / depth) ** 2 + random.normal(0, 2, depth.shape), 1, 255)
            cv2.imwrite(
                str(folder / sequence / "rgb" / f"{frame:04d}.png"), np.dstack([grey] * 3).astype(np.uint8)
            )
            cv2.imwrite(str(folder / sequence / "depth" / f"{frame:04d}.png"), (2 * depth).astype(np.uint16))


def write_video(path: Path, frames: int = 3) -> None:
    """Write a video of small bright frames."""
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (32, 24))
    random = np.random.default_rng(0)
    for _ in range(frames):
        writer.write(random.integers(60, 220, (24, 32, 3), dtype=np.uint8))
    writer.release()


class Project:
    """A folder with the workflow's code, a configuration and data, in which Snakemake can be run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, folder: Path, config: dict[str, Any] | None = None) -> Project:
        """Copy the code into `folder`; without `config`, write the small study with its data."""
        folder.mkdir(parents=True)
        for name in CODE:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(
                    source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
                )
            else:
                shutil.copy2(source, folder / name)
        project = cls(folder)
        project.write_config(config if config is not None else CONFIG)
        if config is None:
            write_frames(folder / "data" / "one", ("left", "right"))
            write_frames(folder / "data" / "two", ("only",), seed=1)
        return project

    def copy(self, folder: Path) -> Project:
        """Return a copy with everything in it, results and Snakemake's own records included."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)

    def write_config(self, config: dict[str, Any]) -> None:
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    def read_config(self) -> dict[str, Any]:
        return yaml.safe_load((self.folder / "config.yaml").read_text(encoding="utf-8"))

    def snakemake(
        self, *arguments: str, cores: int = 2, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in the project; with `check`, a failure shows what was said."""
        done = run_snakemake(
            self.folder, self.environment(), ["--cores", str(cores), "--nocolor", *arguments]
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"{' '.join(arguments)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
            )
        return done

    def start(self, *arguments: str, cores: int = 2) -> subprocess.Popen[bytes]:
        """Start Snakemake in the project, in a process group of its own, and do not wait for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", str(cores), "--nocolor", *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command `scopedepth` in the project."""
        return self._python("-m", "scopedepth.cli", *arguments)

    def python(self, program: str) -> str:
        """Run a few lines of Python with the project's library and return what they print."""
        done = self._python("-c", program)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env=self.environment(),
        )

    def environment(self) -> dict[str, str]:
        # The project's own copy of the library.
        return {**os.environ, "PYTHONPATH": str(self.folder / "workflow_scripts")}

    def jobs(self, *arguments: str) -> set[str]:
        """Return the jobs that a dry run would start, as ``rule(wildcard values)``."""
        return parse_jobs(self.snakemake("--dry-run", *arguments).stdout)


def parse_jobs(dry_run: str) -> set[str]:
    """Return the jobs named in the output of a dry run; the target rule `all` is left out."""
    found = set()
    # A rule's line is followed by its details, indented, until the next rule.
    for block in re.split(r"^(?=(?:local)?rule \w+:$)", dry_run, flags=re.MULTILINE):
        rule = re.match(r"(?:local)?rule (\w+):$", block, re.MULTILINE)
        if rule is None or rule[1] == "all":
            continue
        wildcards = re.search(r"^ +wildcards: (.*)$", block, re.MULTILINE)
        values = [part.split("=", 1)[1] for part in wildcards[1].split(", ")] if wildcards else []
        found.add(f"{rule[1]}({', '.join(values)})")
    return found
