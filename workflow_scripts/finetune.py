"""Fine-tune a model by a recipe."""

from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import rule_job, spec_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake) as facts:
    from scopedepth.finetuning.finetune import finetune
    from scopedepth.job.devices import take_gpu

    execution = snakemake.config.get("execution", {})
    if snakemake.resources.get("gpu", 0):
        take_gpu(execution.get("device", "auto"))
    facts["training"] = finetune(
        spec=spec_of(snakemake),
        made_from=snakemake.params.made_from,
        weights=Path(*snakemake.input.weights_files or snakemake.input.tuned_files),
        stores=[Path(store) for store in snakemake.input.units_store],
        out=Path(snakemake.output.files),
        manifest=Path(snakemake.output.manifest),
        device=execution.get("device", "auto"),
        checkpoint_every=execution.get("checkpoint_every", 50),
    )
