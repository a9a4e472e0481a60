"""Fetch a dataset's files as published."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scopedepth.job.run import rule_job, spec_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake):
    from scopedepth.fetch import fetch_dataset

    spec = spec_of(snakemake)
    # Licence and citation are shown before a download; they decide no file, so they are no parameter. Nor is what
    # gives access to an address.
    known = snakemake.config["datasets"][spec["name"]]
    words = {key: known.get(key, "") for key in ("title", "licence", "citation", "homepage")}
    whole: Any = {**words, **spec, "source": known["source"]}
    fetch_dataset(
        spec=whole,
        out=Path(snakemake.output.files),
        manifest=Path(snakemake.output.manifest),
        workers=snakemake.threads,
    )
