"""Tables and a report of a study in which something failed, with the failures and their reasons in their place.

A failed job makes nothing, so that the next run tries it again; and without its result the study's own tables are
not made. What did succeed must not wait for that: when a run ends with failures, the tables and the report are made
from what there is, in a folder of their own, beside the place of the complete ones. A model without a prediction has
a row for every frame, with a status and without a number; a dataset that is missing is named with its reason.
"""

from __future__ import annotations

import calendar
import shutil
import sys
import time
from collections.abc import Collection, Iterator
from itertools import product
from pathlib import Path
from typing import Any

from scopedepth.errors import ScopeDepthError, one_line
from scopedepth.job.run import read_record
from scopedepth.study.layout import Job, incomplete_folder, tables_of
from scopedepth.study.plan import Plan
from scopedepth.vocabulary.units import dataset_of

# How the jobs are called that may fail by what they are given.
NAMES = {
    "fetch_dataset": "dataset {0}",
    "prepare": "preparing {0}",
    "fetch_list": "list {0}",
    "fetch_weights": "weights of {0}",
    "finetune": "training of {0}",
    "predict": "{1} on {0}",
    "align": "align of {1} on {0}",
    "score": "score of {1} on {0}",
    "redraw": "redraw of {1} on {0}",
    "time": "timing of {1}",
    "summarise": "tables of {0}",
    "report": "report of {0}",
    "frame_pages": "pages of the frames of {0}",
}


def write_incomplete(plan: Plan, stale: Collection[Job]) -> Path | None:
    """Make the tables and the report of what there is; returns the report's path, or None where there is nothing.

    `stale`: the jobs whose results do not hold (`MadeFrom.runs`). One of an earlier run, made from something else than
    what there is now, is none that there is. Nothing is written where the study is whole, as it is when a run ends with
    a signal and its last job finished.
    The folder is `layout.incomplete_folder`. It is made anew each time. What keeps it from being made,
    such as a full disk, is said and is no exception: the failures that led here are what matters.
    """
    try:
        return _write_incomplete(plan, stale)
    except (ScopeDepthError, OSError, MemoryError) as error:
        print(
            f"There is no report of what did not fail: {one_line(str(error)) or 'too little memory'}",
            file=sys.stderr,
        )
        shutil.rmtree(incomplete_folder(plan.study.name), ignore_errors=True)
        return None


def _write_incomplete(plan: Plan, stale: Collection[Job]) -> Path | None:
    folder = incomplete_folder(plan.study.name)
    shutil.rmtree(folder, ignore_errors=True)
    if not stale:
        return None
    units = [name for name in plan.study.shown_units if Job("prepare", (name,)) not in stale]
    combinations = list(product(units, plan.study.models, plan.study.protocols))
    scored = [key for key in combinations if Job("score", key) not in stale]
    if not scored:
        return None
    from scopedepth.report.html.page import write_report
    from scopedepth.report.names import write_names
    from scopedepth.statistics.summarise import summarise_study

    scores = [
        Job("score", key).path("table") if key in scored else _failed(Job("score", key), folder)
        for key in combinations
    ]
    datasets = {plan.study.units[name].dataset for name in units}
    # Without corrupted views and strata: what is incomplete says nothing of what a ranking withstands.
    whole = [name for name in plan.study.spec["datasets"] if name in datasets]
    study: Any = {**plan.study.spec, "datasets": whole, "robustness": None, "strata": False}
    study["frame_pages"] = None
    study["title"] = f"{study['title'] or study['name']} (incomplete)"
    study["notes"] = [
        *study["notes"],
        *(f"Failed: {what}. {reason}" for what, reason in failures(plan, stale)),
    ]
    timings, redraws = (
        [job.path("table") for job in plan.jobs() if job.rule == rule and job not in stale]
        for rule in ("time", "redraw")
    )
    about: dict[str, Any] = {
        "study": study,
        "datasets": {name: spec for name, spec in plan.study.datasets.items() if name in datasets},
        "models": plan.study.models,
        "protocols": plan.study.protocols,
    }
    tables = tables_of(plan.study.name, folder)
    stores = {unit: Job("prepare", (unit,)).path("store") for unit in units}
    predictions = {
        (unit, model): Job("predict", (unit, model)).path("store")
        for unit, model in product(units, plan.study.models)
        if Job("predict", (unit, model)) not in stale
    }
    predictions = {key: path for key, path in predictions.items() if path.is_dir()}
    page = folder / Job("report", (plan.study.name,)).path("html").name
    summarise_study(
        **about,
        scores=scores,
        timings=timings,
        redraws=redraws,
        out=tables,
        stores=stores,
        predictions=predictions,
    )
    write_names(study, about["models"], about["protocols"], tables)
    write_report(
        **about,
        tables=tables,
        stores=stores,
        predictions=predictions,
        records=[
            job.path("record")
            for job in plan.jobs()
            if job.rule in ("prepare", "predict", "finetune", "time") and job not in stale
        ],
        out=page,
    )
    return page


def failures(plan: Plan, stale: Collection[Job]) -> Iterator[tuple[str, str]]:
    """Yield what failed in a study and why: the last line of the log of each job whose result does not hold.

    Of jobs that only wait for another one the first that failed is named alone, and a job in parts once.
    """
    named = set()
    for job in stale:
        waits = any(needed in stale for needed in plan.needed_by(job))
        if job.rule in NAMES and not waits and job.whole not in named:
            named.add(job.whole)
            yield NAMES[job.rule].format(*job.values), _reason(job)


def _reason(job: Job) -> str:
    log = job.log()
    record = job.path("record")
    if record.is_file() and not _is_older(record, log):  # of an earlier run
        return "It was not started again."
    try:
        lines = [
            line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
        ]
    except OSError:
        return "It was not started."
    return one_line(lines[-1].removeprefix("scopedepth: error: ")[:500]) if lines else f"See {log}."


def _is_older(record: Path, log: Path) -> bool:
    """Say whether a job wrote to its log after the run that a record is of: it failed, and the record was put back."""
    content = read_record(record)
    try:
        ended = calendar.timegm(time.strptime(content["began"], "%Y-%m-%dT%H:%M:%SZ")) + content["seconds"]
        return log.stat().st_mtime > ended + 1  # `began` is in whole seconds
    except (OSError, KeyError, TypeError, ValueError):
        return False


def _failed(job: Job, folder: Path) -> Path:
    """Write a table of scores with a row for every frame, all without a number, and return its path."""
    from scopedepth.stores.dataset import DatasetStore
    from scopedepth.tables.frames import SCORES
    from scopedepth.tables.io import write_table

    unit, model, protocol = job.values
    rows: list[dict[str, Any]] = []
    for sequence, frames in DatasetStore(Job("prepare", (unit,)).path("store")).sequences.items():
        for index, frame_id in enumerate(frames.frame_ids(), frames.first_frame):
            rows.append(
                {
                    "dataset": dataset_of(unit),
                    "sequence": sequence,
                    "frame": index,
                    "frame_id": frame_id,
                    "model": model,
                    "protocol": protocol,
                    "n_pixels": 0,
                    "status": "failed_prediction",
                }
            )
    path = job.path("table", folder / "failed")
    write_table(path, SCORES, {name: [row.get(name) for row in rows] for name in SCORES.names})
    return path
