"""Forecasts: from timing and frame counts to hours and gigabytes."""

from __future__ import annotations

from typing import Any

import pytest

from scopedepth.study.forecast import (
    ASSUMED_SECONDS_PER_FRAME,
    ASSUMED_START_SECONDS,
    JOB_SECONDS,
    READ_SECONDS_PER_PIXEL,
    WRITE_SECONDS_PER_VALUE,
    UnitSize,
    compare_with_actual,
    plan_study,
)
from scopedepth.study.forecast_text import format_comparison, format_forecast


def row(model: str = "a", frame_size: str = "320x320", ms: float = 100.0, **more: Any) -> dict[str, Any]:
    return {
        "model": model,
        "status": "ok",
        "batch": 1,
        "frame_size": frame_size,
        "grid": "160x160",
        "end_to_end_median": ms,
        "start_ms": 4000.0,
        "first_call_ms": 500.0,
        **more,
    }


UNITS = [UnitSize("phantom", 120, 320, 320), UnitSize("colon", 1000, 320, 320)]


def test_a_job_is_its_start_and_its_frames() -> None:
    forecast = plan_study(UNITS, ["a"], [row()])
    frame = 0.1
    assert forecast.costs[0].seconds == pytest.approx(JOB_SECONDS + 4.5 + 120 * frame)
    assert forecast.costs[1].seconds == pytest.approx(JOB_SECONDS + 4.5 + 1000 * frame)
    assert forecast.costs[0].basis == "timed"
    assert forecast.hours == pytest.approx((2 * JOB_SECONDS + 9.0 + 1120 * frame) / 3600)
    assert forecast.gigabytes == pytest.approx(1120 * 160 * 160 * 4 / 2.9 / 1e9)
    assert forecast.dataset_gigabytes == pytest.approx(1120 * 320 * 320 * 8 / 1e9)


def test_a_fast_model_is_held_up_by_its_store() -> None:
    (cost,) = plan_study(UNITS[:1], ["a"], [row(ms=0.1)]).costs
    store = READ_SECONDS_PER_PIXEL * 320 * 320 + WRITE_SECONDS_PER_VALUE * 160 * 160
    assert cost.seconds == pytest.approx(JOB_SECONDS + 4.5 + 120 * store)


def test_what_is_cached_is_in_no_sum() -> None:
    forecast = plan_study(UNITS, ["a", "b"], [row("a"), row("b")], cached={("phantom", "a"), ("colon", "b")})
    assert [(cost.unit, cost.model) for cost in forecast.to_do] == [("phantom", "b"), ("colon", "a")]
    everything = plan_study(
        UNITS, ["a", "b"], [row("a"), row("b")], cached={(u.unit, m) for u in UNITS for m in "ab"}
    )
    assert everything.hours == 0.0
    assert everything.gigabytes == 0.0


def test_prepared_units_need_no_more_space() -> None:
    assert plan_study([UnitSize("phantom", 120, 320, 320, prepared=True)], ["a"]).dataset_gigabytes == 0.0


def test_a_model_without_timing_gets_the_stated_default() -> None:
    for device in ("cpu", "cuda", "cuda:1"):
        (cost,) = plan_study(UNITS[:1], ["new"], device=device).costs
        per_frame = ASSUMED_SECONDS_PER_FRAME[device[:4].rstrip(":")]
        assert cost.seconds == JOB_SECONDS + ASSUMED_START_SECONDS + 120 * per_frame
        assert cost.basis == f"assumed for {device}"
        # Its grid is not known: at most the frame's.
        assert cost.gigabytes == pytest.approx(120 * 320 * 320 * 4 / 2.9 / 1e9)


def test_parameters_tell_a_small_network_from_a_large_one_and_a_baseline_has_none() -> None:
    known = {"constant": 0, "small": 25_000_000, "large": 335_000_000, "new": None}
    by_model = {}
    for device in ("cpu", "cuda:1"):
        costs = plan_study(UNITS[:1], list(known), device=device, parameters=known).costs
        assert [cost.basis for cost in costs] == [
            "a baseline",
            f"assumed for {device} by 25 million parameters, within 4 times",
            f"assumed for {device} by 335 million parameters, within 4 times",
            f"assumed for {device}",
        ]
        by_model[device] = {cost.model: cost.seconds or 0.0 for cost in costs}
    store = (READ_SECONDS_PER_PIXEL + WRITE_SECONDS_PER_VALUE) * 320 * 320
    assert (
        by_model["cpu"]["constant"]
        == by_model["cuda:1"]["constant"]
        == pytest.approx(JOB_SECONDS + 120 * store)
    )
    # What was measured for these sizes: 1.8 to 2.8 s, and 18.8 to 27.7 s.
    frame = {
        name: (seconds - JOB_SECONDS - ASSUMED_START_SECONDS) / 120
        for name, seconds in by_model["cpu"].items()
    }
    assert 1.5 < frame["small"] < 2.8
    assert 18 < frame["large"] < 28
    assert by_model["cuda:1"]["small"] < by_model["cuda:1"]["large"] < by_model["cpu"]["small"]
    # A timing says more than parameters do.
    assert plan_study(UNITS[:1], ["large"], [row("large")], parameters=known).costs[0].basis == "timed"


def test_units_without_a_count_are_named_and_not_summed() -> None:
    forecast = plan_study([*UNITS, UnitSize("hamlyn", None)], ["a"], [row()])
    assert forecast.uncounted == ["hamlyn"]
    assert forecast.costs[2].seconds is None
    assert forecast.costs[2].gigabytes is None
    assert "not counted yet: hamlyn" in format_forecast(forecast)


def test_the_nearest_timed_frame_size_counts_and_single_frames_first() -> None:
    rows = [row(frame_size="480x640", ms=400.0), row(ms=90.0), row(ms=300.0, batch=8)]
    small, large = plan_study([UNITS[0], UnitSize("x", 120, 480, 640)], ["a"], rows).costs
    assert small.seconds is not None
    assert large.seconds is not None
    assert small.seconds == pytest.approx(JOB_SECONDS + 4.5 + 120 * 0.09, rel=0.05)
    assert large.seconds == pytest.approx(JOB_SECONDS + 4.5 + 120 * 0.4, rel=0.05)


def test_a_setting_that_did_not_fit_is_no_timing() -> None:
    failed = {**row(), "status": "out of memory", "end_to_end_median": None}
    assert plan_study(UNITS[:1], ["a"], [failed]).costs[0].basis.startswith("assumed")


def test_earlier_jobs_correct_the_timing() -> None:
    plain = plan_study(UNITS, ["a", "b"], [row("a"), row("b")])
    assert plain.costs[0].seconds is not None
    records = {("phantom", "a"): {"seconds": 1.5 * plain.costs[0].seconds}}
    forecast = plan_study(UNITS, ["a", "b"], [row("a"), row("b")], records=records)
    for before, after in zip(plain.costs, forecast.costs, strict=True):
        assert before.seconds is not None
        assert after.seconds == pytest.approx(1.5 * before.seconds)
    same_job, other_model, other_unit, neither = forecast.costs
    assert same_job.basis == "as long as before"
    assert other_unit.basis == "timed, x 1.50 from 1 earlier jobs"
    assert other_model.basis == neither.basis == "timed, x 1.50 from other models' jobs"


def test_one_disturbed_job_does_not_decide() -> None:
    units = [UnitSize(f"u{number}", 100, 320, 320) for number in range(6)]
    plain = plan_study(units, ["a"], [row()]).costs[0].seconds
    assert plain is not None
    records = {(unit.unit, "a"): {"seconds": plain} for unit in units[:5]} | {
        ("u3", "a"): {"seconds": 20 * plain}
    }
    assert plan_study(units, ["a"], [row()], records=records).costs[5].seconds == pytest.approx(plain)


def test_forecast_and_actual_stand_side_by_side() -> None:
    forecast = plan_study(UNITS, ["a"], [row()])
    compared = compare_with_actual(
        forecast, {("phantom", "a"): {"seconds": 20.0}, ("gone", "a"): {"seconds": 1.0}}
    )
    (job,) = compared
    assert (job.unit, job.model, job.actual) == ("phantom", "a", 20.0)
    assert "all" in format_comparison(compared).splitlines()[-1]


def test_the_text_has_a_line_a_model_and_one_for_all() -> None:
    forecast = plan_study(UNITS, ["a", "new"], [row()], cached={("phantom", "a")})
    lines = format_forecast(forecast).splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["model", "a", "new", "all"]
    assert lines[1].split()[1:4] == ["1", "1", "1000"]
    assert "GB at most" in lines[-1]


def test_nothing_to_compare_is_no_error() -> None:
    assert format_comparison([]).splitlines() == ["unit  model  forecast, s  actual, s  actual / forecast"]
