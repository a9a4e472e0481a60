"""Fits against closed forms, NumPy, SciPy and exact solvers; degenerate input; invariances."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from evaluation_fakes import Array, holed_depth, pixels, smooth_depth, terms
from scopedepth.evaluation.alignment import (
    NO_MOMENTS,
    Fit,
    Gathered,
    fit_frame,
    fit_points,
    frame_moments,
    merge,
)
from scopedepth.evaluation.alignments.l1_affine import least_absolute_line, objective, spread_subset
from scopedepth.evaluation.metrics import frame_metrics
from scopedepth.evaluation.protocol import Terms
from scopedepth.vocabulary import status as codes
from scopedepth.vocabulary.metrics import PIXEL_METRICS

TOLERANCE = [(np.float64, 1e-9), (np.float32, 1e-6)]


def run(chosen: Terms, x: Array, y: Array) -> Fit:
    return fit_frame(chosen, pixels(x, y))


def sample(dtype: type[np.floating], seed: int = 0) -> tuple[Array, Array]:
    """An output of the depth kind and its reference, 80 % of a map with holes."""
    rng = np.random.default_rng(seed)
    depth = holed_depth(rng)
    y = depth[np.isfinite(depth)]
    x = 0.03 * y * np.exp(0.2 * rng.standard_normal(y.size)) + 0.05
    return x.astype(dtype), y.astype(dtype)


SPACES: dict[str, Callable[[Array], Array]] = {
    "depth": lambda v: v,
    "disparity": lambda v: 1 / v,
    "log_depth": np.log,
}
CLAMP: Any = {"clamp": {"disparity": 1e-6}}


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCE)
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("weight", ["none", "inverse_depth"])
def test_least_squares_factor_and_offset(
    dtype: type[np.floating], tolerance: float, space: str, weight: str
) -> None:
    x, y = sample(dtype)
    fit = run(terms(alignment={"method": "lsq_affine", "space": space, "weight": weight}, **CLAMP), x, y)
    xs, ys = SPACES[space](x.astype(float)), SPACES[space](y.astype(float))
    w = 1 / np.sqrt(y.astype(float)) if weight == "inverse_depth" else np.ones(y.size)
    want = np.linalg.lstsq(np.stack([w * xs, w], axis=1), w * ys)[0]
    assert fit.status == codes.OK
    assert fit.n_pixels == x.size
    assert (fit.scale, fit.shift) == pytest.approx(tuple(want), rel=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCE)
@pytest.mark.parametrize("space", ["depth", "disparity"])
@pytest.mark.parametrize("weight", ["none", "inverse_depth"])
def test_least_squares_factor(dtype: type[np.floating], tolerance: float, space: str, weight: str) -> None:
    x, y = sample(dtype)
    fit = run(terms(alignment={"method": "lsq_scale", "space": space, "weight": weight}), x, y)
    xs, ys = SPACES[space](x.astype(float)), SPACES[space](y.astype(float))
    w = 1 / y.astype(float) if weight == "inverse_depth" else 1.0
    assert fit.scale == pytest.approx(np.sum(w * xs * ys) / np.sum(w * xs * xs), rel=tolerance)
    assert fit.shift == 0.0


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCE)
@pytest.mark.parametrize("space", SPACES)
def test_ratio_of_medians(dtype: type[np.floating], tolerance: float, space: str) -> None:
    for drop in (0, 1):  # even and odd numbers of pixels
        x, y = (v[drop:] for v in sample(dtype, drop))
        fit = run(terms(alignment={"method": "median", "space": space}), x, y)
        mx, my = np.median(SPACES[space](x.astype(float))), np.median(SPACES[space](y.astype(float)))
        want = (1.0, my - mx) if space == "log_depth" else (my / mx, 0.0)
        assert (fit.scale, fit.shift) == pytest.approx(want, rel=tolerance)


def test_least_squares_factor_in_log_depth_is_the_geometric_mean_ratio() -> None:
    x, y = sample(np.float64)
    fit = run(terms(alignment={"method": "lsq_scale", "space": "log_depth"}), x, y)
    assert fit.scale == 1.0
    assert fit.shift == pytest.approx(np.mean(np.log(y / x)), rel=1e-9)


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCE)
@pytest.mark.parametrize("space", SPACES)
def test_medians_and_mean_deviations(dtype: type[np.floating], tolerance: float, space: str) -> None:
    x, y = sample(dtype)
    fit = run(terms(alignment={"method": "median_mad", "space": space}, **CLAMP), x, y)
    xs, ys = SPACES[space](x.astype(float)), SPACES[space](y.astype(float))
    tx, ty = np.median(xs), np.median(ys)
    sx, sy = np.mean(np.abs(xs - tx)), np.mean(np.abs(ys - ty))
    aligned = fit.scale * xs + fit.shift
    np.testing.assert_allclose(aligned, (xs - tx) / sx * sy + ty, rtol=10 * tolerance, atol=tolerance * sy)


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCE)
@pytest.mark.parametrize("space", SPACES)
def test_minima_and_maxima(dtype: type[np.floating], tolerance: float, space: str) -> None:
    x, y = sample(dtype)
    fit = run(terms(alignment={"method": "minmax", "space": space}, **CLAMP), x, y)
    xs, ys = SPACES[space](x.astype(float)), SPACES[space](y.astype(float))
    aligned = fit.scale * xs + fit.shift
    assert aligned.min() == pytest.approx(ys.min(), rel=tolerance, abs=tolerance * np.ptp(ys))
    assert aligned.max() == pytest.approx(ys.max(), rel=tolerance)


def by_linear_program(x: Array, y: Array, w: Array) -> float:
    """The least sum of weighted absolute residuals, as a linear program."""
    n = x.size
    cost = np.concatenate([[0, 0], w])
    line = np.stack([x, np.ones(n)], axis=1)
    above = np.block([[line, -np.eye(n)], [-line, -np.eye(n)]])
    bounds = [(None, None)] * 2 + [(0, None)] * n
    found = linprog(cost, A_ub=above, b_ub=np.concatenate([y, -y]), bounds=bounds, method="highs")
    assert found.success
    return float(found.fun)


@pytest.mark.parametrize("seed", range(8))
def test_least_absolute_deviations_against_a_linear_program(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 120))
    x, w = rng.uniform(0.1, 5, n), rng.uniform(0.1, 3, n)
    y = 3 * x + 1 + rng.standard_cauchy(n)
    if seed % 2:  # coarse steps: many points on one line, many of one x
        x, y, w = np.round(x), np.round(y), np.ones(n)
    if np.ptp(x) == 0:
        x[0] += 1
    a, b = least_absolute_line(x, y, w)
    assert objective(x, y, w, a, b) == pytest.approx(by_linear_program(x, y, w), rel=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_truncated_least_absolute_deviations_by_brute_force(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    n = int(rng.integers(3, 40))
    x, w = rng.uniform(0.1, 5, n), rng.uniform(0.1, 3, n)
    y = np.where(rng.random(n) < 0.6, 2 * x + 1, rng.uniform(-5, 20, n)) + 0.1 * rng.standard_normal(n)
    if seed % 2:
        x, y = np.round(2 * x) / 2, np.round(y)
    cut = float(rng.choice([0.05, 0.5, 2.0, 1e9]))
    best = np.inf
    for i, j in itertools.combinations(range(n), 2):
        if x[i] != x[j]:
            a = (y[j] - y[i]) / (x[j] - x[i])
            best = min(best, objective(x, y, w, a, y[i] - a * x[i], cut))
    a, b = least_absolute_line(x, y, w, cut)
    assert objective(x, y, w, a, b, cut) == pytest.approx(best, rel=1e-9)


def test_truncation_ignores_what_lies_far_off() -> None:
    rng = np.random.default_rng(3)
    x = rng.uniform(1, 5, 200)
    y = 2 * x + 1
    y[:90] = rng.uniform(30, 90, 90)
    assert least_absolute_line(x, y, np.ones(200), 0.5) == pytest.approx((2, 1), rel=1e-9)


@pytest.mark.parametrize("space", ["depth", "disparity"])
def test_l1_alignment_of_a_frame(space: str) -> None:
    x, y = sample(np.float32)
    x, y = x[:300], y[:300]
    options = {"method": "l1_affine", "space": space, "weight": "inverse_depth"}
    fit = run(terms(alignment=options, **CLAMP), x, y)
    xs, ys = SPACES[space](x.astype(float)), SPACES[space](y.astype(float))
    w = 1 / y.astype(float)
    assert objective(xs, ys, w, fit.scale, fit.shift) == pytest.approx(by_linear_program(xs, ys, w), rel=1e-6)


def test_subset_takes_the_pixel_nearest_to_each_cell() -> None:
    rng = np.random.default_rng(1)
    valid = rng.random((23, 31)) < 0.3
    rows, columns = np.nonzero(valid)
    want = []
    for i in range(8):
        for j in range(8):
            r, c = (rows + 0.5) * 8 / 23, (columns + 0.5) * 8 / 31
            inside = (np.floor(r) == i) & (np.floor(c) == j)
            distance = ((r - i - 0.5) * 23 / 8) ** 2 + ((c - j - 0.5) * 31 / 8) ** 2
            if inside.any():
                want.append(int(np.argmin(np.where(inside, distance, np.inf))))
    assert spread_subset(valid, 8).tolist() == want


def test_moments_merge_to_those_of_everything() -> None:
    chosen = terms(alignment={"method": "lsq_affine", "space": "disparity"}, **CLAMP)
    x, y = sample(np.float64)
    whole = frame_moments(chosen, pixels(x, y))
    total = NO_MOMENTS
    for part in np.array_split(np.arange(x.size), 7):
        total = merge(total, frame_moments(chosen, pixels(x[part], y[part])))
    assert total == pytest.approx(whole, rel=1e-12)
    assert fit_points(chosen, x.size, Gathered(total))[:2] == pytest.approx(
        fit_points(chosen, x.size, Gathered(whole))[:2], rel=1e-12
    )


# Degenerate input: a status, never a number that looks like one.


METHODS = ["median", "lsq_scale", "lsq_affine", "median_mad", "l1_affine", "minmax"]
SHIFTING = ["lsq_affine", "median_mad", "l1_affine", "minmax"]


@pytest.mark.parametrize("method", ["none", *METHODS])
@pytest.mark.parametrize(("n", "status"), [(0, codes.NO_VALID_PIXELS), (1, codes.TOO_FEW_PIXELS)])
def test_no_pixel_and_one_pixel(method: str, n: int, status: int) -> None:
    kind = "metric_depth" if method == "none" else "depth"
    unit = "mm" if method == "none" else None
    fit = run(terms(kind, unit, alignment={"method": method}), np.ones(n), np.ones(n))
    assert fit.status == status
    assert fit.n_pixels == n
    assert np.isnan(fit.scale)
    assert np.isnan(fit.shift)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("space", ["depth", "disparity"])
@pytest.mark.parametrize("kind", ["depth", "disparity"])
def test_constant_prediction(dtype: type[np.floating], method: str, space: str, kind: str) -> None:
    _, y = sample(dtype)
    x = np.full(y.size, 0.123456789, dtype)
    options = {"method": method, "space": space, "affine_disparity": "zero_shift"}
    fit = run(terms(kind, alignment=options, **CLAMP), x, y)
    assert fit.status == (codes.CONSTANT_PREDICTION if method in SHIFTING else codes.OK)
    # A baseline that says it is one is given its best constant instead.
    fit = run(terms(kind, family="baseline", alignment=options, **CLAMP), x, y)
    assert fit.status == codes.OK
    if method == "lsq_affine":
        assert fit.scale == 0.0
        assert fit.shift == pytest.approx(np.mean(SPACES[space](y.astype(float))), rel=1e-9)


@pytest.mark.parametrize("method", SHIFTING)
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("seed", range(20))
def test_a_constant_reference_has_one_status_whatever_the_rounding(
    method: str, space: str, seed: int
) -> None:
    random = np.random.default_rng(seed)
    y = np.full(int(random.integers(300, 9000)), random.uniform(1e-3, 3e4), np.float32)
    x = (random.uniform(1e-3, 1e3) * random.uniform(0.1, 1, y.size)).astype(np.float32)
    chosen = terms(alignment={"method": method, "space": space}, **CLAMP)
    assert run(chosen, x, y).status == codes.DEGENERATE_FIT


def test_the_least_difference_between_depths_is_no_constant() -> None:
    x = np.linspace(1, 2, 4000, dtype=np.float32)
    far = np.float32(30000)
    y = np.where(x < 1.5, far, np.nextafter(far, np.float32(np.inf)))
    fit = run(terms(alignment={"method": "lsq_affine"}), x, y)
    slope = np.polynomial.polynomial.polyfit(x.astype(float), y.astype(float) - 30000, 1)[1]
    assert fit.status == codes.OK
    assert fit.scale == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("method", ["lsq_affine", "l1_affine"])
def test_an_output_that_runs_against_depth_has_a_negative_scale(method: str) -> None:
    x, y = sample(np.float64)
    fit = run(terms(alignment={"method": method}), 10 - x, y)
    assert fit.status == codes.NEGATIVE_SCALE
    assert fit.scale < 0


@pytest.mark.parametrize("method", METHODS)
def test_all_negative_disparity(method: str) -> None:
    x, y = sample(np.float32)
    disparity = (1 / x) - 1000.0
    inverted = terms("disparity", alignment={"method": method, "affine_disparity": "zero_shift"})
    assert run(inverted, disparity, y).status == codes.DEGENERATE_FIT
    if method in SHIFTING:  # the offset is unknown, so below zero is as good as above
        direct = terms("disparity", alignment={"method": method, "space": "disparity"}, **CLAMP)
        fit = run(direct, disparity, y)
        assert fit.status == codes.OK
        assert fit.scale > 0


@pytest.mark.parametrize("method", ["median", "lsq_scale"])
def test_zero_prediction(method: str) -> None:
    _, y = sample(np.float32)
    assert run(terms(alignment={"method": method}), np.zeros_like(y), y).status == codes.DEGENERATE_FIT
    disparity = terms("scaled_disparity", alignment={"method": method})
    assert run(disparity, np.zeros_like(y), y).status == codes.DEGENERATE_FIT


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["scaled_disparity", "disparity"])
@pytest.mark.parametrize(
    "fit", [*({"method": method} for method in METHODS), {"method": "lsq_affine", "constant": "score"}]
)
def test_an_infinite_depth_is_no_constant(fit: dict[str, str], kind: str) -> None:
    """One output of zero has no inverse; only medians do without it."""
    x, y = sample(np.float32)
    disparity = 1 / x
    disparity[7] = 0.0
    chosen = terms(kind, alignment={"affine_disparity": "zero_shift", **fit})
    wanted = codes.OK if fit["method"] == "median" else codes.DEGENERATE_FIT
    assert run(chosen, disparity, y).status == wanted
    if fit["method"].startswith("lsq"):  # of several frames, one of them so
        gathered = Gathered(merge(*(frame_moments(chosen, pixels(one, y)) for one in (1 / x, disparity))))
        assert fit_points(chosen, 2 * y.size, gathered).status == wanted


# Invariances.


def scores(chosen: Terms, x: Array, y: Array) -> dict[str, float | None]:
    fit = run(chosen, x, y)
    assert fit.status == codes.OK
    return frame_metrics(replace(chosen, metrics=PIXEL_METRICS), pixels(x, y), fit)


def same(one: dict[str, float | None], other: dict[str, float | None], tolerance: float) -> None:
    for name in PIXEL_METRICS:
        assert other[name] == pytest.approx(one[name], rel=tolerance, abs=1e-12), name


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(1e-3, 1e3),
    st.sampled_from(METHODS),
    st.sampled_from(["depth", "disparity"]),
)
def test_a_factor_on_a_prediction_changes_no_metric(
    seed: int, factor: float, method: str, space: str
) -> None:
    x, y = sample(np.float64, seed)
    x, y = x[:200], y[:200]
    chosen = terms(alignment={"method": method, "space": space}, depth_range={"min": 1, "max": 300}, **CLAMP)
    assume(run(chosen, x, y).status == codes.OK)
    same(scores(chosen, x, y), scores(chosen, factor * x, y), 1e-7 if method == "l1_affine" else 1e-9)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(0.01, 100),
    st.floats(-10, 10),
    st.sampled_from(["lsq_affine", "median_mad", "l1_affine", "minmax"]),
)
def test_an_affine_map_of_disparity_changes_no_metric(
    seed: int, factor: float, offset: float, method: str
) -> None:
    x, y = sample(np.float64, seed)
    disparity, y = 1 / x[:200], y[:200]
    chosen = terms(
        "disparity",
        alignment={"method": method, "space": "disparity"},
        clamp={"disparity": "inverse_max_depth"},
        depth_range={"min": 1, "max": 300},
    )
    assume(run(chosen, disparity, y).status == codes.OK)
    moved = factor * disparity + offset
    same(scores(chosen, disparity, y), scores(chosen, moved, y), 1e-7)


@pytest.mark.parametrize("method", ["lsq_affine", "median_mad", "l1_affine"])
def test_an_exact_affine_disparity_is_found_exactly(method: str) -> None:
    y = smooth_depth().ravel()
    chosen = terms("disparity", alignment={"method": method, "space": "disparity"}, **CLAMP)
    fit = run(chosen, 40 / y - 0.3, y)
    assert (fit.scale, fit.shift) == pytest.approx((1 / 40, 0.3 / 40), rel=1e-9)
    assert scores(chosen, 40 / y - 0.3, y)["abs_rel"] == pytest.approx(0, abs=1e-12)
