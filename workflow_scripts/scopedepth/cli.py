"""The command `scopedepth`: for looking at a study and its results. Results are made by Snakemake alone."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from scopedepth.errors import ScopeDepthError

# Subcommand to its module and what it is for; a module is imported when it is asked for.
COMMANDS = {
    "plan": ("scopedepth.commands.plan", "what a study would cost, and what is cached already"),
    "accept": ("scopedepth.commands.accept", "take results of earlier code for results of the code now"),
    "check-dataset": ("scopedepth.commands.check_dataset", "read a dataset and say what was found"),
    "explain": ("scopedepth.commands.explain", "what a result was made from, and why it is stale"),
    "export": ("scopedepth.commands.export", "a finished study as one zip file, to keep or to publish"),
    "verify": ("scopedepth.commands.verify", "whether a results tree is whole, and what to make again"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 well, 1 something is wrong, 2 wrong usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="scopedepth",
        description="Look at a study and its results. Run it in the workflow's folder. "
        "Results are made by snakemake: snakemake --cores 8 --resources gpu=1",
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    asked_for = next((word for word in given if word in COMMANDS), None)
    for name, (module_name, summary) in COMMANDS.items():
        subparser = subparsers.add_parser(
            name, help=summary, description=summary[0].upper() + summary[1:] + "."
        )
        if name == asked_for:
            module = importlib.import_module(module_name)
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    options = parser.parse_args(given)
    try:
        return int(options.run(options))
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
