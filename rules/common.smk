# The study, tabulated once. Every path and every parameter of the rules follows from PLAN.

import functools
import gc
import shutil
import sys
from pathlib import Path

import snakemake.resources
import snakemake.sourcecache

# Jobs are many objects that stay: looking for garbage among them took a tenth of the time to plan thousands.
gc.set_threshold(200_000)

# The library lies beside the rules' scripts, so that a clone needs no installation.
SCRIPTS = Path(workflow.basedir, "workflow_scripts")
sys.path.insert(0, str(SCRIPTS))

from scopedepth.config.load import ConfigError, select_study
from scopedepth.display import Display
from scopedepth.needs import Needs
from scopedepth.plan import Plan
from scopedepth.signatures import signed

try:
    PLAN = Plan(select_study(config), SCRIPTS)
except ConfigError as error:
    sys.exit(f"scopedepth: error: {error}")
# Whoever reads the configuration beside a job finds citations written out.
for name, spec in {**PLAN.study.bases, **PLAN.study.datasets}.items():
    config["datasets"][name]["citation"] = spec["citation"]
# What each job asks of a cluster's scheduler.
NEEDS = Needs(PLAN.study)
# Bars for running jobs, where Snakemake runs in a terminal.
DISPLAY = Display(
    Path("results/logs/running"),
    counts=lambda: (workflow.scheduler.finished_jobs, len(workflow.dag)),
    jobs=workflow.cores or 4,
)

# Snakemake works these two out anew several times for every job, always with the same outcome. Both are its own
# affairs: a version without them plans as well, only slower.
if hasattr(snakemake.resources, "Resource"):
    signed(snakemake.resources.Resource)
if hasattr(snakemake.sourcecache, "parse_uri"):
    snakemake.sourcecache.parse_uri = functools.cache(snakemake.sourcecache.parse_uri)


wildcard_constraints:
    dataset=r"[a-z0-9_]+",
    unit=r"[^/]+",
    model=r"[a-z0-9_]+",
    protocol=r"[a-z0-9_]+",
    study=r"[a-z0-9_]+",
    timing=r"[a-z0-9_]+",


def show_ranking():
    """Print the last word of a run: the ranking, and where the report is."""
    folder = Path("results/studies", PLAN.study.name)
    shutil.rmtree(folder / "incomplete", ignore_errors=True)
    if (folder / "ranking.txt").is_file():
        print((folder / "ranking.txt").read_text(encoding="utf-8"))


def show_failures():
    """Say what failed and why, and make a report of what did not."""
    from scopedepth.incomplete import failures, write_incomplete

    for what, reason in failures(PLAN):
        print(f"failed: {what}: {reason}", file=sys.stderr)
    page = write_incomplete(PLAN)
    if page is not None:
        print(f"A report of what did not fail: {page}", file=sys.stderr)
    print("The same command again goes on where this run ended.", file=sys.stderr)
