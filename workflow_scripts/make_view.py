"""Make the store of one unit of a view, which holds no pixel of its own."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0], snakemake.output.record, snakemake.params.items(), snakemake.input):
    from scopedepth.make_view import make_view

    make_view(
        spec=json.loads(snakemake.params.spec),
        base=Path(*snakemake.input.base),
        store=Path(snakemake.output.store),
        manifest=Path(snakemake.output.manifest),
    )
