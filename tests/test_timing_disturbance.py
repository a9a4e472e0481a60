"""Which rounds count, seen from the machine alone."""

from __future__ import annotations

from typing import Any

from scopedepth.timing.disturbance import fastest_yardstick, rounds_to_use, undisturbed, what_disturbed


def rounds(*facts: tuple[float, float | None]) -> list[dict[str, Any]]:
    return [
        {"round": number, "other_load": load, "yardstick_ms": ms} for number, (load, ms) in enumerate(facts)
    ]


def test_load_and_a_slow_machine_each_disturb_a_round() -> None:
    found = rounds((0.19, 1.0), (0.2, 1.0), (0.0, 1.2), (0.0, 1.21), (0.5, 3.0), (0.0, None))
    assert fastest_yardstick(found) == 1.0
    assert undisturbed(found, 1.0) == [0, 2, 5]
    assert rounds_to_use(found, 1.0) == [0, 2, 5]
    assert what_disturbed(found, 1.0, [{"name": "x"}, {"name": "y"}, {"name": "x"}]) == [
        "2 of 6 rounds: others used up to 0.5 cores (x, y); left out",
        "1 of 6 rounds: the machine itself was slower (the yardstick took up to 1.2 times as long); left out",
    ]


def test_where_no_three_rounds_are_undisturbed_all_count() -> None:
    found = rounds((0.0, 1.0), (0.0, 1.1), (0.9, 1.0), (0.0, 2.0))
    assert rounds_to_use(found, 1.0) == [0, 1, 2, 3]
    assert [said.rpartition("; ")[2] for said in what_disturbed(found, 1.0, [])] == ["all rounds kept"] * 2


def test_without_a_yardstick_only_load_disturbs() -> None:
    found = rounds((0.0, None), (1.0, None), (0.0, None), (0.1, None))
    assert fastest_yardstick(found) is None
    assert undisturbed(found, None) == [0, 2, 3]


def test_another_settings_fastest_yardstick_is_the_measure() -> None:
    found = rounds((0.0, 2.4), (0.0, 2.5), (0.0, 2.6))
    assert undisturbed(found, fastest_yardstick(found)) == [0, 1, 2]
    assert undisturbed(found, 1.0) == []
