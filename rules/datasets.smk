# Needs: a dataset's source (the network, a folder, or nothing for the rendered phantom).
# Makes: a dataset's files as published, and the digest of what they hold
#        published lists of frames that have an address
#        a unit's store: rectified frames, depth and flags; of a view, what is done to another one's


localrules:
    fetch_dataset,
    fetch_list,


rule fetch_dataset:
    """Fetch the files of a dataset as they were published. With fetch_list and fetch_weights the only rule that needs the network."""
    output:
        **outputs_of("fetch_dataset"),
    log:
        STAGES["fetch_dataset"].log,
    conda:
        "../envs/scopedepth.yaml"
    threads: CORES or 4
    params:
        **params_of("fetch_dataset"),
    script:
        "../workflow_scripts/fetch_dataset.py"


rule fetch_list:
    """Fetch a published list of frames, whose digest the configuration states."""
    output:
        **outputs_of("fetch_list"),
    log:
        STAGES["fetch_list"].log,
    conda:
        "../envs/scopedepth.yaml"
    params:
        **params_of("fetch_list"),
    script:
        "../workflow_scripts/fetch_list.py"


rule prepare:
    """Decode, choose, rectify and flag the frames of one unit into a store. Of a view: say what is done to another one's."""
    input:
        **inputs_of("prepare"),
    output:
        **outputs_of("prepare"),
    log:
        STAGES["prepare"].log,
    conda:
        "../envs/scopedepth.yaml"
    threads: NEEDS.prepare_threads
    resources:
        mem_mb=NEEDS.prepare_mem_mb,
        runtime=NEEDS.prepare_runtime,
    params:
        **params_of("prepare"),
    script:
        "../workflow_scripts/prepare.py"
