"""Put a study's scores into tables."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(
    snakemake.log[0],
    snakemake.output.record,
    snakemake.params.made_from,
    snakemake.output,
    snakemake.input,
):
    from scopedepth.summarise import summarise_study

    summarise_study(
        **json.loads(snakemake.params.made_from)["spec"],
        scores=[Path(path) for path in snakemake.input.scores],
        alignments=[Path(path) for path in snakemake.input.alignments],
        timings=[Path(path) for path in snakemake.input.timings],
        out={name: Path(path) for name, path in snakemake.output.items() if name != "record"},
    )
