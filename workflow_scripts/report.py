"""Show a study: one page to read, and the tables and figures for a paper."""

from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.job.run import rule_job, spec_of, stores_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_job(snakemake):
    from scopedepth.report.html.page import write_report
    from scopedepth.report.names import write_names
    from scopedepth.report.paper.folder import write_paper
    from scopedepth.report.ranking import write_ranking
    from scopedepth.tables.study import NAME_TABLES, STUDY_TABLES

    about, found = spec_of(snakemake), stores_of(snakemake)
    tables = {name: Path(snakemake.input[f"tables_{name}"]) for name in STUDY_TABLES}
    records = [
        snakemake.input.tables_record,
        *snakemake.input.units_record,
        *snakemake.input.predictions_record,
        *snakemake.input.timings_record,
        *snakemake.input.tuned_record,
    ]
    write_report(
        **about,
        **found,
        tables=tables,
        records=[Path(path) for path in records],
        out=Path(snakemake.output.html),
    )
    write_names(
        about["study"],
        about["models"],
        about["protocols"],
        {name: Path(snakemake.output[name]) for name in NAME_TABLES},
    )
    write_paper(**about, tables=tables, out=Path(snakemake.output.paper))
    write_ranking(
        **about,
        tables=tables,
        stores=found["stores"],
        report=Path(snakemake.output.html),
        out=Path(snakemake.output.ranking),
    )
