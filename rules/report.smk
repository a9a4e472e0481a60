# Needs: the tables of all stages
# Makes: results/studies/{study}/{frames,summary,comparisons,ranks,sensitivity,depth_error,drift,timing}.parquet
#        results/studies/{study}/report.html     to read and to send
#        results/studies/{study}/paper/          LaTeX tables, figures, references


rule summarise:
    """Put a study's scores into tables: means with intervals, comparisons, ranks, and what a protocol changes."""
    input:
        scores=PLAN.every_score("results/scores/{unit}/{model}/{protocol}.parquet"),
        alignments=PLAN.every_score("results/alignments/{unit}/{model}/{protocol}.parquet"),
        # A sample of the frames, for the errors against depth.
        stores=ancient(PLAN.every_unit("results/datasets/{unit}.zarr")),
        store_manifests=PLAN.every_unit("results/datasets/{unit}.json"),
        bases=ancient(PLAN.every_base()),
        predictions=ancient(PLAN.every_prediction("results/predictions/{unit}/{model}.zarr")),
        prediction_manifests=PLAN.every_prediction("results/predictions/{unit}/{model}.json"),
        timings=PLAN.every_timing("results/timing/{timing}/{model}.parquet"),
        timing_records=PLAN.every_timing("results/timing/{timing}/{model}.run.json"),
    output:
        **PLAN.tables("{study}"),
        record="results/studies/{study}/summary.run.json",
    log:
        "results/logs/summarise/{study}.log",
    conda:
        "../envs/scopedepth.yaml"
    resources:
        mem_mb=NEEDS.summary_mem_mb,
        runtime=NEEDS.summary_runtime,
    params:
        made_from=MADE_FROM.param("summarise"),
        units=list(PLAN.study.units),
    script:
        "../workflow_scripts/summarise.py"


rule report:
    """Show a study: one page to read, and the tables and figures for a paper."""
    input:
        **PLAN.tables("{study}"),
        scores_record="results/studies/{study}/summary.run.json",
        stores=ancient(PLAN.every_unit("results/datasets/{unit}.zarr")),
        store_manifests=PLAN.every_unit("results/datasets/{unit}.json"),
        bases=ancient(PLAN.every_base()),
        store_pages=PLAN.every_unit("results/datasets/{unit}.page.json"),
        store_records=PLAN.every_unit("results/datasets/{unit}.run.json"),
        predictions=ancient(PLAN.every_prediction("results/predictions/{unit}/{model}.zarr")),
        prediction_manifests=PLAN.every_prediction("results/predictions/{unit}/{model}.json"),
        prediction_records=PLAN.every_prediction("results/predictions/{unit}/{model}.run.json"),
        alignments=PLAN.every_score("results/alignments/{unit}/{model}/{protocol}.parquet"),
        timing_records=PLAN.every_timing("results/timing/{timing}/{model}.run.json"),
    output:
        # report(...) marks what `snakemake --report` shows.
        html=report(
            "results/studies/{study}/report.html",
            caption="captions/report.rst",
            category="The study",
            labels={"study": "{study}", "shows": "the whole report"},
        ),
        record="results/studies/{study}/report.run.json",
        ranking=report(
            "results/studies/{study}/ranking.txt",
            caption="captions/ranking.rst",
            category="The study",
            labels={"study": "{study}", "shows": "the ranking"},
        ),
        paper=report(
            directory("results/studies/{study}/paper"),
            patterns=["figures/{shown}.png", "tables/{shown}.tex"],
            caption="captions/paper.rst",
            category="For a paper",
            labels={"study": "{study}", "shows": "{shown}"},
        ),
    log:
        "results/logs/report/{study}.log",
    conda:
        "../envs/scopedepth.yaml"
    resources:
        mem_mb=NEEDS.summary_mem_mb,
        runtime=NEEDS.summary_runtime,
    params:
        made_from=MADE_FROM.param("report"),
        units=list(PLAN.study.units),
    script:
        "../workflow_scripts/report.py"
