"""Compare one model's aligned predictions with the measured depth, as one protocol says."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import rule_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake):
    from scopedepth.job.lean import leave_out

    leave_out("pandas", "scipy")
    from scopedepth.evaluation.score import score_unit

    score_unit(
        protocol=json.loads(snakemake.params.made_from)["spec"],
        dataset=Path(snakemake.input.store),
        predictions=Path(snakemake.input.prediction),
        alignments=Path(snakemake.input.alignments),
        keys={
            "dataset": snakemake.wildcards.unit.partition("@")[0],
            "model": snakemake.wildcards.model,
            "protocol": snakemake.wildcards.protocol,
        },
        out=Path(snakemake.output.table),
        threads=snakemake.threads,
    )
