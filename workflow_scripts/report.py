"""Show a study: one page to read, and the tables and figures for a paper."""

import json
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import rule_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake):
    from scopedepth.report.html.page import write_report
    from scopedepth.report.paper.folder import write_paper
    from scopedepth.report.ranking import write_ranking
    from scopedepth.tables.study import STUDY_TABLES

    about = json.loads(snakemake.params.made_from)["spec"]
    tables = {name: Path(snakemake.input[name]) for name in STUDY_TABLES}
    # The inputs' order: the study's own.
    units, models, protocols = snakemake.params.units, about["study"]["models"], about["study"]["protocols"]
    records = [
        snakemake.input.scores_record,
        *snakemake.input.store_records,
        *snakemake.input.prediction_records,
        *snakemake.input.timing_records,
    ]
    stores = dict(zip(units, map(Path, snakemake.input.stores), strict=True))
    write_report(
        **about,
        tables=tables,
        stores=stores,
        predictions=dict(zip(product(units, models), map(Path, snakemake.input.predictions), strict=True)),
        alignments=dict(
            zip(product(units, models, protocols), map(Path, snakemake.input.alignments), strict=True)
        ),
        records=[Path(path) for path in records],
        out=Path(snakemake.output.html),
    )
    write_paper(**about, tables=tables, out=Path(snakemake.output.paper))
    write_ranking(
        **about,
        tables=tables,
        stores=stores,
        report=Path(snakemake.output.html),
        out=Path(snakemake.output.ranking),
    )
