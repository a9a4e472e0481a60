# Needs: a unit's store and a model's prediction of it
# Makes: a table of fits: of each frame's prediction to its depth, as a protocol says


rule align:
    """Fit one model's predictions to the measured depth, as one protocol says."""
    input:
        **inputs_of("align"),
    output:
        **outputs_of("align"),
    log:
        STAGES["align"].log,
    conda:
        "../envs/scopedepth.yaml"
    threads: 1
    resources:
        mem_mb=NEEDS.compare_mem_mb,
        runtime=NEEDS.align_runtime,
    params:
        **params_of("align"),
    script:
        "../workflow_scripts/align.py"
