# Needs: results/datasets/{unit}.zarr, results/predictions/{unit}/{model}.zarr, results/alignments/{unit}/{model}/{protocol}.parquet
# Makes: results/scores/{unit}/{model}/{protocol}.parquet     the metrics of each frame


rule score:
    """Compare one model's aligned predictions with the measured depth, as each of the study's protocols says."""
    input:
        store=ancient("results/datasets/{unit}.zarr"),
        store_manifest="results/datasets/{unit}.json",
        base=ancient(PLAN.bases),
        prediction=ancient("results/predictions/{unit}/{model}.zarr"),
        prediction_manifest="results/predictions/{unit}/{model}.json",
        # That they were made says the empty file; what is in them, the parameter. Snakemake would compare them with what
        # it recorded of every table made from them, those of other studies among them.
        aligned="results/logs/align/{unit}/{model}.done",
        alignments=ancient(PLAN.each_protocol("results/alignments/{unit}/{model}/{protocol}.parquet")),
    output:
        # What holds is kept: the job makes what does not, as `parts` says.
        tables=update(PLAN.each_protocol("results/scores/{unit}/{model}/{protocol}.parquet")),
        records=update(PLAN.each_protocol("results/scores/{unit}/{model}/{protocol}.run.json")),
    log:
        "results/logs/score/{unit}/{model}.log",
    conda:
        "../envs/scopedepth.yaml"
    threads: NEEDS.compare_threads
    resources:
        mem_mb=NEEDS.compare_mem_mb,
        runtime=NEEDS.score_runtime,
    params:
        made_from=MADE_FROM.param("score"),
        parts=MADE_FROM.parts("score"),
    script:
        "../workflow_scripts/score.py"
