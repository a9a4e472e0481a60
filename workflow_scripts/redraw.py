"""Redraw a dataset's reference within its stated error, and score one model's predictions anew."""

from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import rule_job, specs_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake):
    from scopedepth.job.lean import leave_out

    leave_out("pandas")
    from scopedepth.evaluation.redraw import redraw_unit
    from scopedepth.vocabulary.units import dataset_of

    parts = specs_of(snakemake)
    redraw_unit(
        protocols={name: spec["protocol"] for name, spec in parts.items()},
        # That of the unit's dataset, which the parts share.
        error=next((spec["error"] for spec in parts.values()), None),
        dataset=Path(snakemake.input.unit_store),
        predictions=Path(snakemake.input.prediction_store),
        keys={"dataset": dataset_of(snakemake.wildcards.unit), "model": snakemake.wildcards.model},
        out={Path(path).stem: Path(path) for path in snakemake.output.table},
    )
