# Needs: nothing
# Makes: the demonstration's small networks, trained anew (never part of the default target)
#
#   snakemake --cores 2 demo_weights     renders training pictures, trains five networks: about 40 minutes on two cores
#
# The checkpoints are committed. They land in results/ and replace the committed ones only when copied by hand, so that
# making them again cannot change what a study is made from unawares.

DEMO_NETWORKS = [
    "tiny_depth_anything",
    "tiny_midas",
    "tiny_zoedepth",
    "tiny_endo_depth",
    "tiny_endo_sfmlearner",
]


rule demo_weights:
    """Train all of the demonstration's networks."""
    input:
        expand(f"{DEMO_WEIGHTS}/{{network}}", network=DEMO_NETWORKS),


rule training_frames:
    """Render phantoms of seeds that no study uses."""
    output:
        frames=directory(f"{DEMO_WEIGHTS}/frames"),
    log:
        f"{LOGS}/demo_weights/frames.log",
    conda:
        "../envs/scopedepth.yaml"
    threads: 4
    script:
        "../workflow_scripts/render_training_frames.py"


rule train_demo_network:
    """Train one network, on one thread: the same seed then gives the same weights on the same machine."""
    input:
        frames=f"{DEMO_WEIGHTS}/frames",
    output:
        files=directory(f"{DEMO_WEIGHTS}/{{network}}"),
    log:
        f"{LOGS}/demo_weights/{{network}}.log",
    wildcard_constraints:
        network="|".join(DEMO_NETWORKS),
    conda:
        "../envs/scopedepth.yaml"
    threads: 1
    script:
        "../workflow_scripts/train_demo_network.py"
