# Needs: a unit's store and a model's prediction of it
# Makes: a table of fits: of each frame's prediction to its depth, as a protocol says


rule align:
    """Fit one model's predictions to the measured depth, as each of the study's protocols says."""
    input:
        **inputs_of("align"),
    output:
        # What holds is kept: the job makes what does not, as `parts` says.
        **outputs_of("align"),
        done=touch(STAGES["align"].done),
    log:
        STAGES["align"].log,
    conda:
        "../envs/scopedepth.yaml"
    threads: NEEDS.compare_threads
    resources:
        mem_mb=NEEDS.compare_mem_mb,
        runtime=NEEDS.align_runtime,
    params:
        **params_of("align"),
    script:
        "../workflow_scripts/align.py"
