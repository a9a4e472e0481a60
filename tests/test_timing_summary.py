"""From calls to the numbers of a row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scopedepth.job.manifest import write_json
from scopedepth.tables.io import write_table
from scopedepth.tables.timing import TIMING
from scopedepth.timing.summary import summarise_timing
from timing_fakes import write_calls


def summarise(path: Path, fps: float = 30.0) -> dict[str, Any]:
    table = summarise_timing([path], fps)
    assert table.schema.equals(TIMING)
    (row,) = table.to_pylist()
    return row


def test_the_numbers_of_a_quiet_run(tmp_path: Path) -> None:
    row = summarise(write_calls(tmp_path, [0.0] * 7, [10.0] * 7))
    assert row["forward_median"] == pytest.approx(10.45)
    assert row["forward_iqr"] == pytest.approx(0.5, abs=0.05)
    assert row["end_to_end_p90"] == pytest.approx(20.8, abs=0.05)
    assert row["forward_p90_early_stopping"] == pytest.approx(10.9)  # 70 calls: none is put aside
    assert row["n_calls"] == 70
    assert row["frames_per_second"] == pytest.approx(1000 / 20.45)
    assert row["realtime_share"] == 1.0
    assert row["yardstick_ratio"] == 18 / 4
    assert row["yardstick_ms"] == 2.0
    assert row["yardstick_drift"] == 0.0
    assert (row["start_ms"], row["load_ms"], row["first_call_ms"]) == (900.0, 100.0, 80.0)
    assert (row["gflops"], row["parameters"], row["grid"], row["disturbed"]) == (2.0, 7, "112x112", "no")


def test_disturbed_rounds_are_left_out_and_told(tmp_path: Path) -> None:
    row = summarise(write_calls(tmp_path, [0.0, 0.9, 1.0, 0.0, 0.0], [10.0, 50.0, 60.0, 10.0, 10.0]))
    assert row["forward_median"] == pytest.approx(10.45)
    assert (row["rounds"], row["rounds_disturbed"], row["n_calls"]) == (3, 2, 30)
    assert row["disturbed"] == "2 of 5 rounds: others used up to 1.0 cores (burner); left out"


def test_rounds_of_a_slower_machine_are_left_out_and_told(tmp_path: Path) -> None:
    path = write_calls(
        tmp_path, [0.0] * 5, [10.0, 16.0, 16.0, 10.0, 10.0], yardstick=[2.0, 2.5, 2.8, 2.4, 2.1]
    )
    row = summarise(path)
    assert row["forward_median"] == pytest.approx(10.45)
    assert (row["rounds"], row["rounds_disturbed"], row["yardstick_ms"]) == (3, 2, 2.1)
    assert row["yardstick_drift"] == pytest.approx(0.4)
    assert row["disturbed"] == (
        "2 of 5 rounds: the machine itself was slower (the yardstick took up to 1.4 times as long); left out"
    )
    assert row["yardstick_ratio"] == 4.5, "turns have their own rule"


def test_a_model_that_met_a_slower_machine_than_others_is_told(tmp_path: Path) -> None:
    paths = []
    for name, beside in (("m", 2.0), ("n", 2.3), ("o", 2.6)):
        (tmp_path / name).mkdir()
        paths.append(write_calls(tmp_path / name, [0.0] * 4, [10.0] * 4, yardstick=[beside] * 4, model=name))
    rows = summarise_timing(paths, 30.0).to_pylist()
    assert [row["disturbed"] for row in rows] == [
        "no",
        "no",
        "the yardstick took 1.3 times as long as beside m; time it again",
    ]


def test_settings_of_one_model_are_not_held_against_each_other(tmp_path: Path) -> None:
    for name, beside in (("a", 2.0), ("b", 2.6)):
        (tmp_path / name).mkdir()
        write_calls(tmp_path / name, [0.0] * 4, [10.0] * 4, yardstick=[beside] * 4)
    rows = summarise_timing([tmp_path / "a" / "m.parquet", tmp_path / "b" / "m.parquet"], 30.0).to_pylist()
    assert [row["disturbed"] for row in rows] == ["no", "no"]


def test_without_enough_quiet_rounds_all_count_and_that_is_told(tmp_path: Path) -> None:
    row = summarise(write_calls(tmp_path, [0.5, 0.9, 1.0, 0.0, 0.0], [20.0] * 5))
    assert row["rounds"] == 5
    assert row["disturbed"].endswith("all rounds kept")


def test_the_share_in_time_is_that_of_a_frame_rate(tmp_path: Path) -> None:
    path = write_calls(tmp_path, [0.0] * 4, [10.0, 10.0, 10.0, 30.0])
    assert summarise(path, 30.0)["realtime_share"] == 0.75
    assert summarise(path, 15.0)["realtime_share"] == 1.0
    assert summarise(path, 60.0)["realtime_share"] == 0.0


def test_a_batch_has_the_time_in_which_its_frames_arrive(tmp_path: Path) -> None:
    row = summarise(write_calls(tmp_path, [0.0] * 4, [60.0] * 4, batch=4))
    assert row["realtime_share"] == 1.0  # 121 of 133 ms
    assert row["frames_per_second"] == pytest.approx(4000 / 120.45)


def test_without_its_record_a_table_still_gives_times(tmp_path: Path) -> None:
    row = summarise(write_calls(tmp_path, [], [10.0] * 4, record=False))
    assert row["forward_median"] == pytest.approx(10.45)
    assert row["hardware"] is None
    assert row["disturbed"] == "unknown: the record of the run is missing"


def test_the_same_calls_give_the_same_bytes(tmp_path: Path) -> None:
    path = write_calls(tmp_path, [0.0] * 4, [10.0, 11.0, 12.0, 13.0])
    for name in ("a", "b"):
        write_table(tmp_path / name, TIMING, [summarise_timing([path], 30.0)])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_throttling_and_other_gpu_processes_are_told(tmp_path: Path) -> None:
    import json

    path = write_calls(tmp_path, [0.0] * 4, [10.0] * 4)
    record = json.loads((tmp_path / "m.run.json").read_text())
    record |= {"gpu_processes": ["training"], "gpu_after": {"throttled_by": ["power cap"]}}
    record |= {"processor_before": {"throttle_count": 1}, "processor_after": {"throttle_count": 3}}
    write_json(tmp_path / "m.run.json", record)
    assert summarise(path)["disturbed"] == (
        "on the GPU: training; GPU throttled after: power cap; processor throttled"
    )
