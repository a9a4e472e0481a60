"""Tables and a report of a study in which something failed, with the failures and their reasons in their place.

A failed job makes nothing, so that the next run tries it again; and without its result the study's own tables are
not made. What did succeed must not wait for that: when a run ends with failures, the tables and the report are made
from what there is, in a folder of their own, beside the place of the complete ones. A model without a prediction has
a row for every frame, with a status and without a number; a dataset that is missing is named with its reason.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from scopedepth.errors import ScopeDepthError, one_line
from scopedepth.plan import STUDY_TABLES, Plan

LOGS = Path("results/logs")


def write_incomplete(plan: Plan) -> Path | None:
    """Make the tables and the report of what there is; returns the report's path, or None where there is nothing.

    The folder is ``results/studies/{study}/incomplete``. It is made anew each time. What keeps it from being made,
    such as a full disk, is said and is no exception: the failures that led here are what matters.
    """
    try:
        return _write_incomplete(plan)
    except (ScopeDepthError, OSError) as error:
        print(f"There is no report of what did not fail: {one_line(str(error))}", file=sys.stderr)
        shutil.rmtree(Path("results/studies", plan.study.name, "incomplete"), ignore_errors=True)
        return None


def _write_incomplete(plan: Plan) -> Path | None:
    folder = Path("results/studies", plan.study.name, "incomplete")
    shutil.rmtree(folder, ignore_errors=True)
    units = [name for name in plan.study.units if Path(f"results/datasets/{name}.json").is_file()]
    combinations = list(product(units, plan.study.models, plan.study.protocols))
    scored = [key for key in combinations if _table("scores", *key).is_file()]
    if not scored:
        return None
    from scopedepth.evaluation.maps import Places
    from scopedepth.report import write_report
    from scopedepth.summarise import summarise_study

    scores = [
        _table("scores", *key) if key in scored else _failed("scores", folder, *key) for key in combinations
    ]
    alignments = [
        _table("alignments", *key) if key in scored else _failed("alignments", folder, *key)
        for key in combinations
    ]
    datasets = {plan.study.units[name].dataset for name in units}
    study: dict[str, Any] = {**plan.study.spec, "datasets": [d for d in plan.study.datasets if d in datasets]}
    study["title"] = f"{study['title'] or study['name']} (incomplete)"
    study["notes"] = [*study["notes"], *(f"Failed: {what}. {reason}" for what, reason in failures(plan))]
    timings = [Path(path) for path in plan.every_timing("results/timing/{timing}/{model}.parquet")]
    about = {
        "study": study,
        "datasets": {name: spec for name, spec in plan.study.datasets.items() if name in datasets},
        "models": plan.study.models,
        "protocols": plan.study.protocols,
    }
    tables = {name: folder / f"{name}.parquet" for name in STUDY_TABLES}
    predictions = {
        (unit, model): Path(f"results/predictions/{unit}/{model}.zarr")
        for unit, model in product(units, plan.study.models)
    }
    places = Places(
        stores={unit: Path(f"results/datasets/{unit}.zarr") for unit in units},
        predictions={key: path for key, path in predictions.items() if path.is_dir()},
        alignments=dict(zip(combinations, alignments, strict=True)),
    )
    summarise_study(
        **about,
        scores=scores,
        alignments=alignments,
        timings=[path for path in timings if path.is_file()],
        out=tables,
        places=places,
    )
    write_report(
        **about,
        tables=tables,
        stores=places.stores,
        predictions=places.predictions,
        alignments=places.alignments,
        records=[path for path in _records(plan) if path.is_file()],
        out=folder / "report.html",
    )
    return folder / "report.html"


def failures(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield what failed in a study and why: the last line of the log of each job whose result is not there."""
    for dataset in plan.study.datasets:
        if not Path(f"results/raw/{dataset}.json").is_file():
            yield f"dataset {dataset}", _reason(LOGS / "fetch_dataset" / f"{dataset}.log")
    for name, unit in plan.study.units.items():
        fetched = Path(f"results/raw/{unit.dataset}.json").is_file()
        if fetched and not Path(f"results/datasets/{name}.json").is_file():
            yield f"preparing {name}", _reason(LOGS / "prepare" / f"{name}.log")
    for model, spec in plan.study.models.items():
        if spec["weights"]["kind"] != "none" and not Path(f"results/weights/{model}.json").is_file():
            yield f"weights of {model}", _reason(LOGS / "fetch_weights" / f"{model}.log")
            continue
        for unit_name in plan.study.units:
            prepared = Path(f"results/datasets/{unit_name}.json").is_file()
            if prepared and not Path(f"results/predictions/{unit_name}/{model}.json").is_file():
                yield f"{model} on {unit_name}", _reason(LOGS / "predict" / unit_name / f"{model}.log")
            elif prepared:
                yield from _failed_scores(plan, unit_name, model)
        for path in plan.every_timing("results/timing/{timing}/{model}.parquet"):
            if Path(path).stem == model and not Path(path).is_file():
                log = LOGS / "time" / Path(path).parent.name / f"{model}.log"
                yield f"timing of {model}", _reason(log)


def _failed_scores(plan: Plan, unit: str, model: str) -> Iterator[tuple[str, str]]:
    for protocol in plan.study.protocols:
        for stage, rule in (("alignments", "align"), ("scores", "score")):
            if not _table(stage, unit, model, protocol).is_file():
                yield (
                    f"{rule} of {model} on {unit} under {protocol}",
                    _reason(LOGS / rule / unit / model / f"{protocol}.log"),
                )
                break


def _reason(log: Path) -> str:
    try:
        lines = [
            line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
        ]
    except OSError:
        return "It was not started."
    return lines[-1].removeprefix("scopedepth: error: ")[:500] if lines else f"See {log}."


def _table(stage: str, unit: str, model: str, protocol: str) -> Path:
    return Path("results", stage, unit, model, f"{protocol}.parquet")


def _failed(stage: str, folder: Path, unit: str, model: str, protocol: str) -> Path:
    """Write a table with a row for every frame of a unit, all without a number, and return its path."""
    from scopedepth.stores.dataset import DatasetStore
    from scopedepth.tables.frames import ALIGNMENTS, SCORES
    from scopedepth.tables.io import write_table

    schema = SCORES if stage == "scores" else ALIGNMENTS
    rows: list[dict[str, Any]] = []
    for sequence, frames in DatasetStore(Path(f"results/datasets/{unit}.zarr")).sequences.items():
        for index, frame_id in enumerate(frames.frame_ids()):
            rows.append(
                {
                    "dataset": unit.partition("@")[0],
                    "sequence": sequence,
                    "frame": index,
                    "frame_id": frame_id,
                    "model": model,
                    "protocol": protocol,
                    "n_pixels": 0,
                    "status": "failed_prediction",
                }
            )
    path = folder / "failed" / stage / unit / model / f"{protocol}.parquet"
    write_table(path, schema, {name: [row.get(name) for row in rows] for name in schema.names})
    return path


def _records(plan: Plan) -> Iterator[Path]:
    yield from map(Path, plan.every_unit("results/datasets/{unit}.run.json"))
    yield from map(Path, plan.every_prediction("results/predictions/{unit}/{model}.run.json"))
    yield from map(Path, plan.every_timing("results/timing/{timing}/{model}.run.json"))
