"""Clouds, normals and temporal consistency: closed forms, brute force, the source's own numbers, whole score tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from evaluation_fakes import ALONE, Array, FakeSequence, FakeStore, protocol
from scopedepth.config.load import ConfigError
from scopedepth.evaluation import align as align_stage
from scopedepth.evaluation import score as score_stage
from scopedepth.metrics import (
    AlignedFrame,
    Kept,
    Take,
    clouds,
    consistency,
    flow,
    incidence,
    normals,
    ordinal_distance,
)
from scopedepth.phantom import organs, path
from scopedepth.phantom.camera import endoscope
from scopedepth.phantom.scene import render_depth
from scopedepth.phantom.video import Video
from scopedepth.report.html.sections import space_time
from scopedepth.tables.frames import SCORES, with_metrics
from scopedepth.vocabulary.metrics import METRICS
from test_phantom_geometry import RADIUS, placed, tube

CAMERA = np.array([[60.0, 0.0, 31.2], [0.0, 58.0, 23.4], [0.0, 0.0, 1.0]])
KEYS = {"dataset": "d", "model": "m"}
OVER_TIME = [name for name, metric in METRICS.items() if metric.pair]
SHAPES = [name for name, metric in METRICS.items() if metric.needs == "shape" and not metric.pair]


def seen(predicted: Array, depth: Array, camera: Array | None = CAMERA, number: int = 0) -> AlignedFrame:
    """A frame all of whose pixels count."""
    valid = np.ones(depth.shape, bool)
    frame = AlignedFrame(depth[valid], depth, valid, predicted, False, lambda: predicted)
    frame.take, frame.number = Take("s", 0, camera), number
    return frame


def wavy(shape: tuple[int, int] = (48, 64), k: int = 0) -> Array:
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    return 60 + 20 * np.sin(x / 9 + 0.3 * k) + 8 * np.cos(y / 7 - 0.2 * k)


def way(k: int) -> Array:
    """Camera to world of a camera that turns and goes ahead."""
    pose = np.eye(4)
    cosine, sine = np.cos(0.02 * k), np.sin(0.02 * k)
    pose[:3, :3] = [[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]
    pose[:3, 3] = 0.5 * k, -0.3 * k, 1.5 * k
    return pose


# Space.


def test_clouds_against_all_distances() -> None:
    rng = np.random.default_rng(3)
    one, other = 10 * rng.random((70, 3)), 10 * rng.random((90, 3))
    distances = np.sqrt(((one[:, None] - other[None]) ** 2).sum(-1))
    there, back = distances.min(axis=1), distances.min(axis=0)
    precision, recall = np.mean(there < 2), np.mean(back < 2)
    got = clouds.compared(one, other)
    wanted = {
        "cloud_accuracy": there.mean(), "cloud_completeness": back.mean(),
        "chamfer": (there.mean() + back.mean()) / 2, "completeness_ratio": recall,
        "f_score": 2 * precision * recall / (precision + recall),
    }  # fmt: skip
    assert 0 < recall < 1
    assert got == pytest.approx(wanted, rel=1e-12)
    assert clouds.compared(one, one + 1000)["f_score"] == 0.0


def test_a_wall_that_is_too_far() -> None:
    """Of parallel walls the nearest point is straight behind, where the farther one's points lie there."""
    camera = np.array([[50.0, 0, 10.0], [0, 50.0, 10.0], [0, 0, 1]])
    found = clouds.compute(seen(np.full((21, 21), 52.0), np.full((21, 21), 50.0), camera))
    # The principal point is a pixel; its points lie 2 mm apart, and no others are nearer than that.
    assert found["cloud_accuracy"] is not None
    assert found["cloud_accuracy"] >= 2
    assert found["completeness_ratio"] == found["f_score"] == 0.0
    y, x = np.array([3]), np.array([20])
    assert np.allclose(clouds.points(camera, y, x, np.array([50.0])), [[10.0, -7.0, 50.0]])


def test_points_are_drawn_by_sequence_and_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = seen(wavy(), wavy())
    frame.valid[:, :5] = False
    y, x = clouds.drawn(frame, 200)
    assert len({*zip(y.tolist(), x.tolist(), strict=True)}) == 200
    assert frame.valid[y, x].all()
    assert (clouds.drawn(frame, 200)[0] == y).all()
    frame.number = 1
    assert (clouds.drawn(frame, 200)[0] != y).any()
    # A cut sequence's frames are the same as those of the whole one.
    frame.take, frame.number = Take("s", 1, CAMERA), -1
    assert (clouds.drawn(frame, 200)[0] == y).all()
    assert len(clouds.drawn(frame)[0]) == frame.valid.sum()


def test_normals_of_a_cylinder() -> None:
    """Along the rays of the phantom's camera, in closed form: they point at the tube's axis."""
    camera, pose = endoscope(112, 112, 96.0), placed(5.0, -4.0, 31.0, 0.25, -0.15)
    depth = render_depth(tube(0.0), pose, camera)
    y, x = np.nonzero(camera.visible()[1:-1, 1:-1])
    y, x = y + 1, x + 1

    def wall_at(y: Array, x: Array) -> Array:
        return clouds.points(camera.matrix, y, x, depth[y, x]) @ pose[:3, :3].T + pose[:3, 3]

    # On the tube and not on the dome behind it, and no neighbour beyond the border.
    cross = [(y, x), (y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
    inside = np.all([(depth[v, u] > 0) & (wall_at(v, u)[:, 2] < 120) for v, u in cross], axis=0)
    y, x, wall = y[inside], x[inside], wall_at(y, x)[inside]
    got = normals.normals(camera.matrix, depth, y, x) @ pose[:3, :3].T
    inwards = -wall * [1, 1, 0] / RADIUS
    angle = np.degrees(np.arccos(np.clip((got * inwards).sum(axis=1), -1, 1)))
    assert len(y) > 5_000
    assert np.minimum(angle, 180 - angle).mean() < 0.1
    assert np.minimum(angle, 180 - angle).max() < 0.5
    # All on one side of the wall.
    assert len(set((angle > 90).tolist())) == 1


def test_normals_show_what_abs_rel_misses() -> None:
    depth = wavy()
    y, x = np.mgrid[: depth.shape[0], : depth.shape[1]]
    tilted, rough = depth * 1.004, depth * (1 + 0.004 * (-1.0) ** ((x // 2) + (y // 2)))
    error = [np.mean(np.abs(p - depth) / depth) for p in (tilted, rough)]
    assert error[0] == pytest.approx(error[1], rel=1e-9)
    angles = [normals.compute(seen(p, depth))["normals_angle"] for p in (tilted, rough)]
    assert angles[0] == pytest.approx(0, abs=1e-5)  # a factor turns no normal
    assert angles[1] is not None
    assert angles[1] > 5


def test_without_a_camera_there_is_no_shape() -> None:
    frame = seen(wavy(), wavy(), None)
    assert set((clouds.compute(frame) | normals.compute(frame) | consistency.compute(frame)).values()) == {
        None
    }


# Time.


def kept(depth: Array, number: int = 0) -> Kept:
    return Kept(number, depth, depth, np.ones(depth.shape, bool), None)


def test_one_direction_is_the_sources_own() -> None:
    """What tae_torch of Video-Depth-Anything@4f5ae23 (benchmark/eval/eval_tae.py) says of the same frames.

    In one thread: several points on one pixel take turns there otherwise.
    """
    first, second = kept(wavy(k=0)), kept(wavy(k=1), 1)
    forward: Array = np.linalg.inv(way(1)) @ way(0)
    for one, other, there, wanted in (
        (first, second, forward, 0.04077154573237373),
        (second, first, np.linalg.inv(forward), 0.04285081566843139),
    ):
        got = consistency.errors(consistency.moved(one, CAMERA, there, nearest=False), other)
        assert got.relative == pytest.approx(wanted, rel=1e-12)


def test_the_nearest_point_hides_the_others() -> None:
    """Two walls, the near one moves across the far one: with a buffer only what is seen is compared."""
    far, near = np.full((20, 40), 100.0), 50.0
    one, other = far.copy(), far.copy()
    one[:, 10:20], other[:, 12:22] = near, near
    camera = np.array([[50.0, 0, 20.0], [0, 50.0, 10.0], [0, 0, 1]])
    step = np.eye(4)
    step[0, 3] = 2.0  # 2 pixels of the near wall, 1 of the far one
    got = {z: consistency.moved(kept(one), camera, step, nearest=z) for z in (False, True)}
    # Column 21 of the second frame shows the near wall alone; a point of the far wall falls there, too, and comes last.
    assert got[True][5, 21] == near
    assert got[False][5, 21] == 100.0
    assert (
        consistency.errors(got[True], kept(other)).relative
        < consistency.errors(got[False], kept(other)).relative
    )
    assert consistency.errors(got[True], kept(other)).relative == 0


def test_no_common_pixel_is_no_number() -> None:
    behind = np.diag([-1.0, 1.0, -1.0, 1.0])
    moved = consistency.moved(kept(wavy()), CAMERA, behind, nearest=True)
    assert math.isnan(consistency.errors(moved, kept(wavy())).relative)


@pytest.fixture(scope="module")
def phantom() -> tuple[Video, list[Any]]:
    """The first frames of the demonstration's colon, at three quarters of its size."""
    scene = organs.ORGANS["colon"](0)
    poses = path.poses(scene, 40, 0, start=1.2, travel=2.2, sway=0.22, look=14.0, roll=15.0)[:3]
    video = Video("colon", scene, endoscope(240, 240), poses, [1.0] * 3, 0)
    return video, [video.frame(k) for k in range(3)]


def over_time(phantom: tuple[Video, list[Any]], change: Callable[[int, Array], Array]) -> dict[str, float]:
    """The mean of consistency and flow of a changed depth of the phantom's frames."""
    video, frames = phantom
    found, before = [], None
    for k, made in enumerate(frames):
        valid = made.depth > 0
        predicted = np.where(valid, change(k, made.depth), 0.0)
        frame = AlignedFrame(
            made.depth[valid], made.depth, valid, predicted, False, partial(np.array, predicted)
        )
        frame.take = Take(video.name, 0, video.camera.matrix, np.array(video.poses))
        frame.number, frame.rgb, frame.before = k, made.rgb, before
        found.append(consistency.compute(frame) | flow.compute(frame))
        before = frame.kept()
    assert set(found[0].values()) == {None}
    return {name: float(np.mean([row[name] for row in found[1:]])) for name in found[0]}


def test_exact_depth_flicker_and_a_constant(phantom: tuple[Video, list[Any]]) -> None:
    exact = over_time(phantom, lambda k, depth: depth)
    assert exact["tae_z"] < exact["tae"] < 0.5
    assert exact["tas"] > 0.99
    assert exact["flow_error"] == pytest.approx(0, abs=1e-7)
    flicker = over_time(phantom, lambda k, depth: depth * (1.01 if k == 1 else 1.0))
    assert exact["tae_z"] + 0.5 < flicker["tae_z"] < exact["tae_z"] + 1.01
    assert exact["tae"] + 0.4 < flicker["tae"]
    assert flicker["flow_error"] == pytest.approx(np.log(1.01), rel=1e-6)
    # Of a camera that stands still no map is as consistent as a constant.
    video, frames = phantom
    still = Video(video.name, video.scene, video.camera, [video.poses[0]] * 3, video.exposures, video.seed)
    constant = over_time((still, frames), lambda k, depth: np.full_like(depth, 40.0))
    assert [constant["tae"], constant["tae_z"]] == pytest.approx([0, 0], abs=1e-12)


# The stage.


@pytest.fixture
def scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Align and score stores held in memory; returns the table of scores."""

    def go(spec: Any, data: FakeStore, predicted: FakeStore, threads: int = 1) -> Any:
        for module in (align_stage, score_stage):
            monkeypatch.setattr(module, "DatasetStore", lambda path: data)
            monkeypatch.setattr(module, "PredictionStore", lambda path: predicted)
        fits, out = {"p": tmp_path / "fits.parquet"}, {"p": tmp_path / "scores.parquet"}
        place = tmp_path / "store"
        align_stage.align_unit({"p": spec}, [place], [place], KEYS, fits, threads)
        score_stage.score_unit({"p": spec}, place, place, fits, KEYS, out, threads)
        return pq.read_table(out["p"])

    return go


def stores(n: int, kind: str = "disparity", shard: int = 2, **more: Any) -> tuple[FakeStore, FakeStore]:
    """A video of `wavy` with a noisy output of its inverse, as the source's own code was shown it."""
    rng = np.random.Generator(np.random.PCG64(7))
    depth = np.stack([wavy(k=k) for k in range(n)])
    output = 3 / depth * (1 + 0.02 * rng.standard_normal(depth.shape)) + 0.4
    told = {"intrinsics": CAMERA, "poses": np.stack([way(k) for k in range(n)])} | more
    data = FakeSequence("s", depth=depth, shard_frames=shard, **told)
    return FakeStore(data), FakeStore(FakeSequence("s", prediction=output), output_kind=kind)


VDA: dict[str, Any] = {
    "alignment": {"method": "lsq_affine", "space": "disparity", "scope": "sequence", "depth_epsilon": 1e-8},
    "depth_range": {"min": 1e-3, "max": 10000, "inclusive": False},
    "clamp": {"disparity": 1e-3},
}


@pytest.mark.parametrize(("shard", "threads"), [(1, 1), (2, 3), (5, 1)])
def test_a_video_has_the_sources_own_number(scores: Callable[..., Any], shard: int, threads: int) -> None:
    """Of its eval_TAE on the same video, whatever the blocks that frames are read in."""
    spec = protocol(metrics=["abs_rel", *OVER_TIME, *SHAPES], **VDA)
    rows = scores(spec, *stores(5, shard=shard), threads).to_pylist()
    assert rows[0]["status"] == "ok"
    assert {rows[0][name] for name in OVER_TIME} == {None}
    assert np.mean([row["tae"] for row in rows[1:]]) == pytest.approx(4.698169084224804, rel=2e-6)
    assert all(row[name] is not None for row in rows for name in SHAPES)


def test_pairs_change_no_fit(scores: Callable[..., Any]) -> None:
    """A median over a sequence counts each frame once, also where scoring reads some of them twice."""
    fit = {"method": "median", "scope": "sequence", "affine_disparity": "zero_shift"}
    alone, pairs = (
        scores(protocol(metrics=metrics, alignment=fit), *stores(5)).select(["scale", "abs_rel"]).to_pylist()
        for metrics in (["abs_rel"], ["abs_rel", "flow_error"])
    )
    assert alone == pairs


def test_a_frame_behind_one_without_a_fit_has_no_pair(scores: Callable[..., Any]) -> None:
    status = np.array([0, 0, 1, 0, 0], np.uint8)
    data, predicted = stores(5, shard=5, status=status)
    rows = scores(protocol(metrics=["abs_rel", "tae"], **VDA), data, predicted).to_pylist()
    assert [row["tae"] is None for row in rows] == [True, False, True, True, False]


@pytest.mark.parametrize("lacking", [{"intrinsics": None}, {"poses": None}, {"units": "relative"}])
def test_what_is_not_known_gives_no_number(scores: Callable[..., Any], lacking: dict[str, Any]) -> None:
    spec = protocol(metrics=["abs_rel", *OVER_TIME, *SHAPES], unit_unknown="skip", **VDA)
    rows = scores(spec, *stores(3, **lacking)).to_pylist()
    without = {name for name in (*OVER_TIME, *SHAPES) if all(row[name] is None for row in rows)}
    wanted = {"tae", "tae_z", "tas"} | (set() if "poses" in lacking else set(SHAPES))
    assert without == wanted
    assert all(row["abs_rel"] is not None for row in rows)


def test_a_shift_taken_for_zero_has_no_shape(scores: Callable[..., Any]) -> None:
    fit = {"method": "median", "scope": "sequence", "affine_disparity": "zero_shift"}
    rows = scores(protocol(metrics=["abs_rel", *OVER_TIME, *SHAPES], alignment=fit), *stores(3)).to_pylist()
    assert all(row["abs_rel"] is not None and row["status"] == "ok" for row in rows)
    assert {row[name] for row in rows for name in ("tae", "tae_z", "tas", *SHAPES)} == {None}
    assert rows[1]["flow_error"] is not None


def test_only_who_asks_has_the_columns(scores: Callable[..., Any]) -> None:
    table = scores(protocol(metrics=["abs_rel"], **VDA), *stores(2))
    assert table.column_names == with_metrics(SCORES, ["abs_rel"]).names
    assert not {*OVER_TIME, *SHAPES} & {*table.column_names}
    assert {*ALONE} <= {*table.column_names}
    assert "tae" in scores(protocol(metrics=["tae"], **VDA), *stores(2)).column_names


def test_a_fit_of_each_frame_would_hide_flicker() -> None:
    for name in OVER_TIME:
        with pytest.raises(ValueError, match="flicker"):
            protocol(metrics=[name])
        protocol(metrics=[name], alignment={"method": "none"})


def test_the_report_shows_accuracy_first() -> None:
    """Models stand in the headline's order, however consistent a constant is; a study without such metrics has none."""
    values = {
        ("good", "abs_rel"): 0.1,
        ("constant", "abs_rel"): 0.4,
        ("good", "tae"): 3.0,
        ("constant", "tae"): 0.5,
    }
    rows = {
        key: {
            "dataset": "d", "protocol": "p", "metric": key[1], "value": value, "ci_low": None, "ci_high": None,
            "skill": None, "status": "ok",
        }
        for key, value in values.items()
    }  # fmt: skip
    results: Any = SimpleNamespace(
        dataset_names=["d"], protocol_names=["p"], metric_names=["abs_rel", "tae", "scale_drift"], metric="abs_rel",
        protocol="p", summary=list(rows.values()), in_order=lambda dataset: ["good", "constant"],
        score=lambda dataset, model, protocol="p", metric="abs_rel": rows.get((model, metric)),
        value=lambda dataset, model: values[model, "abs_rel"], dataset_title=str, model_title=str,
        mark=lambda dataset, model: "", is_baseline=lambda model: model == "constant",
    )  # fmt: skip
    look: Any = dict.fromkeys(("good", "constant"), SimpleNamespace(icon=""))
    [part] = space_time.space_time(results, look)
    assert [column.label for column in part["table"].columns] == ["Model", "AbsRel, p", "Skill", "TAE, %"]
    assert [[row[1].sort, row[3].sort] for row in part["table"].rows] == [[0.1, 3.0], [0.4, 0.5]]
    results.summary = [row for row in rows.values() if row["metric"] == "abs_rel"]
    assert space_time.space_time(results, look) == []


def test_consistency_opens_no_report() -> None:
    from project import CONFIG
    from scopedepth.config.load import check

    config = {**CONFIG, "protocols": {**CONFIG["protocols"]}, "studies": {**CONFIG["studies"]}}
    config["protocols"]["video"] = {
        "title": "t",
        "metrics": ["abs_rel", "tae"],
        "alignment": {"method": "none"},
    }
    config["studies"]["small"] = {
        **config["studies"]["small"], "protocols": ["video"], "headline": {"protocol": "video", "metric": "tae"},
    }  # fmt: skip
    with pytest.raises(ConfigError, match="constant map"):
        check(config)


def test_errors_by_the_lamps_angle() -> None:
    """Flat walls, each at one angle to the way of the pixels that see it, in closed form."""
    camera = np.array([[60.0, 0, 20.0], [0, 60.0, 20.0], [0, 0, 1]])
    y, x = np.mgrid[:41, :41]
    ray = np.stack([(x - 20) / 60, (y - 20) / 60, np.ones(x.shape)], axis=-1)
    for tilt in (0.0, 47.0, 77.0):  # no pixel lies at a band's end, where rounding would choose
        normal = np.array([np.sin(np.radians(tilt)), 0, np.cos(np.radians(tilt))])
        with np.errstate(divide="ignore"):
            depth = np.where(ray @ normal > 0.02, 40 * normal[2] / (ray @ normal), np.nan)
        cosine = (ray @ normal) / np.linalg.norm(ray, axis=-1)
        angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        error = 0.01 + angle / 1000
        frame, valid = seen(depth * (1 + error), depth, camera), np.isfinite(depth)
        frame.valid[:] = valid
        got = incidence.compute(frame)
        whole = valid.copy()
        for axis in (0, 1):
            whole &= np.roll(valid, 1, axis) & np.roll(valid, -1, axis)
        whole[[0, -1]] = whole[:, [0, -1]] = False
        for name, (low, high) in incidence.BANDS.items():
            inside = whole & (angle >= low) & (angle < high)
            wanted = error[inside].mean() if inside.any() else None
            value = got[f"abs_rel_{name}"]
            assert (value is None) == (wanted is None), (tilt, name)
            assert wanted is None or value == pytest.approx(wanted, rel=1e-12)
    assert set(incidence.compute(seen(depth, depth, None)).values()) == {None}


def test_order_by_distance() -> None:
    """A wall whose ripples are inverted is ordered rightly from far and wrongly from near, and turned the other way."""
    x = np.broadcast_to(np.arange(128.0), (128, 128))
    ripple = 6 * np.sin(2 * np.pi * x / 16)
    depth, inverted = 40 + x / 2 + ripple, 40 + x / 2 - ripple
    right = ordinal_distance.compute(seen(depth, depth))
    assert right == {"ordinal_short": 1.0, "ordinal_medium": 1.0, "ordinal_long": 1.0}
    wrong = ordinal_distance.compute(seen(inverted, depth))
    short, long = wrong["ordinal_short"], wrong["ordinal_long"]
    assert short is not None
    assert long is not None
    assert short < 0.3
    assert long > 0.8
    flat = ordinal_distance.compute(seen(np.full(depth.shape, 9.0), depth))
    assert set(flat.values()) == {0.5}
    assert set(ordinal_distance.compute(seen(depth, np.full(depth.shape, 9.0))).values()) == {None}
    turned = seen(1 / depth, depth)
    turned.turned = True
    assert ordinal_distance.compute(turned) == right
    # What does not count, counts on neither side of a pair.
    frame, other = seen(inverted, depth), seen(inverted.copy(), depth)
    for one in (frame, other):
        one.valid[:, 60:] = one.valid[5] = False
    other.output[~other.valid] = 0.0
    assert ordinal_distance.compute(frame) == ordinal_distance.compute(other)


def test_a_frame_without_a_pose_has_no_pair(scores: Callable[..., Any]) -> None:
    poses = np.stack([way(k) for k in range(5)])
    poses[2] = np.nan
    rows = scores(
        protocol(metrics=["abs_rel", "tae", "tae_z", "tas"], **VDA), *stores(5, poses=poses)
    ).to_pylist()
    for name in ("tae", "tae_z", "tas"):
        assert [row[name] is None for row in rows] == [True, False, True, True, False]
    assert all(row["abs_rel"] is not None for row in rows)
