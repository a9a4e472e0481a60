"""Fetch a model's weights."""

from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import rule_job, spec_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake):
    from scopedepth.fetch.weights import fetch_weights

    spec = spec_of(snakemake)
    fetch_weights(
        # What gives access to an address is no parameter.
        spec=spec | {"weights": snakemake.config["models"][spec["name"]]["weights"]},
        out=Path(snakemake.output.files),
        manifest=Path(snakemake.output.manifest),
    )
