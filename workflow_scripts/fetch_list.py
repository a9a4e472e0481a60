"""Fetch a published list of frames."""

from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0], snakemake.output.record, snakemake.params.items(), snakemake.input):
    from scopedepth.fetch.download import download

    download(snakemake.params.address, Path(snakemake.output.list), f"sha256:{snakemake.wildcards.digest}")
