# Needs: results/datasets/{unit}.zarr, results/predictions/{unit}/{model}.zarr
# Makes: results/alignments/{unit}/{model}/{protocol}.parquet     the fit of each frame's prediction to its depth


rule align:
    """Fit one model's predictions to the measured depth, as one protocol says."""
    input:
        stores=ancient(datasets_to_fit("results/datasets/{unit}.zarr")),
        store_manifests=datasets_to_fit("results/datasets/{unit}.json"),
        predictions=ancient(predictions_to_fit("results/predictions/{unit}/{model}.zarr")),
        prediction_manifests=predictions_to_fit("results/predictions/{unit}/{model}.json"),
    output:
        table="results/alignments/{unit}/{model}/{protocol}.parquet",
        record="results/alignments/{unit}/{model}/{protocol}.run.json",
    log:
        "results/logs/align/{unit}/{model}/{protocol}.log",
    conda:
        "../envs/scopedepth.yaml"
    threads: 1
    params:
        protocol=align_spec,
        code=code("align"),
    script:
        "../workflow_scripts/align.py"
