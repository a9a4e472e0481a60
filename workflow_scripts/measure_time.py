"""Measure one model's speed."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import read_record, rule_job, spec_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake) as facts:
    from scopedepth.timing.measure import time_model

    decides = spec_of(snakemake)
    time_model(
        spec=decides["model"],
        weights=Path(*snakemake.input.weights_files or snakemake.input.tuned_files or [os.devnull]),
        settings=decides["settings"],
        out=Path(snakemake.output.table),
        record=Path(snakemake.output.record),
        device=snakemake.config.get("execution", {}).get("device", "auto"),
        threads=snakemake.threads,
    )
    facts.update(read_record(Path(snakemake.output.record)))
