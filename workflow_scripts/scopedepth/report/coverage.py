"""Models without an answer on a part of the pixels that count: what is said beside their numbers."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

# Below this mean share of the pixels a number is said to be of fewer.
LOW = 0.99
# Frames that may have a number.
SCORED = ("ok", "negative_scale")
COLUMNS = ("dataset", "model", "status", "coverage")


def low_coverage(frames: pa.Table) -> dict[tuple[str, str], float]:
    """Return by dataset and model the mean coverage of the frames with a number, where it is below `LOW`.

    frames: rows of the frames' table of one protocol, with `COLUMNS`.
    """
    # Decoded: the dictionaries of a table's parts may differ, which no grouping takes.
    table = pa.table({name: pc.cast(frames[name], pa.string()) for name in COLUMNS[:3]})
    table = table.append_column("coverage", pc.cast(frames["coverage"], pa.float64()))
    table = table.filter(pc.is_in(table["status"], pa.array(SCORED)))
    means = table.group_by(["dataset", "model"]).aggregate([("coverage", "mean")]).to_pylist()
    return {
        (row["dataset"], row["model"]): row["coverage_mean"]
        for row in means
        if row["coverage_mean"] is not None and row["coverage_mean"] < LOW
    }
