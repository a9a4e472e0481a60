"""A model that asks for a video's windows gets them in order, wherever shards begin and wherever a run was killed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from dataset_trees import depth_mm, spec_of, write_image
from evaluation_fakes import protocol
from interrupted import interrupted
from scopedepth.datasets.place import point_to
from scopedepth.datasets.prepare import prepare_unit
from scopedepth.errors import ScopeDepthError
from scopedepth.evaluation.align import align_unit
from scopedepth.evaluation.score import score_unit
from scopedepth.job.manifest import digest_tree, manifest_of, write_json
from scopedepth.models import load_model
from scopedepth.models.window import Window
from scopedepth.prediction import predict as predict_module
from scopedepth.prediction.predict import predict_unit
from scopedepth.stores.prediction import PredictionStore
from tiny_models import scene, spec, write_dataset

# Says of each frame a mean over what it has been shown so far: of this window, and, with a memory, of all before.
CODE = """
import numpy as np


class Video:
    window = WINDOW

    def __init__(self, weights, device, options):
        self.shown = options.get("shown")
        self.reset()

    def reset(self):
        self.seen, self.sum = 0, 0.0

    def predict(self, frames):
        if self.shown is not None:
            with open(self.shown, "a") as file:
                print(int(frames[0, 0, 0, 0]), len(frames), self.seen, file=file)
        if not self.window.get("memory", True):
            self.reset()
        grey = frames[:, ::2, ::2].mean(axis=3, dtype=np.float32)
        self.sum = np.float32(0.5) * self.sum + grey.sum(axis=0)
        self.seen += len(frames)
        return 1 + grey + self.sum + np.float32(len(frames)) + np.arange(len(frames), dtype=np.float32)[:, None, None]
"""
WINDOWS: dict[str, dict[str, Any]] = {
    "streaming": {"frames": 1},
    "overlapping": {"frames": 12, "overlap": 5},
    "the later one": {"frames": 12, "overlap": 5, "keep": "later"},
    "nothing remembered": {"frames": 7, "overlap": 2, "memory": False},
}
LENGTHS = {"a": 43, "b": 5}


@pytest.fixture(autouse=True)
def own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class's folder comes onto the path where it is imported."""
    monkeypatch.setattr("sys.path", [*sys.path])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    frames = {name: scene(n, 16, 24, seed=n) for name, n in LENGTHS.items()}
    for numbered in frames.values():
        numbered[:, 0, 0, 0] = np.arange(len(numbered))
    return write_dataset(tmp_path / "d.zarr", frames)


def own(folder: Path, window: dict[str, Any], code: str = CODE) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "video.py").write_text(code.replace("WINDOW", repr(window)))
    return folder


def predict(data: Path, weights: Path, out: Path, shard: int, **options: Any) -> dict[str, Any]:
    out.mkdir(exist_ok=True)
    told = spec("python", code="video.py:Video", options=options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict_module, "SHARD_FRAMES", (shard, shard))
        predict_unit(told, data, weights, out / "m.zarr", out / "m.json", "cpu", 4, 1)
    return json.loads((out / "m.json").read_text())


def by_hand(data: Path, weights: Path, window: Window) -> dict[str, np.ndarray]:
    """The same windows written out: a loop over their first frames."""
    from scopedepth.stores.dataset import DatasetStore

    model = load_model(spec("python", code="video.py:Video"), weights, "cpu")
    found = {}
    for name, sequence in DatasetStore(data).sequences.items():
        model.start_sequence()
        answers: dict[int, np.ndarray] = {}
        for first in range(0, sequence.n_frames, window.frames - window.overlap):
            stop = min(first + window.frames, sequence.n_frames)
            for frame, answer in enumerate(model.predict(sequence.rgb(first, stop)), first):
                if window.keep == "later" or frame not in answers:
                    answers[frame] = answer
        found[name] = np.stack([answers[frame] for frame in range(sequence.n_frames)])
    return found


@pytest.mark.parametrize("which", WINDOWS)
def test_windows_do_not_depend_on_shards(tmp_path: Path, data: Path, which: str) -> None:
    weights = own(tmp_path / "w", WINDOWS[which])
    expected = by_hand(data, weights, Window.of(WINDOWS[which]))
    for shard in (4, 8, 64):
        predict(data, weights, tmp_path / str(shard), shard)
        store = PredictionStore(tmp_path / str(shard) / "m.zarr")
        for name, values in expected.items():
            np.testing.assert_allclose(store.sequences[name].prediction(0, 99), values, rtol=2**-12)
    assert store.attrs["window"]["frames"] == WINDOWS[which]["frames"]


@pytest.mark.parametrize("which", WINDOWS)
@pytest.mark.parametrize("broken_at", [0, 3, 5])
def test_killed_and_resumed_the_bytes_are_the_same(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, which: str, broken_at: int
) -> None:
    weights = own(tmp_path / "w", WINDOWS[which])
    whole = predict(data, weights, tmp_path / "whole", 8)
    interrupted(monkeypatch, broken_at, lambda: predict(data, weights, tmp_path / "part", 8))
    assert predict(data, weights, tmp_path / "part", 8) == whole
    assert digest_tree(tmp_path / "part" / "m.zarr") == digest_tree(tmp_path / "whole" / "m.zarr")


def test_windows_come_in_order_and_a_memory_from_the_first(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(window: dict[str, Any]) -> list[list[int]]:
        """What the model is shown when all but the fourth shard of the first sequence is there."""
        log, out = tmp_path / "log", tmp_path / "out"
        weights = own(tmp_path / "w", window)
        missing = [("a", 3, 24, 32)]
        with monkeypatch.context() as patch:
            patch.setattr("scopedepth.stores.sharded.ShardedStore.missing", lambda self: missing)
            patch.setattr("scopedepth.stores.sharded.ShardedStore.finish", lambda self: None)
            with pytest.raises(ScopeDepthError, match=r"m\.zarr"):  # the store stays as it was begun
                predict(data, weights, out, 8, shown=str(log))
        lines = [[int(number) for number in line.split()] for line in log.read_text().splitlines()]
        log.unlink()
        return lines

    # The first one finds out the grid.
    assert shown({"frames": 12, "overlap": 5})[1:] == [
        [0, 12, 0], [7, 12, 12], [14, 12, 24], [21, 12, 36],
    ]  # fmt: skip
    assert [line[:2] for line in shown({"frames": 12, "overlap": 5, "memory": False})[1:]] == [
        [14, 12],
        [21, 12],
    ]


def test_a_window_that_fails_is_data(tmp_path: Path, data: Path, capsys: Any) -> None:
    code = CODE.replace(
        "        grey =",
        "        if frames[0, 0, 0, 0] == 7:\n            raise ValueError('no')\n        grey =",
    )
    manifest = predict(data, own(tmp_path / "w", {"frames": 12, "overlap": 5}, code), tmp_path / "out", 8)
    assert manifest["frames"]["a"] == {"ok": 36, "nonfinite": 0, "failed": 7}
    status = PredictionStore(tmp_path / "out/m.zarr").sequences["a"].status()
    assert np.flatnonzero(status == 2).tolist() == list(range(12, 19))
    assert "m, a, frames 12 to 18: ValueError: no" in capsys.readouterr().err


def test_pixels_without_an_answer_are_counted(tmp_path: Path, data: Path) -> None:
    code = CODE.replace("        return 1", "        grey[1:3, 0, :4] = np.nan\n        return 1")
    manifest = predict(data, own(tmp_path / "w", {"frames": 9, "memory": False}, code), tmp_path / "out", 8)
    assert manifest["uncovered_pixels"] == {"a": 5 * 2 * 4, "b": 2 * 4}


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"part": [0, 20]}, r"d is none: its sequences are cut into parts"),
        ({"frames": {"list": {"path": "x"}}}, r"frames\.list"),
        ({"frames": {"list": None, "exclude": {"path": "x"}}}, r"frames\.exclude"),
    ],
)
def test_frames_that_are_no_video_are_refused(
    tmp_path: Path, data: Path, chosen: dict[str, Any], words: str
) -> None:
    weights = own(tmp_path / "w", {"frames": 12, "overlap": 5})
    write_json(manifest_of(data), {"digest": "x", "dataset": "d", "spec": chosen})
    with pytest.raises(ScopeDepthError, match=words):
        predict(data, weights, tmp_path / "out", 8)
    # A view of it is no video either.
    view = {"dataset": "d", "view_of": "base", "spec": {"steps": []}, "base_chosen": chosen}
    write_json(manifest_of(data), {"digest": "x", **view})
    with pytest.raises(ScopeDepthError, match=words):
        predict(data, weights, tmp_path / "out", 8)
    # Frames that begin later and are further apart are one, and so are a list's with those between them.
    video = {"frames": {"start": 3, "stop": None, "step": 2, "list": None, "exclude": None}, "part": None}
    shown = {"frames": {"list": {"path": "x"}, "unlisted": "predicted"}}
    for number, whole in enumerate((video, shown)):
        write_json(manifest_of(data), {"digest": "x", "dataset": "d", "spec": whole})
        done = predict(data, weights, tmp_path / f"out{number}", 8)
        assert done["frames"]["a"]["ok"] == LENGTHS["a"]


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (32, "window is a dict with frames"),
        ({"frames": 4, "overlaps": 1}, "window is a dict with frames"),
        ({"frames": 0}, "frames is above 0"),
        ({"frames": 4.0}, "whole numbers"),
        ({"frames": 4, "overlap": 4}, "less than its frames"),
        ({"frames": 4, "overlap": -1}, "0 or more"),
        ({"frames": 4, "keep": "both"}, "keep is earlier or later"),
        ({"frames": 4, "memory": 1}, "memory True or False"),
    ],
)
def test_what_a_window_may_not_be(tmp_path: Path, window: Any, words: str) -> None:
    with pytest.raises(ScopeDepthError, match=words):
        load_model(spec("python", code="video.py:Video"), own(tmp_path / "w", window), "cpu")


def test_a_memory_wants_a_reset(tmp_path: Path) -> None:
    code = CODE.replace("def reset", "def forget").replace("self.reset()", "self.forget()")
    with pytest.raises(ScopeDepthError, match=r"no method reset\(\)"):
        load_model(spec("python", code="video.py:Video"), own(tmp_path / "w", {"frames": 4}, code), "cpu")


def test_look_ahead() -> None:
    assert Window(1).look_ahead == 0
    assert Window(32, 10).look_ahead == 21
    assert Window(32, 10, "later").look_ahead == 31


def test_a_window_is_one_for_all_sequences(tmp_path: Path, data: Path) -> None:
    other = """
    def for_sequence(self, name):
        return self if name == "a" else Other(None, "", {})


class Other(Video):
    window = {"frames": 3}
"""
    weights = own(tmp_path / "w", {"frames": 4}, CODE + other)
    with pytest.raises(ScopeDepthError, match="another window for sequence b than for others"):
        predict(data, weights, tmp_path / "out", 8)


def test_a_list_says_which_frames_of_a_video_are_scored(tmp_path: Path) -> None:
    """With `unlisted: predicted` a model of windows says of a list's frames what it says of them in the whole video."""
    for number, image in enumerate(scene(20, 16, 24, seed=1)):
        write_image(tmp_path / f"data/a/rgb/{number:02d}.png", image)
        write_image(
            tmp_path / f"data/a/depth/{number:02d}.png", depth_mm(16, 24, 40, 90, number).astype(np.uint16)
        )
    (tmp_path / "raw").mkdir()
    point_to(tmp_path / "raw", tmp_path / "data", None)
    weights = own(tmp_path / "w", {"frames": 6, "overlap": 2})
    rows, predicted = {}, {}
    for name, frames in {"whole": {}, "some": {"list": ["3", "4", "11"], "unlisted": "predicted"}}.items():
        place = tmp_path / name
        place.mkdir()
        told = spec_of("d", "folder", tmp_path / "data", frames=frames, depth={"scale": 1.0})
        prepare_unit(told, tmp_path / "raw", place / "d.zarr", place / "d.json", 1)
        assert predict(place / "d.zarr", weights, place, 4)["frames"]["a"]["ok"] == 20
        predicted[name] = PredictionStore(place / "m.zarr").sequences["a"].prediction(0, 20)
        kind = protocol(
            metrics=["abs_rel", "flow_error"], alignment={"method": "median", "scope": "sequence"}
        )
        tables = [{"p": place / f"{stage}.parquet"} for stage in ("fits", "scores")]
        keys = {"dataset": "d", "model": "m"}
        align_unit({"p": kind}, [place / "d.zarr"], [place / "m.zarr"], keys, tables[0], 1)
        score_unit({"p": kind}, place / "d.zarr", place / "m.zarr", tables[0], keys, tables[1], 1)
        rows[name] = pq.read_table(tables[1]["p"]).to_pylist()
    np.testing.assert_array_equal(predicted["whole"], predicted["some"])
    scored = [row for row in rows["some"] if row["status"] == "ok"]
    assert [row["frame_id"] for row in scored] == ["03", "04", "11"]
    assert {row["status"] for row in rows["some"] if row not in scored} == {"no_depth"}
    assert all(row["abs_rel"] > 0 for row in scored)
    assert {row["status"] for row in rows["whole"]} == {"ok"}
