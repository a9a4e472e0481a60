"""The stated error of a reference: what may be stated, what is drawn, what is said of the models."""

from __future__ import annotations

import copy
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.ndimage import map_coordinates
from scipy.special import stdtrit

from drawn_references import digest
from evaluation_fakes import Array, FakeSequence, FakeStore, protocol, smooth_depth
from operations import Study, make_study
from project import CONFIG
from scopedepth.config.load import ConfigError, check, select_study
from scopedepth.config.reference import StatedError as StatedSpec
from scopedepth.errors import ScopeDepthError
from scopedepth.evaluation import align as align_stage
from scopedepth.evaluation import redraw as redraw_stage
from scopedepth.evaluation import score as score_stage
from scopedepth.evaluation.reference import Points, StatedError, edges_and_rims, law_table
from scopedepth.job.draws import generator
from scopedepth.report.words import stated_words
from scopedepth.statistics.average import sequence_weights
from scopedepth.statistics.reference import (
    LEAST_DRAWS,
    MARGIN,
    Redraws,
    read_redraws,
    reference_rows,
    verdict,
)
from scopedepth.study.layout import Job
from scopedepth.study.plan import Plan
from scopedepth.tables.io import write_table
from scopedepth.tables.redraws import REDRAWS
from scopedepth.vocabulary.reference import (
    DRAWS,
    FAILED_DRAWS,
    LOCAL,
    NO_TRUSTED,
    NOT_ASSESSED,
    OBSERVED,
    REDRAWN,
    RESOLVED,
    SHARED,
    TRUSTED,
    UNTRUSTED,
    WITHIN_ERROR,
    WITHIN_SAMPLING,
)

SCRIPTS = Path(__file__).parents[1] / "workflow_scripts"
NOISE = {"sigma": 0.3, "source": "measured"}
FOCAL, BASELINE = 300.0, 5.0
CAMERA = np.diag([FOCAL, FOCAL, 1.0])


def stated(camera: Array | None = CAMERA, **parts: Any) -> StatedError:
    """Return an error as a job is told of it."""
    spec: Any = StatedSpec.model_validate({"baseline": BASELINE, **parts}).model_dump(mode="json")
    return StatedError(spec, "d", camera)


def points_of(error: StatedError, depth: Array, frame: int = 0) -> Points:
    nothing = np.zeros(depth.shape, np.uint8)
    return error.points(depth.astype(np.float32), nothing, np.flatnonzero(np.isfinite(depth)), "s", frame)


# What may be stated.


def configured(**error: Any) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    if error:
        config["datasets"]["two"]["reference_error"] = error
    return config


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ({"baseline": 5}, r": reference_error states no error: give one of disparity, depth"),
        ({"depth": {"sigma": 1}}, r"\.depth\.source: this field is needed and missing"),
        ({"depth": {"sigma": 1, "source": ""}}, r"\.depth\.source: '' is not allowed"),
        ({"depth": {"sigma": 0, "source": "x"}}, r"\.depth\.sigma: 0 is not allowed"),
        ({"depth": {"source": "x"}}, r"\.depth: an error has either sigma or classes"),
        ({"disparity": NOISE}, r": disparity is of disparity, which needs the baseline"),
        ({"calibration": {"offset": 1, "source": "x"}}, r": calibration is of disparity, which needs the baseline"),
        ({"quantisation": {"of": "disparity", "step": 1, "source": "x"}}, r": quantisation is of disparity"),
        ({"registration": {"source": "x"}}, r": registration: both numbers are 0; leave it out"),
        ({"drift": {"depth": -1, "source": "x"}}, r"\.drift\.depth: -1 is not allowed"),
        ({"depth": {"sigm": 1, "source": "x"}}, r"\.depth\.sigm: unknown field\. Did you mean 'sigma'"),
        (
            {"depth": {"source": "x", "probabilities": [0, 1], "classes": [{"errors": [0, 1, 2]}]}},
            r"\.depth: classes\[0\]\.errors: 3 numbers for 2 probabilities",
        ),
        (
            {"depth": {"source": "x", "probabilities": [0, 1], "classes": [{"where": "rim", "errors": [0, 1]}]}},
            r"\.depth: classes: the last one must be for where: anywhere",
        ),
        (
            {"depth": {"source": "x", "probabilities": [0.5, 0.5], "classes": [{"errors": [0, 1]}]}},
            r"\.depth: probabilities: the levels must grow",
        ),
        (
            {"depth": {"source": "x", "probabilities": [0, 1], "classes": [{"errors": [1, 0]}]}},
            r"\.depth: classes\[0\]\.errors: quantiles do not fall",
        ),
    ],
)  # fmt: skip
def test_an_error_that_cannot_be_names_its_field(error: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^datasets\.two\.reference_error{message}") as caught:
        check(configured(**error))
    assert "\n" not in str(caught.value)


def test_depth_without_millimetres_has_no_stated_error() -> None:
    for depth in ({"unit": "relative"}, {"kind": "none"}):
        config = configured(depth=NOISE)
        config["datasets"]["two"]["depth"] = depth
        with pytest.raises(ConfigError, match=r"datasets\.two: reference_error needs depth in mm"):
            check(config)


def test_disparity_needs_a_focal_length_from_somewhere() -> None:
    with pytest.raises(
        ScopeDepthError, match=r"datasets\.d\.reference_error\.focal: the store knows no camera"
    ):
        stated(camera=None, disparity=NOISE)
    assert stated(camera=None, focal=200, disparity=NOISE).focal_baseline == 200 * BASELINE
    assert stated(disparity=NOISE).focal_baseline == FOCAL * BASELINE


# Identity.


def decided(config: dict[str, Any]) -> dict[Job, tuple[str, str]]:
    plan = Plan(select_study(config), SCRIPTS)
    return {job: (plan.spec(job), plan.code(job)) for job in plan.jobs()}


def test_stating_an_error_makes_its_redraws_and_the_tables_alone() -> None:
    plain, one = decided(configured()), decided(configured(depth=NOISE))
    more = decided(configured(depth={**NOISE, "sigma": 0.4}))
    assert plain.keys() <= one.keys()
    tables = {Job("summarise", ("small",)), Job("report", ("small",))}
    # The report shows it; the tables are made anew for what they read.
    assert {job for job in plain if plain[job] != one[job]} == {Job("report", ("small",))}
    added = one.keys() - plain.keys()
    assert {job.rule for job in added} == {"redraw"}
    assert {job.values[0] for job in added} == {"two"}
    assert {job for job in one if one[job] != more[job]} == added | {Job("report", ("small",))}
    plan = Plan(select_study(configured(depth=NOISE)), SCRIPTS)
    assert set(added) <= set(plan.needed_by(Job("summarise", ("small",))))
    assert {job for job in plan.jobs() if added & set(plan.needed_by(job))} == tables - {
        Job("report", ("small",))
    }


def test_a_source_and_what_is_not_redrawn_decide_no_redraw() -> None:
    config = configured(depth=NOISE)
    told = configured(depth={**NOISE, "source": "told"})
    more = configured(depth=NOISE)
    for name in more["protocols"]:
        more["protocols"][name]["metrics"] = ["abs_rel", "spearman", "rmse"]
        config["protocols"][name]["metrics"] = ["abs_rel", "rmse"]
        told["protocols"][name]["metrics"] = ["abs_rel", "rmse"]
    one, other, third = map(decided, (config, told, more))
    redraws = {job for job in one if job.rule == "redraw"}
    assert redraws
    assert all(one[job] == other[job] == third[job] for job in redraws)


def test_a_study_may_leave_it_out() -> None:
    config = configured(depth=NOISE)
    config["studies"]["small"]["reference_error"] = False
    assert not any(job.rule == "redraw" for job in decided(config))
    assert select_study(config).assessed_units == []
    assert select_study(configured()).assessed_units == []


def test_a_study_runs_what_the_statement_asks_for_and_no_more(tmp_path: Path) -> None:
    study = Study(tmp_path)
    make_study(tmp_path)
    study.config["studies"]["small"] |= {"models": ["constant", "brightness"], "protocols": ["median_depth"]}
    study.settle()
    error = {"depth": {"sigma": 0.5, "source": "made up"}}
    for change, rules in (
        (error, {"redraw", "summarise"}),
        ({"depth": {**error["depth"], "source": "measured"}}, set()),
        (None, {"summarise"}),
    ):
        study.config["datasets"]["two"]["reference_error"] = change
        study.ran.clear()
        assert study.run()
        assert {job.rule for job in study.ran} == rules
        assert all(job.values[0] == "two" for job in study.ran if job.rule == "redraw")
        with study.here():
            rows = pq.read_table(Job("summarise", ("small",)).path("reference")).to_pylist()
        assert {row["dataset"] for row in rows} == ({"two"} if change else set())


# What is drawn.


def test_the_same_draws_in_another_process() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-m", "drawn_references"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert told.stdout.strip() == digest()


def test_a_key_says_all_that_is_drawn() -> None:
    assert generator("d", 1).random() == generator("d", 1).random() != generator("d", 2).random()
    error = stated(depth=NOISE, calibration={"offset": 1, "source": "x"}, drift={"depth": 1, "source": "x"})
    first, later = (points_of(error, smooth_depth(), frame) for frame in (1, 2))
    assert not np.array_equal(error.local(first, 0), error.local(later, 0))
    assert not np.array_equal(error.local(first, 0), error.local(first, 1))
    # Calibration is that of all frames, and drift grows with their number.
    shared = stated(calibration={"offset": 1, "source": "x"})
    assert np.array_equal(shared.shared(first, 0), shared.shared(later, 0))
    wander = stated(drift={"depth": 1, "source": "x"})
    moved = [wander.shared(one, 0).astype(np.float64) - one.depth for one in (first, later)]
    np.testing.assert_allclose(moved[1], 2 * moved[0], rtol=1e-4)


def test_local_error_has_the_stated_law() -> None:
    """Of depth in mm, of disparity by d = f B / z, of steps within half of one."""
    depth = np.full((300, 300), 60.0)
    moved = stated(depth=NOISE).local(points_of(stated(depth=NOISE), depth), 0).astype(np.float64) - 60
    assert abs(moved.std() - 0.3) < 4 * 0.3 / math.sqrt(2 * moved.size)
    assert abs(moved.mean()) < 4 * 0.3 / math.sqrt(moved.size)
    error = stated(disparity=NOISE)
    disparity = FOCAL * BASELINE / error.local(points_of(error, depth), 0).astype(np.float64)
    assert abs((disparity - FOCAL * BASELINE / 60).std() - 0.3) < 4 * 0.3 / math.sqrt(2 * moved.size)
    error = stated(quantisation={"of": "depth", "step": 2, "source": "x"})
    steps = error.local(points_of(error, depth), 0).astype(np.float64) - 60
    assert np.abs(steps).max() <= 1
    assert abs(steps.std() - 2 / math.sqrt(12)) < 0.01
    law: Any = {"sigma": 0.3, "classes": [], "probabilities": None, "grain": 1}
    assert abs(law_table(law).std() - 0.3) < 1e-6


def test_a_class_is_the_first_that_fits_and_a_block_shares_its_error() -> None:
    classes = [
        {"where": "rim", "errors": [3, 3]}, {"where": "edge", "errors": [2, 2]}, {"below": 50, "errors": [1, 1]},
        {"errors": [0, 0]},
    ]  # fmt: skip
    error = stated(depth={"source": "x", "probabilities": [0, 1], "classes": classes}, reach=1)
    depth = np.full((8, 30), 40.0)
    depth[:, 10:] = 60
    depth[4, 25] = np.nan
    edge, rim = edges_and_rims(depth.astype(np.float32), 1)
    assert np.flatnonzero(edge[0]).tolist() == [8, 9, 10, 11]
    assert sorted(zip(*map(list, np.nonzero(rim)), strict=True)) == [
        (y, x) for y in (3, 4, 5) for x in (24, 25, 26)
    ]
    points = points_of(error, depth)
    moved = np.full(depth.shape, np.nan)
    moved.flat[points.at] = error.local(points, 0) - points.depth
    assert [moved[0, 0], moved[0, 8], moved[0, 12], moved[3, 24]] == [1, 2, 0, 3]
    assert np.isnan(moved[4, 25])
    blocks = stated(depth={**NOISE, "grain": 4})
    points = points_of(blocks, np.full((8, 8), 60.0))
    drawn = blocks.local(points, 0).reshape(8, 8)
    assert len(np.unique(drawn)) == 4
    assert len(np.unique(drawn[:4, :4])) == 1


def test_what_frames_share_by_closed_forms() -> None:
    """A tilt is a straight line of disparity across the frame; a shift moves the depth, a turn turns it."""
    depth = np.full((20, 41), 60.0)
    error = stated(calibration={"tilt": 0.5, "source": "x"})
    drawn = (
        FOCAL * BASELINE / error.shared(points_of(error, depth), 0).astype(np.float64).reshape(depth.shape)
    )
    slope = 0.5 * generator("d", "shared", 0).standard_normal(5)[4]
    np.testing.assert_allclose(
        drawn - FOCAL * BASELINE / 60, np.tile(slope * np.linspace(-0.5, 0.5, 41), (20, 1)), atol=1e-4
    )
    y, x = np.mgrid[:64, :64].astype(np.float64)
    plane = 50 + 0.5 * x + 0.25 * y
    found, across, down = misregistered(plane)
    known = (across >= 0) & (across < 63) & (down >= 0) & (down < 63)
    assert known.mean() > 0.8
    np.testing.assert_array_equal(np.isfinite(found), known)
    rounded(found[known], (50 + 0.5 * across + 0.25 * down)[known])


def misregistered(depth: Array) -> tuple[Array, Array, Array]:
    """Return depth (64, 64) as a draw shifts and turns it, float32, and the columns and rows it is taken from."""
    error = stated(registration={"shift": 2, "rotation": 1, "source": "x"})
    found = np.full(depth.shape, np.nan, np.float32)
    points = points_of(error, depth)
    found.flat[points.at] = error.shared(points, 0)
    normal = generator("d", "shared", 0).standard_normal(5)
    turn = np.radians(normal[2])
    v, u = np.mgrid[:64, :64] - 31.5
    across = u * np.cos(turn) - v * np.sin(turn) + 2 * normal[0] + 31.5
    return found, across, u * np.sin(turn) + v * np.cos(turn) + 2 * normal[1] + 31.5


def rounded(found: Array, wanted: Array) -> None:
    """Refuse float32 numbers (n,) that are not the nearest to those of float64, whose last digits may differ."""
    assert found.dtype == np.float32
    assert (np.abs(found - wanted) <= 0.5001 * np.spacing(found)).all()


def test_misregistration_interpolates_as_scipy_does_and_not_over_holes() -> None:
    depth = np.random.default_rng(0).uniform(40, 90, (64, 64)).astype(np.float32)
    depth[20:23, 30] = depth[50, 5] = np.nan
    found, across, down = misregistered(depth)
    wanted = map_coordinates(depth.astype(np.float64), [down, across], order=1, cval=np.nan)
    known = np.isfinite(wanted) & np.isfinite(depth)
    np.testing.assert_array_equal(np.isfinite(found), known)
    assert 0.8 < known.mean() < ((across >= 0) & (down >= 0)).mean()
    rounded(found[known], wanted[known])


# The stage.

Run = Any
KEYS = {"dataset": "d", "model": "m"}


class Shown(FakeSequence):
    """A sequence whose camera is known."""

    def __init__(self, name: str, **arrays: Any) -> None:
        super().__init__(name, **{"intrinsics": CAMERA, **arrays})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Redraw, or score, a unit that is held in memory; returns the table's rows."""

    def go(
        spec: Any,
        depth: Array,
        output: Array,
        error: Any = None,
        sizes: tuple[int, ...] = (),
        kind: str = "depth",
    ) -> list[dict[str, Any]]:
        ends = np.cumsum(sizes or [len(depth)])
        cut = [slice(end - size, end) for end, size in zip(ends, sizes or [len(depth)], strict=True)]
        names = [f"s{number}" for number in range(len(cut))]
        data = FakeStore(*(Shown(name, depth=depth[part]) for name, part in zip(names, cut, strict=True)))
        predicted = FakeStore(
            *(FakeSequence(name, prediction=output[part]) for name, part in zip(names, cut, strict=True)),
            output_kind=kind,
        )
        for module in (align_stage, score_stage, redraw_stage):
            monkeypatch.setattr(module, "DatasetStore", lambda _: data)
            monkeypatch.setattr(module, "PredictionStore", lambda _: predicted)
        out = {"p": tmp_path / "out.parquet"}
        if error is not None:
            told: Any = StatedSpec.model_validate({"baseline": BASELINE, **error}).model_dump(mode="json")
            redraw_stage.redraw_unit({"p": spec}, told, Path("d"), Path("p"), KEYS, out)
        else:
            fits = {"p": tmp_path / "fits.parquet"}
            align_stage.align_unit({"p": spec}, [Path("d")], [Path("p")], KEYS, fits, 1)
            score_stage.score_unit({"p": spec}, Path("d"), Path("p"), fits, KEYS, out, 1)
        rows: list[dict[str, Any]] = pq.read_table(out["p"]).to_pylist()
        return rows

    return go


@pytest.mark.parametrize("scope", ["frame", "sequence", "dataset"])
def test_without_any_draw_it_is_the_score(run: Run, scope: str) -> None:
    """Small frames are looked at whole, so that the depth as it is gives the scores' own means."""
    rng = np.random.default_rng(1)
    depth = np.stack([smooth_depth((24, 32), 0.3 * n) for n in range(5)])
    output = depth * np.exp(0.2 * rng.standard_normal(depth.shape)) * rng.uniform(0.5, 2, (5, 1, 1))
    depth[rng.random(depth.shape) < 0.2] = np.nan
    depth[4] = np.nan
    spec = protocol(
        alignment={"method": "median", "scope": scope}, metrics=["abs_rel", "rmse", "delta1", "spearman"]
    )
    scored = run(spec, depth, output, sizes=(3, 2))
    found = run(spec, depth, output, {"depth": NOISE}, sizes=(3, 2))
    for sequence, frames in (("s0", 3), ("s1", 2)):
        own = [row for row in scored if row["sequence"] == sequence and row["status"] == "ok"]
        rows = [row for row in found if row["sequence"] == sequence]
        assert {(row["n_frames"], row["n_looked_at"]) for row in rows} == {(frames, len(own))}
        assert [row["part"] for row in rows] == [OBSERVED, TRUSTED] + [LOCAL] * DRAWS
        for name in REDRAWN:
            assert rows[0][name] == pytest.approx(np.mean([row[name] for row in own]), rel=1e-9)
        assert len({row["abs_rel"] for row in rows}) == len(rows)


def test_protocols_together_give_what_each_gives_alone(run: Run, tmp_path: Path) -> None:
    """Whatever frames share a fit: a frame's own, its sequence's, the dataset's; one of them leaves a frame out."""
    rng = np.random.default_rng(4)
    depth = np.stack([smooth_depth((24, 32), 0.3 * n) for n in range(4)])
    output = depth * np.exp(0.2 * rng.standard_normal(depth.shape))
    depth[1] += 200
    specs = {
        scope: protocol(alignment={"method": "median", "scope": scope}, depth_range={"min": 1, "max": far})
        for scope, far in (("frame", 300), ("sequence", 200), ("dataset", 300))
    }
    error = {"depth": NOISE, "calibration": {"offset": 0.5, "source": "x"}}
    alone = {name: run(spec, depth, output, error, sizes=(2, 2)) for name, spec in specs.items()}
    # The stores are those of the last run.
    told: Any = StatedSpec.model_validate({"baseline": BASELINE, **error}).model_dump(mode="json")
    out = {name: tmp_path / f"{name}.parquet" for name in specs}
    redraw_stage.redraw_unit(specs, told, Path("d"), Path("p"), KEYS, out)
    for name, rows in alone.items():
        together = pq.read_table(out[name]).to_pylist()
        assert together == [{**row, "protocol": name} for row in rows]
        assert len(rows) == 2 * (2 + 2 * DRAWS)


def test_a_frame_whose_pixels_that_count_are_not_looked_at_is_left_out(run: Run) -> None:
    depth = np.full((2, 60, 60), 500.0)  # too far, but for one pixel that every third one misses
    depth[:, 0, 1] = 50.0
    depth[1] = 50.0
    spec = protocol(alignment={"method": "median", "min_pixels": 1}, depth_range={"min": 1, "max": 300})
    rows = run(spec, depth, depth, {"depth": NOISE})
    assert {row["n_looked_at"] for row in rows} == {1}
    assert all(row["abs_rel"] is not None for row in rows)


def test_a_known_sigma_gives_the_known_error(run: Run) -> None:
    """A perfect model, without a fit: AbsRel is E|e| / z = sigma sqrt(2 / pi) / z, RMSE is sigma."""
    depth = np.full((2, 120, 150), 100.0)
    rows = run(protocol(alignment={"method": "none"}), depth, depth, {"depth": {"sigma": 0.5, "source": "x"}})
    assert rows == []  # a depth of unknown scale permits nothing without a fit
    rows = run(
        protocol(alignment={"method": "median"}), depth, depth, {"depth": {"sigma": 0.5, "source": "x"}}
    )
    local = [row for row in rows if row["part"] == LOCAL]
    count = 2 * 120 * 150 / 3 * len(local)
    assert rows[0]["abs_rel"] == 0
    # To the second order 1 / z has the factor 1 + (sigma / z)^2, which is 2.5e-5.
    spread = 4 * 0.76 / math.sqrt(count)
    assert np.mean([row["abs_rel"] for row in local]) == pytest.approx(
        0.5 * math.sqrt(2 / math.pi) / 100, rel=spread
    )
    assert np.mean([row["rmse"] for row in local]) == pytest.approx(0.5, rel=spread)


# The verdicts.


def redraws(observed: float, local: Any = (), shared: Any = (), trusted: float | None = None) -> Redraws:
    held = observed if trusted is None else trusted
    return Redraws(observed, held, np.array(local, np.float64), np.array(shared, np.float64))


def test_a_drawn_bias_is_reversed(run: Run) -> None:
    """Depth is half a millimetre too far throughout, which is drawn once more: the first-order error is gone."""
    true = np.full((1, 40, 50), 50.0)
    law = {"source": "x", "probabilities": [0, 1], "classes": [{"errors": [0.5, 0.5]}]}
    spec = protocol(alignment={"method": "none"}, metrics=["abs_rel"])
    found = []
    for off in (3.0, 1.0):
        rows = run(spec, true + 0.5, true + off, {"depth": law}, kind="metric_depth")
        found.append(redraws(rows[0]["abs_rel"], [row["abs_rel"] for row in rows if row["part"] == LOCAL]))
    drawn = found[0].less(found[1])
    # Of models 3 and 1 mm too far: (2.5 - 0.5) / 50.5 observed, (2 - 0) / 51 drawn again, and truly 2 / 50.
    assert drawn.observed == pytest.approx(2 / 50.5, rel=1e-6)
    np.testing.assert_allclose(drawn.local, 2 / 51, rtol=1e-6)
    judged = verdict(drawn.observed, drawn, 1)
    assert (judged.low, judged.high) == pytest.approx((2 / 50.5, 4 / 50.5 - 2 / 51), rel=1e-6)
    assert abs(judged.high - 2 / 50) < 0.03 * abs(judged.low - 2 / 50)


def test_ends_by_hand() -> None:
    """Student's quantile over the pairs, one more draw and the mean of these; both kinds add in squares; the hull."""
    rng = np.random.default_rng(2)
    local, shared = 1.2 + 0.1 * rng.standard_normal(20), 0.9 + 0.2 * rng.standard_normal(20)
    judged = verdict(1.05, redraws(1.0, local, shared), 21)
    quantile = stdtrit(19, 1 - 0.05 / 42)
    half = quantile * math.sqrt(1.05 * (local.var(ddof=1) + shared.var(ddof=1)))
    ends = 1.05 - (local.mean() - 1), 1.05 + (shared.mean() - 1)
    assert (judged.low, judged.high) == pytest.approx((min(ends) - half, max(ends) + half), rel=1e-12)
    alone = verdict(1.05, redraws(1.0, shared=shared), 1)
    half = stdtrit(19, 0.975) * math.sqrt(1.05) * shared.std(ddof=1)
    ends = 1.05, 1.05 + shared.mean() - 1
    assert (alone.low, alone.high) == pytest.approx((min(ends) - half, max(ends) + half), rel=1e-12)


def test_why_an_order_stands_or_not() -> None:
    draws = 1 + 0.01 * np.random.default_rng(3).standard_normal(20)
    assert verdict(1.0, redraws(1.0, draws), 1).reason == RESOLVED
    assert verdict(-1.0, redraws(-1.0, -draws), 1).reason == RESOLVED
    assert verdict(0.01, redraws(0.01, draws - 0.99), 1).reason == WITHIN_ERROR
    for trusted, reason in (
        (MARGIN, RESOLVED),
        (0.99 * MARGIN, UNTRUSTED),
        (-1.0, UNTRUSTED),
        (np.nan, NO_TRUSTED),
    ):
        assert verdict(1.0, redraws(1.0, draws, trusted=trusted), 1).reason == reason
    lost = draws.copy()
    lost[LEAST_DRAWS:] = np.nan
    assert verdict(1.0, redraws(1.0, lost), 1).reason == RESOLVED
    lost[0] = np.nan
    for drawn in (redraws(1.0, lost), redraws(1.0, draws, lost), redraws(1.0)):
        judged = verdict(1.0, drawn, 1)
        assert judged.reason == FAILED_DRAWS
        assert np.isnan(judged.low)


def table(path: Path, model: str, values: dict[str, float], sizes: dict[str, int], only: int = 20) -> Path:
    """Write a table of redraws: a value a sequence, all draws near to it."""
    rows = [
        {**KEYS, "model": model, "protocol": "p", "sequence": sequence, "n_frames": sizes[sequence], "n_looked_at": 1,
         "part": part, "draw": draw, **dict.fromkeys(REDRAWN, value + 0.001 * (draw % 2))}
        for sequence, value in values.items()
        for part, draw in [(OBSERVED, 0), (TRUSTED, 0), *((LOCAL, draw) for draw in range(only))]
    ]  # fmt: skip
    write_table(path, REDRAWS, {name: [row[name] for row in rows] for name in REDRAWS.names})
    return path


def test_means_of_sequences_as_protocols_say_and_parts_put_together(tmp_path: Path) -> None:
    paths = [
        table(tmp_path / "a", "m", {"x": 1.0, "y": 3.0}, {"x": 10, "y": 20}),
        table(tmp_path / "b", "m", {"y": 6.0}, {"y": 40}),  # a further part of it
    ]
    means = np.array([1.0, 5.0])
    for averaging in ("sequences", "frames"):
        found = read_redraws(paths, {"p": averaging})["d", "m", "p", "rmse"]
        wanted = float(means @ sequence_weights(np.array([10.0, 60.0]), averaging))
        assert found.observed == found.trusted == pytest.approx(wanted)
        np.testing.assert_allclose(found.local, wanted + 0.001 * (np.arange(20) % 2))
        assert found.shared.size == 0


def test_rows_say_what_is_not_assessed_and_what_sampling_leaves(tmp_path: Path) -> None:
    paths = [table(tmp_path / name, name, {"x": value}, {"x": 5}) for name, value in (("a", 1.0), ("b", 2.0))]

    def compared(a: str, b: str, p: float | None, **more: Any) -> dict[str, Any]:
        row = {
            "dataset": "d",
            "protocol": "p",
            "metric": "rmse",
            "model_a": a,
            "model_b": b,
            "difference": -1.0,
        }
        return {**row, "p_holm": p, "status": "ok", **more}

    rows = reference_rows(
        [
            compared("a", "b", 0.01), compared("a", "b", 0.2), compared("a", "b", None), compared("a", "c", 0.01),
            compared("a", "e", None, difference=None, status="incomplete"),
            compared("a", "b", 0.01, metric="mae"), compared("a", "b", 0.01, dataset="other"),
        ],
        {"p": {"averaging": "frames"}},
        paths,
    )  # fmt: skip
    assert [row["reason"] for row in rows] == [
        RESOLVED,
        WITHIN_SAMPLING,
        WITHIN_SAMPLING,
        NOT_ASSESSED,
        "incomplete",
    ]
    assert [row["resolvable"] for row in rows] == [True, False, False, False, False]
    assert rows[0]["reference_low"] <= -1 <= rows[0]["reference_high"]
    assert reference_rows([compared("a", "b", 0.01)], {"p": {"averaging": "frames"}}, []) == []


def test_words_for_what_is_stated() -> None:
    assert stated_words({}) == stated_words({"reference_error": None}) == []
    error = StatedSpec.model_validate(
        {
            "baseline": 5, "disparity": {**NOISE, "grain": 6},
            "calibration": {"offset": 0.5, "source": "told"}, "drift": {"depth": 0.1, "source": "paper"},
        }
    )  # fmt: skip
    assert stated_words({"reference_error": error.model_dump(mode="json")}) == [
        ("disparity of each pixel: σ 0.3 px, in blocks of 6 px", "measured"),
        ("calibration: disparity off by σ 0.5 px, tilted by σ 0 px", "told"),
        ("drift a frame: depth by σ 0.1 mm, shift by σ 0 px", "paper"),
    ]
    assert SHARED != LOCAL
