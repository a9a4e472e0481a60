# Needs: a model's weights, the stores of the units that it learns from
# Makes: the weights of a model that is fine-tuned here, in the format of the model that it is made from


rule finetune:
    """Fine-tune a model by a recipe. Interrupted, it goes on from the last state that it wrote."""
    input:
        **inputs_of("finetune"),
    output:
        **outputs_of("finetune"),
    log:
        STAGES["finetune"].log,
    conda:
        "../envs/scopedepth.yaml"
    threads: 1
    resources:
        gpu=1,
        constraint=NEEDS.finetune_kind,
        cpus_per_task=NEEDS.predict_cpus,
        mem_mb=NEEDS.finetune_mem_mb,
        runtime=NEEDS.finetune_runtime,
    params:
        **params_of("finetune"),
    script:
        "../workflow_scripts/finetune.py"
