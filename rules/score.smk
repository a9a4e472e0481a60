# Needs: a unit's store, a model's prediction of it, and the fits of a protocol
# Makes: a table of scores: the metrics of each frame


rule score:
    """Compare one model's aligned predictions with the measured depth, as each of the study's protocols says."""
    input:
        **inputs_of("score"),
        # That the fits were made says the empty file; what is in them, the parameter. Snakemake would compare them with
        # what it recorded of every table made from them, those of other studies among them.
        aligned=STAGES["align"].done,
    output:
        # What holds is kept: the job makes what does not, as `parts` says.
        **outputs_of("score"),
    log:
        STAGES["score"].log,
    conda:
        "../envs/scopedepth.yaml"
    threads: NEEDS.compare_threads
    resources:
        mem_mb=NEEDS.compare_mem_mb,
        runtime=NEEDS.score_runtime,
    params:
        **params_of("score"),
    script:
        "../workflow_scripts/score.py"
