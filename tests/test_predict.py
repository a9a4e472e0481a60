"""The engine: what is stored is what the model says, however it was interrupted and batched."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scopedepth.errors import ScopeDepthError
from scopedepth.job.manifest import digest_tree
from scopedepth.models import load_model
from scopedepth.models.base import DepthModel
from scopedepth.prediction import predict as predict_module
from scopedepth.prediction.predict import predict_unit
from scopedepth.prediction.rounding import round_frames, round_mantissa, spread_step
from scopedepth.stores.prediction import PredictionStore
from scopedepth.stores.sharded import ShardedStore
from scopedepth.vocabulary.flags import PREDICTION_FAILED, PREDICTION_NONFINITE, PREDICTION_OK
from tiny_models import depth_anything, scene, spec, write_dataset

FRAMES = {"a": scene(20, 48, 64), "b": scene(3, 40, 40, seed=1)}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "unit.zarr", FRAMES)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return depth_anything(tmp_path_factory.mktemp("weights") / "tiny")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict_module, "SHARD_FRAMES", (8, 8))


def predict(dataset: Path, out: Path, model: Any, weights: Path = Path("none"), **how: Any) -> dict[str, Any]:
    store = out / "m.zarr"
    predict_unit(model, dataset, weights, store, out / "m.json", device="cpu", threads=1, **how)
    return json.loads((out / "m.json").read_text())


def test_what_is_stored_is_what_the_model_says(dataset: Path, tiny: Path, tmp_path: Path) -> None:
    model = spec("transformers", "disparity")
    manifest = predict(dataset, tmp_path, model, tiny, batch=4)
    store = PredictionStore(tmp_path / "m.zarr")
    assert list(store.sequences) == ["a", "b"]
    assert (store.output_kind, store.unit) == ("disparity", None)
    loaded = load_model(model, tiny, "cpu")
    for name, frames in FRAMES.items():
        sequence = store.sequences[name]
        assert sequence.n_frames == len(frames)
        assert sequence.grid == loaded.grid(*frames.shape[1:3])
        expected = np.concatenate([loaded.predict(frame[None]) for frame in frames])
        near = 1e-5 * float(expected.max())
        assert expected.std() > 100 * near
        np.testing.assert_allclose(sequence.prediction(0, 99), expected, rtol=2**-13, atol=near)
        assert (sequence.status() == PREDICTION_OK).all()
    assert manifest["digest"] == digest_tree(tmp_path / "m.zarr")
    assert manifest["frames"]["a"] == {"ok": 20, "nonfinite": 0, "failed": 0}
    assert store.attrs["weights_digest"] == digest_tree(tiny)
    assert store.attrs["parameters"] == loaded.parameters
    assert set(store.attrs["versions"]) >= {"torch", "transformers"}


def test_results_do_not_depend_on_the_batch(dataset: Path, tiny: Path, tmp_path: Path) -> None:
    read = []
    for batch in (1, 3, None):
        out = tmp_path / str(batch)
        out.mkdir()
        predict(dataset, out, spec("transformers", "disparity"), tiny, batch=batch)
        read.append(PredictionStore(out / "m.zarr").sequences["a"].prediction(0, 20))
    for other in read[1:]:
        np.testing.assert_allclose(other, read[0], rtol=2**-12, atol=1e-5 * float(read[0].max()))


class Odd(DepthModel):
    """A model that goes wrong where the test wants it."""

    memory = 99

    def __init__(self, spec: Any, bad: dict[int, str]) -> None:
        super().__init__(spec)
        self.bad = bad
        self.batches: list[int] = []

    def grid(self, height: int, width: int) -> tuple[int, int]:
        return height // 2, width // 2

    def preprocess(self, frames: np.ndarray) -> np.ndarray:
        return frames

    def forward(self, batch: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        if len(batch) > self.memory:
            raise MemoryError("too many frames")
        self.batches.append(len(batch))
        out = batch[:, ::2, ::2, 0].astype(np.float32) + 1
        for number, frame in enumerate(batch):
            what = self.bad.get(int(frame[0, 0, 0]))
            if what == "fails":
                raise ValueError("cannot do this frame\x1b[2J")
            if what:
                out[number, 1, 1] = float(what)
        return out


def odd(monkeypatch: pytest.MonkeyPatch, bad: dict[int, str]) -> Odd:
    model = Odd(spec("baseline"), bad)
    monkeypatch.setattr(predict_module, "load_model", lambda *args: model)
    return model


def numbered(n: int) -> np.ndarray:
    """Frames of which each carries its number."""
    return np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 8, 8, 3)).copy()


def test_failures_are_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    data = write_dataset(tmp_path / "d.zarr", {"s": numbered(20)}, unreadable={"s": [15]})
    odd(monkeypatch, {3: "fails", 9: "nan", 12: "inf"})
    manifest = predict(data, tmp_path, spec("baseline"), batch=4)
    assert manifest["frames"]["s"] == {"ok": 16, "nonfinite": 2, "failed": 2}
    sequence = PredictionStore(tmp_path / "m.zarr").sequences["s"]
    status, prediction = sequence.status(), sequence.prediction(0, 20)
    assert list(np.flatnonzero(status == PREDICTION_FAILED)) == [3, 15]
    assert list(np.flatnonzero(status == PREDICTION_NONFINITE)) == [9, 12]
    assert np.isnan(prediction[[3, 15]]).all()
    assert np.isinf(prediction[12]).sum() == 1
    assert np.isnan(prediction[9]).sum() == 1
    assert (prediction[4] == 5).all()
    assert "frame 3: ValueError: cannot do this frame\\x1b[2J\n" in capsys.readouterr().err


def test_a_model_that_never_works_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_dataset(tmp_path / "d.zarr", {"s": numbered(20)})
    odd(monkeypatch, dict.fromkeys(range(20), "fails"))
    with pytest.raises(ScopeDepthError, match=r"fails on every frame.*cannot do"):
        predict(data, tmp_path, spec("baseline"))


def test_out_of_memory_halves_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    data = write_dataset(tmp_path / "d.zarr", {"s": numbered(20)})
    model = odd(monkeypatch, {})
    monkeypatch.setattr(Odd, "memory", 2)
    predict(data, tmp_path, spec("baseline"), batch=8)
    assert model.batches == [2] * 10
    said = capsys.readouterr().err
    assert "batches of 4" in said
    assert "batches of 2" in said
    prediction = PredictionStore(tmp_path / "m.zarr").sequences["s"].prediction(0, 20)
    np.testing.assert_array_equal(prediction[:, 0, 0], np.arange(20) + 1)
    monkeypatch.setattr(Odd, "memory", 0)
    with pytest.raises(ScopeDepthError, match="too little memory for a single frame"):
        predict(data, tmp_path, spec("baseline", exponent=1))


def test_a_grid_that_changes_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_dataset(tmp_path / "d.zarr", {"s": numbered(4)})
    odd(monkeypatch, {})
    monkeypatch.setattr(Odd, "grid", lambda self, h, w: (h, w))
    with pytest.raises(ScopeDepthError, match="grid must be the same"):
        predict(data, tmp_path, spec("baseline"))


@pytest.mark.parametrize(
    ("broken_at", "family"), [(0, "baseline"), (1, "baseline"), (3, "baseline"), (1, "shifted")]
)
def test_interrupted_and_resumed(
    dataset: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken_at: int, family: str
) -> None:
    model, weights = spec("baseline", kind="brightness"), Path("none")
    if family == "shifted":  # rounded by each frame's spread
        model, weights = spec("transformers", "disparity", preprocessing="hub"), tiny
    (tmp_path / "whole").mkdir()
    whole = predict(dataset, tmp_path / "whole", model, weights)
    write = ShardedStore.write_shard
    written: list[tuple[str, int]] = []

    def failing(self: Any, group: str, shard: int, blocks: Any) -> None:
        if len(written) == broken_at:
            raise KeyboardInterrupt
        written.append((group, shard))
        write(self, group, shard, blocks)

    monkeypatch.setattr(ShardedStore, "write_shard", failing)
    with pytest.raises(KeyboardInterrupt):
        predict(dataset, tmp_path, model, weights)
    monkeypatch.setattr(ShardedStore, "write_shard", write)
    done = len(written)
    broken_at = 99
    monkeypatch.setattr(ShardedStore, "write_shard", failing)
    assert predict(dataset, tmp_path, model, weights) == whole
    assert len(written) == 4
    assert len(set(written)) == 4
    assert done < 4


KILLED = """
import sys
sys.path[:0] = [{library!r}, {tests!r}]
from pathlib import Path
from scopedepth.prediction import predict
from tiny_models import spec
predict.SHARD_FRAMES = (8, 8)
here = Path({here!r})
model = spec("baseline", kind="brightness")
predict.predict_unit(model, Path({data!r}), here / "none", here / "m.zarr", here / "m.json", "cpu")
"""


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_a_random_moment(tmp_path: Path, root: Path, seed: int) -> None:
    """SIGKILL, then again: what was complete stays, and the store has the bytes of an uninterrupted one."""
    data = write_dataset(tmp_path / "d.zarr", {"s": scene(160, 240, 320)})
    places = {"library": str(root / "workflow_scripts"), "tests": str(root / "tests"), "data": str(data)}
    (tmp_path / "whole").mkdir()
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", KILLED.format(here=str(tmp_path / "whole"), **places)], check=True)
    took = time.monotonic() - began
    command = [sys.executable, "-c", KILLED.format(here=str(tmp_path), **places)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    time.sleep(random.Random(seed).uniform(0.5, 1.0) * took)
    process.kill()
    process.wait()
    partial = tmp_path / "m.zarr.partial"
    complete = {mark.name for mark in (partial / "done").glob("*")}
    files = [path for path in partial.glob("store/s/*/c/**/*") if path.is_file()]
    kept = {
        path.relative_to(partial / "store"): path.stat().st_mtime_ns
        for path in files
        if f"0.{path.relative_to(partial / 'store').parts[3]}" in complete
    }
    subprocess.run(command, check=True)
    assert digest_tree(tmp_path / "m.zarr") == digest_tree(tmp_path / "whole" / "m.zarr")
    assert (tmp_path / "m.json").read_text() == (tmp_path / "whole" / "m.json").read_text()
    assert all((tmp_path / "m.zarr" / path).stat().st_mtime_ns == written for path, written in kept.items())
    assert not partial.exists()


def test_rounding_moves_no_metric(tiny: Path) -> None:
    """Each metric of median-scaled depth changes by less than 1e-4 of itself, on a network's output."""
    frames = scene(6, 140, 140, seed=3)
    model = load_model(spec("transformers", "disparity"), tiny, "cpu")
    disparity = model.predict(frames) + np.float32(0.5)
    rounded = disparity.copy()
    round_frames(rounded)
    truth = 1 / disparity * np.exp(np.random.default_rng(0).normal(0, 0.2, disparity.shape))
    metrics: list[Callable[[np.ndarray, np.ndarray], float]] = METRICS
    for metric in metrics:
        before = np.mean([metric(d, t) for d, t in zip(1 / disparity.astype(float), truth, strict=True)])
        after = np.mean([metric(d, t) for d, t in zip(1 / rounded.astype(float), truth, strict=True)])
        assert after == pytest.approx(before, rel=1e-4)


def scaled(depth: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return depth * np.median(truth) / np.median(depth)


METRICS = [
    lambda d, t: np.mean(np.abs(scaled(d, t) - t) / t),
    lambda d, t: np.mean((scaled(d, t) - t) ** 2 / t),
    lambda d, t: np.sqrt(np.mean((scaled(d, t) - t) ** 2)),
    lambda d, t: np.sqrt(np.mean((np.log(scaled(d, t)) - np.log(t)) ** 2)),
    lambda d, t: np.mean(np.maximum(scaled(d, t) / t, t / scaled(d, t)) < 1.25),
]


def test_a_free_shift_takes_no_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A perfect disparity on any offset: what is stored, fitted again, is as good as float32 lets it be."""
    depth = 20 + 80 * scene(1, 60, 80)[0, ..., 0].astype(float) / 255
    disparity = 1 / depth
    for offset in (0, 0.01, -0.02, 1, 10, -10, 1000, -1000, 1e5):
        told = (disparity + offset * disparity.std() * 2).astype(np.float32)
        stored = stored_as(told, "disparity", tmp_path / f"shift{offset}", monkeypatch)
        lost = abs_rel_of_fit(told, depth)
        assert abs_rel_of_fit(stored, depth) < 1e-4 + 1.01 * lost, offset
        # As every other kind, whose zero is known.
        kept = stored_as(told, "scaled_disparity", tmp_path / f"scale{offset}", monkeypatch)
        assert np.abs(kept / told - 1).max() <= 2.0**-13
        if abs(offset) >= 10:
            assert abs_rel_of_fit(kept, depth) > 1e-4 + 2 * lost


def stored_as(told: np.ndarray, kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """What the engine stores of a model that says `told` of a frame."""
    folder.mkdir()
    data = write_dataset(folder / "d.zarr", {"s": scene(1, *told.shape)})
    model = Odd(spec("baseline", kind), {})
    monkeypatch.setattr(model, "grid", lambda height, width: told.shape)
    monkeypatch.setattr(model, "forward", lambda batch, size: told[None].copy())
    monkeypatch.setattr(predict_module, "load_model", lambda *args: model)
    predict(data, folder, spec("baseline", kind))
    return PredictionStore(folder / "m.zarr").sequences["s"].prediction(0, 1)[0]


def abs_rel_of_fit(values: np.ndarray, depth: np.ndarray) -> float:
    """AbsRel after the affine fit in disparity."""
    centred = values.astype(float) - values.astype(float).mean()
    design = np.stack([centred.ravel(), np.ones(centred.size)], axis=1)
    found, *_ = np.linalg.lstsq(design, (1 / depth).ravel(), rcond=None)
    aligned = np.maximum(design @ found, 1 / (2 * depth.max()))
    return float(np.mean(np.abs(1 / aligned - depth.ravel()) / depth.ravel()))


def shifted_frames() -> np.ndarray:
    rng = np.random.default_rng(0)
    plain = np.abs(scene(1, 50, 60)[0, ..., 0].astype(np.float32)) / 50 + rng.uniform(0, 0.01, (50, 60))
    far_off, bordered, signed = plain + 1000, plain + 1000, plain - 3
    far_off[3, 4], far_off[5, 6] = 1e6, 0
    bordered[:, :20] = 0
    return np.stack([plain, plain + 1000, far_off, bordered, signed]).astype(np.float32)


def test_rounding_of_shifted_frames() -> None:
    """The error is at most half a step, whatever lies far off; and never more than that of a value's own bits."""
    values = shifted_frames()
    rounded, plain = values.copy(), values.copy()
    assert round_frames(rounded, shifted=True).all()
    round_frames(plain)
    error = np.abs(rounded.astype(float) - values)
    assert (error <= np.abs(values) * 2.0**-13).all()
    for number, frame in enumerate(values):
        step = spread_step(frame)
        assert step is not None
        assert step == 2.0 ** round(np.log2(step))
        assert error[number].max() <= step / 2
        # Deviations of single pixels and of a border that says nothing are bounded.
        assert step <= 2.0**-11 * (400 if number == 3 else 20)
    assert np.abs(plain[1] - values[1]).max() > 100 * error[1].max()
    again = rounded.copy()
    round_frames(again, shifted=True)
    np.testing.assert_array_equal(again, rounded)


def test_rounding_of_shifted_frames_that_are_odd() -> None:
    """Constant, nearly constant, not finite, and at the ends of float32's range: kept as with all kinds."""
    rng = np.random.default_rng(0)
    noise = rng.uniform(0, 1, (20, 30)).astype(np.float32)
    frames = np.stack([
        np.full_like(noise, 5), 5 + 1e-6 * noise, noise + 100, noise + 100, noise * np.float32(1e38),
        noise * np.float32(1e-38), np.full_like(noise, np.nan), -noise * np.float32(1e-30) - np.float32(1e-20),
    ]).astype(np.float32)  # fmt: skip
    frames[2, 0, 0], frames[3, 4, 4] = np.nan, np.inf
    rounded = frames.copy()
    finite = round_frames(rounded, shifted=True)
    assert list(finite) == [True, True, False, False, True, True, False, True]
    np.testing.assert_array_equal(np.isnan(rounded), np.isnan(frames))
    np.testing.assert_array_equal(np.isinf(rounded), np.isinf(frames))
    ordinary = np.isfinite(frames)
    error = np.abs(rounded[ordinary].astype(float) - frames[ordinary])
    tiny = float(np.finfo(np.float32).tiny)
    assert (error <= np.maximum(np.abs(frames[ordinary].astype(float)) * 2.0**-13, tiny)).all()
    np.testing.assert_array_equal(rounded[1], frames[1])
    # A value so far off that counting it in steps overflows, at a pixel that the spread does not see.
    far_off = (noise + 100)[None].copy()
    far_off[0, 5, 5], far_off[0, 7, 7] = 3e38, -1e35
    kept = far_off.copy()
    assert round_frames(kept, shifted=True).all()
    np.testing.assert_allclose(kept, far_off, rtol=2.0**-13)
    assert np.abs(kept - far_off)[np.abs(far_off) < 200].max() <= 2.0**-13
    for number in (2, 3):
        inside = np.isfinite(frames[number])
        assert 0 < np.abs(rounded[number][inside] - frames[number][inside]).max() <= 2.0**-13
    assert spread_step(frames[0]) is None
    assert spread_step(frames[6], finite=False) is None


def test_rounding() -> None:
    rng = np.random.default_rng(0)
    values = np.exp(rng.normal(0, 10, 100_000)).astype(np.float32) * rng.choice([-1, 1], 100_000).astype("f4")
    rounded = round_mantissa(values.copy())
    assert np.abs(rounded / values - 1).max() <= 2.0**-13
    assert not (rounded.view(np.uint32) & 0x7FF).any()
    special = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1, 1 + 2**-13, 1 + 3 * 2**-13], np.float32)
    payload = np.array([0x7F800001], np.uint32).view(np.float32)
    out = round_mantissa(np.concatenate([special, payload]))
    assert np.isnan(out[0])
    assert np.isnan(out[-1])
    np.testing.assert_array_equal(out[1:8], np.array([np.inf, -np.inf, 0, 0, 1, 1, 1 + 2**-11], np.float32))


def test_rounding_frames() -> None:
    rng = np.random.default_rng(0)
    values = np.exp(rng.normal(0, 10, (6, 50, 60))).astype(np.float32)
    values[1, 3, 4], values[2, 0, 0], values[3, 1, 1], values[4, 2, 2] = np.nan, np.inf, -np.inf, 3e38
    fast = values.copy()
    finite = round_frames(fast)
    assert list(finite) == [True, False, False, False, True, True]
    assert not (fast[[0, 5]].view(np.uint32) & 0x7FF).any()
    with np.errstate(invalid="ignore"):
        error = np.abs(fast / values - 1)
    assert np.nanmax(error) <= 2.0**-13
    same = np.isfinite(values) | np.isnan(values)
    np.testing.assert_array_equal(np.isfinite(fast), np.isfinite(values))
    np.testing.assert_array_equal(fast[~same], values[~same])
    # The two ways differ on ties alone.
    slow = round_mantissa(values.copy())
    assert (fast[0] != slow[0]).mean() < 0.01
    again = fast.copy()
    round_frames(again)
    np.testing.assert_array_equal(again[[0, 5]], fast[[0, 5]])
