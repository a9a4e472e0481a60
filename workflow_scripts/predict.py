"""Run one model over one unit's frames."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import rule_job, spec_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake):
    from scopedepth.job.devices import take_gpu
    from scopedepth.job.scratch import built_in
    from scopedepth.prediction.predict import predict_unit

    execution = snakemake.config.get("execution", {})
    if snakemake.resources.get("gpu", 0):
        take_gpu(execution.get("device", "auto"))
    with built_in(execution.get("scratch"), Path(snakemake.output.store)) as store:
        predict_unit(
            spec=spec_of(snakemake),
            dataset=Path(snakemake.input.unit_store),
            weights=Path(*snakemake.input.weights_files or snakemake.input.tuned_files or [os.devnull]),
            store=store,
            manifest=Path(snakemake.output.manifest),
            device=execution.get("device", "auto"),
            batch=execution.get("batch"),
            threads=snakemake.threads,
        )
