# The study, tabulated once. Every path and every parameter of the rules follows from PLAN.

import sys
from pathlib import Path

# The library lies beside the rules' scripts, so that a clone needs no installation.
SCRIPTS = Path(workflow.basedir, "workflow_scripts")
sys.path.insert(0, str(SCRIPTS))

from scopedepth.config.load import ConfigError, select_study
from scopedepth.plan import Plan

try:
    PLAN = Plan(select_study(config), SCRIPTS)
except ConfigError as error:
    sys.exit(f"scopedepth: error: {error}")


wildcard_constraints:
    dataset=r"[a-z0-9_]+",
    unit=r"[^/]+",
    model=r"[a-z0-9_]+",
    protocol=r"[a-z0-9_]+",
    study=r"[a-z0-9_]+",
    timing=r"[a-z0-9_]+",


def show_ranking():
    """Print the last word of a run: the ranking, and where the report is."""
    ranking = Path(f"results/studies/{PLAN.study.name}/ranking.txt")
    if ranking.is_file():
        print(ranking.read_text(encoding="utf-8"))
