"""Run one model over one unit's frames."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0], snakemake.output.record, snakemake.params.items(), snakemake.input):
    from scopedepth.predict import predict_unit

    execution = snakemake.config.get("execution", {})
    predict_unit(
        spec=json.loads(snakemake.params.spec),
        dataset=Path(snakemake.input.store),
        weights=Path("results/weights", snakemake.wildcards.model),
        store=Path(snakemake.output.store),
        manifest=Path(snakemake.output.manifest),
        device=execution.get("device", "auto"),
        batch=execution.get("batch"),
        threads=snakemake.threads,
    )
