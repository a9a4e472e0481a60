"""Pixel metrics and medians against independent formulations, by hand, and under random maps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation_fakes import ALL_PIXEL, Array, holed_depth, pixels
from scopedepth.evaluation import metrics
from scopedepth.evaluation.kernels import error_sums
from scopedepth.evaluation.metrics import Aligned, median_error, scale_drift
from scopedepth.evaluation.protocol import DEPTH, DISPARITY, LOG_DEPTH, NO_LIMIT, Limits, Source
from scopedepth.evaluation.selection import SAMPLE, SMALL, middle
from scopedepth.evaluation.streaming import StreamingMiddle
from scopedepth.vocabulary.metrics import METRICS, PIXEL_METRICS

PLAIN = Source(1.0, -NO_LIMIT, NO_LIMIT, False, 0.0, False)
FREE = Limits(DEPTH, -NO_LIMIT, -NO_LIMIT, NO_LIMIT)


def pixel_metrics(
    x: Array, g: Array, scale: float, shift: float, source: Source, limits: Limits
) -> dict[str, float | None]:
    return metrics.pixel_metrics(pixels(x, g), Aligned(source, scale, shift, limits))


def plainly(p: Array, g: Array) -> dict[str, float]:
    """The definitions as they are written in textbooks, in float64."""
    p, g = p.astype(np.float64), g.astype(np.float64)
    e = np.log(p) - np.log(g)
    ratio = np.maximum(p / g, g / p)
    return {
        "abs_rel": np.mean(np.abs(p - g) / g),
        "sq_rel": np.mean((p - g) ** 2 / g),
        "rmse": np.sqrt(np.mean((p - g) ** 2)),
        "rmse_log": np.sqrt(np.mean(e**2)),
        "mae": np.mean(np.abs(p - g)),
        "log10": np.mean(np.abs(np.log10(p) - np.log10(g))),
        "silog": 100 * np.std(e),
        "irmse": np.sqrt(np.mean((1 / p - 1 / g) ** 2)),
        "delta1": np.mean(ratio < 1.25),
        "delta2": np.mean(ratio < 1.25**2),
        "delta3": np.mean(ratio < 1.25**3),
        "nrmse": np.sqrt(np.mean((p - g) ** 2)) / (g.max() - g.min()),
    }


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-6)])
@pytest.mark.parametrize("noise", [2.0, 0.3, 0.01, 1e-4])
def test_pixel_metrics_against_textbook(dtype: type[np.floating], tolerance: float, noise: float) -> None:
    rng = np.random.default_rng(int(1e6 * noise))
    for _ in range(3):
        depth = holed_depth(rng)
        g = depth[np.isfinite(depth)].astype(dtype)
        p = (g * np.exp(noise * rng.standard_normal(g.size))).astype(dtype)
        got = pixel_metrics(p, g, 1.0, 0.0, PLAIN, FREE)
        want = plainly(p, g)
        assert set(got) == set(want) == set(ALL_PIXEL) == set(PIXEL_METRICS)
        for name, value in want.items():
            assert got[name] == pytest.approx(value, rel=tolerance), name


def test_small_spread_about_a_large_mean_keeps_its_digits() -> None:
    rng = np.random.default_rng(1)
    g = rng.uniform(10, 90, 5000)
    p = 30 * g * np.exp(1e-5 * rng.standard_normal(g.size))
    e = np.log(p / g)
    got = pixel_metrics(p, g, 1.0, 0.0, PLAIN, FREE)
    assert got["silog"] == pytest.approx(100 * np.std(e - e.mean()), rel=1e-9)


def test_by_hand() -> None:
    g = np.array([1.0, 2.0, 4.0, 8.0])
    p = np.array([1.25, 2.0, 2.0, 10.1])
    got = pixel_metrics(p, g, 1.0, 0.0, PLAIN, FREE)
    assert got["abs_rel"] == pytest.approx((0.25 + 0 + 0.5 + 2.1 / 8) / 4, rel=1e-12)
    assert got["sq_rel"] == pytest.approx((0.0625 + 0 + 1 + 2.1**2 / 8) / 4, rel=1e-12)
    # A ratio of exactly 1.25 is outside; 1.2625 is inside the second.
    assert got["delta1"] == 0.25
    assert got["delta2"] == 0.75
    assert got["delta3"] == 0.75
    assert got["mae"] == pytest.approx((0.25 + 2 + 2.1) / 4, rel=1e-12)


def test_a_perfect_prediction_is_exactly_perfect() -> None:
    g = holed_depth(np.random.default_rng(2), holes=0.0).astype(np.float32).ravel()
    got = pixel_metrics(g, g, 1.0, 0.0, PLAIN, FREE)
    for name in PIXEL_METRICS:
        assert got[name] == (1.0 if name.startswith("delta") else 0.0), name


@pytest.mark.parametrize(
    "exponent", [-300, -40, -3, -0.6, -0.4, -1e-3, 0, 1e-9, 0.4, 0.5, 0.6, 1, 7, 60, 300]
)
def test_logarithms_of_any_size(exponent: float) -> None:
    rng = np.random.default_rng(3)
    g = rng.uniform(1, 2, 600)
    p = g * 2.0**exponent * rng.uniform(0.9, 1.1, g.size)
    got = pixel_metrics(p, g, 1.0, 0.0, PLAIN, FREE)
    assert got["rmse_log"] == pytest.approx(np.sqrt(np.mean(np.log(p / g) ** 2)), rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 511, 512, 513, 1024, 5000])
def test_every_length_about_the_blocks(n: int) -> None:
    rng = np.random.default_rng(n)
    g, p = rng.uniform(5, 50, n), rng.uniform(5, 50, n)
    got, want = pixel_metrics(p, g, 1.0, 0.0, PLAIN, FREE), plainly(p, g) if n > 1 else {}
    for name, value in want.items():
        assert got[name] == pytest.approx(value, rel=1e-11), name
    if n == 1:
        assert got["nrmse"] is None


def test_depths_that_are_not_positive_take_only_what_needs_a_logarithm() -> None:
    g = np.array([10.0, 20.0, 30.0, 40.0])
    p = np.array([11.0, -1.0, 0.0, 40.0])
    got = pixel_metrics(p, g, 1.0, 0.0, PLAIN, FREE)
    assert got["mae"] == pytest.approx((1 + 21 + 30) / 4)
    # With p/g and g/p both negative, max(p/g, g/p) < 1.25 would call the second pixel right.
    assert got["delta1"] == 0.5
    for name in ("rmse_log", "log10", "silog", "irmse"):
        assert got[name] is None


def test_overflow_gives_none_and_no_nan() -> None:
    got = pixel_metrics(np.array([1e308, 2.0]), np.array([1.0, 2.0]), 100.0, 0.0, PLAIN, FREE)
    assert got["rmse"] is None
    assert all(value is None or math.isfinite(value) for value in got.values())


@pytest.mark.parametrize("space", [DEPTH, DISPARITY, LOG_DEPTH])
@pytest.mark.parametrize("flip", [False, True])
def test_every_way_from_output_to_depth(space: int, flip: bool) -> None:
    rng = np.random.default_rng(5)
    g, x = rng.uniform(5, 90, 700), rng.uniform(0.2, 3, 700)
    source = Source(2.0, 0.5, 5.0, flip, 1e-3, space == LOG_DEPTH)
    limits = Limits(space, 0.01, 2.0, 80.0)
    scale, shift = {DEPTH: (20.0, 1.0), DISPARITY: (0.05, -0.02), LOG_DEPTH: (0.9, 3.0)}[space]
    v = np.clip(2 * x, 0.5, 5.0)
    v = 1 / (v + 1e-3) if flip else v
    v = np.log(v) if space == LOG_DEPTH else v
    aligned = scale * v + shift
    p = aligned if space == DEPTH else np.exp(aligned)
    p = 1 / np.maximum(aligned, 0.01) if space == DISPARITY else p
    want = plainly(np.clip(p, 2, 80), g)
    got = pixel_metrics(x, g, scale, shift, source, limits)
    for name, value in want.items():
        assert got[name] == pytest.approx(value, rel=1e-11), name


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3))
def test_a_factor_taken_out_again_changes_nothing(seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    g, p = rng.uniform(2, 200, 300), rng.uniform(2, 200, 300)
    one = pixel_metrics(p, g, 1.0, 0.0, PLAIN, FREE)
    other = pixel_metrics(p * factor, g, 1.0 / factor, 0.0, PLAIN, FREE)
    for name in PIXEL_METRICS:
        assert other[name] == pytest.approx(one[name], rel=1e-11, abs=1e-300), name


def test_median_relative_error() -> None:
    rng = np.random.default_rng(6)
    for n in (1, 2, 999, 30001, 30002):
        g, p = rng.uniform(2, 200, n), rng.uniform(2, 200, n)
        for epsilon in (0.0, 0.5):
            errors = metrics.relative_errors(pixels(p, g), Aligned(PLAIN, 1.0, 0.0, FREE), epsilon)
            assert median_error(errors) == pytest.approx(np.median(np.abs(p - g) / (g + epsilon)), rel=1e-14)


MAGNITUDES = st.floats(2.0**-60, 2.0**60, width=32) | st.just(0.0)


def both_middles(values: Array) -> tuple[float, float]:
    ordered = np.sort(values)
    return float(ordered[(values.size - 1) // 2]), float(ordered[values.size // 2])


def awkward(rng: np.random.Generator, n: int, case: int) -> Array:
    """Values that mislead a sample: ties, steps, order, outliers, and what lies at the sample's stride."""
    if case == 0:
        return rng.standard_normal(n)
    if case == 1:
        return rng.integers(0, 5, n).astype(float)
    if case == 2:
        return np.sort(rng.uniform(0, 1, n))
    if case == 3:
        return np.full(n, 7.0)
    if case == 4:
        return np.where(rng.random(n) < 0.5, 1e30, -1e30) * rng.uniform(0.1, 1, n)
    values = rng.uniform(0, 1, n)
    values[:: max(n // SAMPLE, 1)] += 100.0
    return values


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", range(6))
def test_medians_are_exact(dtype: type[np.floating], case: int) -> None:
    rng = np.random.default_rng(case)
    for n in (1, 2, 3, 100, SMALL, SMALL + 1, 2 * SMALL + 1, 60000, 60001):
        values = awkward(rng, n, case).astype(dtype)
        before = values.copy()
        assert middle(values, np.empty(n, dtype)) == both_middles(values), n
        np.testing.assert_array_equal(values, before)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=80))
def test_streaming_medians_are_exact(numbers: list[float]) -> None:
    values = np.array(numbers, np.float32)
    stream = StreamingMiddle()
    for part in np.array_split(values, 3):
        stream.first(part)
    stream.turn()
    for part in np.array_split(values, 5):
        stream.second(part)
    assert stream.result() == both_middles(values)


@settings(max_examples=60, deadline=None)
@given(st.lists(MAGNITUDES, min_size=1, max_size=60), st.data())
def test_streaming_medians_in_the_order_of_the_inverses(numbers: list[float], data: st.DataObject) -> None:
    signs = data.draw(st.lists(st.sampled_from([1, -1]), min_size=len(numbers), max_size=len(numbers)))
    values = np.array([a if a == 0 else a * b for a, b in zip(numbers, signs, strict=True)], np.float32)
    stream = StreamingMiddle(inverted=True)
    stream.first(values)
    stream.turn()
    stream.second(values)
    with np.errstate(divide="ignore"):
        got = 1 / np.array(stream.result())
        assert tuple(got) == both_middles(1 / values.astype(np.float64))


@pytest.mark.parametrize("case", range(6))
def test_streaming_medians_of_awkward_values(case: int) -> None:
    values = awkward(np.random.default_rng(case), 50001, case).astype(np.float32)
    stream = StreamingMiddle()
    stream.first(values)
    stream.turn()
    stream.second(values)
    assert stream.result() == both_middles(values)


def test_scale_drift() -> None:
    logs = np.log([1.0, 1.1, 0.9, 1.3])
    assert scale_drift(logs) == pytest.approx(np.sqrt(np.sum((logs - logs.mean()) ** 2) / 3), rel=1e-12)
    assert scale_drift(np.array([np.nan, 0.1])) is None
    assert scale_drift(np.array([np.nan, 0.1, 0.1])) == 0.0


def test_the_registry_is_whole() -> None:
    assert set(PIXEL_METRICS) <= set(METRICS)
    for name, metric in METRICS.items():
        assert name == metric.name
        assert metric.formula
        assert metric.source
        assert metric.has_unit == (metric.unit != "1" or metric.in_mm)


def test_kernels_release_the_interpreter_and_are_cached() -> None:
    options = error_sums.targetoptions
    assert options["nogil"]
    assert error_sums._cache.cache_path
