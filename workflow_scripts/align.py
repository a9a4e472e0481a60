"""Fit one model's predictions to the measured depth, as one protocol says."""

from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import rule_job, spec_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake):
    from scopedepth.job.lean import leave_out

    leave_out("pandas", "scipy")
    from scopedepth.evaluation.align import align_unit
    from scopedepth.vocabulary.units import dataset_of

    align_unit(
        protocol=spec_of(snakemake),
        dataset=[Path(path) for path in snakemake.input.units_store],
        predictions=[Path(path) for path in snakemake.input.predictions_store],
        keys={
            "dataset": dataset_of(snakemake.wildcards.unit),
            "model": snakemake.wildcards.model,
            "protocol": snakemake.wildcards.protocol,
        },
        out=Path(snakemake.output.table),
        threads=snakemake.threads,
    )
