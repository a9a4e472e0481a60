"""The numbers that stand for a series of calls."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from scopedepth.timing.quantities import (
    allowed_overlatency,
    early_stopping_percentile,
    median_interval,
    ratio_to_yardstick,
    round_ratios,
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


def both(model: list[float], yardstick: list[float]) -> tuple[np.ndarray, ...]:
    """Three calls in each round, with the round's time."""
    return (
        np.repeat(model, 3),
        np.repeat(np.arange(len(model)), 3),
        np.repeat(yardstick, 3),
        np.repeat(np.arange(len(yardstick)), 3),
    )


def test_drift_cancels_in_the_ratio() -> None:
    slower = 1.05 ** np.arange(11)
    # A model's round lies between two of the yardstick's.
    calls = both(list(30 * 1.05 ** (np.arange(10) + 0.5)), list(10 * slower))
    found = ratio_to_yardstick(*calls)
    assert found == pytest.approx((3.0, 3.0, 3.0))


def test_a_few_disturbed_rounds_do_not_move_the_ratio() -> None:
    model = [30.0] * 10
    model[2:5] = [90.0, 200.0, 45.0]
    found = ratio_to_yardstick(*both(model, [10.0] * 11))
    assert found is not None
    assert found[0] == 3.0


def test_calls_that_were_interrupted_do_not_move_a_rounds_ratio() -> None:
    model, rounds, yardstick, yardstick_rounds = both([30.0] * 4, [10.0] * 5)
    model[1::3] *= 5  # one call of three, in every round
    found = ratio_to_yardstick(model, rounds, yardstick, yardstick_rounds)
    assert found is not None
    assert found[0] == 3.0


def test_the_yardstick_before_stands_alone_where_none_follows() -> None:
    assert round_ratios(*both([30.0, 60.0], [10.0, 20.0])) == pytest.approx([30 / np.sqrt(200), 3.0])


def test_there_is_no_ratio_without_a_yardstick() -> None:
    assert ratio_to_yardstick(*both([30.0], [])) is None
