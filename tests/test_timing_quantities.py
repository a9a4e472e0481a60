"""The numbers that stand for a series of calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from scopedepth.timing.quantities import (
    allowed_overlatency,
    early_stopping_percentile,
    median_interval,
    ratio_to_yardstick,
)


@pytest.mark.parametrize(("calls", "discarded"), [(7469, 685), (2048, 172), (2116, 178), (2145, 181)])
def test_as_many_calls_are_put_aside_as_in_published_mlperf_logs(calls: int, discarded: int) -> None:
    # "Would discard N highest latency queries" in single-stream summaries of MLPerf's load generator.
    assert allowed_overlatency(calls) - 1 == discarded


def test_sixty_four_calls_are_the_fewest() -> None:
    # "Processed at least 64 queries", same logs.
    durations = np.arange(64.0)
    assert early_stopping_percentile(durations[:63]) is None
    assert early_stopping_percentile(durations) == 63.0


@pytest.mark.parametrize("calls", [64, 100, 500, 3000])
def test_the_rule_is_the_binomial_bound(calls: int) -> None:
    t = allowed_overlatency(calls)
    assert binom.cdf(t, calls, 0.1) <= 0.01 < binom.cdf(t + 1, calls, 0.1)


def test_the_estimate_lies_above_the_percentile_and_closes_in() -> None:
    few = early_stopping_percentile(np.linspace(0, 1, 201))
    many = early_stopping_percentile(np.linspace(0, 1, 100_001))
    assert few is not None
    assert many is not None
    assert 0.9 < many < 0.905 < few


def test_the_interval_of_the_median_is_seeded_and_holds_it() -> None:
    durations = np.random.default_rng(1).gamma(4, 2, 500)
    rounds = np.repeat(np.arange(10), 50)
    low, high = median_interval(durations, rounds)
    assert low < np.median(durations) < high
    assert median_interval(durations, rounds) == (low, high)


@pytest.mark.parametrize("seed", range(5))
def test_the_medians_of_drawn_rounds_are_those_of_their_calls_put_together(seed: int) -> None:
    generator = np.random.default_rng(seed)
    rounds = np.sort(generator.integers(0, 6, 101 + seed))
    # Few values, so that ties come up.
    durations = generator.integers(1, 12, len(rounds)).astype(float)
    numbers = np.unique(rounds)
    drawn = np.random.default_rng(0).integers(0, len(numbers), (300, len(numbers)))
    together = [
        np.median(np.concatenate([durations[rounds == numbers[index]] for index in row])) for row in drawn
    ]
    expected = np.quantile(together, (0.025, 0.975))
    assert median_interval(durations, rounds, replicates=300) == tuple(expected)


def test_rounds_that_differ_widen_the_interval() -> None:
    generator = np.random.default_rng(2)
    rounds = np.repeat(np.arange(10), 50)
    still = generator.normal(10, 0.1, 500)
    drifting = still + generator.normal(0, 1, 10)[rounds]
    still_low, still_high = median_interval(still, rounds)
    low, high = median_interval(drifting, rounds)
    assert high - low > 5 * (still_high - still_low)


def test_the_interval_of_one_round_draws_calls() -> None:
    low, high = median_interval(np.arange(100.0), np.zeros(100, int))
    assert 35 < low < 49.5 < high < 65


def turns(model: list[list[float]], yardstick: list[list[float]]) -> tuple[np.ndarray, ...]:
    """Return the arguments of `ratio_to_yardstick` for the calls of each round."""
    parts = []
    for rounds in (model, yardstick):
        parts += [np.concatenate(rounds), np.repeat(np.arange(len(rounds)), [len(calls) for calls in rounds])]
    return tuple(parts)


def test_a_calls_ratio_is_to_the_yardstick_on_either_side_of_it() -> None:
    # 6 / sqrt(2 x 2), 8.4 / sqrt(2 x 2.1), 9 / sqrt(2.2 x 2.2); no call has its neighbour in another round.
    found = ratio_to_yardstick(*turns([[6.0, 8.4], [9.0]], [[2.0, 2.0, 2.1], [2.2, 2.2]]))
    assert found[0] == pytest.approx(9 / 2.2)
    assert found[1] <= found[0] <= found[2]


def test_drift_cancels() -> None:
    # Two calls of the yardstick and one of the model, three times as long: slower by 0.1 % with each.
    slower = 2.0 * 1.001 ** np.arange(61)
    found = ratio_to_yardstick(*turns([(3 * slower[1::2]).tolist()], [slower[::2].tolist()]))
    assert found == pytest.approx((3.0, 3.0, 3.0))


def test_turns_on_a_disturbed_machine_do_not_count() -> None:
    # Most of the time the machine is slow, for the model more than for the yardstick.
    found = ratio_to_yardstick(*turns([[6.0] * 4 + [9.0] * 16], [[2.0] * 5 + [2.4] * 16]))
    assert found == pytest.approx((3.0, 3.0, 3.0))


def test_a_turn_that_begins_or_ends_disturbed_does_not_count() -> None:
    beside = [2.0, 2.0, 2.0, 2.0, 2.4, 2.0]
    assert ratio_to_yardstick(*turns([[6.0, 6.0, 6.0, 8.0, 9.0]], [beside]))[0] == 3.0


def test_where_hardly_a_turn_is_calm_all_count() -> None:
    found = ratio_to_yardstick(*turns([[6.0] * 3], [[2.0, 2.5, 2.0, 2.5]]))
    assert found[0] == pytest.approx(6 / np.sqrt(5))


def test_single_calls_that_were_interrupted_do_not_move_the_ratio() -> None:
    assert ratio_to_yardstick(*turns([[6.0, 60.0, 6.0]] * 3, [[2.0] * 4] * 3))[0] == 3.0


def test_the_interval_is_that_of_whole_rounds() -> None:
    model = [[6.0] * 5, [6.6] * 5, [7.2] * 5]
    found = ratio_to_yardstick(*turns(model, [[2.0] * 6] * 3))
    wanted: Any = (
        pytest.approx(3.3),
        *median_interval(np.repeat([3.0, 3.3, 3.6], 5), np.repeat(range(3), 5)),
    )
    assert found == wanted
