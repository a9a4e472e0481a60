"""``scopedepth card MODEL``: a model card, with CLAIM's and BIAS's items, of what a finished study has recorded."""

from __future__ import annotations

import argparse
from pathlib import Path

from scopedepth.commands import configuration
from scopedepth.commands.export import check_finished, members
from scopedepth.errors import ScopeDepthError
from scopedepth.study.layout import Job, tables_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument("model", help="a model of the study")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="the file to write (MODEL.card.md)")
    configuration.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Write the card."""
    from scopedepth.report.checklists.card import NOT_RECORDED, Facts, card
    from scopedepth.report.results import Results

    plan = configuration.plan_of(options)
    study, name = plan.study, options.model
    if name not in study.spec["models"]:
        raise ScopeDepthError(
            f"The study {study.name} has no model {name!r}. It has: {', '.join(study.spec['models'])}."
        )
    check_finished(plan)
    results = Results(
        study.spec,
        study.datasets,
        study.models,
        study.protocols,
        tables_of(study.name),
        {unit: Job("prepare", (unit,)).path("store") for unit in study.shown_units},
    )
    records = tuple(Job("predict", (unit, name)).path("record") for unit in study.shown_units)
    digest = next(one.digest for one in members(study) if (one.kind, one.name) == ("model", name))
    text = card(Facts(results, name, records, digest or ""))
    out = options.out or Path(f"{name}.card.md")
    if not out.parent.is_dir() or out.is_dir():
        raise ScopeDepthError(f"--out {out} is no file in a folder that is there. Give a name such as x.md.")
    out.write_text(text, encoding="utf-8")
    print(f"{out}: {text.count(NOT_RECORDED) - 1} items that the study has not recorded are marked so.")
    return 0
