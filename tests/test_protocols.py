"""Protocols: what they permit, what they mean for a sequence, and that published ones do as published."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from evaluation_fakes import Array, holed_depth, plan, protocol, smooth_depth
from scopedepth import flags
from scopedepth.config.protocols import ProtocolSpec
from scopedepth.errors import ScopeDepthError
from scopedepth.evaluation.describe import pages
from scopedepth.evaluation.protocol import OUTPUT_KINDS, permitted_metrics
from scopedepth.evaluation.registry import METRICS
from scopedepth.evaluation.single import evaluate_frame

PUBLISHED = [
    "monodepth2", "endo_depth", "af_sfmlearner", "endodac", "endodac_disparity", "endoomni", "endodav_scale",
    "endodav_scale_shift", "endo_gede", "marigold_depth", "marigold_disparity", "midas", "moge_affine_disparity",
    "video_depth_anything", "simcol_challenge", "endoslam_minmax",
]  # fmt: skip


@pytest.fixture(scope="module")
def protocols(root: Path) -> dict[str, dict[str, Any]]:
    config = yaml.safe_load((root / "config.yaml").read_text())
    return {
        name: {"name": name, **ProtocolSpec.model_validate(spec).model_dump(mode="json")}
        for name, spec in config["protocols"].items()
    }


def test_every_published_protocol_is_there(protocols: dict[str, dict[str, Any]]) -> None:
    assert set(PUBLISHED) <= set(protocols)
    for name in PUBLISHED:
        assert protocols[name]["source"] != "ScopeDepth"
    assert protocols["endoslam_minmax"]["not_comparable"]


def test_the_pages_made_from_configuration_and_registry_are_current() -> None:
    for path, text in pages().items():
        written = path.read_text(encoding="utf-8")
        assert written == text, f"{path.name} is stale: python -m scopedepth.evaluation.describe"


def test_the_page_names_every_protocol_metric_and_unknown(protocols: dict[str, dict[str, Any]]) -> None:
    by_name = {path.name: text for path, text in pages().items()}
    for name, spec in protocols.items():
        assert by_name["protocols.md"].count(f"| {name} |") == 3
        for text in spec["unknown"]:
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


DEPTH_METRICS = [name for name, metric in METRICS.items() if metric.needs == "depth"]


@pytest.mark.parametrize(
    ("fit", "kinds"),
    [
        ({"method": "none"}, {"metric_depth", "metric_disparity"}),
        ({"method": "median"}, set(OUTPUT_KINDS) - {"disparity"}),
        ({"method": "median", "affine_disparity": "zero_shift"}, set(OUTPUT_KINDS)),
        ({"method": "lsq_affine"}, set(OUTPUT_KINDS) - {"disparity"}),
        ({"method": "lsq_scale", "space": "disparity"}, set(OUTPUT_KINDS) - {"disparity"}),
        ({"method": "lsq_affine", "space": "disparity"}, set(OUTPUT_KINDS)),
        ({"method": "median_mad", "space": "disparity"}, set(OUTPUT_KINDS)),
    ],
)
def test_metrics_of_depth_want_every_unknown_found(fit: dict[str, Any], kinds: set[str]) -> None:
    spec = protocol(alignment=fit, metrics=list(METRICS), clamp={"disparity": 1e-6})
    for kind in OUTPUT_KINDS:
        got = permitted_metrics(spec, kind, "mm")
        assert {name in got for name in DEPTH_METRICS} == {kind in kinds}, kind
        assert "spearman" in got
        assert "ordinal" in got
        # A free shift changes the ratios of depth; an unknown factor does not.
        assert ("boundary_f1" in got) == (kind != "disparity" or kind in kinds)


def test_metrics_with_a_unit_need_one(protocols: dict[str, dict[str, Any]]) -> None:
    spec = protocol(metrics=list(METRICS))
    got = permitted_metrics(spec, "depth", "relative")
    assert set(got) == {name for name, metric in METRICS.items() if not metric.has_unit}
    assert permitted_metrics(protocols["metric_depth"], "metric_depth", "relative") == ()
    assert permitted_metrics(protocol(unit_unknown="refuse"), "depth", "relative") == ()


def test_unknown_kinds_and_units_are_refused() -> None:
    with pytest.raises(ScopeDepthError, match="output kind"):
        plan("inverse")
    with pytest.raises(ScopeDepthError, match="output unit"):
        plan("metric_depth", "inch")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"alignment": {"method": "lsq_affine", "space": "disparity"}}, "clamp"),
        ({"alignment": {"method": "none", "scope": "sequence"}}, "scope"),
        ({"alignment": {"method": "l1_affine", "scope": "sequence"}}, "scope"),
        ({"alignment": {"method": "median", "truncation": 1.0}}, "truncation"),
        ({"alignment": {"method": "median", "weight": "inverse_depth"}}, "weight"),
        ({"alignment": {"method": "lsq_scale", "pool": "frame_means"}}, "frame_means"),
        ({"alignment": {"affine_disparity": "raw", "space": "disparity"}}, "raw"),
        ({"masks": {"erode": 4}}, "odd"),
        ({"metrics": ["absrel"]}, "absrel"),
        ({"depth_range": {"min": 9, "max": 3}}, "min must be below max"),
        ({"depth_rnage": {}}, "depth_rnage"),
        ({"alignment": {"method": "lsq"}}, "method"),
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


def test_crops_follow_dataset_and_sequence(protocols: dict[str, dict[str, Any]]) -> None:
    spec = protocols["endodac"]

    def window(dataset: str, sequence: str, size: tuple[int, int]) -> tuple[int, int, int, int]:
        return plan(spec=spec, dataset=dataset, sequence=sequence, size=size).window

    assert window("hamlyn_rectified", "rectified14", (288, 720)) == (0, 288, 180, 590)
    assert window("hamlyn_rectified", "27", (288, 720)) == (0, 288, 180, 590)
    assert window("hamlyn_rectified", "rectified12", (288, 360)) == (0, 288, 0, 360)
    assert window("hamlyn_rectified", "rectified08", (480, 640)) == (0, 480, 0, 640)
    assert window("c3vd", "cecum_t1_a", (1080, 1350)) == (180, 900, 200, 1150)
    assert window("phantom", "14", (320, 320)) == (0, 320, 0, 320)
    # A crop larger than the frame leaves what there is, or nothing.
    assert window("c3vd", "small", (100, 150)) == (100, 100, 150, 150)


@pytest.mark.parametrize(
    ("name", "dataset", "greatest"),
    [
        ("af_sfmlearner", "scared", 150),
        ("af_sfmlearner", "serv_ct", 180),
        ("endodac", "c3vd", 100),
        ("endodac", "hamlyn_rectified", 150),
        ("endo_gede", "simcol3d", 200),
        ("endo_gede", "servct", 200),
        ("endo_gede", "c3vd", 100),
    ],
)
def test_ranges_follow_the_dataset(
    protocols: dict[str, dict[str, Any]], name: str, dataset: str, greatest: float
) -> None:
    a_plan = plan(spec=protocols[name], dataset=dataset)
    assert a_plan.limits.high == greatest
    assert a_plan.depth_high < greatest
    assert a_plan.depth_high == pytest.approx(greatest, rel=1e-15)


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
    spec: dict[str, Any], got: dict[str, float | None], want: dict[str, float], tolerance: float = 1e-9
) -> None:
    for name in set(spec["metrics"]) & set(want):
        assert got[name] == pytest.approx(want[name], rel=tolerance), name


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("af_sfmlearner", 1e-3, 150), ("endo_gede", 1e-3, 150), ("monodepth2", 1, 80000)],
)
def test_median_protocols_step_by_step(
    protocols: dict[str, dict[str, Any]], name: str, low: float, high: float
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


def test_endoomni_step_by_step(protocols: dict[str, dict[str, Any]]) -> None:
    disparity, depth = frame()
    rng = np.random.default_rng(1)
    rgb = rng.integers(0, 60, (*depth.shape, 3), dtype=np.uint8)
    marks = np.where(rng.random(depth.shape) < 0.2, flags.BORDER, 0).astype(np.uint8)
    grey = rgb @ np.array([0.299, 0.587, 0.114])
    mask = (depth >= 1) & (depth <= 150) & (grey > 15) & (marks == 0)
    p, g = 1 / (disparity[mask] + 1e-8), depth[mask]
    p = np.clip(p * (np.median(g) / np.median(p)), 1, 150)
    got, _, _ = evaluate_frame(
        protocols["endoomni"], disparity, depth, output_kind="disparity", flags=marks, rgb=rgb
    )
    check(protocols["endoomni"], got, plain_metrics(p, g))


def test_endodac_disparity_step_by_step(protocols: dict[str, dict[str, Any]]) -> None:
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
def test_disparity_protocols_step_by_step(protocols: dict[str, dict[str, Any]], name: str) -> None:
    disparity, depth = frame()
    disparity = 3 * disparity + 1
    mask = np.isfinite(depth)
    d, g = disparity[mask], depth[mask]
    a, b = np.polyfit(d, 1 / g, 1)
    floor = 1e-6 if name in ("marigold_disparity", "video_depth_anything") else 1 / g.max()
    p = 1 / np.maximum(a * d + b, floor)
    if name == "marigold_disparity":
        p = np.clip(p, 1, 10000)
    got, _, _ = evaluate_frame(protocols[name], disparity, depth, output_kind="disparity")
    check(protocols[name], got, plain_metrics(p, g))


def test_marigold_depth_step_by_step(protocols: dict[str, dict[str, Any]]) -> None:
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


def test_endoslam_minmax_step_by_step(protocols: dict[str, dict[str, Any]]) -> None:
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
