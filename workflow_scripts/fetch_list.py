"""Fetch a published list of frames."""

from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import rule_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake):
    from scopedepth.fetch.download import download

    digest = snakemake.wildcards.digest
    download(snakemake.config["fetched_lists"][digest], Path(snakemake.output.list), f"sha256:{digest}")
