"""``scopedepth export STUDY``: a finished study as one zip file to keep, to send or to publish (an RO-Crate)."""

from __future__ import annotations

import argparse
import calendar
import json
import subprocess
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from scopedepth.commands import configuration
from scopedepth.config.files import DEFAULT as CATALOGUE
from scopedepth.config.files import default_files
from scopedepth.config.load import Study, select_study
from scopedepth.config.resolve import stored_name
from scopedepth.errors import ScopeDepthError
from scopedepth.export.crate import WORKFLOW, Crate, Member, Part, terms_of_parts, write_crate
from scopedepth.export.croissant import CROISSANT, croissant
from scopedepth.job.manifest import list_files, read_manifest
from scopedepth.job.run import read_record
from scopedepth.job.shipped import LIBRARY, runs_by
from scopedepth.study.layout import RESULTS, Job, tables_of, weights_job
from scopedepth.study.made_from import MadeFrom
from scopedepth.study.plan import Plan
from scopedepth.version import own_version

CONFIGURATION = "config.yaml"
RESOLVED = "study.json"
# What the workflow consists of, and what a clone says of it.
CODE = (WORKFLOW, "rules", "workflow_scripts", "model_classes", "profiles/default", "schemas", "envs")
WORDS = ("README.md", "LICENSE", "CITATION.cff", "citations.bib", "pyproject.toml", "requirements.txt")
# `repository` beside an adapter is other people's code, which whoever opens the crate gets from them.
LITTER = frozenset({"__pycache__", ".snakemake", ".ipynb_checkpoints", "repository"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument("study", help="a study of the configuration, finished")
    parser.add_argument("--out", type=Path, help="the zip file to write (STUDY.crate.zip)")
    parser.add_argument("--predictions", action="store_true", help="with what each model predicted")
    parser.add_argument(
        "--author", action="append", default=[], metavar="NAME", help="who made the study; may be repeated"
    )
    parser.add_argument("--licence", help="what you publish the study under: an address, or words")
    parser.add_argument("--url", help="where you publish it, for the metadata of its tables")
    configuration.add_arguments(parser, study=False)


def run(options: argparse.Namespace) -> int:
    """Write the crate, or say what is missing."""
    config = configuration.config_of(options)
    study = select_study(config, options.study)
    plan = Plan(study, configuration.scripts())
    check_finished(plan)
    out = options.out or Path(f"{study.name}.crate.zip")
    if out.is_dir() or not out.parent.is_dir():
        raise ScopeDepthError(f"--out {out} is no file in a folder that is there. Give a name such as x.zip.")
    workflow = plan.scripts.parent
    results = list(result_parts(plan, options.predictions))
    began, ended = times(plan)
    described = description(study)
    tables = {table: path for table, path in tables_of(study.name).items() if path.exists()}
    metadata_of_tables = croissant(
        study.name, study.spec["title"] or study.name, described, ended, own_version(),
        options.licence or terms_of_parts(list(members(study))), tables, options.author, options.url,
    )  # fmt: skip
    parts = [
        *code_parts(workflow),
        configuration_part(options, config),
        Part(RESOLVED, resolved(study), "The study with all defaults filled in: what was computed."),
        Part(CROISSANT, metadata_of_tables, "The tables, their columns, types and units, in Croissant 1.1."),
        *results,
    ]
    crate = Crate(
        title=study.spec["title"] or study.name,
        description=described,
        began=began,
        ended=ended,
        version=own_version(),
        engine=metadata.version("snakemake"),
        members=list(members(study)),
        inputs=[CONFIGURATION, RESOLVED],
        results=[part.name for part in results],
        commit=commit(workflow),
        authors=options.author,
        licence=options.licence,
    )
    count = write_crate(out, crate, parts)
    print(f"{out}: {count} files, {out.stat().st_size / 1e6:.1f} MB. {described}")
    return 0


def made(plan: Plan) -> Iterator[tuple[Job, list[Path]]]:
    """Yield each job of a study with its results, without the data, weights and stores that it makes."""
    for job in plan.jobs():
        outputs = job.outputs(RESULTS)
        yield job, [path for name, path in outputs.items() if name not in ("files", "store")]


def check_finished(plan: Plan) -> None:
    """Refuse a study of which a result is missing, or was made from something else than what there is now."""
    name = plan.study.name
    remedy = f"Run: {runs_by()} --config study={name}"
    every = [path for _, paths in made(plan) for path in paths]
    missing = [path for path in every if not path.exists()]
    if missing:
        raise ScopeDepthError(
            f"The study {name} is not finished: {len(missing)} of {len(every)} results are missing, the first one "
            f"{missing[0]}. {remedy}"
        )
    stale = MadeFrom(plan).runs()
    if stale:
        first = next(path for job, paths in made(plan) if job in stale for path in paths)
        raise ScopeDepthError(
            f"The study {name} is out of date: {first} was made from something else than what is there now (scopedepth "
            f"explain --study {name} says what). {remedy}"
        )


def result_parts(plan: Plan, predictions: bool) -> Iterator[Part]:
    """Yield the files of every job of a study: all but datasets, weights and, where they are not asked for, stores."""
    for job, paths in made(plan):
        stores = [job.path("store")] if predictions and job.rule == "predict" else []
        for place in [*paths, *stores]:
            inside = list_files(place) if place.is_dir() else [Path()]
            yield from (Part((place / file).as_posix(), place / file) for file in inside)


def configuration_part(options: argparse.Namespace, config: dict[str, Any]) -> Part:
    """Return config.yaml: as it was written, or what it and the files and values laid over it come to."""
    if default_files() == [CATALOGUE] and not options.configfile and not options.config:
        return Part(CONFIGURATION, Path(CONFIGURATION), "The configuration as it was written.")
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    return Part(CONFIGURATION, text.encode(), "The configuration with what was laid over it.")


def code_parts(workflow: Path) -> Iterator[Part]:
    """Yield the files of the workflow itself."""
    places = {name: workflow / name for name in (*CODE, *WORDS)}
    if not LIBRARY.is_relative_to(workflow):  # an installed workflow, whose library lies elsewhere
        places["workflow_scripts/scopedepth"] = LIBRARY
    for name, place in places.items():
        if place.is_file():
            yield Part(name, place)
        elif place.is_dir():
            for file in list_files(place):
                litter = any(part in LITTER or part.endswith(".egg-info") for part in file.parts)
                if not litter and file.suffix != ".pyc":
                    yield Part((Path(name) / file).as_posix(), place / file)


def resolved(study: Study) -> bytes:
    """Return the study with all that it refers to as JSON."""
    parts = {
        "study": study.spec,
        "datasets": study.datasets,
        "models": study.models,
        "protocols": study.protocols,
        "execution": study.execution,
    }
    return (json.dumps(parts, indent=1, ensure_ascii=False) + "\n").encode()


def times(plan: Plan) -> tuple[str, str]:
    """Return when the first job of a study began and when its last one ended."""
    began: list[float] = []
    ended: list[float] = []
    for job in plan.jobs():
        record = read_record(job.path("record"))
        start = calendar.timegm(time.strptime(record["began"], "%Y-%m-%dT%H:%M:%SZ"))
        began.append(start)
        ended.append(start + record.get("seconds", 0))
    first, last = (
        time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(seconds)) for seconds in (min(began), max(ended))
    )
    return first, last


def description(study: Study) -> str:
    """Return a sentence on what the study compares."""
    counts = [
        (len(study.models), "model"),
        (len(study.shown_datasets), "dataset"),
        (len(study.protocols), "protocol"),
    ]
    models, datasets, protocols = (f"{n} {word}{'' if n == 1 else 's'}" for n, word in counts)
    return f"Monocular depth on endoscopic video: {models} on {datasets} under {protocols}."


def members(study: Study, results: Path = RESULTS) -> Iterator[Member]:
    """Yield the study's datasets and models with the digests of their files."""
    for name, spec in study.shown_datasets.items():
        yield Member("dataset", name, spec, _digest(Job("fetch_dataset", (stored_name(spec),)), results))
    for name, model in study.models.items():
        made = weights_job(model)
        digest = _digest(made, results) if made is not None else None
        yield Member("model", name, model, digest)


def _digest(job: Job, results: Path) -> str:
    content: dict[str, Any] = read_manifest(job.path("manifest", results))
    return str(content["digest"])


def commit(workflow: Path) -> str | None:
    """Return the commit of the workflow's code, marked where files differ from it; None outside a repository."""
    command = ["git", "-C", str(workflow)]
    try:
        # A repository around an installed copy knows nothing of it.
        subprocess.run([*command, "ls-files", "--error-unmatch", WORKFLOW], capture_output=True, check=True)
        head = subprocess.run([*command, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        inside = subprocess.run(
            [*command, "status", "--porcelain", "--", *CODE], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + (", with changes" if inside.stdout.strip() else "")
