"""Where the workflow lies that this library belongs to: the clone around it, or what a wheel installed."""

from __future__ import annotations

import os
from functools import cache
from importlib import metadata
from pathlib import Path

LIBRARY = Path(__file__).parents[1]
SNAKEFILE = "Snakefile"


@cache
def workflow_folder() -> Path | None:
    """Return the folder with the Snakefile, the rules and the shipped configuration; None where there is none.

    In a clone the library lies two folders below it. A wheel puts it below the environment's share/.
    """
    clone = LIBRARY.parents[1]
    if (clone / SNAKEFILE).is_file():
        return clone
    try:
        installed = metadata.files("scopedepth") or []
    except metadata.PackageNotFoundError:
        return None
    for file in installed:
        if file.name == SNAKEFILE:
            found = Path(str(file.locate())).resolve()
            return found.parent if found.is_file() else None
    return None


def shipped(name: str) -> Path | None:
    """Return a file or folder of the workflow by its name below the workflow's folder; None where it has none."""
    folder = workflow_folder()
    # This says no, and raises nothing, of what can be no file's name.
    return folder / name if folder is not None and os.path.exists(folder / name) else None


def in_place(path: str) -> str:
    """Return where a path of a configuration lies: relative ones below the folder of the run, else in the workflow's.

    So a study elsewhere uses the weights that come with the workflow. A path that is in neither stays as it is.
    """
    if not path or path.startswith(("/", "~")) or os.path.exists(path):
        return path
    return str(shipped(path) or path)


def runs_by(cores: str = "all") -> str:
    """Return the command that runs the workflow in this folder: snakemake beside a Snakefile, else scopedepth run."""
    command = "snakemake" if Path(SNAKEFILE).is_file() else "scopedepth run"
    return f"{command} --cores {cores}"
