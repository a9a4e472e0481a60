"""The table of changes: for each change, exactly the jobs that depend on it run, and nothing else."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from project import ROOT, Project, write_frames

pytestmark = pytest.mark.workflow

UNITS = ("one", "two")
MODELS = ("constant", "brightness")
SUMMARY = {"summarise(small)", "report(small)"}


def expected(
    fetch: tuple[str, ...] = (),
    prepare: tuple[str, ...] = (),
    predict: tuple[tuple[str, ...], tuple[str, ...]] = ((), ()),
    align: tuple[tuple[str, ...], ...] = ((), ()),
    score: tuple[tuple[str, ...], ...] = ((), ()),
    summary: bool = True,
) -> set[str]:
    """Return a set of jobs; predict, align and score are given as units x models."""
    jobs = {f"fetch_dataset({name})" for name in fetch} | {f"prepare({unit})" for unit in prepare}
    jobs |= {f"predict({', '.join(key)})" for key in product(*predict)}
    jobs |= {f"align({', '.join(key)})" for key in product(*align)}
    jobs |= {f"score({', '.join(key)})" for key in product(*score)}
    return jobs | SUMMARY if summary else jobs


def predicted(units: tuple[str, ...], models: tuple[str, ...], **before: Any) -> set[str]:
    """Return the jobs that follow when predictions are made anew."""
    everything = (units, models)
    return expected(predict=(units, models), align=everything, score=everything, **before)


def edit(project: Project, file: str, old: str, new: str) -> None:
    path = project.folder / "workflow_scripts" / "scopedepth" / file
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{file} no longer holds {old!r}; adapt this test"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def append(file: str) -> Callable[[Project], None]:
    """An edit that changes what a module's code is."""

    def change(project: Project) -> None:
        path = project.folder / "workflow_scripts" / "scopedepth" / file
        path.write_text(path.read_text(encoding="utf-8") + "\n_ADDED = 1\n", encoding="utf-8")

    return change


def configured(change: Callable[[dict[str, Any]], None]) -> Callable[[Project], None]:
    def apply(project: Project) -> None:
        config = project.read_config()
        change(config)
        project.write_config(config)

    return apply


def add_model(config: dict[str, Any]) -> None:
    config["models"]["constant_again"] = copy.deepcopy(config["models"]["constant"])
    config["studies"]["small"]["models"].append("constant_again")


def add_dataset(project: Project) -> None:
    write_frames(project.folder / "data" / "three", ("only",), seed=2)
    config = project.read_config()
    config["datasets"]["three"] = copy.deepcopy(config["datasets"]["two"])
    config["datasets"]["three"]["source"]["path"] = "data/three"
    config["studies"]["small"]["datasets"].append("three")
    project.write_config(config)


def add_sequence(project: Project) -> None:
    write_frames(project.folder / "data" / "one", ("third",), seed=3)


def add_protocol(config: dict[str, Any]) -> None:
    config["protocols"]["capped"] = {**config["protocols"]["median_depth"], "depth_range": {"max": 90}}
    config["studies"]["small"]["protocols"].append("capped")


def leave_out(kind: str, name: str) -> Callable[[dict[str, Any]], None]:
    return lambda config: config["studies"]["small"][kind].remove(name)


def set_in(kind: str, name: str, **fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: config[kind][name].update(fields)


def swap_options(config: dict[str, Any]) -> None:
    models = config["models"]
    first, second = (models[name]["options"] for name in MODELS)
    models["constant"]["options"], models["brightness"]["options"] = second, first


def rename_study(config: dict[str, Any]) -> None:
    config["studies"]["renamed"] = config["studies"].pop("small")
    config["study"] = "renamed"


def reorder(config: dict[str, Any]) -> None:
    for kind in ("datasets", "models", "protocols"):
        config[kind] = dict(reversed(config[kind].items()))
        for name, spec in config[kind].items():
            config[kind][name] = dict(reversed(spec.items()))


def comment_everywhere(project: Project) -> None:
    for path in (project.folder / "workflow_scripts").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if text.startswith('"""'):
            text = '"""Another docstring. ' + text[3:]
        path.write_text(text + "\n# A comment.\n", encoding="utf-8")


def reformat(project: Project) -> None:
    scripts = project.folder / "workflow_scripts"
    command = [
        sys.executable,
        "-m",
        "ruff",
        "format",
        "--quiet",
        "--isolated",
        "--line-length",
        "60",
        str(scripts),
    ]
    subprocess.run(command, check=True)


def in_page(file: str, word: str) -> Callable[[Project], None]:
    return lambda project: edit(project, f"report/html/{file}", word, word + " ")


def touch_everything(project: Project) -> None:
    now = time.time() + 60
    for folder, _, files in os.walk(project.folder):
        for name in files:
            # Results in the order of their names, so that inputs become newer than outputs.
            now += 0.01
            os.utime(Path(folder, name), (now, now))


def clone_afresh(project: Project) -> None:
    """Copy code, data, results and Snakemake's records without their times."""
    copied = project.folder.with_name(project.folder.name + "_clone")
    # Not the link to an environment, which a project in a folder with a space has.
    link = shutil.ignore_patterns("scopedepth-python")
    shutil.copytree(project.folder, copied, copy_function=shutil.copyfile, ignore=link)
    shutil.rmtree(project.folder)
    copied.rename(project.folder)


@dataclass(frozen=True)
class Row:
    """One row of the table: a change and the jobs that it starts."""

    title: str
    change: Callable[[Project], None]
    jobs: set[str]
    arguments: tuple[str, ...] = ()


EVERYTHING = predicted(UNITS, MODELS, prepare=UNITS)

ROWS = (
    Row("nothing", lambda project: None, set()),
    Row("add a model", configured(add_model), predicted(UNITS, ("constant_again",))),
    Row("remove a model", configured(leave_out("models", "brightness")), SUMMARY),
    Row(
        "add a dataset",
        add_dataset,
        predicted(("three",), MODELS, fetch=("three",), prepare=("three",)),
    ),
    Row("remove a dataset", configured(leave_out("datasets", "two")), SUMMARY),
    Row("add a sequence", add_sequence, predicted(("one",), MODELS, fetch=("one",), prepare=("one",))),
    Row(
        "leave a sequence out",
        configured(set_in("datasets", "one", sequences=["left"])),
        predicted(("one",), MODELS, prepare=("one",)),
    ),
    Row(
        "add a protocol",
        configured(add_protocol),
        expected(align=(UNITS, MODELS), score=(UNITS, MODELS)),
    ),
    Row("remove a protocol", configured(leave_out("protocols", "sequence_scale")), SUMMARY),
    Row(
        "change a protocol's cap",
        configured(set_in("protocols", "median_depth", depth_range={"max": 90})),
        expected(align=(UNITS, MODELS), score=(UNITS, MODELS)),
    ),
    Row(
        "change a protocol's metrics",
        configured(set_in("protocols", "median_depth", metrics=["abs_rel", "rmse"])),
        expected(score=(UNITS, MODELS)),
    ),
    Row(
        "change how a protocol averages",
        configured(set_in("protocols", "median_depth", averaging="frames")),
        SUMMARY,
    ),
    Row("choose metrics to summarise", configured(set_in("studies", "small", metrics=["abs_rel"])), SUMMARY),
    Row(
        "change a model's precision",
        configured(set_in("models", "brightness", precision="bf16")),
        predicted(UNITS, ("brightness",)),
    ),
    Row("swap two models' options", configured(swap_options), predicted(UNITS, MODELS)),
    Row(
        "change a dataset's depth scale",
        configured(lambda config: config["datasets"]["one"]["depth"].update(scale=1.0)),
        predicted(("one",), MODELS, prepare=("one",)),
    ),
    Row("change a model's title", configured(set_in("models", "constant", title="C")), {"report(small)"}),
    Row(
        "change a dataset's citation",
        configured(set_in("datasets", "one", citation="@misc{x}")),
        {"report(small)"},
    ),
    Row("change the study's title", configured(set_in("studies", "small", title="T")), {"report(small)"}),
    Row("rename the study", configured(rename_study), {"summarise(renamed)", "report(renamed)"}),
    Row("reorder the configuration", configured(reorder), set()),
    Row("edit the loader's code", append("datasets/loaders/folder.py"), EVERYTHING),
    Row("edit another loader's code", append("datasets/loaders/simcol3d.py"), set()),
    Row("edit the family's code", append("models/families/baseline.py"), predicted(UNITS, MODELS)),
    Row("edit another family's code", append("models/families/transformers.py"), set()),
    Row("edit the report's code", append("report/__init__.py"), {"report(small)"}),
    Row("edit the report's template", in_page("templates/page.html.j2", "</main>"), {"report(small)"}),
    Row("edit the report's style or script", in_page("static/page.js", "use strict"), {"report(small)"}),
    Row("edit the statistics' code", append("statistics/ranks.py"), SUMMARY),
    Row("edit a command's code", append("commands/verify.py"), set()),
    Row("edit how progress is shown", append("job/progress.py"), set()),
    Row("edit comments and docstrings", comment_everywhere, set()),
    Row("reformat the code", reformat, set()),
    Row("touch everything", touch_everything, set()),
    Row("clone afresh with results copied along", clone_afresh, set()),
    Row("another number of cores", lambda project: None, set(), ("--cores", "7")),
    Row(
        "another profile", lambda project: None, set(), ("--profile", "profiles/slurm", "--executor", "local")
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title.replace(" ", "-"))
def test_exactly_what_depends_on_a_change_runs(finished: Project, tmp_path: Path, row: Row) -> None:
    project = finished.copy(tmp_path / "project")
    row.change(project)
    assert project.jobs(*row.arguments) == row.jobs


def test_after_the_run_nothing_is_left_to_do(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    rows = {row.title: row for row in ROWS}
    for title in ("add a model", "leave a sequence out", "change a protocol's metrics"):
        rows[title].change(project)
    project.snakemake()
    assert project.jobs() == set()
    rows["touch everything"].change(project)
    assert project.jobs() == set()


def test_a_job_makes_the_tables_of_those_protocols_alone_that_changed(
    finished: Project, tmp_path: Path
) -> None:
    project = finished.copy(tmp_path / "project")

    def tables() -> dict[str, tuple[int, bytes]]:
        """Return each table with its inode, which is another one where it was written."""
        found = sorted((project.folder / "results").glob("[as][lc]*s/*/*/*.parquet"))
        return {
            str(path.relative_to(project.folder)): (path.stat().st_ino, path.read_bytes()) for path in found
        }

    before = tables()
    config = project.read_config()
    add_protocol(config)
    config["studies"]["other"] = {
        **config["studies"]["small"],
        "protocols": ["sequence_scale", "capped"],
        "headline": {"protocol": "capped", "metric": "abs_rel"},
    }
    project.write_config(config)
    project.snakemake("--until", "score")
    after = tables()
    assert {name: after[name] for name in before} == before
    assert {Path(name).stem for name in after.keys() - before.keys()} == {"capped"}
    # Another study that shares units has other tables beside its own: neither makes the other's again.
    other = ("--config", "study=other")
    assert project.jobs(*other, "--until", "score") == set()
    config["protocols"]["capped"]["depth_range"] = {"max": 80}
    project.write_config(config)
    project.snakemake("--until", "score", *other)
    assert {Path(name).stem for name, table in tables().items() if after[name] != table} == {"capped"}
    assert project.jobs("--until", "score") == set()
    # A table that is damaged, or lacks its record, is made again by itself.
    table = project.folder / "results/scores/one/constant/capped.parquet"
    kept = table.read_bytes()
    table.write_bytes(kept[:-9])
    table.with_name("median_depth.run.json").unlink()
    assert project.jobs("--until", "score") == {"score(one, constant)"}
    project.snakemake("--until", "score")
    assert table.read_bytes() == kept
    assert project.jobs("--until", "score") == set()


def test_a_job_that_fails_leaves_what_was_there(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    folder = project.folder / "results/scores/one/constant"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    config = project.read_config()
    config["protocols"]["median_depth"]["metrics"] = ["abs_rel"]
    project.write_config(config)
    path = project.folder / "workflow_scripts/score.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "    raise OSError(28, 'full')\n", encoding="utf-8")
    target = "results/scores/one/constant/median_depth.parquet"
    done = project.snakemake(target, check=False)
    assert done.returncode != 0
    assert "No space left" in done.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    path.write_text(text, encoding="utf-8")
    assert project.jobs(target) == {"score(one, constant)"}
    project.snakemake(target)
    changed = {name for name, content in before.items() if (folder / name).read_bytes() != content}
    assert changed == {"median_depth.parquet", "median_depth.run.json"}


def test_weights_are_compared_by_their_bytes(finished: Project, tmp_path: Path) -> None:
    """A touched weight file reruns nothing; other bytes, or weights from elsewhere, rerun that model alone."""
    project = finished.copy(tmp_path / "project")
    weights = project.folder / "weights" / "tiny"
    shutil.copytree(ROOT / "demo_weights" / "tiny_endo_sfmlearner", weights)
    config = project.read_config()
    shipped = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["models"][
        "tiny_endo_sfmlearner"
    ]
    config["models"]["tiny"] = {**shipped, "weights": {"kind": "path", "path": "weights/tiny"}}
    config["studies"]["small"]["models"].append("tiny")
    project.write_config(config)
    added = predicted(UNITS, ("tiny",)) | {"fetch_weights(tiny)"}
    assert project.jobs() == added
    # One score stands for the others, which follow from the same weights.
    score = "results/scores/one/tiny/median_depth.parquet"
    again = {"fetch_weights(tiny)", "predict(one, tiny)"} | {
        f"{rule}(one, tiny)" for rule in ("align", "score")
    }
    project.snakemake(score)
    assert project.jobs(score) == set()
    file = max(weights.iterdir(), key=lambda path: path.stat().st_size)
    later = time.time() + 60
    os.utime(file, (later, later))
    assert project.jobs(score) == set()
    changed = bytearray(file.read_bytes())
    changed[len(changed) // 2] ^= 1
    file.write_bytes(changed)
    os.utime(file, (later, later))
    assert project.jobs(score) == again
    changed[len(changed) // 2] ^= 1
    file.write_bytes(changed)
    assert project.jobs(score) == set()
    config["models"]["tiny"]["weights"] = {"kind": "hub", "repo": "owner/name", "revision": "1" * 40}
    project.write_config(config)
    assert project.jobs(score) == again


def test_the_table_in_the_docs_is_current(root: Path) -> None:
    page = (root / "docs" / "reruns.md").read_text(encoding="utf-8")
    assert table_of_changes() in page, "run: python tests/test_incremental.py"


def table_of_changes() -> str:
    """Return the rows as a Markdown table: the change, and what runs."""
    lines = ["| change | what runs |", "| --- | --- |"]
    for row in ROWS:
        counts: dict[str, int] = {}
        for job in sorted(row.jobs):
            rule = job.partition("(")[0]
            counts[rule] = counts.get(rule, 0) + 1
        order = ("fetch_dataset", "prepare", "predict", "align", "score", "summarise", "report")
        jobs = ", ".join(
            f"{rule} ×{counts[rule]}" if counts[rule] > 1 else rule for rule in order if rule in counts
        )
        lines.append(f"| {row.title} | {jobs or 'nothing'} |")
    return "\n".join(lines)


if __name__ == "__main__":
    page = ROOT / "docs" / "reruns.md"
    before, marker, rest = page.read_text(encoding="utf-8").partition("<!-- table -->\n")
    _, end, after = rest.partition("\n<!-- end of table -->")
    page.write_text(before + marker + table_of_changes() + end + after, encoding="utf-8")
