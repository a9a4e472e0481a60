"""Show a study's frames in pages that open anywhere."""

from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import rule_job, spec_of, stores_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake):
    from scopedepth.job.lean import leave_out

    leave_out("pandas", "scipy")
    from scopedepth.report.frames.pages import write_pages

    write_pages(
        **spec_of(snakemake),
        **stores_of(snakemake),
        frames=Path(snakemake.input.tables_frames),
        out=Path(snakemake.output.pages),
    )
