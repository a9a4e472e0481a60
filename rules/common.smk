# The study, tabulated once. Every path and every parameter of the rules follows from PLAN.

import functools
import gc
import inspect
import logging
import os
import re
import shutil
import sys
from pathlib import Path

import snakemake.resources
import snakemake.sourcecache
from snakemake.common import overwrite_function_params

# Jobs are many objects that stay: looking for garbage among them took a tenth of the time to plan thousands.
gc.set_threshold(200_000)

from scopedepth.config.load import select_study
from scopedepth.job.display import Display
from scopedepth.errors import ScopeDepthError
from scopedepth.job.interpreter import plain_path
from scopedepth.study.asked import refuse_unfit
from scopedepth.study.layout import DEMO_WEIGHTS, LOGS, RUNNING, STAGES, WILDCARDS, Job, incomplete_folder
from scopedepth.study.made_from import MadeFrom
from scopedepth.study.needs import Needs
from scopedepth.study.plan import Plan
from scopedepth.study.targets import check_targets
from scopedepth.vocabulary.weights import FINETUNED

# --dag, --summary and the like need no number of cores, and `workflow.cores` insists on one.
CORES = workflow.global_resources["_cores"].value if "_cores" in workflow.global_resources else None

try:
    sys.executable = plain_path(sys.executable)
    PLAN = Plan(select_study(config), SCRIPTS)
    # A module's user has targets of his own.
    alone = workflow.is_main_process and workflow.modifier.is_main_snakefile()
    check_targets(sys.argv[1:] if alone else [], PLAN, config)
    # What each result is made from, as that lies on disk now: a parameter of every rule.
    MADE_FROM = MadeFrom(PLAN, planning=workflow.is_main_process)
    if workflow.is_main_process:
        refuse_unfit(PLAN, MADE_FROM)
except ScopeDepthError as error:
    sys.exit(f"scopedepth: error: {error}")
# Whoever reads the configuration beside a job finds it written out. Addresses may hold what gives access to them: jobs
# take them from here, for a rule's parameters are kept and shown.
for name, spec in {**PLAN.study.bases, **PLAN.study.datasets}.items():
    # A study's corrupted views do not stand in it.
    if name in config["datasets"]:
        config["datasets"][name] |= {key: spec[key] for key in ("citation", "source") if key in spec}
for name, spec in {**PLAN.study.base_models, **PLAN.study.models}.items():
    if spec["weights"]["kind"] != FINETUNED:
        config["models"][name]["weights"] = spec["weights"]
config["fetched_lists"] = PLAN.fetched_lists()
# What each job asks of a cluster's scheduler.
NEEDS = Needs(PLAN.study, CORES)
# Bars for running jobs, where Snakemake runs in a terminal.
DISPLAY = Display(
    RUNNING,
    counts=lambda: (workflow.scheduler.finished_jobs, len(workflow.dag)),
    jobs=CORES or 4,
)
# Snakemake says two lines whenever it chooses jobs, and one for an empty file: thousands in a study's log, which tell
# nobody anything.
CHATTER = re.compile(r"Select jobs to execute\.\.\.|Execute \d+ jobs\.\.\.|Touching output file .*\.done\.")
logging.getLogger("snakemake.logging").addFilter(lambda record: not CHATTER.fullmatch(record.getMessage()))


def known(function):
    """Write down which arguments a function takes, and return it.

    Snakemake asks that several times for every job, and Python works it out anew each time: of the time to plan ten
    thousand jobs it took a seventh.
    """
    every = inspect.signature(function).parameters
    overwrite_function_params(function, {name: every[name] for name in every if name != "self"})
    return function


for function in (PLAN.local_weights.__func__, *vars(Needs).values(), snakemake.resources.Resource.evaluate):
    if inspect.isfunction(function):
        known(function)

# Snakemake works out several times for every job where the same few scripts lie. This is its own affair: a version
# without it plans as well, only slower.
if hasattr(snakemake.sourcecache, "parse_uri"):
    snakemake.sourcecache.parse_uri = functools.cache(snakemake.sourcecache.parse_uri)


def inputs_of(rule):
    """Return what a rule reads, by name."""
    inputs = PLAN.inputs(rule)
    for function in filter(callable, inputs.values()):
        known(function)
    return inputs | {name: ancient(inputs[name]) for name in STAGES[rule].vouched_for}


def outputs_of(rule):
    """Return what a rule makes, by name."""
    stage = STAGES[rule]
    outputs = {name: PLAN.each(rule, stage.pattern(name)) for name in stage.makes}
    if stage.each:
        return {name: update(paths) for name, paths in outputs.items()}
    return outputs | {name: directory(outputs[name]) for name in stage.folders}


def params_of(rule):
    """Return a rule's parameters: what its result is made from, what of it is to be made, the units in their order."""
    params = {"made_from": known(MADE_FROM.param(rule))}
    if STAGES[rule].each:
        params["parts"] = known(MADE_FROM.parts(rule))
    if "study" in STAGES[rule].wildcards:
        params["units"] = PLAN.study.shown_units
    return params


wildcard_constraints:
    **WILDCARDS,


def names_in(folder):
    """Return what lies in a folder, by name; nothing where there is none."""
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()


def mark_lost_records():
    """Let Snakemake make again what does not hold and what it has no records of: else it takes that for current.

    Its records lie in .snakemake/, and may be lost or left behind.
    """
    from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
    from snakemake.persistence.file import FilePersistence

    kept, whole = None, True
    # One look at a folder for all that may lie in it: thousands of jobs make a dozen files each.
    listed = functools.cache(names_in)

    def is_there(path):
        folder, _, name = path.rpartition("/")
        return name in listed(folder)

    for job in PLAN.jobs():
        outputs = job.places()
        if is_there(outputs[-1]) and MADE_FROM.holds(job):
            continue
        whole = False
        if not any(map(is_there, outputs)):
            continue
        kept = kept or FilePersistence(nolock=True)
        for path in outputs:
            if kept._read_record(path) is None:
                marked = MetadataRecord(params=["'lost'"], record_format_version=RECORD_FORMAT_VERSION)
                kept._write_record(path, marked)
    if whole:
        # A run that ended with a signal may have left it, and no job will run that takes it away.
        shutil.rmtree(incomplete_folder(PLAN.study.name), ignore_errors=True)


if workflow.is_main_process:
    mark_lost_records()


def forget_what_was_planned():
    """Let Snakemake record of jobs what they are told when they run, and not what it was shown while it planned.

    It keeps that in a cache, and with jobs that it sends to a cluster. Both are its own affairs: with a version that
    names them otherwise, everything is made once more.
    """
    kept = getattr(workflow.persistence, "_params", None)
    if hasattr(kept, "cache_clear"):
        kept.cache_clear()
    for job in workflow.dag.jobs:
        job._params = job._non_derived_params = None


def start_jobs():
    """From here on jobs are told what is there now."""
    MADE_FROM.start()
    forget_what_was_planned()
    DISPLAY.start()


def jobs_begin():
    """Say whether jobs run: `onstart` is not called of a module, nor with --no-hooks."""
    if workflow.scheduler is None or workflow.dryrun:
        return False
    forget_what_was_planned()
    return True


MADE_FROM.begun = jobs_begin


def show_ranking():
    """Print the last word of a run: the ranking, and where the report is."""
    shutil.rmtree(incomplete_folder(PLAN.study.name), ignore_errors=True)
    ranking = Job("report", (PLAN.study.name,)).path("ranking")
    if ranking.is_file():
        print(ranking.read_text(encoding="utf-8"))


def show_failures():
    """Say what failed and why, and make a report of what did not."""
    from scopedepth.report.html.incomplete import failures, write_incomplete

    stale = MadeFrom(PLAN).runs()
    for what, reason in failures(PLAN, stale):
        print(f"failed: {what}: {reason}", file=sys.stderr)
    page = write_incomplete(PLAN, stale)
    if page is not None:
        print(f"A report of what did not fail: {page}", file=sys.stderr)
    print("The same command again goes on where this run ended.", file=sys.stderr)
