# Needs: results/datasets/{unit}.zarr
# Makes: results/weights/{model}/                    a model's weights as published, and the digest of what they hold
#        results/predictions/{unit}/{model}.zarr     what the model said of every frame, once and for all protocols


localrules:
    fetch_weights,


rule fetch_weights:
    """Fetch a model's weights. Compute jobs read them from here and need no network."""
    input:
        PLAN.local_weights,
    output:
        files=directory("results/weights/{model}"),
        manifest="results/weights/{model}.json",
        record="results/weights/{model}.run.json",
    log:
        "results/logs/fetch_weights/{model}.log",
    conda:
        "../envs/scopedepth.yaml"
    params:
        made_from=MADE_FROM.param("fetch_weights"),
    script:
        "../workflow_scripts/fetch_weights.py"


rule predict:
    """Run one model over one unit's frames."""
    input:
        store=ancient("results/datasets/{unit}.zarr"),
        store_manifest="results/datasets/{unit}.json",
        base=ancient(PLAN.bases),
        weights=PLAN.weights,
        weights_folder=ancient(PLAN.weights_folder),
    output:
        store=directory("results/predictions/{unit}/{model}.zarr"),
        manifest="results/predictions/{unit}/{model}.json",
        record="results/predictions/{unit}/{model}.run.json",
    log:
        "results/logs/predict/{unit}/{model}.log",
    conda:
        "../envs/scopedepth.yaml"
    threads: 1
    resources:
        gpu=NEEDS.predict_gpus,
        constraint=NEEDS.predict_kind,
        cpus_per_task=NEEDS.predict_cpus,
        mem_mb=NEEDS.predict_mem_mb,
        disk_mb=NEEDS.predict_disk_mb,
        runtime=NEEDS.predict_runtime,
    params:
        made_from=MADE_FROM.param("predict"),
    script:
        "../workflow_scripts/predict.py"
