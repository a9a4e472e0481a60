# Needs: results/datasets/{unit}.zarr, results/predictions/{unit}/{model}.zarr, results/alignments/{unit}/{model}/{protocol}.parquet
# Makes: results/scores/{unit}/{model}/{protocol}.parquet     the metrics of each frame


rule score:
    """Compare one model's aligned predictions with the measured depth, as one protocol says."""
    input:
        store=ancient("results/datasets/{unit}.zarr"),
        store_manifest="results/datasets/{unit}.json",
        base=ancient(PLAN.bases),
        prediction=ancient("results/predictions/{unit}/{model}.zarr"),
        prediction_manifest="results/predictions/{unit}/{model}.json",
        alignments="results/alignments/{unit}/{model}/{protocol}.parquet",
    output:
        table="results/scores/{unit}/{model}/{protocol}.parquet",
        record="results/scores/{unit}/{model}/{protocol}.run.json",
    log:
        "results/logs/score/{unit}/{model}/{protocol}.log",
    conda:
        "../envs/scopedepth.yaml"
    threads: 1
    resources:
        mem_mb=NEEDS.compare_mem_mb,
        runtime=NEEDS.score_runtime,
    params:
        made_from=MADE_FROM.param("score"),
    script:
        "../workflow_scripts/score.py"
