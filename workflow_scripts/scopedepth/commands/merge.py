"""``scopedepth merge A.crate.zip B.crate.zip``: studies of several laboratories as one."""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

from scopedepth.config.base import NAME_PATTERN
from scopedepth.errors import ScopeDepthError
from scopedepth.export.merge import merge
from scopedepth.report.words import plural
from scopedepth.study.layout import RESULTS, Job


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument(
        "crates", type=Path, nargs="+", metavar="CRATE", help="zip files of scopedepth export, two or more"
    )
    parser.add_argument("--out", type=Path, default=Path("merged"), help="the folder to make (merged)")
    parser.add_argument("--name", help="the merged study's name (the first crate's)")


def run(options: argparse.Namespace) -> int:
    """Merge, and say what was done; a folder that is half-made does not stay."""
    out: Path = options.out
    if len(options.crates) < 2:
        raise ScopeDepthError("One crate is nothing to merge. Name two or more.")
    if out.exists():
        raise ScopeDepthError(f"{out} is there already. Name another folder, or remove it.")
    if options.name is not None and not re.fullmatch(NAME_PATTERN, options.name):
        raise ScopeDepthError(
            f"--name {options.name}: a name holds small letters, digits and underscores only."
        )
    beside = out.with_name(out.name + ".partial")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        merged = merge(options.crates, beside, options.name)
        beside.rename(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    study = merged.about["study"]
    for line in merged.said:
        print(line)
    report = out / Job("report", (study["name"],)).path("html")
    print(
        f"{report}: {plural(len(study['models']), 'model')} on {plural(len(study['datasets']), 'dataset')}."
    )
    print(f'In Python: scopedepth.open("{out / RESULTS}", "{study["name"]}")')
    return 0
