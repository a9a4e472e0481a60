"""Where models fail: strata that add up to the whole, follow from no prediction, and name a planted weakness."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from operations import CONFIG, SCRIPTS
from scopedepth.config.load import select_study
from scopedepth.evaluation.pixels import Workspace, single
from scopedepth.evaluation.score import score_frame
from scopedepth.evaluation.strata import DARK, EDGE_RATIO, _by_depth, cells_of, frame_strata
from scopedepth.statistics.panel import Panel
from scopedepth.statistics.strata import StrataPanel, named_first, strata_rows
from scopedepth.study.layout import Job, job_at
from scopedepth.study.plan import Plan
from scopedepth.tables.frames import STRATUM_SUMS
from scopedepth.vocabulary import flags as bits
from scopedepth.vocabulary.strata import CELLS, PARTITIONS, STRATA, WEIGHTED, WHOLE
from strata_study import FIT, PLANTED, SHAPE, SPEC, STUDY, TERMS, error, in_stratum, look, scene, simulated


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_the_strata_of_each_partition_add_up_to_the_whole(rng: np.random.Generator) -> None:
    depth, flags, image = scene(rng)
    frame = look(depth, flags, image, np.nan_to_num(depth, nan=9.0) * np.exp(0.1 * error(rng)))
    found = frame_strata(TERMS, frame, 0, FIT)
    rows = {STRATA[number]: place for place, number in enumerate(found.strata)}
    whole = rows[WHOLE, WHOLE]
    assert rows.keys() == set(STRATA) - {WEIGHTED}, (
        "a stratum of the scene is empty: the test looks at less than it says"
    )
    for partition, names in PARTITIONS.items():
        parts = [rows[partition, name] for name in names]
        assert sum(found.n_pixels[parts]) == found.n_pixels[whole]
        for column in range(found.sums.shape[1]):
            # The order of the additions differs, and nothing else.
            assert math.fsum(found.sums[parts, column]) == pytest.approx(found.sums[whole, column], rel=1e-13)
        assert sum(found.sums[parts, -1]) == found.sums[whole, -1]  # counts
    score = score_frame(TERMS, frame.pixels(0), FIT)
    assert score.n_pixels == found.n_pixels[whole]
    assert found.sums[whole, 0] / found.n_pixels[whole] == pytest.approx(score.metrics["abs_rel"], rel=1e-12)
    # A stratum's sums are those of its own pixels.
    own = in_stratum(cells_of(frame, 0), ("distance", "far"))
    g, p = frame.pixels(0).y[own].astype(float), frame.pixels(0).x[own].astype(float)
    sums = [np.abs(p - g) / g, np.abs(p - g), (p - g) ** 2, np.maximum(p / g, g / p) < 1.25]
    assert found.sums[rows["distance", "far"]] == pytest.approx([one.sum() for one in sums], rel=1e-12)


def test_strata_are_as_they_are_defined(rng: np.random.Generator) -> None:
    """Once more in plain NumPy, pixel by pixel."""
    depth, flags, image = scene(rng)
    cells = cells_of(look(depth, flags, image, np.ones(SHAPE)), 0)
    counted = np.isfinite(depth)
    flag = flags[counted]
    expected = {
        ("light", "specular"): flag & bits.SPECULAR > 0,
        ("light", "dark"): (image[counted][:, 0] < DARK) & (flag & bits.SPECULAR == 0),
        ("tool", "tool"): flag & bits.TOOL > 0,
        ("reference", "occluded"): flag & bits.OCCLUDED > 0,
        ("reference", "doubtful"): (flag & bits.DOUBTFUL > 0) & (flag & bits.OCCLUDED == 0),
    }
    edges, ring = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    inside = np.pad(flags & bits.BORDER == 0, 5)  # 1/20 of 96 rows
    for r, c in np.argwhere(counted):
        near = depth[max(0, r - 1) : r + 2, max(0, c - 1) : c + 2]
        edges[r, c] = np.nanmax(near) > np.float32(1.1) * np.nanmin(near)
        ring[r, c] = not inside[r : r + 11, c : c + 11].all()
    expected["relief", "edges"], expected["place", "border_ring"] = edges[counted], ring[counted]
    for stratum, members in expected.items():
        assert 0 < members.sum() < members.size
        np.testing.assert_array_equal(in_stratum(cells, stratum), members)
    thirds = [in_stratum(cells, ("distance", name)) for name in PARTITIONS["distance"]]
    ends = [(depth[counted][third].min(), depth[counted][third].max()) for third in thirds]
    assert ends[0][1] < ends[1][0] <= ends[1][1] < ends[2][0]
    # Cut at one of 128 steps a factor of two: a step holds few pixels.
    assert [third.mean() for third in thirds] == pytest.approx([1 / 3] * 3, abs=0.05)


def test_strata_follow_from_no_prediction(rng: np.random.Generator) -> None:
    depth, flags, image = scene(rng)
    one, other = (look(depth, flags, image, 50 * np.exp(error(rng))) for _ in range(2))
    assert not np.array_equal(one.pixels(0).x, other.pixels(0).x)
    np.testing.assert_array_equal(cells_of(one, 0), cells_of(other, 0))
    assert len(CELLS) < 256, "a cell's number is a byte"


@pytest.mark.parametrize("reach", range(1, 9))
@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (40, 3), (37, 53)])
def test_edges_are_found_in_windows_of_every_width(
    reach: int, shape: tuple[int, int], rng: np.random.Generator
) -> None:
    """The greatest and the least of each window once more in NumPy; with depths that are none."""
    depth = (50 * np.exp(0.03 * rng.standard_normal(shape))).astype(np.float32)
    for odd in (np.nan, -np.nan, np.inf, -np.inf, -3, 0, 1e-40):
        depth[rng.random(shape) < 0.02] = odd
    cells = np.empty(depth.size, np.uint8)
    _by_depth(
        depth.view(np.int32), reach, np.float32(49).view(np.int32), np.float32(51).view(np.int32), cells
    )
    known = depth > 0
    high, low = (
        sliding_window_view(
            np.pad(np.where(known, depth, fill), reach, constant_values=fill), (2 * reach + 1,) * 2
        )
        for fill in (np.float32(0), np.float32(3e38))
    )
    edges = high.max((2, 3)) > np.float32(EDGE_RATIO) * low.min((2, 3))
    thirds = (depth > 49).astype(int) + (depth > 51)
    of_edges, of_thirds = (CELLS.index(cell) for cell in ((0, 1, 0, 0, 0, 0), (1, 0, 0, 0, 0, 0)))
    expected = thirds * of_thirds + edges * of_edges
    np.testing.assert_array_equal(cells.reshape(shape)[known], expected[known])


def test_strata_are_those_of_all_pixels_where_predictions_lack(rng: np.random.Generator) -> None:
    depth, flags, image = scene(rng)
    predicted = np.nan_to_num(depth, nan=9.0)
    whole = cells_of(look(depth, flags, image, predicted), 0)
    lacks = rng.random(SHAPE) < 0.3
    shown = np.where(lacks | (depth > np.nanmedian(depth)), np.nan, predicted).astype(np.float32)
    frame = single(replace(TERMS, leaves_uncovered=True), 0, shown, depth, flags, image, Workspace())
    covered = np.isfinite(shown)[np.isfinite(depth)]
    np.testing.assert_array_equal(cells_of(frame, 0), whole[covered])


@pytest.mark.parametrize("stratum", [("relief", "edges"), ("place", "border_ring"), ("distance", "far")])
def test_a_planted_weakness_is_named_first(stratum: tuple[str, str]) -> None:
    weak, even = simulated(11, stratum, 1.8, [3] * 6)
    assert (weak, even) == (stratum[1], None)


def test_what_is_not_significant_is_not_named() -> None:
    row = {"stratum": "far", "excess": 0.2, "p_holm": 0.06}
    other = {"stratum": "dark", "excess": 0.1, "p_holm": 0.01}
    better = {"stratum": "near", "excess": -0.3, "p_holm": 0.001}
    assert named_first([row, better]) is None
    assert named_first([row, other, better]) is other
    assert set(PLANTED) == set(STRATA) - {(WHOLE, WHOLE), WEIGHTED}


def test_the_whole_weighted_by_confidence_stands_beside_its_strata(rng: np.random.Generator) -> None:
    """Once more in plain NumPy, by frame and by study; no cell changes, nothing is named, no weight means no number."""
    n = 13  # in sequences of two, and one of the last, which has no weight
    panel = Panel(
        "d", "p", ("one",), tuple("abcdefg"), np.array([0, 2, 4, 6, 8, 10, 12, 13]), np.arange(n) % 2, ("ok",),
        np.zeros((1, n), np.int32), {},
    )  # fmt: skip
    strata = StrataPanel(panel, {})
    expected = np.full((4, n), np.nan)
    whole = expected.copy()
    for frame in range(n):
        depth, flags, image = scene(rng)
        shown = look(depth, flags, image, np.nan_to_num(depth, nan=9.0) * np.exp(0.2 * error(rng)))
        plain = frame_strata(TERMS, shown, 0, FIT)
        shown.confidence = rng.integers(0, 256, SHAPE, np.uint8)
        shown.confidence[:, :40] = 0
        if frame == n - 1:
            shown.confidence[:] = 0
        found = frame_strata(TERMS, shown, 0, FIT)
        for one, other in zip(plain, found, strict=True):
            np.testing.assert_array_equal(one, other[: len(one)])
        assert (len(found.strata) == len(plain.strata)) == (frame == n - 1)
        strata.n[found.strata, 0, frame] = found.n_pixels
        for name, sums in zip(STRATUM_SUMS, found.sums.T, strict=True):
            strata.sums[name][found.strata, 0, frame] = sums
        if frame < n - 1:
            counts = np.isfinite(depth)
            assert found.n_pixels[-1] == (shown.confidence[counts] > 0).sum()
            g, p = depth[counts].astype(float), shown.prediction[counts].astype(float)
            terms = np.abs(p - g) / g, (p - g) ** 2, np.abs(p - g), np.maximum(p / g, g / p) < 1.25
            for of, weights in ((expected, shown.confidence[counts] / 255), (whole, None)):
                of[:, frame] = [np.average(one, weights=weights) for one in terms]
    expected[1], whole[1] = np.sqrt(expected[1]), np.sqrt(whole[1])
    metrics = ["abs_rel", "rmse", "mae", "delta1"]
    rows = strata_rows(STUDY, SPEC, metrics, strata)
    weighted = {row["metric"]: row for row in rows if (row["partition"], row["stratum"]) == WEIGHTED}
    for metric, values, of_whole in zip(metrics, expected, whole, strict=True):
        row = weighted[metric]
        own, all_of_it = values[:-1].mean(), of_whole[:-1].mean()
        assert row["n_frames"] == n - 1
        assert row["value"] == pytest.approx(own, rel=1e-12)
        assert row["ratio"] == pytest.approx(own / all_of_it, rel=1e-12)
        assert row["ratio_ci_low"] < row["ratio"] < row["ratio_ci_high"]
        assert row["p_holm"] is None
        assert named_first([row]) is None


def test_asking_for_strata_adds_their_tables_and_makes_nothing_else_again() -> None:
    config = copy.deepcopy(CONFIG)
    config["studies"]["small"]["strata"] = True
    plain, asked = (Plan(select_study(one), SCRIPTS) for one in (CONFIG, config))
    before, after = (
        {job: (plan.spec(job), plan.code(job)) for job in plan.jobs()} for plan in (plain, asked)
    )
    added = after.keys() - before.keys()
    assert {job.rule for job in added} == {"score"}
    assert {job.values[2] for job in added} == {"median_depth.strata"}
    assert len(added) == len(asked.study.units) * len(asked.study.models)
    changed = {job.rule for job in before if before[job] != after[job]}
    assert changed == {"summarise", "report"}
    part = Job("score", ("one", "brightness", "median_depth.strata"))
    assert asked.needed_by(part) == asked.needed_by(Job("score", ("one", "brightness", "median_depth")))
    path = part.path("table", Path())
    assert job_at(path.as_posix()) == part
    assert part in asked.needed_by(Job("summarise", ("small",)))
    assert part.whole == Job("score", ("one", "brightness", "median_depth")).whole
    assert json.loads(asked.spec(part))["strata"] is True
