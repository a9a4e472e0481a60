"""The real-time verdict, and the front of accuracy against speed."""

from __future__ import annotations

from typing import Any

from scopedepth.statistics.pareto import Point, pareto_front
from scopedepth.timing.realtime import pixels, realtime_verdicts


def row(frame: str, inside: str, share: float | None, batch: int = 1, model: str = "m") -> dict[str, Any]:
    return {
        "model": model,
        "device": "cpu",
        "precision": "fp32",
        "batch": batch,
        "frame_size": frame,
        "input_size": inside,
        "realtime_share": share,
        "realtime_fps": 30.0,
    }


def test_the_largest_size_that_keeps_up_is_named() -> None:
    rows = [
        row("960x1280", "518x686", 0.2),
        row("320x320", "224x224", 1.0),
        row("480x640", "392x518", 0.995),
    ]
    (verdict,) = realtime_verdicts(rows)
    assert verdict.keeps_up
    assert (verdict.frame_size, verdict.input_size, verdict.share) == ("480x640", "392x518", 1.0)


def test_a_model_that_never_keeps_up_says_so() -> None:
    (verdict,) = realtime_verdicts([row("320x320", "224x224", 0.5)])
    assert not verdict.keeps_up
    assert verdict.frame_size is None
    assert verdict.share == 0.5


def test_batches_and_settings_without_numbers_decide_nothing() -> None:
    assert realtime_verdicts([row("8x8", "8x8", 1.0, batch=4), row("8x8", "8x8", None)]) == []


def test_each_model_has_its_verdict() -> None:
    rows = [row("8x8", "8x8", 1.0, model="a"), row("8x8", "8x8", 0.0, model="b")]
    assert [(v.model, v.keeps_up) for v in realtime_verdicts(rows)] == [("a", True), ("b", False)]


def test_sizes_are_compared_by_their_pixels() -> None:
    assert pixels("1000x90") == 90_000
    assert max(["1000x90", "400x400"], key=pixels) == "400x400"


def point(name: str, error: float, time: float, half: float = 0.0) -> Point:
    return Point(name, error, error - half, error + half, time, time * (1 - half), time * (1 + half))


def test_the_front_is_what_nothing_else_beats_in_both() -> None:
    places = pareto_front([point("small", 0.3, 5), point("large", 0.1, 50), point("poor", 0.35, 60)])
    assert [place.on_front for place in places] == [True, True, False]
    assert places[2].dominated_by == ("small", "large")
    assert places[2].surely_dominated_by == ("small", "large")
    assert places[2].certain


def test_overlapping_intervals_leave_a_doubt() -> None:
    first, second = pareto_front([point("a", 0.20, 10, 0.05), point("b", 0.22, 20, 0.05)])
    assert first.on_front
    assert not second.on_front
    assert second.surely_dominated_by == ()
    assert not second.certain


def test_equal_models_share_the_front() -> None:
    assert all(place.on_front for place in pareto_front([point("a", 0.2, 10), point("b", 0.2, 10)]))


def test_better_in_one_and_equal_in_the_other_dominates() -> None:
    assert [p.on_front for p in pareto_front([point("a", 0.2, 10), point("b", 0.2, 11)])] == [True, False]
