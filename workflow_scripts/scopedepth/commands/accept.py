"""``scopedepth accept``: take results made with earlier code for results of the code that is here now.

For an upgrade that changes no number, so that nothing is computed again. What was accepted, when and why is written
beside the results (`layout.ACCEPTED`). Changed values of the configuration are not accepted: they change results.
"""

from __future__ import annotations

import argparse
import json
import time

from scopedepth.commands import configuration
from scopedepth.commands.explain import differences
from scopedepth.errors import ScopeDepthError, one_line
from scopedepth.job.manifest import write_json
from scopedepth.study.accepted import added_only, decided_by
from scopedepth.study.layout import STAGES
from scopedepth.study.made_from import MadeFrom


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument(
        "rules",
        nargs="*",
        metavar="RULE",
        help="the rules whose results are accepted, for example prepare predict; all where none is named",
    )
    parser.add_argument(
        "--why", required=True, help="why the numbers are the same, for those who read it later"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be accepted, and write nothing"
    )
    configuration.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Accept what changed in code alone; print what that is, and what was not accepted."""
    unknown = [rule for rule in options.rules if rule not in STAGES]
    if unknown:
        raise ScopeDepthError(f"There is no rule {unknown[0]}. Rules: {', '.join(STAGES)}.")
    why = one_line(options.why)
    if not why:
        raise ScopeDepthError("--why is empty. Say why the numbers are the same.")
    plan = configuration.plan_of(options)
    made_from = MadeFrom(plan)
    accepted = made_from.accepted
    entries = list(accepted.entries)
    changed: dict[str, int] = {}
    modules: set[str] = set()
    refused: list[str] = []
    for job in plan.jobs():
        if (options.rules and job.rule not in options.rules) or made_from.why(job) != "changed":
            continue
        before, now = json.loads(made_from.recorded(job) or "{}"), json.loads(made_from.now(job))
        if not (isinstance(before, dict) and before.keys() == now.keys()):
            refused.append(f"{job}: its record is of another version of ScopeDepth")
        elif not added_only(before["spec"], now["spec"]):
            change = next(line for line in differences(job, made_from) if line.startswith("spec"))
            refused.append(f"{job}: the configuration changed it ({change})")
        elif accepted.same(job.rule, before, now):
            refused.append(f"{job}: its inputs changed")
        else:
            modules |= {line for line in differences(job, made_from) if not line.startswith("input")}
            changed[job.rule] = changed.get(job.rule, 0) + 1
            entry = {"rule": job.rule, "before": decided_by(before), "after": decided_by(now)}
            if not any(entry.items() <= known.items() for known in entries):
                at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                entries.append({**entry, "why": why, "at": at})
    for line in sorted(modules):
        print(line)
    for rule, count in changed.items():
        print(f"accepted: {rule} ×{count}")
    for line in refused:
        print(f"not accepted: {line}")
    if not changed:
        print("There is nothing to accept.")
    elif not options.dry_run:
        write_json(accepted.path, entries)
    return 0
