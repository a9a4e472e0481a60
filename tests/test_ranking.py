"""The last word of a run: frames on which a model failed are named, with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from partial import partial
from scopedepth.report.ranking import _line, failed_frames, short_titles, why_nothing

DATASETS: Any = {"one": {}, "two": {}}
MODELS: Any = {"net": {}, "constant": {}}


def frames(path: Path, rows: list[tuple[str, str, str, str]], coverage: float = 1.0) -> Path:
    """Write a study's table of frames with the columns that count here: dataset, model, protocol, status, coverage."""
    names = ("dataset", "model", "protocol", "status")
    parts = [
        pa.table(
            {n: pa.array([row[i] for row in part]).dictionary_encode() for i, n in enumerate(names)}
            | {"coverage": pa.array([coverage] * len(part), pa.float64())}
        )
        for part in (rows[:3], rows[3:])
    ]
    # Parts of a study's table have dictionaries of their own.
    pq.write_table(pa.concat_tables(parts), path, row_group_size=3)
    return path


def test_frames_on_which_a_model_failed_are_named_with_the_reason(tmp_path: Path) -> None:
    rows = [("one", "net", "p", "ok")] * 5 + [("one", "net", "p", "failed_prediction")] * 2
    rows += [("one", "net", "p", "nonfinite_prediction")] + [("one", "net", "other", "failed_prediction")] * 8
    rows += [("two", "net", "p", "ok")] * 8 + [("one", "constant", "p", "ok")] * 8
    (line,) = failed_frames(frames(tmp_path / "frames.parquet", rows), "p", DATASETS, MODELS)
    assert line == (
        "! 3 of 8 frames of net on one failed: 2 × the model failed on the frame, 1 × the prediction holds "
        "NaN or infinities where there is reference depth (results/logs/predict/*/net.log)"
    )


def test_a_model_that_answers_on_a_part_is_named_with_the_share(tmp_path: Path) -> None:
    rows = [("one", "net", "p", "ok")] * 5 + [("one", "constant", "other", "ok")] * 2
    found = list(failed_frames(frames(tmp_path / "frames.parquet", rows, 0.8312), "p", DATASETS, MODELS))
    assert found == ["! net answers on 83% of the pixels of one that count; its number is of these alone"]


def test_frames_that_could_not_be_read_are_the_datasets(tmp_path: Path) -> None:
    rows = [(d, m, "p", "ok") for d in DATASETS for m in MODELS] * 3
    rows += [("two", model, "p", "unreadable_frame") for model in MODELS]
    (line,) = failed_frames(frames(tmp_path / "frames.parquet", rows), "p", DATASETS, MODELS)
    assert line == "! 1 of 4 frames of two could not be read: results/logs/prepare/two*.log"


def test_why_nothing_could_be_scored(tmp_path: Path) -> None:
    rows = [("one", model, "p", "no_depth") for model in MODELS] * 3 + [("one", "net", "other", "ok")] * 3
    rows += [("one", model, "p", "outside_range") for model in MODELS] + [("two", "net", "p", "ok")] * 5
    assert why_nothing(frames(tmp_path / "frames.parquet", rows), "p", "one") == (
        "the frame has no reference depth (75%), the reference depth lies outside of the protocol's range (25%). "
        "`scopedepth check-dataset one` shows more"
    )


def test_a_title_does_not_command_a_terminal() -> None:
    row = {"model": "net", "value": 0.1, "ci_low": None, "seen_in_training": "none", "status": "ok"}
    line = _line(row, None, {"net": partial(title="Net\x1b[2J\nrank 1")}, {})
    assert line.isprintable()
    assert "Net\\x1b[2J rank 1" in line


def test_titles_that_begin_alike_are_told_apart_by_the_models_names() -> None:
    alike = "Tiny Depth Anything (demo), brief, {} frames"
    models: Any = {
        "ten": {"title": alike.format(10)},
        "fifty_of_a_name_that_is_as_long": {"title": alike.format(50)},
        "other": {"title": "Another one of a title that is too long"},
        "short": {"title": "Short"},
        "untitled": {"title": ""},
    }
    assert short_titles(models) == {
        "ten": "ten",
        "fifty_of_a_name_that_is_as_long": "fifty_of_a_name_that_is_a…",
        "other": "Another one of a title th…",
        "short": "Short",
        "untitled": "untitled",
    }


def test_a_study_without_failures_says_nothing(tmp_path: Path) -> None:
    rows = [(d, m, "p", status) for d in DATASETS for m in MODELS for status in ("ok", "no_valid_pixels")]
    # A constant map under an affine fit has no number anywhere; its row in the ranking says so.
    rows = [row for row in rows if row[1] == "net"] + [("one", "constant", "p", "constant_prediction")] * 2
    assert list(failed_frames(frames(tmp_path / "frames.parquet", rows), "p", DATASETS, MODELS)) == []
