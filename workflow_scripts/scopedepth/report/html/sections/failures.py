"""What could not be computed, counted by reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.table import Cell, Column, Table, model_cell, value_cell
from scopedepth.report.results import Results
from scopedepth.report.words import count
from scopedepth.vocabulary.reasons import WORDS


def failures_table(results: Results, look: Mapping[str, Look]) -> Table | None:
    """Return frames with a status other than ok, by dataset, model, protocol and status; None where all is well."""
    table = results.frames([])
    keys = ["dataset", "model", "protocol", "status"]
    plain = pa.table({key: table[key].cast(pa.string()) for key in keys})
    total: dict[tuple[str, ...], int] = {
        (row["dataset"], row["model"], row["protocol"]): row["status_count"]
        for row in plain.group_by(keys[:3]).aggregate([("status", "count")]).to_pylist()
    }
    bad = plain.filter(pc.not_equal(plain["status"], "ok"))
    found: dict[tuple[str, ...], int] = {
        tuple(row[key] for key in keys): row["n"] for row in _counted(bad, keys)
    }
    rows = []
    for dataset in results.dataset_names:
        for model in results.model_names:
            for protocol in results.protocol_names:
                if (dataset, model, protocol) not in total:
                    rows.append([
                        model_cell(results, look, model, dataset), Cell(results.dataset_title(dataset)),
                        Cell(protocol), Cell("no result"), Cell(""), Cell(""),
                    ])  # fmt: skip
                for key in sorted(k for k in found if k[:3] == (dataset, model, protocol)):
                    n, of = found[key], total[key[:3]]
                    rows.append([
                        model_cell(results, look, model, dataset),
                        Cell(results.dataset_title(dataset)),
                        Cell(protocol),
                        Cell(WORDS.get(key[3], key[3]), copied=key[3]),
                        value_cell(count(n), n),
                        value_cell(f"{100 * n / of:.0f} %", n / of),
                    ])  # fmt: skip
    if not rows:
        return None
    columns = [
        Column("Model"), Column("Dataset"), Column("Protocol"), Column("Reason"),
        Column("Frames", number=True), Column("Share", number=True),
    ]  # fmt: skip
    return Table("Frames without a number", columns, rows, parquet="frames")


def _counted(table: pa.Table, keys: list[str]) -> list[dict[str, Any]]:
    grouped = (
        table.append_column("one", pa.array([1] * len(table), pa.int64()))
        .group_by(keys)
        .aggregate([("one", "sum")])
    )
    return grouped.rename_columns([*keys, "n"]).to_pylist()
