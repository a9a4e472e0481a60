"""Show a study: one page to read, and the tables and figures for a paper."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0], snakemake.output.record, snakemake.params.items(), snakemake.input):
    from scopedepth.report import write_paper, write_report

    from scopedepth.ranking import write_ranking

    about = {
        name: json.loads(getattr(snakemake.params, name))
        for name in ("study", "datasets", "models", "protocols")
    }
    tables = {
        name: Path(snakemake.input[name])
        for name in ("frames", "summary", "comparisons", "ranks", "sensitivity", "timing")
    }
    pairs = [(unit, model) for unit in snakemake.params.units for model in about["models"]]
    records = [
        snakemake.input.scores_record,
        *snakemake.input.store_records,
        *snakemake.input.prediction_records,
        *snakemake.input.timing_records,
    ]
    write_report(
        **about,
        tables=tables,
        stores={unit: Path(f"results/datasets/{unit}.zarr") for unit in snakemake.params.units},
        predictions={
            (unit, model): Path(f"results/predictions/{unit}/{model}.zarr") for unit, model in pairs
        },
        alignments={
            (unit, model, protocol): Path(f"results/alignments/{unit}/{model}/{protocol}.parquet")
            for unit, model in pairs
            for protocol in about["protocols"]
        },
        records=[Path(path) for path in records],
        out=Path(snakemake.output.html),
    )
    write_paper(**about, tables=tables, out=Path(snakemake.output.paper))
    write_ranking(
        **about, tables=tables, report=Path(snakemake.output.html), out=Path(snakemake.output.ranking)
    )
