"""Compare one model's aligned predictions with the measured depth, as each protocol says."""

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

    # Those that do not hold: the others' tables stay as they are.
    score_unit(
        protocols={name: json.loads(part)["spec"] for name, part in snakemake.params.parts.items()},
        dataset=Path(snakemake.input.store),
        predictions=Path(snakemake.input.prediction),
        alignments={Path(path).stem: Path(path) for path in snakemake.input.alignments},
        keys={"dataset": snakemake.wildcards.unit.partition("@")[0], "model": snakemake.wildcards.model},
        out={Path(path).stem: Path(path) for path in snakemake.output.tables},
        threads=snakemake.threads,
    )
