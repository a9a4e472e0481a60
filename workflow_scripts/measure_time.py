"""Measure one model's speed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.jobs import job, read_record

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0], snakemake.output.record, snakemake.params.items(), snakemake.input) as facts:
    from scopedepth.timing.measure import time_model

    time_model(
        spec=json.loads(snakemake.params.spec),
        weights=Path(*snakemake.input.weights_folder or ["results/weights", snakemake.wildcards.model]),
        settings=json.loads(snakemake.params.settings),
        out=Path(snakemake.output.table),
        record=Path(snakemake.output.record),
        device=snakemake.config.get("execution", {}).get("device", "auto"),
        threads=snakemake.threads,
    )
    facts.update(read_record(Path(snakemake.output.record)))
