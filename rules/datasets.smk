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
        **STAGES["fetch_dataset"].patterns(directory),
    log:
        STAGES["fetch_dataset"].log,
    conda:
        "../envs/scopedepth.yaml"
    threads: CORES or 4
    params:
        made_from=MADE_FROM.param("fetch_dataset"),
    script:
        "../workflow_scripts/fetch_dataset.py"


rule fetch_list:
    """Fetch a published list of frames, whose digest the configuration states."""
    output:
        **STAGES["fetch_list"].patterns(directory),
    log:
        STAGES["fetch_list"].log,
    conda:
        "../envs/scopedepth.yaml"
    params:
        made_from=MADE_FROM.param("fetch_list"),
    script:
        "../workflow_scripts/fetch_list.py"


rule prepare:
    """Decode, choose, rectify and flag the frames of one unit into a store. Of a view: say what is done to another one's."""
    input:
        **PLAN.inputs("prepare", ancient),
    output:
        **STAGES["prepare"].patterns(directory),
    log:
        STAGES["prepare"].log,
    conda:
        "../envs/scopedepth.yaml"
    threads: 2
    resources:
        mem_mb=NEEDS.prepare_mem_mb,
        runtime=NEEDS.prepare_runtime,
    params:
        made_from=MADE_FROM.param("prepare"),
    script:
        "../workflow_scripts/prepare.py"
