"""A forecast from a results folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from scopedepth.job.manifest import write_json
from scopedepth.study.forecast import JOB_SECONDS, UnitSize, compare_with_actual
from scopedepth.study.forecast_known import forecast_study, known_size, prediction_records
from timing_fakes import write_calls


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """One prepared unit of 100 frames, the model `m` timed (20.45 ms end to end) and run on it."""
    timing = tmp_path / "timing" / "quick"
    timing.mkdir(parents=True)
    write_calls(timing, [0.0] * 4, [10.0] * 4)
    sequences = {
        "a": {"frames": 60, "height": 320, "width": 320},
        "b": {"frames": 40, "height": 240, "width": 320},
    }
    write_json(tmp_path / "datasets" / "one.json", {"digest": "x", "sequences": sequences})
    (tmp_path / "predictions" / "one" / "m.zarr").mkdir(parents=True)
    write_json(tmp_path / "predictions" / "one" / "m.json", {"digest": "y"})
    write_json(tmp_path / "predictions" / "one" / "m.run.json", {"seconds": 6.0})
    return tmp_path


def test_sizes_come_from_the_stores_manifest(results: Path) -> None:
    assert known_size(results, "one") == UnitSize("one", 100, 320, 320, prepared=True)
    assert known_size(results, "two") == UnitSize("two", None)
    assert known_size(results, "two", UnitSize("two", 7, 8, 9)) == UnitSize("two", 7, 8, 9)


def test_a_folder_with_nothing_in_it_gives_the_defaults(tmp_path: Path) -> None:
    forecast = forecast_study(tmp_path, ["one"], ["m"], "quick", {"one": UnitSize("one", 10, 8, 8)})
    assert forecast.costs[0].basis == "assumed for cpu"
    assert forecast_study(tmp_path, ["one"], ["m"], None).uncounted == ["one"]


def test_what_is_there_is_cached_and_what_ran_corrects(results: Path) -> None:
    expected = {"two": UnitSize("two", 1000, 320, 320)}
    done, new = forecast_study(results, ["one", "two"], ["m"], "quick", expected).costs
    assert done.cached
    assert not new.cached
    assert done.seconds == pytest.approx(6.0)  # what it took
    uncorrected = forecast_study(results, ["one", "two"], ["m"], "quick", expected, corrected=False)
    assert uncorrected.costs[0].seconds == pytest.approx(JOB_SECONDS + 0.98 + 100 * 0.02045, rel=0.1)
    records = prediction_records(results, ["one", "two"], ["m"])
    (compared,) = compare_with_actual(uncorrected, records)
    assert compared.actual == 6.0
