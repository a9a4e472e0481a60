"""Protocols: what they permit, what they mean for a sequence, and that published ones do as published."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from describe_protocols import pages
from evaluation_fakes import Array, holed_depth, protocol, smooth_depth, terms, valid
from scopedepth.config.base import plain_spec
from scopedepth.config.protocols import ProtocolSpec
from scopedepth.errors import ScopeDepthError
from scopedepth.evaluation.protocol import permitted_metrics
from scopedepth.evaluation.resample import resample
from scopedepth.evaluation.single import evaluate_frame
from scopedepth.vocabulary import flags
from scopedepth.vocabulary.metrics import METRICS
from scopedepth.vocabulary.outputs import OUTPUT_KINDS, SHIFTED_KINDS

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

PUBLISHED = [
    "monodepth2", "endo_depth", "af_sfmlearner", "endodac", "endodac_disparity", "endoomni", "endodav_scale",
    "endodav_scale_shift", "endo_gede", "marigold_depth", "marigold_disparity", "midas", "moge_affine_disparity",
    "video_depth_anything", "simcol_challenge", "endoslam_minmax", "endosfmlearner", "dares", "endomust",
    "depth_anything_metric", "endostreamdepth",
]  # fmt: skip


@pytest.fixture(scope="module")
def protocols(root: Path) -> dict[str, specs.Protocol]:
    config = yaml.safe_load((root / "config.yaml").read_text())
    return {
        name: plain_spec(name, ProtocolSpec.model_validate(spec))
        for name, spec in config["protocols"].items()
    }


def test_every_published_protocol_is_there(protocols: dict[str, specs.Protocol]) -> None:
    assert set(PUBLISHED) <= set(protocols)
    for name in PUBLISHED:
        assert protocols[name]["source"] != "ScopeDepth"
    assert protocols["endoslam_minmax"]["not_comparable"]


def test_the_pages_made_from_configuration_and_registry_are_current() -> None:
    for path, text in pages().items():
        written = path.read_text(encoding="utf-8")
        assert written == text, f"{path.name} is stale: python docs/describe_protocols.py"


def test_the_page_names_every_protocol_metric_and_unknown(protocols: dict[str, specs.Protocol]) -> None:
    by_name = {path.name: text for path, text in pages().items()}
    for name, spec in protocols.items():
        beside_its_source = spec["source"] != "ScopeDepth" and name not in ("robust_l1", "raw_output")
        assert by_name["protocols.md"].count(f"| {name} |") == 3 + beside_its_source
        for text in [*spec["unknown"], *spec["differs"]]:
            assert text in by_name["protocols.md"]
    for name in METRICS:
        assert f"| `{name}` |" in by_name["metrics.md"]


def test_the_convention_trap_is_as_printed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (root / "docs" / "convention-trap.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    here = Path.cwd()
    os.chdir(root)
    try:
        names: dict[str, Any] = {}
        exec(compile(code, "convention-trap.md", "exec"), names)
    finally:
        os.chdir(here)
    printed = dict(re.findall(r"^\| (\w+) \| [^|]+ \| (0\.\d+) \|$", page, re.MULTILINE))
    assert printed == {name: f"{value:.3f}" for name, value in names["abs_rel"].items()}
    assert names["abs_rel"]["lsq_disparity"] == pytest.approx(0.009, abs=0.001)
    assert names["abs_rel"]["raw_output"] == pytest.approx(0.29, abs=0.015)
    assert list(names["abs_rel"].values()) == sorted(names["abs_rel"].values())
    assert names["scales"]["raw_output"] < 0
    assert "negative_scale" in capsys.readouterr().out


# What an output's claim permits.


UNSHIFTED = set(OUTPUT_KINDS) - set(SHIFTED_KINDS)
UNPAIRED = [name for name, metric in METRICS.items() if not metric.pair]
SHAPES = [name for name in UNPAIRED if METRICS[name].needs == "shape"]
DEPTH_METRICS = [name for name, metric in METRICS.items() if metric.needs == "depth" and not metric.pair]


@pytest.mark.parametrize(
    ("fit", "kinds"),
    [
        ({"method": "none"}, {"metric_depth", "metric_disparity"}),
        ({"method": "median"}, UNSHIFTED),
        ({"method": "median", "affine_disparity": "zero_shift"}, UNSHIFTED | {"disparity"}),
        ({"method": "lsq_affine"}, UNSHIFTED | {"affine_depth"}),
        ({"method": "minmax"}, UNSHIFTED | {"affine_depth"}),
        ({"method": "lsq_affine", "affine_disparity": "raw"}, set(OUTPUT_KINDS)),
        ({"method": "lsq_affine", "space": "log_depth"}, UNSHIFTED),
        ({"method": "lsq_scale", "space": "disparity"}, UNSHIFTED),
        ({"method": "lsq_affine", "space": "disparity"}, UNSHIFTED | {"disparity"}),
        ({"method": "median_mad", "space": "disparity"}, UNSHIFTED | {"disparity"}),
    ],
)
def test_metrics_of_depth_want_every_unknown_found(fit: dict[str, Any], kinds: set[str]) -> None:
    spec = protocol(alignment=fit, metrics=UNPAIRED, clamp={"disparity": 1e-6})
    for kind in OUTPUT_KINDS:
        got = permitted_metrics(spec, kind, "mm")
        assert {name in got for name in DEPTH_METRICS} == {kind in kinds}, kind
        # A shift that is taken for zero, or turned into depth, gives no shape.
        found = kind in kinds and (
            fit.get("affine_disparity") is None or kind in UNSHIFTED | {"affine_depth"}
        )
        assert {name in got for name in SHAPES} == {found and kind in kinds}, kind
        assert "spearman" in got
        assert "ordinal" in got
        # A free shift changes the ratios of depth; an unknown factor does not.
        assert ("boundary_f1" in got) == (kind in UNSHIFTED | kinds)


def test_metrics_with_a_unit_need_one(protocols: dict[str, specs.Protocol]) -> None:
    spec = protocol(metrics=UNPAIRED)
    got = permitted_metrics(spec, "depth", "relative")
    assert set(got) == {name for name in UNPAIRED if not METRICS[name].has_unit}
    assert permitted_metrics(protocols["metric_depth"], "metric_depth", "relative") == ()
    assert permitted_metrics(protocol(unit_unknown="refuse"), "depth", "relative") == ()


def test_unknown_kinds_and_units_are_refused() -> None:
    with pytest.raises(ScopeDepthError, match="output kind"):
        terms("inverse")
    with pytest.raises(ScopeDepthError, match="output unit"):
        terms("metric_depth", "inch")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"alignment": {"method": "lsq_affine", "space": "disparity"}}, "clamp"),
        ({"alignment": {"method": "none", "scope": "sequence"}}, "scope"),
        ({"alignment": {"method": "l1_affine", "scope": "sequence"}}, "scope"),
        ({"alignment": {"method": "median", "options": {"truncation": 1.0}}}, "truncation"),
        ({"alignment": {"method": "median", "weight": "inverse_depth"}}, "weight"),
        ({"alignment": {"method": "lsq_scale", "pool": "frame_means"}}, "frame_means"),
        ({"alignment": {"affine_disparity": "raw", "space": "disparity"}}, "raw"),
        ({"masks": {"erode": 4}}, "odd"),
        ({"metrics": ["absrel"]}, "absrel"),
        ({"depth_range": {"min": 9, "max": 3}}, "min must be below max"),
        ({"depth_rnage": {}}, "depth_rnage"),
        ({"alignment": {"method": "lsq"}}, "method"),
        ({"alignment": {"method": "median", "constant": "score"}}, "constant"),
        ({"alignment": {"method": "median", "depth_epsilon": 1.0}}, "depth_epsilon"),
        ({"alignment": {"output_limits": [2, 1]}}, "output_limits"),
        ({"alignment": {"method": "l1_affine", "options": {"points": 9}, "fit_above": 0}}, "fit_above"),
        (
            {"alignment": {"scope": "sequence", "negative_disparity": "inverted", "invert_epsilon": 1e-6}},
            "invert_epsilon",
        ),
        ({"interpolation": {"epsilon": 1e-6}}, "epsilon"),
        ({"crops": [{"left": 1, "before_network": True}]}, "before_network"),
    ],
)
def test_protocols_that_make_no_sense_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ProtocolSpec.model_validate({"title": "t", **fields})


def test_every_field_has_a_description() -> None:
    def walk(schema: dict[str, Any]) -> None:
        for name, field in schema.get("properties", {}).items():
            assert field.get("description"), name

    schema = ProtocolSpec.model_json_schema()
    walk(schema)
    for part in schema["$defs"].values():
        walk(part)
        assert part.get("additionalProperties") is False or "properties" not in part


# What a protocol means for a sequence.


def test_crops_follow_dataset_and_sequence(protocols: dict[str, specs.Protocol]) -> None:
    spec = protocols["endodac"]

    def window(dataset: str, sequence: str, size: tuple[int, int]) -> tuple[int, int, int, int]:
        return terms(spec=spec, dataset=dataset, sequence=sequence, size=size).window

    assert window("hamlyn_rectified", "rectified14", (288, 720)) == (0, 288, 180, 590)
    assert window("hamlyn_rectified", "27", (288, 720)) == (0, 288, 180, 590)
    assert window("hamlyn_rectified", "rectified12", (288, 360)) == (0, 288, 0, 360)
    assert window("hamlyn_rectified", "rectified08", (480, 640)) == (0, 480, 0, 640)
    assert window("c3vd", "cecum_t1_a", (1080, 1350)) == (180, 900, 200, 1150)
    assert window("phantom", "14", (320, 320)) == (0, 320, 0, 320)
    # A crop larger than the frame leaves what there is, or nothing.
    assert window("c3vd", "small", (100, 150)) == (100, 100, 150, 150)


def test_a_view_that_is_the_window_counts_whole(protocols: dict[str, specs.Protocol]) -> None:
    for name in ("endodac", "endo_gede"):
        spec = protocols[name]
        for dataset, sequence, size in (
            ("hamlyn_endodac", "rectified14", (288, 410)),
            ("c3vd_endodac", "cecum_t1_a", (720, 950)),
        ):
            chosen = terms(spec=spec, dataset=dataset, sequence=sequence, size=size)
            assert chosen.window == (0, size[0], 0, size[1])
    # Only where the source cuts before the network: a window that is cut out of a prediction stays one.
    crop = {"left": 10, "right": 40, "top": 5, "bottom": 35}
    assert terms(crops=[crop], size=(30, 30)).window == (5, 30, 10, 30)
    assert terms(crops=[{**crop, "before_network": True}], size=(30, 30)).window == (0, 30, 0, 30)
    assert terms(crops=[{**crop, "before_network": True}], size=(48, 64)).window == (5, 35, 10, 40)
    # The first crop that fits decides, also where it leaves the frame whole.
    other = {"left": 1, "right": 9, "top": 1, "bottom": 9}
    assert terms(crops=[{**crop, "before_network": True}, other], size=(30, 30)).window == (0, 30, 0, 30)


# Ends, floors, and what is below zero.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("erode", [1, 3])
@pytest.mark.parametrize("inclusive", [True, False])
def test_ends_count_or_not_in_the_depths_own_precision(
    dtype: type[np.floating], erode: int, inclusive: bool
) -> None:
    chosen = terms(
        depth_range={"min": 0.1, "max": 0.7, "inclusive": inclusive}, masks={"erode": erode}, size=(1, 8)
    )
    low, high = dtype(0.1), dtype(0.7)
    zero, most = dtype(0), dtype(np.inf)
    beside = [np.nextafter(low, zero), low, np.nextafter(low, most), np.nextafter(high, zero), high]
    depth = np.array([[*beside, np.nextafter(high, most), 0.3, 0.0]], dtype)
    got = valid(chosen, depth)
    wanted = (depth >= dtype(0.1)) & (depth <= dtype(0.7)) if inclusive else (depth > low) & (depth < high)
    np.testing.assert_array_equal(got, wanted)
    open_ended = terms(depth_range={"inclusive": inclusive, "min": 0}, size=(1, 8))
    assert not valid(open_ended, depth)[0, -1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.6])
@pytest.mark.parametrize("drop", [0, 1])
def test_a_disparity_below_zero_is_a_negative_depth_where_the_source_inverts_it(
    dtype: type[np.floating], share: float, drop: int
) -> None:
    rng = np.random.default_rng(5)
    depth = holed_depth(rng, holes=0.0).astype(dtype)
    disparity = (7 / depth * np.exp(0.2 * rng.standard_normal(depth.shape))).astype(dtype)
    disparity[rng.random(depth.shape) < share] *= -1
    if share:
        disparity[3, 3:9] = 0
    depth.flat[:drop] = np.nan
    mask = np.isfinite(depth)
    with np.errstate(divide="ignore"):
        p, g = 1 / disparity[mask].astype(float), depth[mask].astype(float)
    p *= np.median(g) / np.median(p)
    p = np.clip(p, 1, 300)
    fit = {"method": "median", "affine_disparity": "zero_shift", "negative_scale": "score"}
    spec = protocol(alignment={**fit, "negative_disparity": "inverted"}, depth_range={"min": 1, "max": 300})
    got, _, status = evaluate_frame(spec, disparity, depth, output_kind="disparity")
    check(spec, got, plain_metrics(p, g), 1e-9)
    assert (status == "negative_scale") == (share > 0.5)
    far, _, _ = evaluate_frame(
        protocol(alignment=fit, depth_range={"min": 1, "max": 300}), disparity, depth, output_kind="disparity"
    )
    assert (far.get("abs_rel") == got["abs_rel"]) == (share == 0)


def test_only_outputs_above_the_stated_one_enter_the_fit() -> None:
    depth = smooth_depth()
    disparity = 40 / depth + 0.5
    disparity[:12] = 0.0
    spec = protocol(
        alignment={"method": "lsq_affine", "space": "disparity", "fit_above": 0}, clamp={"disparity": 1e-3}
    )
    got, fit, _ = evaluate_frame(spec, disparity, depth, output_kind="disparity")
    assert (fit.scale, fit.shift) == pytest.approx((1 / 40, -0.5 / 40), rel=1e-9)
    assert fit.n_pixels == depth.size - 12 * depth.shape[1]
    # All are scored: the zeros end at the least disparity.
    wrong = np.abs(1000 - depth[:12]) / depth[:12]
    assert got["abs_rel"] == pytest.approx(wrong.sum() / depth.size, rel=1e-9)


def test_outputs_are_cut_in_their_own_numbers_before_the_fit() -> None:
    depth = smooth_depth()
    metres = depth / 1000
    metres[5, 5], metres[6, 6] = 90.0, -3.0
    for unit, kind in (("m", "metric_depth"), (None, "depth")):
        spec = protocol(alignment={"method": "lsq_scale", "output_limits": [0.05, 0.1]})
        got, fit, _ = evaluate_frame(spec, metres, depth, output_kind=kind, output_unit=unit)
        cut = np.clip(metres, 0.05, 0.1) * (1000 if unit else 1)
        scale = np.sum(cut * depth) / np.sum(cut * cut)
        assert fit.scale == pytest.approx(scale, rel=1e-12)
        assert got["mae"] == pytest.approx(np.mean(np.abs(scale * cut - depth)), rel=1e-12)


def test_a_constant_is_scored_where_the_source_scores_it() -> None:
    depth = smooth_depth()
    for space in ("depth", "disparity"):
        fit = {"method": "lsq_affine", "space": space, "constant": "score"}
        spec = protocol(alignment=fit, clamp={"disparity": 1e-6})
        output = np.full(depth.shape, 0.3)
        got, _, status = evaluate_frame(spec, output, depth, output_kind="scaled_disparity")
        mean = depth.mean() if space == "depth" else 1 / np.mean(1 / depth)
        assert status == "ok"
        assert got["mae"] == pytest.approx(np.mean(np.abs(mean - depth)), rel=1e-12)
        spec["alignment"]["constant"] = "refuse"
        assert evaluate_frame(spec, output, depth, output_kind="scaled_disparity")[2] == "constant_prediction"


@pytest.mark.parametrize("kind", ["depth", "scaled_disparity"])
def test_inverse_depth_is_resampled_where_the_source_resamples_it(kind: str) -> None:
    depth = smooth_depth()
    coarse = smooth_depth((12, 16)) / 50
    epsilon = 1e-2
    inverse = 1 / (coarse + epsilon)
    fine = np.empty(depth.shape)
    resample(inverse, fine, nearest=False, align_corners=False)
    p = 1 / (fine + epsilon)
    p *= np.median(depth) / np.median(p)
    fit = {"method": "median", "invert_epsilon": epsilon}
    spec = protocol(alignment=fit, interpolation={"space": "disparity", "epsilon": epsilon})
    output = coarse if kind == "depth" else 1 / coarse
    got, _, _ = evaluate_frame(spec, output, depth, output_kind=kind)
    check(spec, got, plain_metrics(p, depth))
    as_it_is, _, _ = evaluate_frame(protocol(alignment=fit), output, depth, output_kind=kind)
    assert as_it_is["abs_rel"] != pytest.approx(got["abs_rel"], rel=1e-4)


@pytest.mark.parametrize(
    ("name", "dataset", "greatest"),
    [
        ("af_sfmlearner", "scared", 150),
        ("af_sfmlearner", "serv_ct", 180),
        ("endodac", "c3vd", 100),
        ("endodac", "hamlyn_rectified", 150),
        ("endo_gede", "simcol3d", 40000),
        ("endo_gede", "servct", 200),
        ("endo_gede", "c3vd", 100),
    ],
)
def test_ranges_follow_the_dataset(
    protocols: dict[str, specs.Protocol], name: str, dataset: str, greatest: float
) -> None:
    chosen = terms(spec=protocols[name], dataset=dataset)
    assert chosen.limits.high == greatest
    assert chosen.depth_high == greatest
    assert not chosen.ends_count


def test_without_a_unit_limits_are_those_of_the_frame() -> None:
    depth = smooth_depth() / 40
    output = depth.copy()
    output[3, 3] = 1e9
    options = {"output_kind": "depth", "units": "relative"}
    kept, _, _ = evaluate_frame(protocol(depth_range={"min": 50, "max": 60}), output, depth, **options)  # type: ignore[arg-type]
    assert kept["abs_rel"] == pytest.approx((depth.max() / depth[3, 3] - 1) / depth.size, rel=1e-9)
    free = protocol(depth_range={"min": 50, "max": 60}, unit_unknown="skip")
    skipped, _, _ = evaluate_frame(free, output, depth, **options)  # type: ignore[arg-type]
    assert skipped["abs_rel"] == pytest.approx((1e9 / depth[3, 3] - 1) / depth.size, rel=1e-6)


def test_clamp_before_the_fit_changes_the_fit() -> None:
    depth = smooth_depth()
    output = depth * np.where(np.random.default_rng(0).random(depth.shape) < 0.3, 9.0, 1.0)
    fits = {}
    for when in ("before", "after", "never"):
        spec = protocol(
            alignment={"method": "lsq_scale"}, depth_range={"min": 1, "max": 150}, clamp={"when": when}
        )
        metrics, fits[when], _ = evaluate_frame(
            spec, output, depth, output_kind="metric_depth", output_unit="mm"
        )
        x = np.clip(output, 1, 150) if when == "before" else output
        p = x * np.sum(x * depth) / np.sum(x * x)
        p = np.clip(p, 1, 150) if when == "after" else p
        assert metrics["abs_rel"] == pytest.approx(np.mean(np.abs(p - depth) / depth), rel=1e-9)
    assert fits["before"].scale > fits["after"].scale == fits["never"].scale


def test_metric_depth_in_metres() -> None:
    depth = smooth_depth()
    spec = protocol(alignment={"method": "none"})
    metrics, fit, status = evaluate_frame(
        spec, 1.1e-3 * depth, depth, output_kind="metric_depth", output_unit="m"
    )
    assert status == "ok"
    assert (fit.scale, fit.shift) == (1.0, 0.0)
    assert metrics["abs_rel"] == pytest.approx(0.1, rel=1e-9)


# Published protocols against their steps written out.


def plain_metrics(p: Array, g: Array) -> dict[str, float]:
    e = np.log(p) - np.log(g)
    return {
        "abs_rel": np.mean(np.abs(p - g) / g),
        "sq_rel": np.mean((p - g) ** 2 / g),
        "rmse": np.sqrt(np.mean((p - g) ** 2)),
        "rmse_log": np.sqrt(np.mean(e**2)),
        "delta1": np.mean(np.maximum(p / g, g / p) < 1.25),
    }


def frame(seed: int = 3) -> tuple[Array, Array]:
    """An output of the disparity kind without a shift, some of it zero, and a reference with far pixels."""
    rng = np.random.default_rng(seed)
    depth = holed_depth(rng)
    disparity = 7 / np.where(np.isnan(depth), 60, depth) * np.exp(0.2 * rng.standard_normal(depth.shape))
    disparity[rng.random(depth.shape) < 0.02] = 0.0
    return disparity, depth


def check(
    spec: specs.Protocol, got: dict[str, float | None], want: dict[str, float], tolerance: float = 1e-9
) -> None:
    for name in set(spec["metrics"]) & set(want):
        assert got[name] == pytest.approx(want[name], rel=tolerance), name


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("af_sfmlearner", 1e-3, 150), ("endo_gede", 1e-3, 150), ("endodac", 1e-3, 150)],
)
def test_median_protocols_step_by_step(
    protocols: dict[str, specs.Protocol], name: str, low: float, high: float
) -> None:
    disparity, depth = frame()
    disparity[disparity == 0] = 1e-3
    mask = (depth > low) & (depth < high)
    p, g = 1 / disparity[mask], depth[mask]
    p = np.clip(p * (np.median(g) / np.median(p)), low, high)
    got, fit, status = evaluate_frame(protocols[name], disparity, depth, output_kind="scaled_disparity")
    assert status == "ok"
    assert fit.n_pixels == mask.sum()
    check(protocols[name], got, plain_metrics(p, g))


def test_endoomni_step_by_step(protocols: dict[str, specs.Protocol]) -> None:
    disparity, depth = frame()
    marks = np.where(np.random.default_rng(1).random(depth.shape) < 0.2, flags.BORDER, 0).astype(np.uint8)
    mask = (depth > 1) & (depth < 150)
    p, g = 1 / (disparity[mask] + 1e-8), depth[mask]
    p = np.clip(p * (np.median(g) / np.median(p)), 1, 150)
    got, _, _ = evaluate_frame(protocols["endoomni"], disparity, depth, output_kind="disparity", flags=marks)
    check(protocols["endoomni"], got, plain_metrics(p, g))


def test_endodac_disparity_step_by_step(protocols: dict[str, specs.Protocol]) -> None:
    disparity, depth = frame()
    disparity = 3 * disparity + 1
    disparity[::7, ::5] = -2.0
    mask = (depth > 1e-3) & (depth < 150)
    d, target, g = disparity[mask], 1 / depth[mask], depth[mask]
    td, tg = np.median(d), np.median(target)
    aligned = (d - td) / np.mean(np.abs(d - td)) * np.mean(np.abs(target - tg)) + tg
    p = np.clip(1 / aligned, 1e-3, 150)
    assert (aligned < 0).any()
    got, _, _ = evaluate_frame(protocols["endodac_disparity"], disparity, depth, output_kind="disparity")
    check(protocols["endodac_disparity"], got, plain_metrics(p, g))


@pytest.mark.parametrize(
    "name", ["marigold_disparity", "moge_affine_disparity", "midas", "video_depth_anything"]
)
def test_disparity_protocols_step_by_step(protocols: dict[str, specs.Protocol], name: str) -> None:
    disparity, depth = frame()
    disparity = 3 * disparity + 1
    mask = np.isfinite(depth)
    d, g = disparity[mask], depth[mask]
    epsilon = 0.0
    if name == "video_depth_anything":
        d, epsilon = np.maximum(d, 1e-3), 1e-5
    a, b = np.polyfit(d, 1 / (g + epsilon), 1)
    floors = {"midas": 1e-4, "moge_affine_disparity": 1 / g.max()}
    floor = floors.get(name, 1e-6)
    p = 1 / np.maximum(a * d + b, floor)
    if name in ("marigold_disparity", "video_depth_anything"):
        p = np.clip(p, 1, 10000)
    want = plain_metrics(p, g)
    if name == "moge_affine_disparity":
        want["abs_rel"] = np.mean(np.abs(p - g) / (g + 1e-3))
    got, _, _ = evaluate_frame(protocols[name], disparity, depth, output_kind="disparity")
    check(protocols[name], got, want)


def test_marigold_depth_step_by_step(protocols: dict[str, specs.Protocol]) -> None:
    depth = holed_depth(np.random.default_rng(0))
    mask = np.isfinite(depth)
    output = np.where(mask, 0.01 * depth, 1.0) + 0.2 * np.random.default_rng(1).standard_normal(depth.shape)
    a, b = np.polyfit(output[mask], depth[mask], 1)
    p = np.clip(a * output[mask] + b, 1, 10000)
    got, _, status = evaluate_frame(protocols["marigold_depth"], output, depth, output_kind="depth")
    assert status == "ok"
    check(protocols["marigold_depth"], got, plain_metrics(p, depth[mask]))
    assert (
        evaluate_frame(protocols["marigold_depth"], output, depth, output_kind="disparity")[2]
        == "not_applicable"
    )


def test_endoslam_minmax_step_by_step(protocols: dict[str, specs.Protocol]) -> None:
    depth = smooth_depth()
    output = np.sqrt(depth) + 0.3 * np.random.default_rng(1).standard_normal(depth.shape)

    def stretched(values: Array) -> Array:
        return (values - values.min()) / (values.max() - values.min())

    for units in ("mm", "relative"):
        got, _, _ = evaluate_frame(
            protocols["endoslam_minmax"], output, depth, output_kind="depth", units=units
        )
        want = np.sqrt(np.mean((stretched(output) - stretched(depth)) ** 2))
        assert got == {"nrmse": pytest.approx(want, rel=1e-9)}
