"""``scopedepth check-dataset NAME``: read a dataset and say what was found, before anything is computed on it."""

from __future__ import annotations

import argparse
from pathlib import Path

from scopedepth.commands import configuration
from scopedepth.config.load import check, dataset_spec
from scopedepth.config.resolve import stored_name
from scopedepth.errors import ScopeDepthError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument("name", help="a dataset of the configuration")
    parser.add_argument(
        "--configfile", type=Path, default=Path("config.yaml"), help="the configuration (config.yaml)"
    )
    parser.add_argument("--sheet", type=Path, help="where to write the contact sheet (NAME.png)")


def run(options: argparse.Namespace) -> int:
    """Print what was found and write a contact sheet of sample frames."""
    from scopedepth.check_dataset import check_dataset, one_line_of

    checked = check(configuration.read_config(options.configfile))
    spec = dataset_spec(options.name, checked)
    raw = Path("results/raw", stored_name(spec))
    if not raw.is_dir():
        raise ScopeDepthError(f"{options.name} has not been fetched. Run: snakemake --cores 2 {raw}")
    sheet = options.sheet or Path(f"{options.name}.png")
    for line in check_dataset(spec, raw, sheet):
        print(one_line_of(line))
    return 0
