"""Which models keep up with a video, and up to which size."""

from __future__ import annotations

from collections.abc import Mapping

from scopedepth.report.html.parts.marks import Look
from scopedepth.report.html.parts.table import Cell, Column, Table, model_cell, value_cell
from scopedepth.report.html.sections.ranking import share
from scopedepth.report.results import Results
from scopedepth.timing.realtime import SHARE_IN_TIME, pixels, realtime_verdicts


def realtime_table(results: Results, look: Mapping[str, Look]) -> Table | None:
    """Return one row a model, device and precision; None where nothing was timed."""
    verdicts = realtime_verdicts(results.timing)
    if not verdicts:
        return None
    columns = [
        Column("Model"),
        Column("Device"),
        Column("Precision"),
        Column(
            "In time", number=True, tip="share of the frames in time at the smallest frames that were timed"
        ),
        Column("Keeps up with frames of", number=True, tip="the largest timed, height x width"),
        Column("and a network input of", number=True, tip="the largest timed, height x width"),
    ]
    rows = []
    for model in results.model_names:
        for verdict in (one for one in verdicts if one.model == model):
            sizes = [
                Cell(size, pixels(size), size) if size else Cell("none that was timed", 0, "", "why")
                for size in (verdict.frame_size, verdict.input_size)
            ]
            rows.append([
                model_cell(results, look, model),
                Cell(verdict.device),
                Cell(verdict.precision),
                value_cell(share(verdict.share), verdict.share, why="not measured"),
                *sizes,
            ])  # fmt: skip
    caption = f"{100 * SHARE_IN_TIME:g} % of the frames in time at {verdicts[0].fps:g} frames a second"
    return Table(caption, columns, rows, parquet="timing")
