"""``scopedepth run``: the workflow in this folder, by Snakemake, whose words are passed on to it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from scopedepth.config.files import default_files
from scopedepth.errors import ScopeDepthError
from scopedepth.job.shipped import SNAKEFILE, shipped

PASSES_ON = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.usage = "scopedepth run [--study NAME] [what snakemake takes: -n, --cores 8, TARGET ...]"
    parser.add_argument("--study", metavar="NAME", help="the study; the configuration's choice if not given")


def run(options: argparse.Namespace) -> int:
    """Become Snakemake, with this workflow, its profile and all cores; what was given wins."""
    command = [sys.executable, "-m", "snakemake", *arguments(options.study, options.passed_on)]
    sys.stdout.flush()
    os.execv(sys.executable, command)


def arguments(study: str | None, given: list[str]) -> list[str]:
    """Return Snakemake's arguments for the workflow in this folder."""
    snakefile = shipped(SNAKEFILE)
    if snakefile is None:
        raise ScopeDepthError(
            "The workflow was not installed with the package. Run this in a clone, or install its wheel."
        )
    if not any(path.is_file() for path in default_files()) and not _names("--configfile", given):
        raise ScopeDepthError(
            f"{Path.cwd()}: there is no study.yaml and no config.yaml. Make a folder with one: scopedepth init FOLDER"
        )
    words = [_shipped_profile(given[:at], word) for at, word in enumerate(given)]
    if study is not None:
        # Snakemake takes the last --config alone.
        at = words.index("--config") + 1 if "--config" in words else len(words) + 1
        words = [*words, "--config"] if at > len(words) else words
        words.insert(at, f"study={study}")
    profile = snakefile.parent / "profiles" / "default"
    return ["--snakefile", str(snakefile), "--workflow-profile", str(profile), "--cores", "all", *words]


def _names(option: str, given: list[str]) -> bool:
    return any(word.partition("=")[0] in (option, option + "s") for word in given)


def _shipped_profile(before: list[str], word: str) -> str:
    """Return the folder of a profile that comes with the workflow, where `--profile` names one; else the word."""
    if before[-1:] != ["--profile"] or Path(word).exists():
        return word
    found = shipped(f"profiles/{Path(word).name}") if Path(word).name == word else None
    return word if found is None else str(found)
