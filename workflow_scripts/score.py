"""Compare one model's aligned predictions with the measured depth, as each protocol says."""

from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import rule_job, specs_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake):
    from scopedepth.job.lean import leave_out

    leave_out("pandas", "scipy")
    from scopedepth.evaluation.score import score_unit
    from scopedepth.vocabulary.units import dataset_of

    # Those that do not hold: the others' tables stay as they are.
    score_unit(
        protocols=specs_of(snakemake),
        dataset=Path(snakemake.input.unit_store),
        predictions=Path(snakemake.input.prediction_store),
        alignments={Path(path).stem: Path(path) for path in snakemake.input.alignment_table},
        keys={"dataset": dataset_of(snakemake.wildcards.unit), "model": snakemake.wildcards.model},
        out={Path(path).stem: Path(path) for path in snakemake.output.table},
        threads=snakemake.threads,
    )
