"""``scopedepth explain [PATH]``: what a result was made from, why it is stale, what a run would start."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scopedepth.commands import configuration
from scopedepth.errors import ScopeDepthError
from scopedepth.job.leaves import NONE
from scopedepth.job.run import read_record
from scopedepth.study.layout import Job, job_of
from scopedepth.study.made_from import MadeFrom
from scopedepth.study.plan import Plan

REASONS = {
    "missing": "it is not there",
    "unrecorded": "there is no record of what it was made from, or it is of another file",
    "follows": "a job that it needs runs",
    "needed": "a job that runs needs it",
}
SHOWN_CHANGES = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument(
        "path",
        type=Path,
        nargs="?",
        help="a store, a table or a report under results/; without one, all that the next run starts",
    )
    configuration.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print the explanation; the exit status is 1 where the result, or any of the study's, does not hold."""
    plan = configuration.plan_of(options)
    if options.path is None:
        lines, stale = explain_study(plan)
    else:
        lines, stale = explain(options.path, plan)
    print("\n".join(lines))
    return 1 if stale else 0


def explain_study(plan: Plan) -> tuple[list[str], bool]:
    """Return the jobs that the next run of a study starts, each with the reason, and whether there are any."""
    made_from = MadeFrom(plan)
    found = made_from.runs()
    if not found:
        return [f"The study {plan.study.name} is up to date: the next run starts no job."], False
    jobs = len({job.whole for job in found})
    results = "" if jobs == len(found) else f", for {len(found)} results"
    lines = [f"The next run of the study {plan.study.name} starts {jobs} jobs{results}:"]
    for job, why in found.items():
        lines.append(f"  {job}: {REASONS.get(why) or _first(list(differences(job, made_from)))}")
    return lines, True


def _first(changes: list[str]) -> str:
    more = len(changes) - SHOWN_CHANGES
    return "; ".join(changes[:SHOWN_CHANGES]) + (f"; and {more} more" if more > 0 else "")


def explain(path: Path, plan: Plan) -> tuple[list[str], bool]:
    """Return the explanation of one result as lines, and whether the next run makes it again."""
    job = job_of(path)
    record = read_record(job.path("record"))
    if not record:
        raise ScopeDepthError(f"{path} has no run record ({job.path('record')}); it has not been made yet.")
    wildcards = ", ".join(f"{name} {value}" for name, value in job.named.items())
    lines = [
        f"{path}",
        f"  made by rule {job.rule} ({wildcards})",
        f"  at {record.get('began')} on {record.get('host')} in {record.get('seconds')} s",
        "  with "
        + ", ".join(f"{name} {version}" for name, version in sorted(record.get("versions", {}).items())),
    ]
    if not plan.has(job):
        lines.append(f"  The study {plan.study.name!r} has no such job (any more).")
        return lines, True
    made_from = MadeFrom(plan)
    now = json.loads(made_from.now(job))
    lines.append("  from")
    lines.append(f"    spec: {_shown(now['spec'])}")
    lines.append(f"    code: {len(now['code'])} modules")
    lines += [f"    {name}: {digest}" for name, digest in now["inputs"].items()]
    runs = made_from.runs()
    if job not in runs:
        lines.append("  up to date: nothing that it was made from has changed.")
        return lines, False
    lines.append("  stale: the next run makes it again.")
    for one in [*(above for above in _above(job, plan) if above in runs), job]:
        why = runs[one]
        if why == "changed":
            lines.append(f"    {one}: changed since then:")
            lines += [f"      {change}" for change in differences(one, made_from)]
        else:
            lines.append(f"    {one}: {REASONS[why]}")
    return lines, True


def _above(job: Job, plan: Plan) -> list[Job]:
    """Return the jobs behind a job, directly or through others, in the study's order."""
    found: set[Job] = set()
    waiting = [job]
    while waiting:
        for needed in plan.needed_by(waiting.pop()):
            if needed not in found:
                found.add(needed)
                waiting.append(needed)
    return [one for one in plan.jobs() if one in found]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else text[:97] + "..."


def differences(job: Job, made_from: MadeFrom) -> Iterator[str]:
    """Yield each thing in which what a job's result was made from differs from what there is now."""
    try:
        before = json.loads(made_from.recorded(job) or "")
    except (ValueError, RecursionError):
        yield "its record is of another version of ScopeDepth"
        return
    now = json.loads(made_from.now(job))
    yield from (f"code of {field}" for field in _differences(before.get("code"), now["code"], ""))
    yield from (f"spec: {field}" for field in _differences(before.get("spec"), now["spec"], ""))
    inputs = before.get("inputs", {})
    for name in sorted(inputs.keys() | now["inputs"].keys()):
        old, new = inputs.get(name), now["inputs"].get(name)
        if old != new:
            said = {None: "no input any more", NONE: "missing or damaged"}
            yield f"input {name}: {said.get(new, 'other content' if old else 'a new input')}"


def _differences(before: Any, now: Any, where: str) -> Iterator[str]:
    """Yield each field in which two JSON values differ in a short line: ``a.b: 1 -> 2``, ``a.c: added``."""
    if isinstance(before, dict) and isinstance(now, dict):
        # Names of modules hold dots themselves; they are shown as they are.
        for key in sorted(before.keys() | now.keys()):
            inner = f"{where}.{key}" if where else key
            if key in before and key in now:
                yield from _differences(before[key], now[key], inner)
            else:
                yield f"{inner}: {'added' if key in now else 'removed'}"
    elif before != now:
        yield f"{where or 'all of it'}: {_change(before, now)}"


def _change(before: Any, now: Any) -> str:
    """Return in what two JSON values differ: of lists the scalars that came and went, of others both."""
    if isinstance(before, list) and isinstance(now, list):
        sides = (("added", now, before), ("removed", before, now))
        words = [
            f"{word} {', '.join(map(_short, found))}"
            for word, own, other in sides
            if (found := [item for item in own if item not in other])
        ]
        return "; ".join(words) or "in another order, or another number of times"
    return f"{_short(before)} -> {_short(now)}"


def _short(value: Any) -> str:
    """Return a JSON value in few letters: a mapping or a list by its brackets alone."""
    if isinstance(value, dict | list):
        return ("{…}" if isinstance(value, dict) else "[…]") if value else json.dumps(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
