# Needs: a unit's store
# Makes: a model's weights as published, and the digest of what they hold
#        what the model said of every frame of the unit, once and for all protocols


localrules:
    fetch_weights,


rule fetch_weights:
    """Fetch a model's weights. Compute jobs read them from here and need no network."""
    input:
        PLAN.local_weights,
    output:
        **outputs_of("fetch_weights"),
    log:
        STAGES["fetch_weights"].log,
    conda:
        "../envs/scopedepth.yaml"
    params:
        **params_of("fetch_weights"),
    script:
        "../workflow_scripts/fetch_weights.py"


rule predict:
    """Run one model over one unit's frames."""
    input:
        PLAN.own_code("predict"),
        **inputs_of("predict"),
    output:
        **outputs_of("predict"),
    log:
        STAGES["predict"].log,
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
        **params_of("predict"),
    script:
        "../workflow_scripts/predict.py"
