# Needs: a unit's store, a model's prediction of it, and the fits of a protocol
# Makes: a table of scores: the metrics of each frame


rule score:
    """Compare one model's aligned predictions with the measured depth, as one protocol says."""
    input:
        **inputs_of("score"),
    output:
        **outputs_of("score"),
    log:
        STAGES["score"].log,
    conda:
        "../envs/scopedepth.yaml"
    threads: 1
    resources:
        mem_mb=NEEDS.compare_mem_mb,
        runtime=NEEDS.score_runtime,
    params:
        **params_of("score"),
    script:
        "../workflow_scripts/score.py"
