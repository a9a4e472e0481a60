"""The command `scopedepth`: for looking at a study and its results. Results are made by Snakemake alone."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from scopedepth.errors import ScopeDepthError
from scopedepth.job.plain_output import print_on_any_terminal
from scopedepth.version import own_version

# Subcommand to its module and what it is for; a module is imported when it is asked for.
COMMANDS = {
    "init": ("scopedepth.commands.init", "a folder for a study of your own"),
    "list": ("scopedepth.commands.list", "the datasets, models and protocols that a study may name"),
    "run": ("scopedepth.commands.run", "run the workflow here: snakemake with the right arguments"),
    "merge": ("scopedepth.commands.merge", "studies of several laboratories, exported, as one"),
    "plan": ("scopedepth.commands.plan", "what a study would cost, and what is cached already"),
    "accept": ("scopedepth.commands.accept", "take results of earlier code for results of the code now"),
    "check-dataset": ("scopedepth.commands.check_dataset", "read a dataset and say what was found"),
    "card": (
        "scopedepth.commands.card",
        "a model card of what a study has recorded, with CLAIM and BIAS items",
    ),
    "completion": (
        "scopedepth.commands.completion",
        "a script that lets bash, zsh or fish complete these words",
    ),
    "deploy": ("scopedepth.commands.deploy", "a model as one ONNX file, proven against our own prediction"),
    "explain": ("scopedepth.commands.explain", "what a result was made from, and why it is stale"),
    "export": ("scopedepth.commands.export", "a finished study as one zip file, to keep or to publish"),
    "verify": ("scopedepth.commands.verify", "whether a results tree is whole, and what to make again"),
}


def _use_code_of_the_workflow(given: Sequence[str]) -> None:
    """Start anew with the library of the workflow's folder, where this is another copy of it.

    Which results hold is a question of the code that makes them; an installed copy may be older or newer.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--workflow", type=Path)
    try:
        chosen = parser.parse_known_args(given)[0].workflow
    except argparse.ArgumentError:
        return  # said by the parser of all arguments
    library = (chosen or Path()) / "workflow_scripts"
    there = library / "scopedepth" / "cli.py"
    if not there.is_file():
        if chosen is not None:
            sys.exit(f"scopedepth: error: --workflow {chosen}: there is no {there}.")
        return
    paths = [str(library.absolute()), *filter(None, [os.environ.get("PYTHONPATH")])]
    if not there.samefile(__file__):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        os.execve(sys.executable, [sys.executable, "-P", "-m", "scopedepth.cli", *given], environment)


def _run(arguments: Sequence[str] | None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        print_on_any_terminal()
        _use_code_of_the_workflow(given)
    parser = argparse.ArgumentParser(
        prog="scopedepth",
        description="Make and look at a study and its results, in the workflow's folder or in one made by scopedepth "
        "init. Results are made by snakemake alone, which scopedepth run starts.",
    )
    parser.add_argument(
        "--workflow", type=Path, metavar="FOLDER", help="the workflow's folder, where it is not this one"
    )
    parser.add_argument("--version", action="version", version=own_version())
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    asked_for = next((word for word in given if word in COMMANDS), None)
    if asked_for is None and given and not given[0].startswith("-"):
        from scopedepth.config.load import suggest

        raise ScopeDepthError(f"{given[0]!r} is no command. {suggest(given[0], COMMANDS)}")
    for name, (module_name, summary) in COMMANDS.items():
        subparser = subparsers.add_parser(
            name, help=summary, description=summary[0].upper() + summary[1:] + ".", allow_abbrev=False
        )
        if name == asked_for:
            module = importlib.import_module(module_name)
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run, passes_on=getattr(module, "PASSES_ON", False))
    options, passed_on = parser.parse_known_args(given)
    if passed_on and not options.passes_on:
        parser.error(f"unrecognized arguments: {' '.join(passed_on)}")
    options.passed_on = passed_on
    return int(options.run(options))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 well, 1 something is wrong, 2 wrong usage."""
    try:
        return _run(arguments)
    except ScopeDepthError as error:
        print(f"scopedepth: error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader has seen enough (scopedepth verify | head).
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
