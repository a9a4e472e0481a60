# Needs: a unit's store of a dataset that states the error of its reference, and a model's prediction of it
# Makes: a table of metrics with the reference redrawn within that error


rule redraw:
    """Score one model's predictions of one unit with the reference redrawn within its stated error."""
    input:
        **inputs_of("redraw"),
    output:
        # What holds is kept: the job makes what does not, as `parts` says.
        **outputs_of("redraw"),
    log:
        STAGES["redraw"].log,
    conda:
        "../envs/scopedepth.yaml"
    threads: 1
    resources:
        mem_mb=NEEDS.compare_mem_mb,
        runtime=NEEDS.redraw_runtime,
    params:
        **params_of("redraw"),
    script:
        "../workflow_scripts/redraw.py"
