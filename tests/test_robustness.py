"""Corrupted views, and what a study says of them."""

from __future__ import annotations

import copy
import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from corrupted_scenes import digest, scene, shown
from project import CONFIG
from scopedepth.config.load import ConfigError, check, select_study
from scopedepth.corruptions import Shot, generator
from scopedepth.corruptions.medium import distance
from scopedepth.corruptions.scene import hides
from scopedepth.job.extensions import made_alone
from scopedepth.statistics.robustness import (
    CLEAN,
    DERS_METRICS,
    corruption_error,
    depth_estimation_error,
    first_places,
    resilience_rows,
    robustness_score,
)
from scopedepth.study.layout import Job
from scopedepth.study.plan import Plan
from scopedepth.views import Planes
from scopedepth.views.corrupt import Corrupt
from scopedepth.vocabulary.corruptions import CORRUPTIONS, SEVERITIES, Corruption
from scopedepth.vocabulary.flags import BORDER, TOOL

SCRIPTS = Path(__file__).parents[1] / "workflow_scripts"
STILL = [name for name, kind in CORRUPTIONS.items() if not kind.moves]


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Return the structural similarity of two images at 160 pixels (Wang et al. 2004), mean of the colours."""
    x, y = (cv2.resize(one.astype(np.float64), (160, 160), interpolation=cv2.INTER_AREA) for one in (a, b))

    def mean(image: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.GaussianBlur(image, (11, 11), 1.5))

    c1, c2 = 2.55**2, 7.65**2
    mx, my = mean(x), mean(y)
    vx, vy, both = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    return float(((2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_severity_means_the_same_at_320_and_at_640_pixels_and_grows(name: str) -> None:
    small, large = scene(320), scene(640)
    at = [[ssim(one[0], shown(name, level, *one)) for level in (1, 5)] for one in (small, large)]
    assert np.abs(np.subtract(at[0], at[1])).max() < 0.02
    if name in STILL:
        assert 1 > at[0][0] > at[0][1]
    levels = CORRUPTIONS[name].levels
    assert len(set(levels)) == 5
    assert list(levels) in (sorted(levels), sorted(levels, reverse=True))


def in_another_process(code: str) -> str:
    """Return what Python prints, with the modules that this process finds."""
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    return told.stdout.strip()


def test_the_same_bytes_in_another_process() -> None:
    told = in_another_process("import corrupted_scenes; print(corrupted_scenes.digest())")
    assert told == digest() != digest(seed=1)


def test_a_frame_comes_out_the_same_whatever_is_read_with_it() -> None:
    rgb, depth = scene(64)
    frames = np.stack([rgb, rgb[::-1], rgb[:, ::-1]])
    depths = np.stack([depth, depth[::-1], depth[:, ::-1]])
    for name, kind in CORRUPTIONS.items():
        step = Corrupt(name, kind.file, 3, 0, "tube")
        whole = step.rgb(frames, 10, Planes(lambda: depths, lambda: None))
        for place in range(3):
            planes = Planes(partial(depths.__getitem__, [place]), lambda: None)
            alone = step.rgb(frames[[place]], 10 + place, planes)
            assert np.array_equal(alone[0], whole[place]), name
    for name in ("gaussian_noise", "smoke", "motion"):
        drawn = [shown(name, 3, rgb, depth, first).tobytes() for first in (0, 1)]
        assert drawn[0] != drawn[1], name
    for name in ("dirt", "blood", "glass", "tool"):  # what is on the lens stays there
        assert np.array_equal(shown(name, 3, rgb, depth, 0), shown(name, 3, rgb, depth, 7)), name


def test_smoke_is_koschmieders_law() -> None:
    """Without a scene, and with even density: I t + A (1 - t), t = exp(-b z), by hand."""
    depth = np.full((8, 8), 30, np.float32)
    depth[:4] = 60
    depth[0, 0] = 0  # none: that of its neighbour
    rgb = np.full((8, 8, 3), 128, np.uint8)
    over = Shot(np.zeros((8, 8, 3), np.float32), 1, np.where(depth > 0, depth, np.nan), "", "")
    relative = distance(over)
    assert relative[0, 0] == relative[1, 1] == 60 / np.median(depth[depth > 0])
    near, far = (
        shown("smoke", 5, rgb, depth)[6, 4].astype(int),
        shown("smoke", 5, rgb, depth)[1, 4].astype(int),
    )
    assert (far > near).all()  # smoke is brighter than the scene
    unknown = np.zeros((8, 8), np.float32)
    assert np.array_equal(shown("smoke", 5, rgb, unknown), rgb)
    scaled = shown("smoke", 3, rgb, depth * 7)
    assert np.array_equal(scaled, shown("smoke", 3, rgb, depth))  # it has no unit


def test_what_lies_outside_the_image_circle_stays() -> None:
    rgb, depth = scene(64)
    flags = np.zeros((64, 64), np.uint8)
    flags[:, :9] = BORDER
    for name in STILL:
        step = Corrupt(name, CORRUPTIONS[name].file, 5, 0, "tube")
        made = step.rgb(rgb[None], 0, Planes(lambda: depth[None], lambda: flags[None]))[0]
        assert np.array_equal(made[:, :9], rgb[:, :9]), name
        assert not np.array_equal(made, rgb), name


@pytest.mark.parametrize("name", [name for name, kind in CORRUPTIONS.items() if kind.moves])
def test_depth_moves_with_the_image(name: str) -> None:
    """An image that shows its depth still shows it, to the interpolation's error, away from edges."""
    side = 200
    ramp = np.linspace(20, 230, side)[None, :] + np.linspace(0, 20, side)[:, None]
    depth = ramp.astype(np.float32)
    rgb = np.repeat(np.rint(ramp)[:, :, None], 3, axis=2).astype(np.uint8)
    for severity in SEVERITIES:
        step = Corrupt(name, CORRUPTIONS[name].file, severity, 0, "tube")
        image = step.rgb(rgb[None], 0, Planes(lambda: depth[None], lambda: None))[0]
        moved = step.plane(depth[None])[0]
        # Half a pixel in each direction, of 1.06 and 0.1, and twice half a grey level.
        assert np.abs(image[:, :, 0] - moved).max() <= 1.58
        assert np.abs(moved - depth).max() > 2
        assert step.plane(rgb[None]).shape == (1, side, side, 3)


@pytest.mark.parametrize("side", [160, 201])
def test_depth_that_moved_is_that_of_a_camera_with_the_other_lens(side: int) -> None:
    """A scene is a function of the ray; the other camera sees it along the rays of its own law, written out here."""
    last = side - 1

    def depth_along(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return 50 + 20 * np.sin(3 * u) + 10 * np.cos(4 * v)  # u, v: from the middle, the corner at 1, 1

    def seen(factor: np.ndarray | float) -> np.ndarray:
        return depth_along(u * factor, v * factor)

    v, u = (2 * np.mgrid[:side, :side] - last) / last
    clean = depth_along(u, v).astype(np.float32)
    for severity in SEVERITIES:
        for name, factor in (
            ("zoom", 1 / CORRUPTIONS["zoom"].levels[severity - 1]),
            (
                "lens_distortion",
                (1 + (k := CORRUPTIONS["lens_distortion"].levels[severity - 1]) * (u**2 + v**2) / 2)
                / (1 + k),
            ),
        ):
            made = Corrupt(name, "lens", severity, 0, "tube").plane(clean[None])[0]
            # Half a pixel in both directions, at slopes of 60 and 40 over half a side.
            assert np.abs(made - seen(factor)).max() <= (60 + 40) / last


def test_what_a_tool_hides_has_no_depth() -> None:
    rgb, depth = scene(120)
    for severity, share in zip(SEVERITIES, CORRUPTIONS["tool"].levels, strict=True):
        step = Corrupt("tool", "scene", severity, 0, "tube")
        hidden = hides("tool", step.level, "0\0tool\0tube", 120, 120)
        assert hidden.mean() == pytest.approx(share, abs=0.01)
        assert np.array_equal(np.isnan(step.plane(depth[None])[0]), hidden)
        whole = step.plane((depth * 100).astype(np.uint16)[None])[0]
        assert np.array_equal(whole == 0, hidden)
        assert (step.plane(np.full((1, 120, 120), TOOL, np.uint8))[0][~hidden] == TOOL).all()
        made = shown("tool", severity, rgb, depth)
        assert np.array_equal(made[~hidden], rgb[~hidden])


def test_a_key_says_all_that_is_drawn() -> None:
    assert generator("a").random() == generator("a").random() != generator("b").random()
    with pytest.raises(ValueError, match="a corruption of severity 6"):
        Corrupt("darkness", "photometric", 6, 0, "tube")


# The configuration and the plan.


def configured(**robustness: Any) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    if robustness:
        config["studies"]["small"]["robustness"] = robustness
    return config


def test_a_study_gets_its_views_and_shows_only_what_it_names() -> None:
    study = select_study(configured(kinds=["darkness", "smoke"], severities=[2, 4], datasets=["two"]))
    views = ["two_darkness_2", "two_darkness_4", "two_smoke_2", "two_smoke_4"]
    assert list(study.datasets) == ["one", "two", *views]
    assert (study.spec["datasets"], study.shown_units) == (["one", "two"], ["one", "two"])
    assert study.datasets["two_smoke_4"]["lineage"] == ["two_smoke_4", "two"]
    told = study.spec["robustness"]
    assert told is not None
    assert told["views"]["two_smoke_4"] == {"dataset": "two", "kind": "smoke", "severity": 4}
    assert (told["baseline"], told["seed"]) == ("constant", 0)
    seeded = select_study(configured(kinds=["smoke"], severities=[2], seed=5))
    assert "one_smoke_2_seed5" in seeded.datasets
    assert select_study(CONFIG).spec["robustness"] is None


def decided(plan: Plan) -> dict[Job, tuple[str, str]]:
    return {job: (plan.spec(job), plan.code(job)) for job in plan.jobs()}


def test_adding_a_corruption_makes_nothing_of_the_clean_study_again() -> None:
    plain, one, more = (
        decided(Plan(select_study(configured(**asked)), SCRIPTS))
        for asked in (
            {},
            {"kinds": ["darkness"], "severities": [1]},
            {"kinds": ["darkness", "smoke"], "severities": [1, 3]},
        )
    )
    tables = {Job("summarise", ("small",)), Job("report", ("small",))}
    for before, after in ((plain, one), (one, more)):
        assert before.keys() <= after.keys()
        assert {job for job in before if before[job] != after[job]} == tables
    added = [job.rule for job in more.keys() - one.keys()]
    # Three more views of two datasets, two models, two protocols.
    assert {rule: added.count(rule) for rule in added} == {
        "prepare": 6, "predict": 12, "align": 24, "score": 24,
    }  # fmt: skip
    plan = Plan(select_study(configured(kinds=["smoke"], severities=[1])), SCRIPTS)
    needed = plan.needed_by(Job("report", ("small",)))
    assert not any("smoke" in value for job in needed for value in job.values)
    scores = [job for job in plan.needed_by(Job("summarise", ("small",))) if "smoke" in job.values[0]]
    assert {job.rule for job in scores} == {"score"}


def test_a_view_is_made_again_where_its_own_corruption_changes_and_no_other() -> None:
    plan = Plan(select_study(configured(kinds=["darkness", "smoke"], severities=[1])), SCRIPTS)
    code = {kind: json.loads(plan.code(Job("prepare", (f"one_{kind}_1",)))) for kind in ("darkness", "smoke")}
    assert "scopedepth.corruptions.photometric" in code["darkness"]
    assert "scopedepth.corruptions.medium" not in code["darkness"]
    assert "scopedepth.corruptions.medium" in code["smoke"]
    predict = json.loads(plan.code(Job("predict", ("one_smoke_1", "constant"))))
    assert not any(name.startswith("scopedepth.corruptions") for name in predict)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"kinds": ["smok"]}, r"robustness\.kinds\[0\]: 'smok' is not allowed\. Did you mean 'smoke'"),
        ({"kinds": []}, r"robustness\.kinds: "),
        ({"kinds": ["smoke"], "severities": [0]}, r"robustness\.severities\[0\]: 0 is not allowed"),
        ({"kinds": ["smoke"], "severities": [6]}, r"robustness\.severities\[0\]: 6 is not allowed"),
        ({"kinds": ["smoke", "smoke"]}, r"robustness: kinds: smoke is named twice; name it once"),
        ({"kinds": ["smoke"], "severities": [1, 1]}, r"robustness: severities: 1 is named twice"),
        ({"kinds": ["smoke"], "datasets": ["three"]}, r"robustness\.datasets\[0\]: 'three' is not known"),
        ({"kinds": ["smoke"], "baseline": "nobody"}, r"robustness\.baseline: 'nobody' is not known"),
        ({"kinds": ["smoke"], "seed": -1}, r"robustness\.seed: -1 is not allowed"),
        ({"kinds": ["smoke"], "severity": [1]}, r"robustness\.severity: unknown field"),
    ],
)
def test_robustness_that_cannot_be(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=rf"studies\.small\.{message}") as caught:
        check(configured(**asked))
    assert "\n" not in str(caught.value)


def test_names_and_depths_that_stand_in_the_way() -> None:
    config = configured(kinds=["smoke"], severities=[1])
    config["datasets"]["one_smoke_1"] = config["datasets"]["one"]
    with pytest.raises(
        ConfigError, match=r"one_smoke_1 is what the corrupted view is called\. Rename datasets"
    ):
        check(config)
    config = configured(kinds=["darkness", "smoke"])
    config["datasets"]["two"]["depth"] = {"kind": "none"}
    with pytest.raises(
        ConfigError, match=r"studies\.small\.robustness: smoke follows from depth, and two has none"
    ):
        check(config)
    config = configured(kinds=["impulse_noise"])
    config["datasets"]["o" * 60] = config["datasets"]["one"]
    config["studies"]["small"]["datasets"] = ["o" * 60]
    with pytest.raises(ConfigError, match="is too long for a name"):
        check(config)


# Scores.

# RoboDepth's own tables of two networks (docs/results/kitti_c/MonoViT_mono_640x192.md, MonoDepth2_mono_640x192.md), as
# printed: DEE of the clean frames, of each of the eighteen corruptions, and what follows from them.
CLEAN_DEE = 0.099
DEE = (
    0.106, 0.243, 0.116, 0.213, 0.275, 0.119, 0.180, 0.204, 0.163, 0.179, 0.118, 0.146, 0.310, 0.293, 0.271, 0.290,
    0.162, 0.154,
)  # fmt: skip
OF_MONODEPTH2 = (
    0.130, 0.280, 0.155, 0.277, 0.511, 0.187, 0.244, 0.242, 0.216, 0.201, 0.129, 0.193, 0.384, 0.389, 0.340, 0.388,
    0.145, 0.196,
)  # fmt: skip
MCE, MRR = 79.33, 89.15


def test_robodepths_printed_tables() -> None:
    """Their summaries follow from their rows, which are rounded to three places."""
    rows = []
    for model, clean, errors in (("monovit", CLEAN_DEE, DEE), ("monodepth2", 0.119, OF_MONODEPTH2)):
        each = {(CLEAN, 0): clean} | {(str(kind), 1): error for kind, error in enumerate(errors)}
        rows += rows_of(model, {key: (2 * error, 1.0) for key, error in each.items()})
    found = {row["model"]: row for row in resilience_rows(rows, "monodepth2")}["monovit"]
    assert found["mce"] == pytest.approx(MCE, abs=0.06)
    assert found["mrr"] == pytest.approx(MRR, abs=0.006)
    assert found["rr"][:3] == pytest.approx([99.22, 84.02, 98.11], abs=0.006)
    dark = [(0.127, 0.851), (0.142, 0.817), (0.173, 0.748), (0.224, 0.631), (0.292, 0.486)]
    assert np.mean([depth_estimation_error(*one) for one in dark]) == pytest.approx(0.243, abs=0.0006)


def value(
    kind: str, severity: int, model: str, metric: str, number: float | None, **more: Any
) -> dict[str, Any]:
    status = "ok" if number is not None else "incomplete"
    return {
        "dataset": "d", "protocol": "p", "kind": kind, "severity": severity, "model": model, "metric": metric,
        "value": number, "status": status, **more,
    }  # fmt: skip


def rows_of(model: str, errors: Mapping[tuple[str, int], tuple[float | None, float]]) -> list[dict[str, Any]]:
    return [
        value(kind, severity, model, metric, number)
        for (kind, severity), both in errors.items()
        for metric, number in zip(("abs_rel", "delta1"), both, strict=True)
    ]


ONE = {
    (CLEAN, 0): (0.1, 0.9),
    ("dark", 1): (0.2, 0.8),
    ("dark", 3): (0.3, 0.6),
    ("smoke", 1): (0.15, 0.85),
    ("smoke", 3): (0.5, 0.3),
}
TWO = {
    (CLEAN, 0): (0.2, 0.7),
    ("dark", 1): (0.2, 0.7),
    ("dark", 3): (0.4, 0.5),
    ("smoke", 1): (0.3, 0.6),
    ("smoke", 3): (0.4, 0.6),
}


def test_mce_and_mrr_by_hand() -> None:
    rows = {row["model"]: row for row in resilience_rows(rows_of("one", ONE) + rows_of("two", TWO), "two")}
    # DEE of one: clean .1; dark .2, .35; smoke .15, .6. Of two: clean .25; dark .25, .45; smoke .35, .4.
    one, two = rows["one"], rows["two"]
    assert (one["kinds"], one["severities"], one["status"]) == (["dark", "smoke"], [1, 3], "ok")
    assert one["dee_clean"] == pytest.approx(0.1, abs=1e-12)
    assert one["dee"] == pytest.approx([0.275, 0.375], abs=1e-12)
    assert one["ce"] == pytest.approx([100 * 0.55 / 0.7, 100 * 0.75 / 0.75], abs=1e-9)
    assert one["mce"] == pytest.approx((100 * 0.55 / 0.7 + 100) / 2, abs=1e-9)
    assert one["rr"] == pytest.approx([100 * 0.725 / 0.9, 100 * 0.625 / 0.9], abs=1e-9)
    assert one["mrr"] == pytest.approx(100 * 0.675 / 0.9, abs=1e-9)
    assert two["mce"] == pytest.approx(100, abs=1e-9)
    assert two["mrr"] == pytest.approx(100 * ((0.65 + 0.625) / 2) / 0.75, abs=1e-9)


def test_what_lacks_has_no_mce() -> None:
    lacking = {**TWO, ("smoke", 3): (None, 0.6)}
    rows = {
        row["model"]: row for row in resilience_rows(rows_of("one", ONE) + rows_of("two", lacking), "two")
    }
    assert (rows["two"]["status"], rows["two"].get("mrr")) == ("incomplete", None)
    assert [rows["two"][name] for name in ("kinds", "severities")] == [["dark", "smoke"], [1, 3]]
    assert rows["one"]["mce"] is None
    assert rows["one"]["mrr"] == pytest.approx(75, abs=1e-9)
    assert resilience_rows([row for row in rows_of("one", ONE) if row["metric"] == "abs_rel"], "one") == []
    perfect = dict.fromkeys(ONE, (0.0, 1.0))
    rows = {
        row["model"]: row for row in resilience_rows(rows_of("one", ONE) + rows_of("two", perfect), "two")
    }
    assert rows["one"]["ce"] == [None, None]
    assert rows["one"]["mce"] is None
    assert corruption_error([0.5], [0.25]) == 200


# DERS: the seven metrics of three models on the same clean frames.
SEVEN = {
    "abs_rel": 0.1, "sq_rel": 1.0, "rmse": 5.0, "rmse_log": 0.12, "delta1": 0.9, "delta2": 0.97, "delta3": 0.99,
}  # fmt: skip


def seven_rows(by_kind: Mapping[str, Sequence[Mapping[str, float]]]) -> list[dict[str, Any]]:
    """Return the rows of one model: SEVEN on the clean frames, and what is given for severities 1 and up."""
    shown: list[tuple[str, int, Mapping[str, float]]] = [(CLEAN, 0, SEVEN)]
    shown += [(kind, at, one) for kind, every in by_kind.items() for at, one in enumerate(every, 1)]
    return [value(kind, at, "m", name, one[name]) for kind, at, one in shown for name in DERS_METRICS]


def test_ders_by_hand() -> None:
    """In exact fractions, the variance as the mean of squares less the square of the mean."""
    rng = np.random.default_rng(7)
    by_kind = {
        kind: [{name: clean * rng.uniform(0.5, 2) for name, clean in SEVEN.items()} for _ in SEVERITIES]
        for kind in ("dark", "smoke")
    }
    (row,) = resilience_rows(seven_rows(by_kind), "m")
    expected = []
    for every in by_kind.values():
        mean = {name: sum(Fraction(one[name]) for one in every) / 5 for name in SEVEN}
        error = sum(mean[name] / Fraction(SEVEN[name]) for name in ("abs_rel", "sq_rel", "rmse", "rmse_log"))
        accuracy = sum(
            weight * (5 * mean[name] + Fraction(SEVEN[name])) / 6
            for name, weight in (
                ("delta1", Fraction(1, 2)), ("delta2", Fraction(3, 10)), ("delta3", Fraction(1, 5)),
            )
        )  # fmt: skip
        squares = {
            name: sum(Fraction(one[name]) ** 2 for one in every) / 5 - mean[name] ** 2 for name in SEVEN
        }
        spread = sum(math.sqrt(square) for square in squares.values()) / 7
        expected.append(float(error / accuracy) * math.exp(-spread))
    assert row["ders_by_kind"] == pytest.approx(expected, rel=1e-12)
    assert row["ders"] == pytest.approx(sum(expected) / 2, rel=1e-12)
    assert (row["ders_status"], row["status"]) == ("ok", "ok")


def test_ders_is_not_monotone() -> None:
    """Of models that are nowhere better than the first, one has the higher score and one the lower: as the docs say."""
    every = [(6, 6, 6, 6, 6), (12, 12, 12, 12, 12), (6, 8, 10, 12, 14)]
    first, worse, uneven = (
        robustness_score([SEVEN, *({**SEVEN, "rmse": float(one)} for one in rmse)]) or 0.0 for rmse in every
    )
    assert uneven < first < worse
    page = (SCRIPTS.parent / "docs/robustness.md").read_text(encoding="utf-8")
    for rmse, score in zip(every, (first, worse, uneven), strict=True):
        assert f"| {', '.join(map(str, rmse))} | {score:.3f} |" in page


def test_ders_needs_all_severities_and_all_metrics() -> None:
    every = [{**SEVEN, "rmse": 5.0 + at} for at in SEVERITIES]
    whole = seven_rows({"dark": every})
    cases = [
        ([row for row in whole if row["severity"] != 2], "no_severity"),
        ([row for row in whole if row["metric"] != "sq_rel"], "no_metric"),
        ([{**row, "value": None, "status": "no_unit"} if row["metric"] == "rmse" else row for row in whole], "no_unit"),
        ([{**row, "value": 0.0} if row["metric"] == "rmse" else row for row in whole], "undefined"),
        ([{**row, "value": 0.0} if "delta" in row["metric"] else row for row in whole], "undefined"),
    ]  # fmt: skip
    for rows, status in cases:
        (row,) = resilience_rows(rows, "m")
        assert (row["ders_status"], row.get("ders"), row["status"]) == (status, None, "ok")
        assert row["mrr"] is not None
    (row,) = resilience_rows(whole, "m")
    assert row["ders"] is not None


def test_what_costs_the_first_place() -> None:
    places = {
        CLEAN: {0: "ab"}, "dark": {1: "ab", 3: "ba", 5: "ab"}, "smoke": {1: "ab", 3: "ab"}, "blur": {1: "ba"},
    }  # fmt: skip
    rows = [
        value(
            kind,
            severity,
            model,
            "abs_rel",
            0.1,
            rank_by_value=place + 1,
            rank_low=1 + (kind == "blur") * place,
        )
        for kind, by_severity in places.items()
        for severity, order in by_severity.items()
        for place, model in enumerate(order)
    ]
    found = {place.kind: place for place in first_places(rows)}
    assert {place.winner for place in found.values()} == {"a"}
    dark, smoke, blur = (found[kind] for kind in ("dark", "smoke", "blur"))
    assert (dark.kept, dark.lost, dark.to, dark.beaten) == (1, 3, "b", None)
    assert (smoke.kept, smoke.lost, smoke.to) == (3, None, "")
    assert (blur.kept, blur.lost, blur.to, blur.beaten) == (0, 1, "b", 1)
    assert first_places([row for row in rows if row["kind"] != CLEAN]) == []
    gone = [row for row in rows if (row["kind"], row["severity"], row["model"]) != ("smoke", 3, "a")]
    assert next(p for p in first_places(gone) if p.kind == "smoke").lost == 3


def test_a_kind_of_your_own_as_the_page_shows_it(tmp_path: Path) -> None:
    page = (SCRIPTS.parent / "docs/robustness.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    (tmp_path / "stripes.py").write_text(code, encoding="utf-8")
    found = made_alone(tmp_path / "stripes.py", "CORRUPTIONS")["CORRUPTIONS"]
    assert [kind.name for kind in found] == ["stripes"]
    made: dict[str, Any] = {}
    exec(compile(code, "stripes.py", "exec"), made)
    grey = np.full((240, 320, 3), 0.5, np.float32)
    striped = made["stripes"](Shot(grey, 0.1, None, "0", "0"))
    assert striped.dtype == np.float32
    assert np.abs(striped - 0.5).max() == pytest.approx(0.1, rel=0.05)
    assert (striped == striped[:, :1, :1]).all()


def test_corruptions_are_known_without_importing_them() -> None:
    code = "import sys, scopedepth.config.load; print([m for m in sys.modules if 'corruptions.' in m or m == 'cv2'])"
    told = in_another_process(code)
    assert told == "[]"
    assert all(isinstance(kind, Corruption) and kind.file for kind in CORRUPTIONS.values())
    assert len(CORRUPTIONS) == 23
