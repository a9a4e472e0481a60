"""Turn the raw files of one unit into a dataset store, or one of a view into what is done to another one's frames."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import rule_job, spec_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake):
    spec = spec_of(snakemake)
    manifest = Path(snakemake.output.manifest)
    if "view_of" in spec:
        # By its name, so that its code is no part of what decides other stores.
        views = importlib.import_module("scopedepth.datasets.view")
        views.make_view(spec, Path(snakemake.input.bases_store[0]), Path(snakemake.output.store), manifest)
    else:
        from scopedepth.datasets.prepare import prepare_unit
        from scopedepth.job.scratch import built_in

        raw = Path(snakemake.input.raw_files[0])
        fetched = {path.stem: path for path in map(Path, snakemake.input.lists_list)}
        scratch = snakemake.config.get("execution", {}).get("scratch")
        with built_in(scratch, Path(snakemake.output.store)) as store:
            prepare_unit(spec, raw, store, manifest, snakemake.threads, fetched)
