"""``scopedepth verify``: whether a results tree is what its jobs left, and what to make again.

Each job's record holds the digests of what the job made, and of itself; a folder's manifest holds the digest of what
is in the folder. What does not agree is damaged, what a record speaks of and is not there is missing, and what is there
and no record speaks of is unknown. The command prints what repairs it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from scopedepth.datasets.place import content_digest
from scopedepth.errors import ScopeDepthError
from scopedepth.job.leaves import linked_digest
from scopedepth.job.manifest import IGNORED, digest_file, digest_tree, manifest_of, read_manifest
from scopedepth.job.run import sealed
from scopedepth.job.shipped import runs_by
from scopedepth.study.layout import ACCEPTED, HALF_MADE, INCOMPLETE, NO_RESULTS, RESULTS, Job, job_at


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument("results", type=Path, nargs="?", default=RESULTS, help="the results tree (results)")


def run(options: argparse.Namespace) -> int:
    """Print what is damaged and how to repair it; the exit status is 1 where anything is."""
    if not options.results.is_dir():
        raise ScopeDepthError(f"{options.results} is not a folder. Run this in the workflow's folder.")
    checked, unknown = 0, 0
    damaged: dict[Job, None] = {}
    for path, job, problem in check_tree(options.results):
        checked += 1
        if problem and job is not None:
            damaged.setdefault(job)
            print(f"damaged: {path}: {problem}")
        elif problem:
            unknown += 1
            print(f"unknown: {path}: {problem}")
    print(
        f"{checked} results checked, {len(damaged)} jobs with damaged results, {unknown} files that no job made"
    )
    if damaged:
        repaired = [next(iter(job.outputs(options.results).values())) for job in damaged]
        print(f"To make them again:\n  {runs_by()} --forcerun " + " ".join(f"'{p}'" for p in repaired))
    return 1 if damaged or unknown else 0


def check_tree(results: Path) -> Iterator[tuple[Path, Job | None, str]]:
    """Yield every result below `results` with its job and what is wrong with it, an empty string where nothing is."""
    found: dict[Job, None] = {}
    for path, job in _entries(results, results):
        if job is None:
            yield path, None, "no rule makes such a file; was it put here, or renamed?"
        else:
            found.setdefault(job)
    for job in found:
        for path, problem in check_job(job, results):
            yield path, job, problem


def _entries(folder: Path, results: Path) -> Iterator[tuple[Path, Job | None]]:
    """Yield the files below `folder`, and the folders that a rule makes as one, with the job that makes each."""
    for path in sorted(folder.iterdir()):
        inside = path.relative_to(results).as_posix()
        if path.name in IGNORED or path.name.endswith(HALF_MADE) or inside in NO_RESULTS:
            continue
        job = job_at(inside)
        if path.is_dir() and job is None:
            if path.name != INCOMPLETE:
                yield from _entries(path, results)
        elif inside != ACCEPTED:
            yield path, job


def check_job(job: Job, results: Path) -> Iterator[tuple[Path, str]]:
    """Yield what a job made with what is wrong with it, an empty string where nothing is."""
    outputs = job.outputs(results)
    record = outputs.pop("record")
    digests, problem = _read_seal(record)
    yield record, problem
    known = {path.name: path for path in outputs.values()}
    for name in digests.keys() - known.keys():
        yield record, f"it speaks of {name}, which rule {job.rule} does not make"
    manifest = outputs.get("manifest")
    for path in outputs.values():
        if manifest is not None and manifest == manifest_of(path) and path != manifest:
            yield path, _problem_of_folder(job, path, manifest)
        elif path.name in digests:
            yield path, _problem_of(path, digests[path.name])
        elif not path.exists():
            yield path, "missing"
        elif not problem:
            yield path, f"its record {record} does not speak of it"


def _read_seal(record: Path) -> tuple[dict[str, str], str]:
    """Return the digests that a record holds, and what is wrong with it."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, "missing: nothing says what the results beside it were made from"
    except (OSError, ValueError, RecursionError) as error:
        return {}, f"cannot be read ({error})"
    if not isinstance(content, dict) or not isinstance(content.get("outputs"), dict):
        return {}, "it does not hold the digests of what its job made"
    if sealed(content) != content:
        return {}, "its content is not what its job wrote"
    return content["outputs"], ""


def _problem_of(path: Path, recorded: str) -> str:
    if not path.exists():
        return "missing, although its record is there"
    try:
        digest = digest_tree(path) if path.is_dir() else digest_file(path)
    except OSError as error:
        return f"cannot be read ({error})"
    return "" if digest == recorded else "its content is not what its record says"


def _problem_of_folder(job: Job, folder: Path, manifest: Path) -> str:
    try:
        content = read_manifest(manifest)
        if not folder.is_dir():
            return "missing, although its manifest is there"
        if job.rule == "fetch_dataset":
            for name, recorded in content.get("beside", {}).items():
                if digest_file(folder / name) != recorded:
                    return f"{name} in it is not what its manifest says"
            digest = content_digest(folder, afresh=True)
        elif job.rule == "fetch_weights" and "reads" in content:
            digest = linked_digest(folder, content["reads"], afresh=True)
        else:
            digest = digest_tree(folder)
        return "" if digest == content["digest"] else "its content is not what its manifest says"
    except ScopeDepthError as error:
        return str(error)
    except (OSError, ValueError, TypeError) as error:
        return f"cannot be read ({error})"
