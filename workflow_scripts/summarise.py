"""Put a study's scores into tables."""

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import rule_job, spec_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake):
    from scopedepth.statistics.summarise import summarise_study

    about = spec_of(snakemake)
    # The inputs' order: the study's own.
    units, models = snakemake.params.units, about["study"]["models"]
    summarise_study(
        **about,
        scores=[Path(path) for path in snakemake.input.scores_table],
        strata=[Path(path) for path in snakemake.input.strata_table],
        timings=[Path(path) for path in snakemake.input.timings_table],
        redraws=[Path(path) for path in snakemake.input.redraws_table],
        out={name: Path(path) for name, path in snakemake.output.items() if name != "record"},
        stores=dict(zip(units, map(Path, snakemake.input.units_store), strict=True)),
        predictions=dict(
            zip(product(units, models), map(Path, snakemake.input.predictions_store), strict=True)
        ),
    )
