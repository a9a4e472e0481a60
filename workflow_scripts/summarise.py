"""Put a study's scores into tables."""

from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import rule_job, spec_of, stores_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake):
    from scopedepth.statistics.summarise import summarise_study

    summarise_study(
        **spec_of(snakemake),
        **stores_of(snakemake),
        scores=[Path(path) for path in snakemake.input.scores_table],
        strata=[Path(path) for path in snakemake.input.strata_table],
        timings=[Path(path) for path in snakemake.input.timings_table],
        redraws=[Path(path) for path in snakemake.input.redraws_table],
        out={name: Path(path) for name, path in snakemake.output.items() if name != "record"},
    )
