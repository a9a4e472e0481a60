"""Comparisons, ranks, sensitivity, skill and drift: by hand and against other formulations."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from partial import partial
from scopedepth.evaluation.metrics import scale_drift
from scopedepth.statistics.comparisons import SMALLEST_P, holm, pairs, two_sided_p
from scopedepth.statistics.drift import drift_series, has_drift, log_scales
from scopedepth.statistics.ranks import rank
from scopedepth.statistics.sensitivity import change, kendall_tau_b, shares_won
from scopedepth.statistics.skill import better_baseline, skill_series
from test_statistics_bootstrap import average

# Comparisons.


def test_p_is_the_t_test() -> None:
    x = np.random.default_rng(0).standard_normal((5, 12)) + 0.5
    error = x.std(axis=1, ddof=1) / np.sqrt(12)
    p = two_sided_p(x.mean(axis=1), error, np.full(5, 11.0))
    np.testing.assert_allclose(p, stats.ttest_1samp(x, 0, axis=1).pvalue, rtol=1e-8)


def test_p_without_spread_or_without_interval() -> None:
    p = two_sided_p(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.0, np.nan]), np.array([3.0, 3.0, np.nan]))
    np.testing.assert_array_equal(p, [1.0, SMALLEST_P, np.nan])


def test_holm_by_hand() -> None:
    adjusted = holm(np.array([0.01, np.nan, 0.04, 0.03, 0.005]))
    np.testing.assert_allclose(adjusted, [0.03, np.nan, 0.06, 0.06, 0.02])
    assert holm(np.empty(0)).size == 0


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.2))
def test_holm_rejects_what_the_stepwise_test_rejects(p: list[float], level: float) -> None:
    rejected = set()
    for step, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        if p[index] * (len(p) - step) >= level:
            break
        rejected.add(index)
    assert set(np.flatnonzero(holm(np.array(p)) < level)) == rejected


def test_pairs_are_all_pairs_once() -> None:
    assert [tuple(pair) for pair in pairs(4)] == list(combinations(range(4), 2))
    assert pairs(1).shape == (0, 2)


# Ranks.


def test_ranks_by_hand() -> None:
    values = np.array([0.3, 0.1, np.nan, 0.1, 0.2])
    ranked = np.array([True, True, False, True, True])
    beaten = np.zeros((5, 5), bool)
    beaten[[1, 1, 3], [0, 4, 0]] = True  # 1 beats 0 and 4, 3 beats 0
    found = rank(values, ranked, beaten, higher_is_better=False)
    assert found.rank.tolist() == [4, 1, 0, 1, 3]
    assert found.low.tolist() == [3, 1, 0, 1, 2]
    assert found.high.tolist() == [4, 2, 0, 3, 4]
    assert [np.flatnonzero(row).tolist() for row in found.tied] == [[4], [3], [], [1, 4], [0, 3]]
    upside_down = rank(values, ranked, beaten.T, higher_is_better=True)
    assert upside_down.rank.tolist() == [1, 3, 0, 3, 2]


@settings(deadline=None)
@given(arrays(float, st.integers(1, 8), elements=st.integers(0, 4)), st.booleans())
def test_ranks_agree_with_scipy(values: np.ndarray, higher: bool) -> None:
    nobody = np.zeros((len(values), len(values)), bool)
    found = rank(values, np.ones(len(values), bool), nobody, higher)
    np.testing.assert_array_equal(found.rank, stats.rankdata(-values if higher else values, "min"))
    # Nothing is significant: any rank is possible, and everybody is tied with everybody else.
    assert (found.low == 1).all()
    assert (found.high == len(values)).all()
    assert found.tied.sum() == len(values) * (len(values) - 1)


# Sensitivity.


@settings(deadline=None)
@given(
    arrays(float, 7, elements=st.integers(0, 6)),
    arrays(float, 7, elements=st.integers(0, 6)),
    st.integers(2, 7),
)
def test_tau_agrees_with_scipy(x: np.ndarray, y: np.ndarray, count: int) -> None:
    wanted = stats.kendalltau(x[:count], y[:count], variant="b").statistic
    np.testing.assert_allclose(kendall_tau_b(x[:count], y[:count]), wanted, atol=1e-12)


def test_change_by_hand() -> None:
    a, b = np.array([1, 2, 3, 0, 4]), np.array([2, 1, 3, 4, 0])
    beaten_a, beaten_b = np.zeros((5, 5), bool), np.zeros((5, 5), bool)
    beaten_a[0, 1] = True
    found = change(a, b, beaten_a, beaten_b)
    assert (found.n_models, found.flips, found.significant_flips) == (3, [(0, 1)], [])
    assert found.tau == pytest.approx(1 / 3)
    beaten_b[1, 0] = True
    assert change(a, b, beaten_a, beaten_b).significant_flips == [(0, 1)]
    assert change(b, a, beaten_b, beaten_a).significant_flips == [(1, 0)]


def test_change_with_ties_and_with_nothing_in_common() -> None:
    none = np.zeros((3, 3), bool)
    tied = change(np.array([1, 1, 3]), np.array([2, 1, 3]), none, none)
    assert tied.flips == []
    assert tied.tau == pytest.approx(stats.kendalltau([1, 1, 3], [2, 1, 3]).statistic)
    apart = change(np.array([1, 0, 0]), np.array([0, 1, 2]), none, none)
    assert apart.n_models == 0
    assert np.isnan(apart.tau)


def test_shares_won_by_hand() -> None:
    rankings = [np.array([1, 2, 3]), np.array([1, 1, 3]), np.array([0, 1, 2]), np.array([0, 1, 0])]
    np.testing.assert_allclose(shares_won(rankings), [2 / 3, 2 / 3, 0])
    assert np.isnan(shares_won([np.array([0, 1])])).all()


# Skill.


def test_better_baseline() -> None:
    values = np.array([0.1, 0.4, 0.3, 0.0])
    assert better_baseline(values, np.array([False, True, True, True])) == 2
    assert better_baseline(values, np.array([False, False, False, True])) is None


@pytest.mark.parametrize("averaging", ["sequences", "frames"])
def test_skill_series_average_to_the_skill(averaging: str) -> None:
    series = np.random.default_rng(1).random((3, 50)) + 0.1
    starts = np.array([0, 20, 50])
    values = average(series, starts, averaging)
    found = average(skill_series(series, values, 1), starts, averaging)
    np.testing.assert_allclose(found, 1 - values / values[1])
    assert found[1] == pytest.approx(0)


def test_skill_varies_as_the_ratio_does() -> None:
    """The delta method against drawing frames again and dividing."""
    rng = np.random.default_rng(2)
    base = rng.random(400) + 1
    series = np.stack([0.5 * base + 0.1 * rng.random(400), base])
    index = rng.integers(0, 400, (4000, 400))
    drawn = 1 - series[0][index].mean(axis=1) / series[1][index].mean(axis=1)
    against = skill_series(series, series.mean(axis=1), 1)[0]
    assert against.std() / np.sqrt(400) == pytest.approx(drawn.std(), rel=0.05)


# Scale drift.


def test_drift_is_the_standard_deviation_of_the_log_factors() -> None:
    rng = np.random.default_rng(3)
    logs = rng.standard_normal(30)
    logs[[4, 20]] = np.nan
    starts = np.array([0, 10, 29, 30])
    series = drift_series(logs, starts)
    for a, b in list(pairwise(starts))[:2]:
        assert np.nanmean(series[a:b]) == pytest.approx(scale_drift(logs[a:b]), rel=1e-12)
        assert np.isnan(series[a:b]).sum() == 1
    assert np.isnan(series[29])  # one frame has no deviation
    np.testing.assert_array_equal(drift_series(np.ones(5), np.array([0, 5])), np.zeros(5))


def test_drift_varies_as_the_standard_deviation_does() -> None:
    rng = np.random.default_rng(4)
    logs = rng.standard_normal((2000, 200))
    linear = np.array([drift_series(x, np.array([0, 200])).std() for x in logs[:200]]) / np.sqrt(200)
    assert linear.mean() == pytest.approx(logs.std(axis=1, ddof=1).std(), rel=0.06)


def test_factors_come_from_the_fit() -> None:
    scale, shift = np.array([2.0, -1.0, np.nan]), np.array([0.0, 0.5, np.nan])
    depth = partial(alignment={"method": "median", "space": "depth", "scope": "frame"})
    logarithm = partial(alignment={"method": "median", "space": "log_depth", "scope": "frame"})
    np.testing.assert_allclose(log_scales(scale, shift, depth), [np.log(2), np.nan, np.nan])
    np.testing.assert_allclose(log_scales(scale, shift, logarithm), np.array([0, 0.5, np.nan]))
    assert has_drift(depth)
    assert not has_drift(partial(alignment={"method": "median", "space": "depth", "scope": "sequence"}))
    assert not has_drift(partial(alignment={"method": "minmax", "space": "depth", "scope": "frame"}))
