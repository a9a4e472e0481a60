"""Speed in the report: who keeps up with a video, and who stands on the front of accuracy and speed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from report_study import timing_rows, tiny_study
from report_wide import wide_study
from scopedepth.report.front import candidates, places
from scopedepth.report.html.parts.marks import looks
from scopedepth.report.html.parts.speed import speed_chart
from scopedepth.report.html.remarks import speed
from scopedepth.report.html.sections.front import front_table, fronts, place_words
from scopedepth.report.html.sections.realtime import realtime_table
from scopedepth.report.html.sections.strata import sentences
from scopedepth.report.results import Results, latency, latency_interval
from scopedepth.tables.io import write_table
from scopedepth.tables.timing import TIMING


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return tiny_study(tmp_path_factory.getbasetemp())


def timed(study: dict[str, Any], folder: Path, *rows: dict[str, Any]) -> Results:
    """Return the study's results with this timing; what a row does not say is invented."""
    columns = timing_rows(["?"] * len(rows))
    for number, row in enumerate(rows):
        for name, value in row.items():
            columns[name][number] = value
    path = folder / "timing.parquet"
    write_table(path, TIMING, columns)
    return Results(**{**study, "tables": {**study["tables"], "timing": path}})


def texts(table: Any) -> list[list[str]]:
    return [
        [str(cell.copied if cell.copied is not None else cell.text) for cell in row] for row in table.rows
    ]


def test_the_largest_sizes_that_keep_up_are_named(study: dict[str, Any], tmp_path: Path) -> None:
    first, second = Results(**study).networks[:2]
    sizes = {"small": ("320x320", "224x224"), "large": ("480x640", "392x518")}
    rows = [
        {"model": model, "frame_size": sizes[size][0], "input_size": sizes[size][1], "realtime_share": share}
        for model, size, share in (
            (first, "small", 1.0), (first, "large", 0.99), (second, "small", 0.98), (second, "large", 0.5),
        )
    ]  # fmt: skip
    results = timed(study, tmp_path, *rows)
    table = realtime_table(results, looks(results))
    assert table is not None
    assert table.caption == "99 % of the frames in time at 30 frames a second"
    found = texts(table)
    assert [row[1:3] for row in found] == [["cpu", "fp32"]] * 2
    assert [row[4:] for row in found] == [["480x640", "392x518"], ["", ""]]
    assert [str(cell.text) for cell in table.rows[1][4:]] == ["none that was timed"] * 2
    said = str(speed(results))
    assert f"{results.model_title(second)} does not keep up with 30 frames a second." in said


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((1.0, 0.99), "All networks keep up with 30 frames a second: 99 % come in time."),
        ((0.5, 0.989), "No network keeps up with 30 frames a second."),
    ],
)
def test_the_remark_counts_frames_in_time_and_not_medians(
    study: dict[str, Any], tmp_path: Path, shares: tuple[float, float], said: str
) -> None:
    names = Results(**study).networks[:2]
    rows = [
        {"model": name, "realtime_share": share, "end_to_end_median": 20.0}
        for name, share in zip(names, shares, strict=True)
    ]
    assert said in str(speed(timed(study, tmp_path, *rows)))


def test_a_frame_of_a_batch_takes_its_part(study: dict[str, Any], tmp_path: Path) -> None:
    name = Results(**study).networks[0]
    given = {"model": name, "batch": 4, "end_to_end_median": 40.0, "end_to_end_ci_low": 36.0}
    row = timed(study, tmp_path, {**given, "end_to_end_ci_high": None}).speed[name]
    assert latency(row) == 10.0
    assert latency_interval(row) == (9.0, None)


def test_every_network_has_its_place_between_accuracy_and_speed(study: dict[str, Any]) -> None:
    results = Results(**study)
    dataset = results.dataset_names[0]
    found = candidates(results, dataset)
    assert len(found) > 2
    place = places(results, found)
    # Brute force, for a metric of which less is better, among those with a number on each frame.
    scores = {one.model: results.score(dataset, one.model) or {} for one in found}
    whole = [one for one in found if not scores[one.model]["n_failed"]]
    assert {one.model for one in whole} == set(place) < {one.model for one in found}
    for one in whole:
        better = {
            other.model
            for other in whole
            if other.ms <= one.ms
            and other.value <= one.value
            and (other.ms, other.value) != (one.ms, one.value)
        }
        assert set(place[one.model].dominated_by) == better
    rows = texts(front_table(results, looks(results), dataset, found))
    table = front_table(results, looks(results), dataset, found)
    assert [row[1].sort for row in table.rows] == sorted(one.ms for one in found)
    assert next(row for row in rows if not row[3].startswith("not compared"))[3] == "on the front"
    assert sum(row[3] == "not compared: some frames have no number" for row in rows) == len(found) - len(
        whole
    )
    assert len(fronts(results, looks(results))) == len(
        [d for d in results.dataset_names if candidates(results, d)]
    )


def test_more_is_better_turns_values_and_intervals(study: dict[str, Any]) -> None:
    given = {**study["study"], "headline": {**study["study"]["headline"], "metric": "delta1"}}
    results = Results(**{**study, "study": given})
    found = candidates(results, results.dataset_names[0])
    place = places(results, found)
    whole = [one for one in found if one.whole]
    best = max(whole, key=lambda one: one.value)
    assert place[best.model].on_front
    for one in whole:
        for name in place[one.model].surely_dominated_by:
            other = next(two for two in found if two.model == name)
            assert other.low is not None
            assert one.high is not None
            assert other.low > one.high


def test_a_place_that_intervals_leave_open_is_told(study: dict[str, Any], tmp_path: Path) -> None:
    names = Results(**study).networks[:2]
    rows = [
        {"model": name, "end_to_end_median": ms, "end_to_end_ci_low": low, "end_to_end_ci_high": high}
        for name, (ms, low, high) in zip(names, ((10.0, 8.0, 30.0), (20.0, 19.0, 21.0)), strict=True)
    ]
    results = timed(study, tmp_path, *rows)
    found = candidates(results, results.dataset_names[0])
    for place in places(results, found).values():
        words = place_words(results, place)
        assert (
            words == "on the front" if place.on_front else words.endswith("but the intervals leave it open")
        )


def test_a_note_stands_over_the_lines_that_lead_to_names(tmp_path: Path) -> None:
    results = Results(**wide_study(tmp_path, models=16, datasets=1, protocols=1, metrics=["abs_rel"]))
    drawn = speed_chart(results, dict(looks(results)), (324.0, 380.0), "data_00", "protocol_00", "abs_rel")
    assert drawn is not None
    assert str(drawn).index("frames a second</text>") > str(drawn).rindex('class="leader')


def test_models_without_a_finding_by_strata_are_named_together(tmp_path: Path) -> None:
    results = Results(**wide_study(tmp_path, models=8, datasets=1, protocols=1, metrics=["abs_rel"]))
    rows = [
        {**row, "p_holm": 0.5 if row["model"] != "network_01" else row["p_holm"]} for row in results.strata
    ]
    rows = [row for row in rows if row["model"] != "constant"]
    said = sentences(results, rows)
    found = [line for line in said if "fails first" in line]
    assert all(line.startswith("Network 01 fails first in ") for line in found)
    assert "An endoscopic video foundation" in said[len(found)]
    assert said[len(found)].endswith("no stratum is significantly worse than the whole.")
    assert said[-1] == "Constant: no number."
    assert len(said) == len(found) + 2
