# ScopeDepth: each model predicts once; every protocol is scored from that one cached prediction.
#
#   snakemake --cores 8 --resources gpu=1                       the study that config.yaml chooses
#   snakemake --cores 8 --resources gpu=1 --config study=paper  another study
#   snakemake -n                                                what would run, and why

from snakemake.utils import min_version

min_version("9.27")


include: "rules/configuration.smk"


# config.yaml of the folder of the run, else the one beside this file; over it study.yaml, where there is one.
for path in default_files():

    configfile: str(path)


# What `snakemake --report` says first.
report: "rules/captions/workflow.rst"


include: "rules/common.smk"
include: "rules/datasets.smk"
include: "rules/finetune.smk"
include: "rules/predict.smk"
include: "rules/align.smk"
include: "rules/score.smk"
include: "rules/redraw.smk"
include: "rules/timing.smk"
include: "rules/report.smk"
include: "rules/demo_weights.smk"


rule all:
    default_target: True
    input:
        PLAN.targets(),


onstart:
    start_jobs()


onsuccess:
    DISPLAY.stop()
    show_ranking()


onerror:
    DISPLAY.stop()
    show_failures()
