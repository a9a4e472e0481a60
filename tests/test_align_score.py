"""The align and score stages over stores: tables, statuses, scopes, memory, start-up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation_fakes import ALONE, Array, FakeSequence, FakeStore, protocol, smooth_depth
from scopedepth.errors import ScopeDepthError
from scopedepth.evaluation import align as align_stage
from scopedepth.evaluation import frames as frames_module
from scopedepth.evaluation import score as score_stage
from scopedepth.evaluation.single import evaluate_frame
from scopedepth.statistics.panel import read_sorted
from scopedepth.stores.sharded import ArraySpec, ShardedStore
from scopedepth.tables.frames import ALIGNMENTS, SCORES, with_metrics
from scopedepth.tables.io import table_from
from scopedepth.vocabulary import flags as bits
from scopedepth.vocabulary.metrics import METRICS
from scopedepth.vocabulary.status import STATUSES

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

KEYS = {"dataset": "d", "model": "m"}
Rows = list[dict[str, Any]]
Run = Callable[..., tuple[Rows, Rows]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Align and score stores that are held in memory; returns the rows of both tables."""

    def go(spec: specs.Protocol, *units: tuple[FakeStore, FakeStore], threads: int = 2) -> tuple[Rows, Rows]:
        chosen = {"p": spec}
        stores = {
            f"{kind}{i}": store
            for i, unit in enumerate(units)
            for kind, store in zip("dp", unit, strict=True)
        }
        for module in (align_stage, score_stage):
            monkeypatch.setattr(module, "DatasetStore", lambda path: stores[path.name])
            monkeypatch.setattr(module, "PredictionStore", lambda path: stores[path.name])
        data, predicted = ([Path(f"{kind}{i}") for i in range(len(units))] for kind in "dp")
        fits, scores = {"p": tmp_path / "fits.parquet"}, {"p": tmp_path / "scores.parquet"}
        align_stage.align_unit(chosen, data, predicted, KEYS, fits, threads)
        score_stage.score_unit(chosen, data[0], predicted[0], fits, KEYS, scores, threads)
        return pq.read_table(fits["p"]).to_pylist(), pq.read_table(scores["p"]).to_pylist()

    return go


def video(n: int = 7, seed: int = 0, shape: tuple[int, int] = (24, 32)) -> tuple[Array, Array]:
    """Depths with holes and outputs of the depth kind, whose factor wanders."""
    rng = np.random.default_rng(seed)
    depth = np.stack([smooth_depth(shape, 0.1 * i + seed) for i in range(n)])
    output = 0.01 * depth * np.exp(0.1 * rng.standard_normal(depth.shape))
    output *= np.exp(0.2 * rng.standard_normal(n))[:, None, None]
    depth[rng.random(depth.shape) < 0.15] = np.nan
    return depth.astype(np.float32), output.astype(np.float32)


def stores(depth: Array, output: Array, kind: str = "depth", **more: Any) -> tuple[FakeStore, FakeStore]:
    data = {name: more[name] for name in ("flags", "rgb", "units", "shard_frames") if name in more}
    statuses = [{"status": more[name]} if name in more else {} for name in ("frame_status", "output_status")]
    return (
        FakeStore(FakeSequence("s", depth=depth, **data, **statuses[0])),
        FakeStore(FakeSequence("s", prediction=output, **statuses[1]), output_kind=kind),
    )


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_frame_scope_is_each_frame_by_itself(run: Run, threads: int) -> None:
    depth, output = video(11)
    spec = protocol(metrics=ALONE)
    fits, scores = run(spec, stores(depth, output, shard_frames=3), threads=threads)
    assert [row["frame"] for row in scores] == list(range(11))
    for i, (fit, score) in enumerate(zip(fits, scores, strict=True)):
        metrics, alone, status = evaluate_frame(spec, output[i], depth[i], output_kind="depth")
        assert (fit["scale"], fit["offset"], fit["n_pixels"]) == alone[:3]
        assert fit["status"] == score["status"] == status == "ok"
        for name in ALONE:
            if name != "ordinal":  # its pairs are those of the frame's number
                assert score[name] == metrics[name], name
        assert {name: fit[name] for name in KEYS} == KEYS
        assert fit["frame_id"] == f"s_{i:03d}"


def test_statuses_of_frames(run: Run) -> None:
    depth, output = video(12)
    frame_status, output_status = np.zeros(12, np.uint8), np.zeros(12, np.uint8)
    frame_status[1] = bits.FRAME_UNREADABLE
    frame_status[2] = bits.FRAME_NO_DEPTH
    output_status[1] = output_status[3] = bits.PREDICTION_FAILED
    output_status[4] = bits.PREDICTION_NONFINITE
    depth[5] = np.nan
    depth[6] = np.nan
    depth[6, 3, 3] = 50.0
    output[7] = 0.25
    output[8, 10, 10] = np.inf
    depth[8, 10, 10] = 50.0
    output[9, 10, 10] = np.nan
    depth[9, 10, 10] = np.nan  # where there is no reference, nothing is asked
    output[10] = 2 - output[10]
    spec = protocol(alignment={"method": "lsq_affine"})
    fits, scores = run(spec, stores(depth, output, frame_status=frame_status, output_status=output_status))
    want = [
        "ok", "unreadable_frame", "no_depth", "failed_prediction", "ok", "no_depth",
        "too_few_pixels", "constant_prediction", "nonfinite_prediction", "ok", "negative_scale", "ok",
    ]  # fmt: skip
    assert [row["status"] for row in scores] == [row["status"] for row in fits] == want
    assert set(want) < set(STATUSES)
    for fit, score in zip(fits, scores, strict=True):
        numbers = [score[name] for name in spec["metrics"]]
        if score["status"] == "ok":
            assert all(value is not None and np.isfinite(value) for value in numbers)
        else:
            assert numbers == [None] * len(numbers)
        assert (fit["scale"] is None) == (score["status"] not in ("ok", "negative_scale"))
    assert scores[6]["n_pixels"] == 1
    assert fits[10]["scale"] < 0


def test_metrics_of_a_negative_factor_where_the_protocol_wants_them(run: Run) -> None:
    depth, output = video()
    spec = protocol(
        alignment={"method": "lsq_affine", "negative_scale": "score"}, depth_range={"min": 1, "max": 300}
    )
    fits, scores = run(spec, stores(depth, 2 - output))
    assert {row["status"] for row in fits} == {row["status"] for row in scores} == {"negative_scale"}
    assert all(row["abs_rel"] > 0 for row in scores)


def test_an_aligned_depth_below_zero_is_told(run: Run) -> None:
    depth, output = video()
    output[2, 4, 4] = -5.0
    depth[2, 4, 4] = 50.0
    _, scores = run(protocol(clamp={"depth": None}), stores(depth, output))
    assert [row["status"] for row in scores] == ["ok", "ok", "degenerate_fit", "ok", "ok", "ok", "ok"]
    assert scores[2]["rmse_log"] is None
    assert scores[2]["rmse"] > 0


def test_what_the_output_does_not_permit(run: Run) -> None:
    depth, output = video()
    spec = protocol(alignment={"method": "none"})
    for kind in ("disparity", "scaled_disparity", "depth"):
        fits, scores = run(spec, stores(depth, output, kind))
        assert {row["status"] for row in fits + scores} == {"not_applicable"}
        assert {row["abs_rel"] for row in scores} == {None}
        assert len(scores) == len(depth)


def test_order_is_scored_without_alignment(run: Run) -> None:
    depth, output = video()
    spec = protocol(alignment={"method": "none"}, metrics=["spearman", "ordinal", "boundary_f1", "abs_rel"])
    fits, scores = run(spec, stores(depth, 1 / output - 0.05, "disparity"))
    assert {row["status"] for row in fits + scores} == {"ok"}
    assert all(row["spearman"] > 0.8 and row["ordinal"] > 0.8 for row in scores)
    assert {row["abs_rel"] for row in scores} == {row["boundary_f1"] for row in scores} == {None}
    _, scores = run(spec, stores(depth, 1 / output, "scaled_disparity"))
    assert all(row["boundary_f1"] is not None for row in scores)


def test_no_unit_no_millimetres(run: Run) -> None:
    depth, output = video()
    _, scores = run(protocol(metrics=ALONE), stores(depth, output, units="relative"))
    for name in ALONE:
        assert all((row[name] is None) == METRICS[name].has_unit for row in scores), name
    assert {row["status"] for row in scores} == {"ok"}


# One fit over a sequence or a dataset.


CLAMP: dict[str, Any] = {"clamp": {"disparity": "inverse_max_depth"}}


@pytest.mark.parametrize("space", ["depth", "disparity"])
@pytest.mark.parametrize("method", ["median", "lsq_scale", "lsq_affine", "median_mad"])
@pytest.mark.parametrize("scope", ["sequence", "dataset"])
def test_one_fit_is_that_of_all_pixels(run: Run, scope: str, method: str, space: str) -> None:
    parts = [video(7, 0), video(5, 1), video(3, 2)]
    parts[0][0][4] = np.nan
    status = np.zeros(7, np.uint8)
    status[2] = bits.PREDICTION_FAILED

    def unit(*named: tuple[str, int]) -> tuple[FakeStore, FakeStore]:
        data = FakeStore(*(FakeSequence(name, depth=parts[i][0]) for name, i in named))
        extra = {0: {"status": status}}
        predicted = FakeStore(
            *(FakeSequence(name, prediction=parts[i][1], **extra.get(i, {})) for name, i in named)
        )
        return data, predicted

    spec = protocol(alignment={"method": method, "scope": scope, "space": space}, **CLAMP)
    fits, scores = run(spec, unit(("a", 0), ("b", 1)), unit(("c", 2)))
    assert [row["sequence"] for row in scores] == ["a"] * 7 + ["b"] * 5
    assert [row["status"] for row in fits[:7]] == [
        "ok", "ok", "failed_prediction", "ok", "no_depth", "ok", "ok",
    ]  # fmt: skip
    used = [[i for i in range(7) if i not in (2, 4)], range(5), range(3)]
    pixels = []
    for (depth, output), indices in zip(parts, used, strict=True):
        mask = np.isfinite(depth[list(indices)])
        pixels.append((output[list(indices)][mask].astype(float), depth[list(indices)][mask].astype(float)))
    groups = [[0], [1]] if scope == "sequence" else [[0, 1, 2]] * 2
    for sequence, group in zip("ab", groups, strict=True):
        x, y = (np.concatenate([pixels[i][k] for i in group]) for k in (0, 1))
        x, y = (1 / x, 1 / y) if space == "disparity" else (x, y)
        if method == "median":
            want = np.median(y) / np.median(x), 0.0
        elif method == "lsq_scale":
            want = np.sum(x * y) / np.sum(x * x), 0.0
        elif method == "lsq_affine":
            want = tuple(np.polyfit(x, y, 1))
        else:
            spread = np.mean(np.abs(y - np.median(y))) / np.mean(np.abs(x - np.median(x)))
            want = spread, np.median(y) - spread * np.median(x)
        for row in fits:
            if row["sequence"] == sequence and row["status"] == "ok":
                assert (row["scale"], row["offset"]) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("method", ["median", "lsq_affine", "median_mad"])
def test_a_cut_sequence_is_fitted_as_one(run: Run, method: str) -> None:
    depth, output = video(9)
    spec = protocol(alignment={"method": method, "scope": "sequence"})
    whole_fits, whole_scores = run(spec, stores(depth, output))

    def unit(first: int, stop: int) -> tuple[FakeStore, FakeStore]:
        part = {"where": f"from{first}", "first_frame": first}
        return (
            FakeStore(FakeSequence("s", depth=depth[first:stop], **part)),
            FakeStore(FakeSequence("s", prediction=output[first:stop])),
        )

    early, late = unit(0, 4), unit(4, 9)
    parts = [run(spec, early, late), run(spec, late, early)]
    fits, scores = ([row for part in parts for row in part[table]] for table in (0, 1))
    assert [row["frame"] for row in fits] == [row["frame"] for row in scores] == list(range(9))
    assert len({(row["scale"], row["offset"]) for row in fits}) == 1, "to the last digit"
    for one, same in zip(fits, whole_fits, strict=True):
        assert (one["scale"], one["offset"]) == pytest.approx((same["scale"], same["offset"]), rel=1e-12)
    for one, same in zip(scores, whole_scores, strict=True):
        assert one["abs_rel"] == pytest.approx(same["abs_rel"], rel=1e-12)


def test_fit_of_frame_means(run: Run) -> None:
    depth, output = video()
    spec = protocol(alignment={"method": "lsq_scale", "scope": "sequence", "pool": "frame_means"})
    fits, _ = run(spec, stores(depth, output))
    g = np.array([np.nanmean(frame.astype(float)) for frame in depth])
    p = np.array([np.mean(o[np.isfinite(d)].astype(float)) for o, d in zip(output, depth, strict=True)])
    [scale] = {row["scale"] for row in fits}
    assert scale == pytest.approx(np.sum(p * g) / np.sum(p * p), rel=1e-9)


@pytest.mark.parametrize("scope", ["frame", "sequence"])
@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_where_nobody_scores_costs_nothing(run: Run, scope: str, odd: float) -> None:
    depth, output = video(5)
    depth[:, :4] = 400.0  # beyond the range
    spec = protocol(
        metrics=ALONE,
        alignment={"method": "median", "scope": scope},
        depth_range={"min": 1, "max": 200},
    )
    expected = run(spec, stores(depth, output))
    masked = output.copy()
    masked[1:4][np.isnan(depth[1:4])] = odd
    masked[2, :4] = odd
    status = np.array([0, *[bits.PREDICTION_NONFINITE] * 3, 0], np.uint8)
    assert run(spec, stores(depth, masked, output_status=status)) == expected
    masked[2, np.nonzero(np.isfinite(depth[2]) & (depth[2] < 200))[0][0]] = odd
    _, scores = run(spec, stores(depth, masked, output_status=status))
    assert [row["status"] for row in scores] == ["ok", "ok", "nonfinite_prediction", "ok", "ok"]


def test_why_no_pixel_counts(run: Run) -> None:
    depth, output = video(5)
    depth[0] = np.nan
    depth[1] = 999.0
    depth[2, 8:] = np.nan  # all that is known is flagged
    depth[3, 8:] = 999.0  # and here all within the range
    flags = np.zeros(depth.shape, np.uint8)
    flags[2:4, :8] = bits.TOOL
    spec = protocol(depth_range={"min": 1, "max": 200}, masks={"exclude": ["tool"]})
    fits, scores = run(spec, stores(depth, output, flags=flags))
    want = ["no_depth", "outside_range", "no_valid_pixels", "no_valid_pixels", "ok"]
    assert [row["status"] for row in scores] == [row["status"] for row in fits] == want


def test_a_scope_without_pixels(run: Run) -> None:
    depth, output = video()
    fits, scores = run(protocol(alignment={"scope": "sequence"}), stores(depth * np.nan, output))
    assert {row["status"] for row in fits + scores} == {"no_depth"}


def test_a_constant_sequence(run: Run) -> None:
    depth, output = video()
    spec = protocol(alignment={"method": "lsq_affine", "scope": "sequence"})
    data, predicted = stores(depth, 0 * output + 0.7)
    fits, _ = run(spec, (data, predicted))
    assert {row["status"] for row in fits} == {"constant_prediction"}
    # A baseline's constant is its answer: the best one there is.
    predicted.attrs["spec"]["family"] = "baseline"
    fits, scores = run(spec, (data, predicted))
    assert {row["status"] for row in fits + scores} == {"ok"}
    assert fits[0]["offset"] == pytest.approx(np.nanmean(depth.astype(float)), rel=1e-9)


# Stores that do not fit together.


def test_stores_that_do_not_fit_together(run: Run) -> None:
    depth, output = video()
    with pytest.raises(ScopeDepthError, match="6 predictions for 7 frames"):
        run(protocol(), stores(depth, output[:6]))
    data, _ = stores(depth, output)
    with pytest.raises(ScopeDepthError, match="holds the sequences other"):
        run(protocol(), (data, FakeStore(FakeSequence("other", prediction=output))))


def test_alignments_of_other_frames_are_refused(run: Run, tmp_path: Path) -> None:
    depth, output = video()
    run(protocol(), stores(depth, output))
    longer = np.concatenate([depth, depth]), np.concatenate([output, output])
    unit = dict(zip("dp", stores(*longer), strict=True))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DatasetStore", "PredictionStore"):
            patch.setattr(score_stage, name, lambda path: unit[path.name[0]])
        with pytest.raises(ScopeDepthError, match="has 7 frames of sequence s, the dataset 14"):
            score_stage.score_unit(
                {"p": protocol()},
                Path("d0"),
                Path("p0"),
                {"p": tmp_path / "fits.parquet"},
                KEYS,
                {"p": tmp_path / "out.parquet"},
            )


# Real stores on disk.


def write_stores(folder: Path, n: int = 9) -> tuple[Path, Path, Array, Array]:
    depth, output = video(n, shape=(30, 40))
    output = np.ascontiguousarray(output[:, ::2, ::2])
    data, predicted = folder / "d.zarr", folder / "m.zarr"
    frame = {
        "rgb": ArraySpec((30, 40, 3), "uint8", ("y", "x", "channel")),
        "depth": ArraySpec((30, 40), "float32", ("y", "x"), float("nan")),
        "flags": ArraySpec((30, 40), "uint8", ("y", "x")),
        "status": ArraySpec((), "uint8"),
        "frame_id": ArraySpec((), str, fill=""),
    }
    group = {"n_frames": n, "arrays": frame, "attrs": {"sequence": "s", "units": "mm", "intrinsics": None}}
    with ShardedStore(data, {}, {"s": group}, 4, {"sequences": ["s"]}) as store:
        for name, shard, start, stop in store.missing():
            part = depth[start:stop]
            store.write_shard(name, shard, {
                "rgb": np.full((*part.shape, 3), 90, np.uint8),
                "depth": part,
                "flags": np.where(np.isnan(part), bits.NO_DEPTH, 0).astype(np.uint8),
                "status": np.zeros(stop - start, np.uint8),
                "frame_id": np.array([f"{i:05d}.png" for i in range(start, stop)], object),
            })  # fmt: skip
        store.finish()
    arrays = {
        "prediction": ArraySpec(output.shape[1:], "float32", ("v", "u"), float("nan")),
        "status": ArraySpec((), "uint8"),
    }
    attrs = {"output_kind": "depth", "unit": None, "spec": {"family": "python"}, "sequences": ["s"]}
    with ShardedStore(predicted, {}, {"s": {"n_frames": n, "arrays": arrays}}, 3, attrs) as store:
        for name, shard, start, stop in store.missing():
            blocks = {"prediction": output[start:stop], "status": np.zeros(stop - start, np.uint8)}
            store.write_shard(name, shard, blocks)
        store.finish()
    return data, predicted, depth, output


def test_stores_on_disk_and_the_same_bytes_again(tmp_path: Path) -> None:
    data, predicted, depth, output = write_stores(tmp_path)
    spec = protocol(metrics=ALONE, masks={"grey_above": 15})
    bytes_of = []
    for threads in (1, 2):
        fits, scores = tmp_path / f"fits{threads}.parquet", tmp_path / f"scores{threads}.parquet"
        align_stage.align_unit({"p": spec}, [data], [predicted], KEYS, {"p": fits}, threads)
        score_stage.score_unit({"p": spec}, data, predicted, {"p": fits}, KEYS, {"p": scores}, threads)
        bytes_of.append((fits.read_bytes(), scores.read_bytes()))
    assert bytes_of[0] == bytes_of[1]
    assert pq.read_schema(fits).equals(ALIGNMENTS)
    assert pq.read_schema(scores).equals(with_metrics(SCORES, ALONE))
    rows = pq.read_table(scores).to_pylist()
    assert [row["frame_id"] for row in rows] == [f"{i:05d}.png" for i in range(9)]
    image = np.full((30, 40, 3), 90, np.uint8)
    for i, row in enumerate(rows):
        metrics, _, _ = evaluate_frame(spec, output[i], depth[i], output_kind="depth", rgb=image)
        assert row["abs_rel"] == metrics["abs_rel"]
        assert row["boundary_f1"] == metrics["boundary_f1"]


# Cost.


class Endless(FakeSequence):
    """Frames made when they are asked for, so that only the reader's memory is seen."""

    def __init__(self, name: str, n: int, **arrays: Any) -> None:
        super().__init__(name, **arrays)
        self.n_frames = n

    def _part(self, name: str, start: int, stop: int, missing: Callable[[], Array]) -> Array:
        stored = self.arrays["depth" if "depth" in self.arrays else "prediction"]
        shape = (stop - start, *stored.shape[1:])
        return np.zeros(shape if name == "flags" else stop - start, np.uint8)

    def depth(self, start: int, stop: int) -> Array:
        return np.repeat(self.arrays["depth"], stop - start, axis=0).astype(np.float32)

    def prediction(self, start: int, stop: int) -> Array:
        return np.repeat(self.arrays["prediction"], stop - start, axis=0).astype(np.float32)


@pytest.mark.parametrize(
    "fit", [{"method": "median"}, {"method": "median", "scope": "sequence"}, {"method": "lsq_affine"}]
)
def test_memory_is_constant_in_frames(run: Run, fit: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames_module, "BLOCK_PIXELS", 4 * 120 * 160)
    depth = smooth_depth((120, 160))[None]
    spec = protocol(alignment=fit)

    def peak(n: int, threads: int) -> int:
        unit = (
            FakeStore(Endless("s", n, depth=depth, shard_frames=8)),
            FakeStore(Endless("s", n, prediction=0.01 * depth + 0.1)),
        )
        tracemalloc.start()
        _, scores = run(spec, unit, threads=threads)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(scores) == n
        return most

    peak(16, 1)
    # A row of the table takes less than 2 KB; a frame of this size takes 230 with its prediction.
    bound = peak(32, 1) + 288 * 2_000
    assert peak(320, 1) < bound
    # A second thread has a block of four frames of its own, in which it makes as much again.
    assert peak(320, 2) < bound + 2 * 4 * 230_000


def test_the_stages_start_in_under_a_second_without_heavy_imports() -> None:
    code = """
import json, sys, time
began = time.process_time()
import scopedepth.evaluation.align, scopedepth.evaluation.score
names = ("torch", "scipy.optimize", "pandas", "xarray", "pydantic", "matplotlib", "cv2")
heavy = [name for name in names if name in sys.modules]
print(json.dumps([time.process_time() - began, heavy]))
"""
    environment = {"PYTHONPATH": str(Path(align_stage.__file__).parents[2]), "PATH": ""}
    best = 9.0
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
        )
        seconds, heavy = json.loads(done.stdout)
        best = min(best, seconds)
        assert heavy == []
    assert best < 1.0


def test_the_stages_run_where_pandas_and_scipy_are_not(tmp_path: Path) -> None:
    """As their scripts ask for: see scopedepth.job.lean. The same bytes come out."""
    data, predicted, _, _ = write_stores(tmp_path)
    spec = protocol(metrics=ALONE)
    paths = [
        tmp_path / f"{place}_{table}.parquet" for place in ("here", "lean") for table in ("fits", "scores")
    ]
    align_stage.align_unit({"p": spec}, [data], [predicted], KEYS, {"p": paths[0]})
    score_stage.score_unit({"p": spec}, data, predicted, {"p": paths[0]}, KEYS, {"p": paths[1]})
    code = f"""
import json, sys
from pathlib import Path
from scopedepth.job.lean import leave_out
leave_out("pandas", "scipy")
from scopedepth.evaluation.align import align_unit
from scopedepth.evaluation.score import score_unit
spec, keys = json.loads({json.dumps(json.dumps([spec, KEYS]))})
data, predicted, fits, scores = map(Path, {[str(path) for path in (data, predicted, *paths[2:])]!r})
align_unit({{"p": spec}}, [data], [predicted], keys, {{"p": fits}})
score_unit({{"p": spec}}, data, predicted, {{"p": fits}}, keys, {{"p": scores}})
print([name for name in ("pandas", "scipy") if name in sys.modules])
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(align_stage.__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert [path.read_bytes() for path in paths[2:]] == [path.read_bytes() for path in paths[:2]]


def damaged(table: pa.Table, kind: str) -> pa.Table:
    """Return a table that another version, or another hand, might have written."""
    if kind == "lacks":
        return table.drop_columns(["status"])
    if kind == "type":
        return table.set_column(table.column_names.index("frame"), "frame", pa.array(["x"] * len(table)))
    status: list[str | None] = [None if kind == "gap" else "unheard of"] * len(table)
    return table.set_column(table.column_names.index("status"), "status", pa.array(status, pa.string()))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("lacks", "not one column status"),
        ("type", "is damaged"),
        ("gap", "the column status has gaps"),
        ("word", "unknown status 'unheard of'"),
    ],
)
def test_tables_that_are_not_ours_are_one_line(tmp_path: Path, kind: str, said: str) -> None:
    fits, scores = tmp_path / "fits.parquet", tmp_path / "scores.parquet"
    keys = {**KEYS, "sequence": "s", "frame": 0, "frame_id": "0", "n_pixels": 1, "status": "ok"}
    for path, schema in ((fits, ALIGNMENTS), (scores, SCORES)):
        row = {**dict.fromkeys(schema.names), **keys}
        table = table_from(schema, {name: [row[name]] for name in schema.names})
        pq.write_table(damaged(table, kind), path)
    if kind != "type":  # scoring asks for no frame numbers
        with pytest.raises(ScopeDepthError, match=said):
            score_stage.read_fits(fits)
    if kind != "word":
        with pytest.raises(ScopeDepthError, match=said) as caught:
            read_sorted([scores], ["status", "abs_rel"])
        assert str(scores) in str(caught.value)
