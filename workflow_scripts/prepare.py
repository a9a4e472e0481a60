"""Turn the raw files of one unit into a dataset store."""

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
    from scopedepth.prepare import prepare_unit
    from scopedepth.scratch import built_in

    scratch = snakemake.config.get("execution", {}).get("scratch")
    with built_in(scratch, Path(snakemake.output.store)) as store:
        prepare_unit(
            spec=json.loads(snakemake.params.made_from)["spec"],
            raw=Path(snakemake.input.raw),
            store=store,
            manifest=Path(snakemake.output.manifest),
            workers=snakemake.threads,
        )
