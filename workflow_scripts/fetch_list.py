"""Fetch a published list of frames."""

import json
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

    spec = json.loads(snakemake.params.made_from)["spec"]
    download(spec["url"], Path(snakemake.output.list), f"sha256:{spec['sha256']}")
