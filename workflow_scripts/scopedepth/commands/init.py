"""``scopedepth init FOLDER``: a folder for one's own study, outside the workflow's."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from scopedepth.errors import ScopeDepthError
from scopedepth.job.shipped import SNAKEFILE, shipped
from scopedepth.study.layout import Job

STUDY = """\
# Your own entries. They lie over the catalogue that comes with ScopeDepth, whose entries need not be copied:
# `scopedepth list` names them. All fields: docs/tutorial.md, schemas/config.schema.json.
study: {name}
studies:
  {name}:
    title: {title}
    datasets: [phantom]
    models: [tiny_depth_anything, tiny_endo_depth, constant, brightness]
    protocols: [median_depth, lsq_disparity, sequence_scale]
    headline: {{protocol: median_depth, metric: abs_rel}}

# Data and a model of your own; name them in the study's lists above.
# datasets:
#   my_data:
#     loader: folder                     # my_data/PATIENT/rgb/0001.png beside my_data/PATIENT/depth/0001.png
#     source: {{kind: path, path: my_data}}
#     depth: {{unit: mm, scale: 1}}        # what a stored number means
# models:
#   my_model:
#     family: transformers
#     weights: {{kind: path, path: my_model}}
#     output: {{kind: disparity}}
#     trained_on: unknown
"""
README = """\
# {title}

A study of ScopeDepth. What it compares stands in study.yaml.

    scopedepth list                   # datasets, models and protocols that can be named
    scopedepth run -n                 # which jobs would run, and why
    scopedepth plan                   # what it would cost: hours, gigabytes, what is cached
    scopedepth run                    # run it; again after a change, and only what depends on that runs

Results: {report}, and the tables beside it.
"""
IGNORED = "/results/\n/.snakemake/\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument("folder", type=Path, help="the folder to make; its name becomes the study's")


# What Snakemake takes for wildcards in a path, and separates paths by.
UNFIT = frozenset("{}:")


def run(options: argparse.Namespace) -> int:
    """Write the folder's files; those that are there already are kept, and named."""
    folder: Path = options.folder
    if shipped(SNAKEFILE) is None:
        raise ScopeDepthError(
            "The workflow was not installed with the package. Run this in a clone, or install its wheel."
        )
    place = str(folder.absolute())
    if not UNFIT.isdisjoint(place):
        raise ScopeDepthError(
            f"{place}: braces and colons in a path break the workflow. Name another folder."
        )
    title = folder.absolute().name.encode("utf-8", "replace").decode()
    name = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:63].rstrip("_") or "mine"
    words = {"name": name, "report": Job("report", (name,)).path("html")}
    files = {"study.yaml": STUDY, "README.md": README, ".gitignore": IGNORED}
    there = [file for file in (*files, "config.yaml") if (folder / file).exists()]
    if there:
        raise ScopeDepthError(f"{folder / there[0]} is there already. Name a folder that is new or empty.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            filled = text if file == ".gitignore" else text.format(**words, title=_quoted(file, title))
            (folder / file).write_text(filled, encoding="utf-8")
    except OSError as error:
        raise ScopeDepthError(f"{folder}: cannot be made ({error.strerror}).") from None
    print(f"{folder}/study.yaml: choose what to compare. Then, in {folder}: scopedepth run")
    return 0


def _quoted(file: str, title: str) -> str:
    """Return a title as the file's language takes it, whatever characters a folder's name holds."""
    if not file.endswith(".yaml"):
        return title
    import json

    return json.dumps(title, ensure_ascii=False)
