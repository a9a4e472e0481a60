"""Turn the raw files of one unit into a dataset store."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0], snakemake.output.record, snakemake.params.items(), snakemake.input):
    from scopedepth.prepare import prepare_unit

    _, _, sequence = snakemake.wildcards.unit.partition("@")
    prepare_unit(
        spec=json.loads(snakemake.params.spec),
        raw=Path(snakemake.input.raw),
        sequences=[sequence] if sequence else None,
        store=Path(snakemake.output.store),
        manifest=Path(snakemake.output.manifest),
        workers=snakemake.threads,
    )
