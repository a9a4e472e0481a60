"""``scopedepth explain PATH``: what a result was made from, and where it is stale, which component changed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scopedepth.commands import configuration
from scopedepth.commands.stages import job_of
from scopedepth.errors import ScopeDepthError
from scopedepth.jobs import read_record
from scopedepth.manifest import digest_file
from scopedepth.plan import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument("path", type=Path, help="a store, a table or a report under results/")
    configuration.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print the explanation; the exit status is 1 where the result is stale."""
    lines, stale = explain(options.path, configuration.plan_of(options))
    print("\n".join(lines))
    return 1 if stale else 0


def explain(path: Path, plan: Plan) -> tuple[list[str], bool]:
    """Return the explanation of one result as lines, and whether it is stale."""
    job = job_of(path)
    record = read_record(job.record)
    if not record:
        raise ScopeDepthError(f"{path} has no run record ({job.record}); it has not been made yet.")
    wildcards = ", ".join(f"{name} {value}" for name, value in job.wildcards.items())
    lines = [
        f"{path}",
        f"  made by rule {job.stage.rule} ({wildcards})",
        f"  at {record.get('began')} on {record.get('host')} in {record.get('seconds')} s",
        "  with "
        + ", ".join(f"{name} {version}" for name, version in sorted(record.get("versions", {}).items())),
    ]
    made_from = record.get("made_from", {})
    current = job.current_params(plan)
    if current is None:
        lines.append(f"  The study {plan.study.name!r} has no such job (any more).")
        return lines, True
    changes = [
        *_changed_params(made_from.get("params", {}), current),
        *_changed_inputs(made_from.get("inputs", {})),
    ]
    lines.append("  from")
    lines += [f"    {name}: {_shown(name, value)}" for name, value in current.items()]
    lines += [f"    input {name}" for name in made_from.get("inputs", {})]
    if changes:
        lines += ["  stale, for these changed since then:", *(f"    {change}" for change in changes)]
    else:
        lines.append("  up to date: nothing that it was made from has changed.")
    return lines, bool(changes)


def _shown(name: str, value: str) -> str:
    if name == "code" and value.startswith("{"):
        return f"{len(json.loads(value))} modules"
    return value if len(value) <= 100 else value[:97] + "..."


def _changed_params(before: dict[str, Any], now: dict[str, str]) -> Iterator[str]:
    for name, value in now.items():
        old = before.get(name)
        if old == value:
            continue
        try:
            fields = list(_differences(json.loads(str(old)), json.loads(value), ""))
        except ValueError:
            fields = []
        if name == "code" and fields:
            yield from (f"code of {field}" for field in fields)
        elif fields:
            yield from (f"{name}: {field}" for field in fields)
        else:
            yield f"{name}: was {old!r}, is {value!r}"


def _differences(before: Any, now: Any, where: str) -> Iterator[str]:
    """Yield each field in which two JSON values differ, as ``a.b: 1 -> 2``."""
    if isinstance(before, dict) and isinstance(now, dict):
        # Names of modules hold dots themselves; they are shown as they are.
        for key in sorted(before.keys() | now.keys()):
            inner = f"{where}.{key}" if where else key
            yield from _differences(before.get(key), now.get(key), inner)
    elif before != now:
        yield f"{where}: {json.dumps(before)} -> {json.dumps(now)}"


def _changed_inputs(inputs: dict[str, str]) -> Iterator[str]:
    for name, digest in inputs.items():
        path = Path(name)
        if not path.is_file():
            yield f"input {name}: missing"
        elif digest_file(path) != digest:
            yield f"input {name}: other content"
