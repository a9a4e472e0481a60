# Needs: a dataset's source (the network, a folder, or nothing for the rendered phantom).
# Makes: results/raw/{dataset}/        the files as published, and the digest of what they hold
#        results/lists/{digest}.txt    published lists of frames that have an address
#        results/datasets/{unit}.zarr  rectified frames, depth and flags; of a view, what is done to another one's


localrules:
    fetch_dataset,
    fetch_list,


rule fetch_dataset:
    """Fetch the files of a dataset as they were published. With fetch_list and fetch_weights the only rule that needs the network."""
    output:
        files=directory("results/raw/{dataset}"),
        manifest="results/raw/{dataset}.json",
        record="results/raw/{dataset}.run.json",
    log:
        "results/logs/fetch_dataset/{dataset}.log",
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
        list="results/lists/{digest}.txt",
        record="results/lists/{digest}.run.json",
    log:
        "results/logs/fetch_list/{digest}.log",
    wildcard_constraints:
        digest="[0-9a-f]+",
    conda:
        "../envs/scopedepth.yaml"
    params:
        made_from=MADE_FROM.param("fetch_list"),
    script:
        "../workflow_scripts/fetch_list.py"


rule prepare:
    """Decode, choose, rectify and flag the frames of one unit into a store. Of a view: say what is done to another one's."""
    input:
        raw=ancient(PLAN.raw),
        raw_manifest=PLAN.raw_manifest,
        lists=ancient(PLAN.lists_to_fetch),
    output:
        store=directory("results/datasets/{unit}.zarr"),
        manifest="results/datasets/{unit}.json",
        page="results/datasets/{unit}.page.json",
        record="results/datasets/{unit}.run.json",
    log:
        "results/logs/prepare/{unit}.log",
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
