"""Metrics of order and of boundaries, resampling and masks, against SciPy, PyTorch, OpenCV and brute force."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from evaluation_fakes import Array, holed_depth, smooth_depth, terms, valid
from scopedepth.evaluation.boundary import THRESHOLDS, boundary_f1
from scopedepth.evaluation.masks import erode
from scopedepth.evaluation.order import drawn_pairs, ordinal_accuracy, spearman
from scopedepth.evaluation.resample import resample
from scopedepth.vocabulary import flags


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 400), st.sampled_from([0, 3, 50]))
def test_spearman_against_scipy(seed: int, n: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal(n), rng.standard_normal(n)
    y += x
    if levels:  # ties
        x, y = np.round(x * levels), np.round(y * levels)
    got = spearman(x, y)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert got is None
    else:
        assert got == pytest.approx(stats.spearmanr(x, y).statistic, rel=1e-9, abs=1e-12)


def test_spearman_of_float32_and_of_perfect_order() -> None:
    x = np.random.default_rng(0).uniform(1, 9, 10000).astype(np.float32)
    assert spearman(x, np.exp(x)) == 1.0
    assert spearman(x, -x) == -1.0


def ordinal_by_hand(
    output: Array, depth: Array, valid: Array, turned: bool, pairs: int, ratio: float
) -> float | None:
    score: list[float] = []
    one, other = drawn_pairs(depth.size, pairs, 5, 3)
    for i, j in zip(one, other, strict=True):
        a, b = np.unravel_index(i, depth.shape), np.unravel_index(j, depth.shape)
        if not (valid[a] and valid[b]) or depth[a] == depth[b]:
            continue
        if max(depth[a], depth[b]) < ratio * min(depth[a], depth[b]):
            continue
        if output[a] == output[b]:
            score.append(0.5)
        else:
            first_is_near = output[a] > output[b] if turned else output[a] < output[b]
            score.append(float(first_is_near == (depth[a] < depth[b])))
    return float(np.mean(score)) if score else None


@pytest.mark.parametrize("turned", [False, True])
def test_ordinal_accuracy_by_brute_force(turned: bool) -> None:
    rng = np.random.default_rng(8)
    depth = holed_depth(rng)
    valid = np.isfinite(depth)
    output = np.round(np.where(valid, depth, 1) * np.exp(rng.standard_normal(depth.shape)), -1)
    options = {"turned": turned, "pairs": 500, "min_ratio": 1.2, "seed": 5, "frame": 3}
    got = ordinal_accuracy(output, depth, valid, **options)  # type: ignore[arg-type]
    assert got == pytest.approx(ordinal_by_hand(output, depth, valid, turned, 500, 1.2), rel=1e-12)


def test_ordinal_accuracy_at_its_ends() -> None:
    depth = smooth_depth()
    valid = np.ones(depth.shape, bool)
    options = {"pairs": 4096, "min_ratio": 1.05, "seed": 0, "frame": 0}
    assert ordinal_accuracy(depth, depth, valid, turned=False, **options) == 1.0  # type: ignore[arg-type]
    assert ordinal_accuracy(1 / depth, depth, valid, turned=True, **options) == 1.0  # type: ignore[arg-type]
    assert ordinal_accuracy(depth, depth, valid, turned=True, **options) == 0.0  # type: ignore[arg-type]
    assert ordinal_accuracy(0 * depth, depth, valid, turned=True, **options) == 0.5  # type: ignore[arg-type]
    flat = np.full_like(depth, 9.0)
    assert ordinal_accuracy(depth, flat, valid, turned=False, **options) is None  # type: ignore[arg-type]


def test_drawn_pairs_are_fixed_even_and_different_from_frame_to_frame() -> None:
    one, other = drawn_pairs(1000, 6, 0, 0)
    assert one.tolist() == [883, 431, 26, 970, 106, 327]
    one, other = drawn_pairs(50, 200_000, 1, 7)
    counts = np.bincount(np.concatenate([one, other]), minlength=50)
    assert stats.chisquare(counts).pvalue > 1e-3
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.01
    assert not np.array_equal(one, drawn_pairs(50, 200_000, 1, 8)[0])
    assert not np.array_equal(one, drawn_pairs(50, 200_000, 2, 7)[0])


def boundary_plainly(p: Array, g: Array, valid: Array) -> float | None:
    """Four shifted quotients and a threshold at a time."""
    scores = []
    any_edge = False
    for t in THRESHOLDS:
        recalls, precisions = [], []
        for axis in (0, 1):
            cut = [slice(None), slice(None)]
            cut[axis] = slice(1, None)
            ahead = tuple(cut)
            cut[axis] = slice(None, -1)
            behind = tuple(cut)
            both = valid[ahead] & valid[behind]
            for a, b in ((ahead, behind), (behind, ahead)):
                with np.errstate(invalid="ignore"):
                    edges_g, edges_p = (g[a] / g[b] > t) & both, (p[a] / p[b] > t) & both
                any_edge |= bool(edges_g.any())
                hits = np.sum(edges_g & edges_p)
                recalls.append(hits / max(edges_g.sum(), 1))
                precisions.append(hits / max(edges_p.sum(), 1))
        r, q = np.mean(recalls), np.mean(precisions)
        scores.append(2 * r * q / (r + q) if r + q else 0.0)
    return float(np.average(scores, weights=THRESHOLDS)) if any_edge else None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_boundary_f1_by_brute_force(dtype: type[np.floating]) -> None:
    rng = np.random.default_rng(4)
    for holes in (0.0, 0.3):
        depth = smooth_depth() * np.where(rng.random((48, 64)) < 0.3, 1.2, 1.0)
        depth[rng.random(depth.shape) < holes] = np.nan
        prediction = np.where(np.isnan(depth), 5.0, depth) * np.exp(0.04 * rng.standard_normal(depth.shape))
        depth, prediction = depth.astype(dtype), prediction.astype(dtype)
        valid = np.isfinite(depth)
        want = boundary_plainly(prediction.astype(float), depth.astype(float), valid)
        assert boundary_f1(prediction, depth, valid) == pytest.approx(want, rel=1e-12)
        assert boundary_f1(8 * prediction, depth, valid) == pytest.approx(want, rel=1e-12)


def test_boundary_f1_at_its_ends() -> None:
    step = np.ones((10, 10))
    step[:, 5:] = 2.0
    valid = np.ones(step.shape, bool)
    # Two of four directions have no edge at all, and count as missed (the source's definition): P = R = 1/4.
    assert boundary_f1(step, step, valid) == pytest.approx(0.25)
    assert boundary_f1(np.ones_like(step), step, valid) == 0.0
    assert boundary_f1(step, np.ones_like(step), valid) is None


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(
    "shapes", [((14, 18), (48, 64)), ((48, 64), (21, 17)), ((1, 5), (7, 9)), ((5, 5), (1, 1))]
)
def test_bilinear_against_torch(shapes: tuple[tuple[int, int], tuple[int, int]], align_corners: bool) -> None:
    torch = pytest.importorskip("torch")
    small = np.random.default_rng(0).standard_normal(shapes[0])
    want = torch.nn.functional.interpolate(
        torch.from_numpy(small)[None, None], shapes[1], mode="bilinear", align_corners=align_corners
    )[0, 0].numpy()
    out = np.empty(shapes[1])
    resample(small, out, nearest=False, align_corners=align_corners)
    np.testing.assert_allclose(out, want, rtol=1e-12, atol=1e-13)
    single = np.empty(shapes[1], np.float32)
    resample(small.astype(np.float32), single, nearest=False, align_corners=align_corners)
    np.testing.assert_allclose(single, out, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shapes", [((14, 18), (48, 64)), ((48, 64), (24, 16)), ((48, 64), (17, 23))])
def test_nearest_against_torch(shapes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    torch = pytest.importorskip("torch")
    small = np.random.default_rng(0).standard_normal(shapes[0])
    want = torch.nn.functional.interpolate(
        torch.from_numpy(small)[None, None], shapes[1], mode="nearest-exact"
    )
    out = np.empty(shapes[1])
    resample(small, out, nearest=True, align_corners=False)
    np.testing.assert_array_equal(out, want[0, 0].numpy())


def test_bilinear_against_opencv() -> None:
    small = np.random.default_rng(0).standard_normal((30, 41)).astype(np.float32)
    out = np.empty((77, 90), np.float32)
    resample(small, out, nearest=False, align_corners=False)
    # OpenCV works with float32 weights.
    np.testing.assert_allclose(out, cv2.resize(small, (90, 77), interpolation=cv2.INTER_LINEAR), atol=2e-6)


def test_a_pixel_that_is_not_finite_spoils_only_what_weighs_it() -> None:
    small = np.ones((4, 4), np.float32)
    small[1, 1] = np.inf
    out = np.empty((8, 8), np.float32)
    resample(small, out, nearest=False, align_corners=False)
    bad = ~np.isfinite(out)
    assert bad[1:5, 1:5].all()
    assert bad.sum() == 16
    # Exactly on the other pixels, where it has no weight, it has no say.
    same = np.empty((4, 4), np.float32)
    resample(small, same, nearest=False, align_corners=True)
    assert (~np.isfinite(same)).sum() == 1


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("align_corners", "wanted"), [(False, 3), (False, 4), (True, 2), (True, 5)])
def test_the_last_pixels_are_not_spoiled_by_those_before(
    turned: bool, align_corners: bool, wanted: int
) -> None:
    """A target on the last source pixel, or beyond its middle, weighs that one alone."""
    small = np.array([[1.0, 1.0], [np.inf, np.inf], [3.0, 3.0]])
    out = np.empty((wanted, 2))
    if turned:
        small, out = np.ascontiguousarray(small.T), np.ascontiguousarray(out.T)
    resample(small, out, nearest=False, align_corners=align_corners)
    assert (out.T if turned else out)[-1].tolist() == [3.0, 3.0]


@pytest.mark.parametrize("side", [3, 5, 11, 101])
def test_erosion_against_scipy(side: int) -> None:
    mask = np.random.default_rng(side).random((60, 83)) < 0.97
    want = ndimage.binary_erosion(mask, np.ones((side, side)), border_value=1)
    np.testing.assert_array_equal(erode(mask, side), want)


def test_masks_follow_flags_greys_and_windows() -> None:
    rng = np.random.default_rng(2)
    depth = holed_depth(rng)
    marks = rng.choice([0, flags.BORDER, flags.SPECULAR, flags.TOOL], depth.shape).astype(np.uint8)
    rgb = rng.integers(0, 256, (*depth.shape, 3), dtype=np.uint8)
    chosen = terms(
        depth_range={"min": 5, "max": 150},
        masks={"exclude": ["border", "tool"], "grey_above": 15, "rgb_sum_below": 700, "erode": 3},
        crops=[{"left": 4, "right": 60, "top": 2, "bottom": 40}],
    )
    grey = 0.299 * rgb[..., 0] + 0.587 * rgb[..., 1] + 0.114 * rgb[..., 2]
    keep = np.isfinite(depth) & (marks != flags.BORDER) & (marks != flags.TOOL) & (grey > 15)
    keep &= rgb.astype(int).sum(axis=2) < 700
    keep = ndimage.binary_erosion(keep, np.ones((3, 3)), border_value=1)
    keep &= (depth >= 5) & (depth <= 150)
    keep[:2] = keep[40:] = False
    keep[:, :4] = keep[:, 60:] = False
    np.testing.assert_array_equal(valid(chosen, depth, marks, rgb), keep)


@pytest.mark.parametrize(("inclusive", "want"), [(True, [0, 1, 1, 1, 0]), (False, [0, 0, 1, 0, 0])])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ends_of_a_range(inclusive: bool, want: list[int], dtype: type[np.floating]) -> None:
    # 0.001 and 150.1 are no float32; the nearest ones lie on either side of them.
    low, high = np.float32(1.5), np.float32(150.5)
    depth = np.array([[np.nextafter(low, dtype(0)), low, 7, high, np.nextafter(high, dtype(1000))]], dtype)
    chosen = terms(size=(1, 5), depth_range={"min": 1.5, "max": 150.5, "inclusive": inclusive})
    got = valid(chosen, depth)
    assert got[0].astype(int).tolist() == want


def test_zero_and_missing_depth_never_count() -> None:
    depth = np.array([[0.0, -1.0, np.nan, np.inf, 3.0]], np.float32)
    got = valid(terms(size=(1, 5)), depth)
    assert got[0].tolist() == [False, False, False, False, True]
