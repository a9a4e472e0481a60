"""The arguments that choose a configuration and a study, for all commands: those that Snakemake takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from scopedepth.config.files import read_config as read_config
from scopedepth.config.files import read_configs
from scopedepth.config.load import ConfigError, select_study
from scopedepth.job.shipped import LIBRARY, shipped
from scopedepth.study.plan import Plan


def add_arguments(parser: argparse.ArgumentParser, study: bool = True) -> None:
    """Add the arguments that choose a configuration and, with `study`, a study."""
    parser.add_argument(
        "--configfile",
        "--configfiles",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="configurations that are laid over config.yaml, as snakemake does it",
    )
    parser.add_argument(
        "--config",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="values that win over the files, as snakemake takes them: study=paper",
    )
    if study:
        parser.add_argument("--study", help="the study; the configuration's choice where it is not given")


def config_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the configuration that the arguments choose."""
    for path in options.configfile:
        if not path.is_file():
            raise ConfigError(
                f"{path}: there is no such configuration. --configfile takes what follows it: put other words first."
            )
    return read_configs(options.configfile, _values(options.config))


def _values(entries: list[str]) -> dict[str, Any]:
    if not entries:
        return {}
    # Their types are Snakemake's choice. It takes a while to import.
    from snakemake.cli import parse_config

    for entry in entries:
        if "=" not in entry:
            raise ConfigError(
                f"{entry!r} is no KEY=VALUE. --config takes what follows it: put other words first."
            )
    try:
        return dict(parse_config(entries))
    except (ValueError, AssertionError) as error:
        raise ConfigError(f"--config {' '.join(entries)}: {error}.") from None


def plan_of(options: argparse.Namespace, name: str | None = None) -> Plan:
    """Return the plan of the study that the arguments choose, or of the one called `name`."""
    return Plan(select_study(config_of(options), name or options.study), scripts())


def scripts() -> Path:
    """Return the folder of the rules' scripts in the workflow that this package belongs to."""
    folder = shipped("workflow_scripts")
    if folder is None:
        raise ConfigError(
            f"The workflow's scripts were not installed with the package ({LIBRARY}). Run this in the workflow's "
            "folder, or name that: scopedepth --workflow FOLDER …"
        )
    return folder
