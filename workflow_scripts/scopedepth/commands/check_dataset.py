"""``scopedepth check-dataset NAME``: read a dataset and say what was found, before anything is computed on it."""

from __future__ import annotations

import argparse
from pathlib import Path

from scopedepth.commands import configuration
from scopedepth.config.load import check, dataset_spec
from scopedepth.config.resolve import stored_name
from scopedepth.config.studies import Configuration
from scopedepth.errors import ScopeDepthError
from scopedepth.study.layout import Job
from scopedepth.study.plan import fetched_lists


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument("name", help="a dataset of the configuration")
    configuration.add_arguments(parser, study=False)
    parser.add_argument("--sheet", type=Path, help="where to write the contact sheet (NAME.png)")


def run(options: argparse.Namespace) -> int:
    """Print what was found and write a contact sheet of sample frames."""
    from scopedepth.datasets.check import check_dataset, one_line_of

    checked = check(configuration.config_of(options))
    spec = dataset_spec(options.name, checked)
    raw = Job("fetch_dataset", (stored_name(spec),)).path("files")
    if not raw.is_dir():
        raise ScopeDepthError(
            f"{options.name} has not been fetched. {how_to_fetch(options.name, raw, checked)}"
        )
    sheet = options.sheet or Path(f"{options.name}.png")
    fetched = {digest: Job("fetch_list", (digest,)).path("list") for digest in fetched_lists(spec)}
    for line in check_dataset(spec, raw, sheet, fetched):
        print(one_line_of(line))
    return 0


def how_to_fetch(name: str, raw: Path, checked: Configuration) -> str:
    """Return the command that fetches a dataset: of the study chosen, else of the first one that has it."""
    studies = {study: spec.datasets for study, spec in checked.studies.items() if name in spec.datasets}
    if checked.study in studies:
        return f"Run: snakemake --cores 2 {raw}"
    if studies:
        return f"Run: snakemake --cores 2 {raw} --config study={next(iter(studies))}"
    run = f"snakemake --cores 2 {raw} --config study=STUDY"
    return f"Name it in a study under `studies` of the configuration first, then: {run}"
