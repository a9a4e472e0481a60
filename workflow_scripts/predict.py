"""Run one model over one unit's frames."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import rule_job

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
            spec=json.loads(snakemake.params.made_from)["spec"],
            dataset=Path(snakemake.input.store),
            weights=Path(*snakemake.input.weights_folder or ["results/weights", snakemake.wildcards.model]),
            store=store,
            manifest=Path(snakemake.output.manifest),
            device=execution.get("device", "auto"),
            batch=execution.get("batch"),
            threads=snakemake.threads,
        )
