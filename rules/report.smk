# Needs: the tables of all stages
# Makes: results/studies/{study}/{frames,summary,comparisons,ranks,sensitivity,timing}.parquet
#        results/studies/{study}/report.html     to read and to send
#        results/studies/{study}/paper/          LaTeX tables, figures, references


localrules:
    summarise,
    report,


rule summarise:
    """Put a study's scores into tables: means with intervals, comparisons, ranks, and what a protocol changes."""
    input:
        scores=every_score("results/scores/{unit}/{model}/{protocol}.parquet"),
        alignments=every_score("results/alignments/{unit}/{model}/{protocol}.parquet"),
        timings=every_timing("results/timing/{timing}/{model}.parquet"),
        timing_records=every_timing("results/timing/{timing}/{model}.run.json"),
    output:
        **study_tables("{study}"),
        record="results/studies/{study}/summary.run.json",
    log:
        "results/logs/summarise/{study}.log",
    conda:
        "../envs/scopedepth.yaml"
    params:
        study=study_spec,
        datasets=members(STUDY.datasets),
        models=members(STUDY.models),
        protocols=members(STUDY.protocols),
        code=code("summarise"),
    script:
        "../workflow_scripts/summarise.py"


rule report:
    """Show a study: one page to read, and the tables and figures for a paper."""
    input:
        **study_tables("{study}"),
        scores_record="results/studies/{study}/summary.run.json",
        stores=ancient(expand("results/datasets/{unit}.zarr", unit=STUDY.units)),
        store_manifests=expand("results/datasets/{unit}.json", unit=STUDY.units),
        store_records=expand("results/datasets/{unit}.run.json", unit=STUDY.units),
        predictions=ancient(every_prediction("results/predictions/{unit}/{model}.zarr")),
        prediction_manifests=every_prediction("results/predictions/{unit}/{model}.json"),
        prediction_records=every_prediction("results/predictions/{unit}/{model}.run.json"),
        alignments=every_score("results/alignments/{unit}/{model}/{protocol}.parquet"),
        timing_records=every_timing("results/timing/{timing}/{model}.run.json"),
    output:
        html="results/studies/{study}/report.html",
        ranking="results/studies/{study}/ranking.txt",
        paper=directory("results/studies/{study}/paper"),
    log:
        "results/logs/report/{study}.log",
    conda:
        "../envs/scopedepth.yaml"
    params:
        study=canonical_json(STUDY.spec),
        datasets=members(STUDY.datasets),
        models=members(STUDY.models),
        protocols=members(STUDY.protocols),
        units=list(STUDY.units),
        code=code("report"),
    script:
        "../workflow_scripts/report.py"
