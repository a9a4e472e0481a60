"""Fetch a published list of frames."""

from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(
    snakemake.log[0],
    snakemake.output.record,
    snakemake.params.made_from,
    snakemake.output,
    snakemake.input,
):
    from scopedepth.fetch.download import download

    digest = snakemake.wildcards.digest
    download(snakemake.config["fetched_lists"][digest], Path(snakemake.output.list), f"sha256:{digest}")
