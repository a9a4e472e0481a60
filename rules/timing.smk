# Needs: a model's weights
# Makes: a table of every timed call of a model, and of the yardstick beside it


rule time:
    """Measure one model's speed, alone on its machine."""
    input:
        PLAN.own_code("time"),
        **inputs_of("time"),
    output:
        **outputs_of("time"),
    log:
        STAGES["time"].log,
    conda:
        "../envs/scopedepth.yaml"
    # All cores: nothing else may run on the machine meanwhile. A cluster's jobs know no number of cores.
    threads: CORES or 1
    resources:
        gpu=1,
        constraint=NEEDS.time_kind,
        mem_mb=NEEDS.time_mem_mb,
        runtime=NEEDS.time_runtime,
    params:
        **params_of("time"),
    script:
        "../workflow_scripts/measure_time.py"
