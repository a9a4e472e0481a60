"""Fit one model's predictions to the measured depth, as one protocol says."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import rule_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake):
    from scopedepth.job.lean import leave_out

    leave_out("pandas", "scipy")
    from scopedepth.evaluation.align import align_unit

    align_unit(
        protocol=json.loads(snakemake.params.made_from)["spec"],
        dataset=[Path(path) for path in snakemake.input.stores],
        predictions=[Path(path) for path in snakemake.input.predictions],
        keys={
            "dataset": snakemake.wildcards.unit.partition("@")[0],
            "model": snakemake.wildcards.model,
            "protocol": snakemake.wildcards.protocol,
        },
        out=Path(snakemake.output.table),
        threads=snakemake.threads,
    )
