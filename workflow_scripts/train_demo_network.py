"""Train one of the demonstration's networks."""

from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    from demo_networks.make import make

    make(
        name=snakemake.wildcards.network,
        frames=Path(snakemake.input.frames),
        out=Path(snakemake.output.files),
    )
