# Needs: results/datasets/{unit}.zarr, results/predictions/{unit}/{model}.zarr
# Makes: results/alignments/{unit}/{model}/{protocol}.parquet     the fit of each frame's prediction to its depth


rule align:
    """Fit one model's predictions to the measured depth, as each of the study's protocols says."""
    input:
        stores=ancient(PLAN.stores_to_fit),
        store_manifests=PLAN.store_manifests_to_fit,
        bases=ancient(PLAN.bases_to_fit),
        predictions=ancient(PLAN.predictions_to_fit),
        prediction_manifests=PLAN.prediction_manifests_to_fit,
    output:
        # What holds is kept: the job makes what does not, as `parts` says.
        tables=update(PLAN.each_protocol("results/alignments/{unit}/{model}/{protocol}.parquet")),
        done=touch("results/logs/align/{unit}/{model}.done"),
        records=update(PLAN.each_protocol("results/alignments/{unit}/{model}/{protocol}.run.json")),
    log:
        "results/logs/align/{unit}/{model}.log",
    conda:
        "../envs/scopedepth.yaml"
    threads: NEEDS.compare_threads
    resources:
        mem_mb=NEEDS.compare_mem_mb,
        runtime=NEEDS.align_runtime,
    params:
        made_from=MADE_FROM.param("align"),
        parts=MADE_FROM.parts("align"),
    script:
        "../workflow_scripts/align.py"
