"""Show a study's frames in pages that open anywhere."""

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import rule_job, spec_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake):
    from scopedepth.job.lean import leave_out

    leave_out("pandas", "scipy")
    from scopedepth.report.frames.pages import write_pages

    about = spec_of(snakemake)
    # The inputs' order: the study's own.
    units, models = snakemake.params.units, about["study"]["models"]
    write_pages(
        **about,
        frames=Path(snakemake.input.tables_frames),
        stores=dict(zip(units, map(Path, snakemake.input.units_store), strict=True)),
        predictions=dict(
            zip(product(units, models), map(Path, snakemake.input.predictions_store), strict=True)
        ),
        out=Path(snakemake.output.pages),
    )
