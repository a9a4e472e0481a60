"""Tables with one row a frame: alignments and scores of one unit, model and protocol."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from scopedepth.errors import ScopeDepthError
from scopedepth.tables.io import KEY, column, read_table
from scopedepth.vocabulary.metrics import METRICS

FRAME_KEYS = [
    column("dataset", KEY, "name of the dataset in the configuration"),
    column("sequence", KEY, "name of the video sequence"),
    column("frame", pa.int32(), "index of the frame in the sequence's store, from 0"),
    column("frame_id", KEY, "name of the frame in the source"),
    column("model", KEY, "name of the model in the configuration"),
    column("protocol", KEY, "name of the protocol in the configuration"),
]
FRAME_OUTCOME = [
    column("n_pixels", pa.int64(), "pixels that took part"),
    column("status", KEY, "ok, or why there is no number"),
]


def metric_columns() -> list[pa.Field]:
    return [
        column(
            metric.name,
            pa.float64(),
            f"{metric.label}, unit {metric.unit}, {'higher' if metric.higher_is_better else 'lower'} is better",
        )
        for metric in METRICS.values()
    ]


FIT = [
    column("scale", pa.float64(), "fitted factor on the prediction, in the alignment's space"),
    column("offset", pa.float64(), "offset added after the factor, in the alignment's space"),
]

COVERAGE = column(
    "coverage",
    pa.float64(),
    "share of the pixels that count at which the prediction is finite; null where none counts or nothing was predicted",
)

ALIGNMENTS = pa.schema(
    [*FRAME_KEYS, *FIT, *FRAME_OUTCOME],
    metadata={"description": "one row a frame: the fit of a prediction to the measured depth"},
)

SCORES = pa.schema(
    [*FRAME_KEYS, *metric_columns(), *FIT, *FRAME_OUTCOME, COVERAGE],
    metadata={"description": "one row a frame: its metrics under one protocol, and the fit behind them"},
)


# The sums over a stratum's pixels, in the order of evaluation.strata; p and g as in the metrics.
STRATUM_SUMS = {
    "relative": "|p - g| / g",
    "absolute": "|p - g|, mm",
    "square": "(p - g)^2, mm^2",
    "within": "1 where max(p/g, g/p) < 1.25",
}

STRATA_SUMS = pa.schema(
    [
        *(field for field in FRAME_KEYS if field.name != "frame_id"),
        column("partition", KEY, "what the frame's pixels are told apart by; whole: nothing"),
        column("stratum", KEY, "the pixels that are summed over"),
        column("n_pixels", pa.int64(), "how many they are"),
        *(column(name, pa.float64(), f"sum of {what}") for name, what in STRATUM_SUMS.items()),
    ],
    metadata={"description": "sums of a frame's errors, one row a scored frame and stratum that has a pixel"},
)


def with_metrics(schema: pa.Schema, asked: Iterable[str]) -> pa.Schema:
    """Return a schema without the columns of metrics that are files of their own and that nobody asked for."""
    left_out = {name for name, metric in METRICS.items() if metric.file} - set(asked)
    return pa.schema([field for field in schema if field.name not in left_out], schema.metadata)


def read_scores(path: Path) -> pa.Table:
    """Return a table of SCORES. What the project has learned to measure since it was written is null."""
    table = read_table(path)
    for name in {*METRICS, COVERAGE.name} - set(table.column_names):
        table = table.append_column(name, pa.nulls(len(table), pa.float64()))
    lacking = set(SCORES.names) - set(table.column_names)
    if lacking:
        raise ScopeDepthError(f"The table {path} has no column {min(lacking)}. Delete it and run again.")
    return table.select(SCORES.names).cast(SCORES)
