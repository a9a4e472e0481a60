"""Random operations on a tiny study: edits, replacements, failures, kills, copies, restored backups.

After each operation the study is run until nothing is left to do, and then every table and store must be, byte for
byte, that of a fresh run of the same configuration and data. Jobs are the rules' own scripts, run in this process by a
small engine that does what Snakemake does with outputs: it deletes them before a job and after one that failed, and
goes on with what does not depend on it. What would run, `MadeFrom` says. tests/test_operations.py holds this engine's
choice against Snakemake's.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from project import ROOT, write_frames
from scopedepth.config.load import select_study
from scopedepth.job.manifest import digest_tree
from scopedepth.prediction import predict
from scopedepth.study.layout import Job, job_at
from scopedepth.study.made_from import MadeFrom
from scopedepth.study.plan import Plan

SCRIPTS = ROOT / "workflow_scripts"
SCRIPT_OF = {"time": "measure_time"}
# A report takes longer than all the rest of so small a study; its tables say what it shows.
LEFT_OUT = ("report",)

CONFIG: dict[str, Any] = {
    "study": "small",
    "studies": {
        name: {
            "datasets": ["one", "two"],
            "models": models,
            "protocols": ["median_depth", "sequence_scale"],
            "headline": {"protocol": "median_depth", "metric": "abs_rel"},
            "bootstrap": {"replicates": 100},
        }
        for name, models in (("small", ["brightness", "net"]), ("other", ["constant", "net"]))
    },
    "datasets": {
        name: {
            "loader": "folder",
            "source": {"kind": "path", "path": f"data/{name}"},
            "depth": {"unit": "mm", "scale": 0.5, "origin": "rendered"},
            "max_bad_frames": 0.0,
        }
        for name in ("one", "two")
    },
    "models": {
        "constant": {"family": "baseline", "output": {"kind": "depth"}, "options": {"kind": "constant"}},
        "brightness": {"family": "baseline", "output": {"kind": "depth"}, "options": {"kind": "brightness"}},
        "net": {
            "family": "python",
            "weights": {"kind": "path", "path": "weights/net"},
            "output": {"kind": "depth"},
            "options": {"code": "net.py:Net"},
        },
    },
    "protocols": {
        "median_depth": {
            "title": "ratio of medians",
            "alignment": {"method": "median", "scope": "frame"},
            "metrics": ["abs_rel", "delta1"],
        },
        "sequence_scale": {
            "title": "one factor a video",
            "alignment": {"method": "median", "scope": "sequence"},
            "metrics": ["abs_rel"],
        },
    },
}
CONFIG["datasets"]["two"]["frames"] = {"list": "lists/two.txt"}

NET = """
import numpy as np


class Net:
    def __init__(self, weights, device, options):
        self.power = float((weights / "power.txt").read_text())

    def predict(self, frames):
        return np.maximum(frames.mean(axis=3), 1.0).astype(np.float32) ** np.float32(-self.power)
"""


def make_study(folder: Path) -> None:
    """Write the tiny study's data, weights and list below `folder`."""
    write_frames(folder / "data" / "one", ("left", "right"), frames=2)
    write_frames(folder / "data" / "two", ("only",), frames=3, seed=1)
    (folder / "weights" / "net").mkdir(parents=True)
    (folder / "weights" / "net" / "net.py").write_text(NET)
    (folder / "weights" / "net" / "power.txt").write_text("0.50")
    (folder / "lists").mkdir()
    (folder / "lists" / "two.txt").write_text("only 0000\nonly 0001\n")


class Killed(BaseException):
    """What a kill is in this engine: nothing is tidied up."""


@dataclass
class Study:
    """A tiny study in a folder, with the configuration as it is now."""

    folder: Path
    config: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(CONFIG))
    ran: list[Job] = field(default_factory=list)

    def plan(self) -> Plan:
        return Plan(select_study(self.config), SCRIPTS)

    @contextmanager
    def here(self) -> Iterator[None]:
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            yield
        finally:
            os.chdir(before)

    def runs(self) -> dict[Job, str]:
        """Return what a run would start."""
        with self.here():
            found = MadeFrom(self.plan()).runs()
        return {job: why for job, why in found.items() if job.rule not in LEFT_OUT}

    def run(self, trouble: tuple[str, str] | None = None) -> bool:
        """Run what `runs` says. `trouble`: (rule, "fail" or "kill") meets the first job of that rule.

        Returns whether every job ended well.
        """
        waiting = self.runs()
        failed: set[Job] = set()
        with self.here():
            plan = self.plan()
            for parts in together(waiting):
                job = parts[0]
                whole = plan.parts(job.rule, job.wildcards)
                if any(needed in failed for part in whole for needed in plan.needed_by(part)):
                    failed.update(parts)
                    continue
                kept = {path: path.read_bytes() for path in files_of(whole) if path.exists()}
                if not job.stage.each:
                    delete(job)
                hit = trouble is not None and job.rule == trouble[0]
                self.ran += parts
                try:
                    well = run_job(job, plan, trouble[1] if hit and trouble else None)
                except Killed:
                    return False
                if hit:
                    trouble = None
                if not well:
                    for part in whole:
                        delete(part)
                    for path, content in kept.items():
                        path.write_bytes(content)
                    failed.update(parts)
        return not failed

    def settle(self, most: int = 4) -> int:
        """Run until nothing is left to do; returns how many runs it took. More than `most` is an error."""
        for count in range(most):
            if not self.runs():
                return count
            self.run()
        assert not self.runs(), f"still to do after {most} runs: {self.runs()}"
        return most

    def content(self) -> dict[str, str]:
        """Return a digest of every table and store of the study."""
        found = {}
        with self.here():
            for job in self.plan().jobs():
                if job.rule in LEFT_OUT:
                    continue
                for name, path in job.outputs().items():
                    if name == "store":
                        found[str(path)] = digest_tree(path)
                    elif path.suffix == ".parquet":
                        found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def state(self) -> str:
        """Return a digest of all that the study is made from."""
        digest = hashlib.sha256(json.dumps(self.config, sort_keys=True).encode())
        for name in ("data", "weights", "lists"):
            digest.update(digest_tree(self.folder / name).encode())
        return digest.hexdigest()


def together(jobs: Iterable[Job]) -> list[list[Job]]:
    """Return jobs in the same order, those that are parts of one job of Snakemake's in one list."""
    found: dict[tuple[str, ...], list[Job]] = {}
    for job in jobs:
        found.setdefault(job.whole, []).append(job)
    return list(found.values())


def files_of(jobs: list[Job]) -> list[Path]:
    """Return the files that Snakemake keeps for a job that runs in parts, and puts back if it fails."""
    return [path for job in jobs if job.stage.each for path in job.outputs().values()]


def delete(job: Job) -> None:
    """Delete a job's outputs, as Snakemake does before it starts a job and after one that failed."""
    for path in job.outputs().values():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def run_job(job: Job, plan: Plan, trouble: str | None) -> bool:
    """Run a rule's own script for one job, all of its parts; returns whether it ended well."""
    made_from = MadeFrom(plan, planning=False)
    named = job.named
    whole = plan.parts(job.rule, job.wildcards)
    inputs = Named(
        {
            name: found(job.wildcards)
            if callable(found)
            else [path.format(**named) for path in found]
            if isinstance(found, list)
            else found.format(**named)
            for name, found in plan.inputs(job.rule).items()
        }
    )
    outputs = Named({name: str(path) for name, path in job.outputs().items()})
    params: dict[str, Any] = {"made_from": made_from.param(job.rule)(job.wildcards)}
    if job.stage.each:
        outputs = Named({name: [str(part.path(name)) for part in whole] for name in job.stage.makes})
        params["parts"] = made_from.parts(job.rule)(job.wildcards, inputs)
    for path in outputs:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    text = (SCRIPTS / f"{SCRIPT_OF.get(job.rule, job.rule)}.py").read_text(encoding="utf-8")
    given = SimpleNamespace(
        input=inputs,
        output=outputs,
        params=SimpleNamespace(**params, units=list(plan.study.units)),
        rule=job.rule,
        wildcards=Named({name: job.named[name] for name in job.stage.job_wildcards}),
        log=[str(job.log())],
        threads=1,
        resources={},
        config={
            "datasets": plan.study.datasets,
            "models": plan.study.models,
            "execution": plan.study.execution,
        },
    )
    finders = list(sys.meta_path)
    try:
        with (
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
            # A store tells which libraries its job had loaded; in this one process that depends on what ran before.
            patch.object(predict, "library_versions", dict),
        ):
            exec(compile(text, job.rule, "exec"), {"snakemake": given, "__name__": "__main__"})
            if trouble == "fail":
                return False
    except SystemExit as error:
        return not error.code
    finally:
        sys.meta_path[:] = finders
    if trouble == "kill":
        # Killed before its record was written, or with half of what it made.
        outputs_there = [Path(path) for path in outputs if Path(path).exists()]
        lost = [path for path in outputs_there if path.name.endswith(".run.json")] + outputs_there[:1]
        for gone in lost:
            shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
        raise Killed
    return True


class Named(list[str]):
    """A list of paths, some of them by name, as Snakemake's inputs and outputs are."""

    def __init__(self, names: dict[str, str | list[str]]) -> None:
        super().__init__()
        for name, paths in names.items():
            self += [paths] if isinstance(paths, str) else paths
            setattr(self, name, paths)

    def __getitem__(self, key: Any) -> Any:
        return getattr(self, key) if isinstance(key, str) else super().__getitem__(key)

    def items(self) -> Iterator[tuple[str, str]]:
        return iter({k: v for k, v in self.__dict__.items() if isinstance(v, str)}.items())


# Operations. Each is done to a study; some name the rules that must not run for it.

Operation = Callable[[Study, random.Random], "str | None"]
OPERATIONS: dict[str, Operation] = {}
# What an operation must leave alone.
SPARES: dict[str, tuple[str, ...]] = {}
EVERYTHING = ("fetch_dataset", "fetch_weights", "prepare", "predict", "align", "score", "summarise")


def operation(*spares: str) -> Callable[[Operation], Operation]:
    def register(function: Operation) -> Operation:
        OPERATIONS[function.__name__] = function
        SPARES[function.__name__] = spares
        return function

    return register


def a_file(study: Study, chance: random.Random, pattern: str) -> Path:
    return chance.choice(sorted(study.folder.glob(pattern)))


@operation("fetch_dataset", "fetch_weights", "prepare", "predict")
def edit_a_protocol(study: Study, chance: random.Random) -> None:
    spec = study.config["protocols"][chance.choice(["median_depth", "sequence_scale"])]
    if chance.random() < 0.5:
        spec["depth_range"] = {"max": chance.choice([60, 80, 90])}
    else:
        spec["metrics"] = chance.choice([["abs_rel"], ["abs_rel", "rmse"], ["abs_rel", "delta1"]])


@operation("fetch_dataset", "fetch_weights", "prepare")
def edit_a_model(study: Study, chance: random.Random) -> None:
    study.config["models"]["brightness"]["options"]["exponent"] = chance.choice([0.4, 0.5, 0.6])


@operation("fetch_dataset", "fetch_weights")
def edit_a_dataset(study: Study, chance: random.Random) -> None:
    study.config["datasets"][chance.choice(["one", "two"])]["depth"]["scale"] = chance.choice([0.5, 0.4])


@operation("fetch_dataset", "fetch_weights", "prepare", "predict", "align", "score")
def state_an_error(study: Study, chance: random.Random) -> None:
    error = chance.choice([None, {"depth": {"sigma": chance.choice([0.5, 1]), "source": "made up"}}])
    study.config["datasets"][chance.choice(["one", "two"])]["reference_error"] = error


@operation("fetch_dataset", "fetch_weights", "prepare", "predict", "align", "score")
def edit_the_study(study: Study, chance: random.Random) -> None:
    study.config["studies"][study.config["study"]]["metrics"] = chance.choice([None, ["abs_rel"]])


@operation(*EVERYTHING)
def edit_words(study: Study, chance: random.Random) -> None:
    study.config["models"]["net"]["title"] = f"Net {chance.random()}"
    study.config["protocols"]["median_depth"]["title"] = f"Median {chance.random()}"


@operation("fetch_weights")
def switch_studies(study: Study, chance: random.Random) -> None:
    study.config["study"] = "other" if study.config["study"] == "small" else "small"


def replace(path: Path, content: bytes, how: str) -> None:
    """Put other bytes into a file: newer, with an older time, in place with the times it had, or as another file."""
    before = path.stat()
    if how == "in place, times kept":
        with path.open("r+b") as file:
            file.write(content)
            file.truncate()
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return
    beside = path.with_name("beside.tmp")
    beside.write_bytes(content)
    beside.replace(path)
    if how == "older":
        os.utime(path, (before.st_atime - 10**6, before.st_mtime - 10**6))


HOW = ("newer", "older", "in place, times kept", "in place, times kept")


@operation()
def replace_an_image_or_depth(study: Study, chance: random.Random) -> None:
    import cv2

    path = a_file(study, chance, "data/*/*/*/*.png")
    pixels: Any = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    pixels[chance.randrange(24), chance.randrange(32)] += chance.randrange(1, 60)
    replace(path, cv2.imencode(".png", pixels)[1].tobytes(), chance.choice(HOW))


@operation("fetch_dataset", "prepare")
def replace_weights(study: Study, chance: random.Random) -> None:
    text = f"0.{chance.randrange(30, 70)}"  # always of one size
    replace(study.folder / "weights/net/power.txt", text.encode(), chance.choice(HOW))


@operation()
def add_or_remove_a_frame(study: Study, chance: random.Random) -> None:
    rgb = a_file(study, chance, "data/one/*/rgb/*.png")
    depth = rgb.parent.parent / "depth" / rgb.name
    if len(list(rgb.parent.iterdir())) > 2:
        rgb.unlink()
        depth.unlink()
    else:
        name = f"{chance.randrange(5000, 9000)}.png"
        shutil.copy2(rgb, rgb.with_name(name))
        shutil.copy2(depth, depth.with_name(name))


@operation()
def rename_a_frame(study: Study, chance: random.Random) -> None:
    rgb = a_file(study, chance, "data/one/*/rgb/*.png")
    depth = rgb.parent.parent / "depth" / rgb.name
    name = f"{chance.randrange(100, 4000):04d}.png"
    rgb.rename(rgb.with_name(name))
    depth.rename(depth.with_name(name))


@operation("fetch_dataset", "fetch_weights")
def edit_the_list(study: Study, chance: random.Random) -> None:
    frames = chance.sample(["0000", "0001", "0002"], chance.choice([1, 2, 3]))
    text = "".join(f"only {frame}\n" for frame in sorted(frames))
    replace(study.folder / "lists/two.txt", text.encode(), chance.choice(HOW))


@operation(*EVERYTHING)
def write_a_readme(study: Study, chance: random.Random) -> None:
    (study.folder / "data/one/readme.txt").write_text(str(chance.random()))
    (study.folder / "weights/net/__pycache__").mkdir(exist_ok=True)
    (study.folder / "weights/net/__pycache__/net.cpython-399.pyc").write_text(str(chance.random()))


@operation(*EVERYTHING)
def touch_everything(study: Study, chance: random.Random) -> None:
    for path in sorted(study.folder.rglob("*"), key=lambda path: chance.random()):
        at = chance.uniform(1e9, 2e9)
        os.utime(path, (at, at))


@operation(*EVERYTHING)
def copy_the_tree(study: Study, chance: random.Random) -> None:
    copied = study.folder.with_name(f"copy{chance.randrange(10**9)}")
    function: Any = chance.choice([shutil.copy2, shutil.copyfile])
    shutil.copytree(study.folder, copied, copy_function=function, symlinks=True)
    if chance.random() < 0.5:
        shutil.rmtree(study.folder)
    else:  # what is edited in the old tree is no part of the copy
        (study.folder / "weights/net/power.txt").write_text("0.99")
    study.folder = copied


@operation(*EVERYTHING)
def move_the_tree(study: Study, chance: random.Random) -> None:
    moved = study.folder.with_name(f"moved{chance.randrange(10**9)}")
    study.folder.rename(moved)
    study.folder = moved


@operation()
def delete_a_result(study: Study, chance: random.Random) -> None:
    # What is damaged inside a folder, the job that reads it says, and `verify`; a rerun is not for that.
    results = study.folder / "results"
    patterns = ("*/*.json", "*/*/*.json", "*/*/*/*.json", "*/*/*.parquet", "*/*/*/*.parquet")
    found = [path for pattern in patterns for path in results.glob(pattern)]
    found = [
        path for path in found if job_at(path.relative_to(results).as_posix()) and not path.parent.suffix
    ]
    found = [path for path in found if path.parent.parent.name != "raw"]
    if found:
        path = chance.choice(sorted(found))
        if not any(folder.suffix for folder in path.relative_to(results).parents):
            path.unlink()


@operation()
def damage_a_table(study: Study, chance: random.Random) -> None:
    found = sorted((study.folder / "results").glob("alignments/*/*/*.parquet"))
    if found:
        path = chance.choice(found)
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
        # Whoever reads it says so; it is made again where somebody deletes it, as the error advises.
        path.unlink()


@operation()
def restore_a_backup(study: Study, chance: random.Random) -> None:
    """Results of an earlier state in the place of those of now."""
    backup = study.folder.with_name(study.folder.name + "_backup")
    results = study.folder / "results"
    if backup.exists() and results.exists():
        shutil.rmtree(results)
        shutil.copytree(backup, results, symlinks=True)
    elif results.exists():
        shutil.copytree(results, backup, symlinks=True)


@operation()
def point_nowhere(study: Study, chance: random.Random) -> None:
    """A folder that is not there, two runs that say so, and back."""
    kind, name, part = chance.choice([("models", "net", "weights"), ("datasets", "one", "source")])
    spec = study.config[kind][name][part]
    before, spec["path"] = spec["path"], "nowhere"
    for _ in range(2):
        assert not study.run(), "a run without its data or weights ended well"
        assert study.runs(), "a run that failed left nothing to do"
    spec["path"] = before


@operation()
def fail_or_kill(study: Study, chance: random.Random) -> None:
    """A change, and then a run in which a job of some rule fails or is killed."""
    name = chance.choice(
        ["edit_a_protocol", "edit_a_dataset", "replace_weights", "edit_the_list", "replace_an_image_or_depth"]
    )
    OPERATIONS[name](study, chance)
    study.run((chance.choice(EVERYTHING), chance.choice(["fail", "kill"])))


@dataclass
class Fresh:
    """What fresh runs give, by the state of configuration and data."""

    folder: Path
    known: dict[str, dict[str, str]] = field(default_factory=dict)

    def content(self, study: Study) -> dict[str, str]:
        state = study.state()
        if state not in self.known:
            folder = self.folder / f"fresh{len(self.known)}"
            for name in ("data", "weights", "lists"):
                shutil.copytree(study.folder / name, folder / name)
            fresh = Study(folder, copy.deepcopy(study.config))
            assert fresh.run(), "a fresh run failed"
            self.known[state] = fresh.content()
            shutil.rmtree(folder)
        return self.known[state]


def check_sequence(seed: int, folder: Path, fresh: Fresh, length: int = 4) -> list[str]:
    """Do `length` random operations to a study below `folder`; returns what they were."""
    chance = random.Random(seed)
    study = Study(folder / "study")
    make_study(study.folder)
    if chance.random() < 0.85:
        study.run()
    done = []
    for _ in range(length):
        name = chance.choice(sorted(OPERATIONS))
        done.append(name)
        was_settled = not study.runs()
        study.ran.clear()
        OPERATIONS[name](study, chance)
        study.settle()
        found, wanted = study.content(), fresh.content(study)
        different = sorted(path for path in wanted if found.get(path) != wanted[path])
        assert not different, f"seed {seed}: after {done} these are not a fresh run's: {different}"
        if was_settled:
            spared = [job for job in study.ran if job.rule in SPARES[name]]
            assert not spared, f"seed {seed}: {done} ran {spared}"
    return done
