"""``scopedepth list``: what a study may name, from the configuration."""

from __future__ import annotations

import argparse

from scopedepth.commands import configuration
from scopedepth.config.load import check

KINDS = ("studies", "datasets", "models", "protocols", "timings")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument("kind", nargs="?", choices=KINDS, help="only these; all of them if not given")
    configuration.add_arguments(parser, study=False)


def run(options: argparse.Namespace) -> int:
    """Print the entries' names and titles; the study chosen is marked."""
    checked = check(configuration.config_of(options))
    for kind in [options.kind] if options.kind else KINDS:
        entries = getattr(checked, kind)
        print(f"{kind}:")
        width = max((len(name) for name in entries), default=0)
        for name, spec in entries.items():
            chosen = "  (chosen)" if kind == "studies" and name == checked.study else ""
            print(f"  {name:{width}}  {spec.title}{chosen}".rstrip())
    return 0
