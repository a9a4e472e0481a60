"""Videos as people record them: one picture or two in one frame, with or without depth, decoded once and in order."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

import dataset_trees as trees
from scopedepth.datasets import choose
from scopedepth.datasets.loaders.stereo import StereoSequence
from scopedepth.datasets.place import point_to
from scopedepth.datasets.prepare import prepare_unit
from scopedepth.datasets.reading.video import KEPT, Video
from scopedepth.datasets.reading.views import one_view
from scopedepth.errors import ScopeDepthError, UnreadableFrame
from scopedepth.stores.dataset import DatasetStore
from scopedepth.vocabulary.flags import BORDER, FRAME_NO_DEPTH, FRAME_OK, TOOL

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

H, W = 32, 48


def write_video(path: Path, frames: list[np.ndarray], codec: str = "FFV1") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 25, (width, height))  # type: ignore[attr-defined]
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()


def pictures(count: int, width: int = W, height: int = H) -> list[np.ndarray]:
    return [trees.picture(height, width, seed) for seed in range(count)]


class Counted:
    """OpenCV's decoder, with a list of what is asked of it."""

    calls: list[str]

    def __init__(self, path: str) -> None:
        self.capture = REAL(path)
        self.calls.append("open")

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        return getattr(self.capture, name)


REAL = cv2.VideoCapture


def prepared(spec: specs.Dataset, data: Path, folder: Path) -> DatasetStore:
    raw = folder / "raw"
    raw.mkdir(exist_ok=True)
    point_to(raw, data, None)
    prepare_unit(spec, raw, folder / "u.zarr", folder / "u.json", 2)
    return DatasetStore(folder / "u.zarr")


@pytest.mark.parametrize(("step", "kept"), [(1, 40), (7, 6)])
def test_a_video_is_decoded_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, kept: int
) -> None:
    frames = pictures(40)
    write_video(tmp_path / "data/op/left.mkv", frames)
    Counted.calls = []
    monkeypatch.setattr(cv2, "VideoCapture", Counted)
    spec = trees.spec_of("mine", "video", tmp_path / "data", frames={"step": step})
    store = prepared(spec, tmp_path / "data", tmp_path)
    assert list(store.sequences) == ["op_left"]
    stored = store.sequences["op_left"].rgb(0, 40)
    assert np.array_equal(stored, np.stack(frames[::step]))  # FFV1 loses nothing
    # After the last frame it is asked whether there are more.
    assert Counted.calls.count("grab") == 40 - 39 % step + (step == 1)
    assert Counted.calls.count("retrieve") == kept
    assert Counted.calls.count("open") == 2  # once for its size, once for its frames
    assert (store.sequences["op_left"].status() == FRAME_NO_DEPTH).all()


def test_frames_may_be_asked_for_again(tmp_path: Path) -> None:
    frames = pictures(KEPT + 8)
    write_video(tmp_path / "a.avi", frames)
    video = Video(tmp_path / "a.avi")
    for index in (0, 5, 3, KEPT + 7, 6, KEPT + 7):
        assert np.array_equal(video.read(index), frames[index])
    assert len(video._kept) <= KEPT


@pytest.mark.parametrize("views", ["side_by_side", "above"])
@pytest.mark.parametrize("view", ["first", "second"])
def test_one_view_of_two(tmp_path: Path, views: str, view: str) -> None:
    first, second = pictures(2)
    join = np.hstack if views == "side_by_side" else np.vstack
    write_video(tmp_path / "a.mkv", [join([first, second])])
    spec = trees.spec_of("mine", "video", tmp_path, options={"views": views, "view": view})
    image = choose(spec, tmp_path)[0].sequence.read(0).rgb
    assert np.array_equal(image, first if view == "first" else second)


def test_a_picture_without_halves() -> None:
    with pytest.raises(ScopeDepthError, match=r"a\.mp4 is 49x32, which has no two halves"):
        one_view(pictures(1, width=W + 1)[0], "side_by_side", False, "a.mp4")


def test_depth_and_masks_by_the_number_of_the_frame(tmp_path: Path) -> None:
    write_video(tmp_path / "op.mkv", pictures(3))
    for number in (1, 3):
        trees.write_image(tmp_path / f"op/depth/z_{number:03d}.png", np.full((H, W), 10 + number, np.uint16))
    trees.write_image(tmp_path / "tools/2.png", np.full((H, W), 255, np.uint8))
    trees.write_image(tmp_path / "sure/2.png", np.full((H, W), 4, np.uint8))
    rated = {"files": "sure", "marks": "doubtful", "above": 1, "inverted": True, "full": 8}
    options: dict[str, Any] = {"masks": [{"files": "tools", "marks": "tool"}, rated]}
    with pytest.raises(
        ScopeDepthError,
        match=r"z_003\.png is of no frame of op\.mkv, which has 3, counted from 0\. Set options\.first to 1",
    ):
        choose(trees.spec_of("mine", "video", tmp_path, options=options), tmp_path)
    options["first"] = 1
    sequence = choose(trees.spec_of("mine", "video", tmp_path, options=options), tmp_path)[0].sequence
    read = [sequence.read(index) for index in range(3)]
    assert [None if one.depth is None else int(one.depth[0, 0]) for one in read] == [11, None, 13]
    assert [one.flags is not None and bool((one.flags == TOOL).all()) for one in read] == [False, True, False]
    assert sequence.has_confidence
    assert [one.confidence is not None and int(one.confidence[0, 0]) for one in read] == [False, 128, False]
    assert "1 of 3 frames have no depth file" in sequence.notes
    trees.write_image(tmp_path / "op/depth/z_009.png", np.full((H, W), 9, np.uint16))
    with pytest.raises(ScopeDepthError, match="Remove it, or correct"):
        choose(trees.spec_of("mine", "video", tmp_path, options=options), tmp_path)


def test_some_frames_have_depth(tmp_path: Path) -> None:
    write_video(tmp_path / "data/op.mkv", pictures(3))
    (tmp_path / "data/op/depth").mkdir(parents=True)
    np.save(tmp_path / "data/op/depth/1.npy", np.full((H, W), 9, "f4"))
    store = prepared(trees.spec_of("mine", "video", tmp_path / "data"), tmp_path / "data", tmp_path)
    assert store.sequences["op"].status().tolist() == [FRAME_NO_DEPTH, FRAME_OK, FRAME_NO_DEPTH]


def test_a_recording_may_begin_in_the_dark(tmp_path: Path) -> None:
    framed = [np.pad(one, ((0, 0), (8, 0), (0, 0))) for one in pictures(6)]
    write_video(tmp_path / "data/op.mkv", [np.zeros_like(framed[0])] * 20 + framed)
    store = prepared(trees.spec_of("mine", "video", tmp_path / "data"), tmp_path / "data", tmp_path)
    flags = store.sequences["op"].flags(25, 26)[0]
    assert ((flags & BORDER) > 0).mean(axis=0).tolist() == [1.0] * 8 + [0.0] * W


def test_a_cut_video_and_what_is_none(tmp_path: Path) -> None:
    path = tmp_path / "op.avi"
    write_video(path, pictures(30), "MJPG")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    sequence = choose(trees.spec_of("mine", "video", tmp_path), tmp_path)[0].sequence
    last = len(sequence) - 1
    if last >= 29:  # the header still says so
        with pytest.raises(UnreadableFrame, match=r"op\.avi: frame \d+ does not decode"):
            sequence.read(last)
    path.write_bytes(b"no video at all")
    with pytest.raises(ScopeDepthError, match=r"op\.avi does not open as a video"):
        choose(trees.spec_of("mine", "video", tmp_path), tmp_path)
    path.unlink()
    with pytest.raises(ScopeDepthError, match="No video"):
        choose(trees.spec_of("mine", "video", tmp_path), tmp_path)


@pytest.mark.parametrize("view", ["first", "second"])
@pytest.mark.parametrize("views", ["side_by_side", "above"])
def test_a_stereo_recorder_in_one_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, views: str, view: str
) -> None:
    pairs = [(trees.picture(H, W, n), trees.picture(H, W, 100 + n)) for n in range(12)]
    join = np.hstack if views == "side_by_side" else np.vstack
    data = tmp_path / "data"
    write_video(data / "P1.avi", [join(pair if view == "first" else pair[::-1]) for pair in pairs])
    for side in ("left", "right"):
        (data / f"calib.{side}.intrinsic.txt").write_text(f"40 0 {W / 2}\n0 40 {H / 2}\n0 0 1\n")
    (data / "calib.l2r.4x4").write_text("1 0 0 -5\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    stereo = {"check_calibration": False, "max_disparity": 16, "block_size": 3}
    spec = trees.spec_of("mine", "stereo", data, options={"views": views, "view": view}, stereo=stereo)
    sequence = choose(spec, data)[0].sequence
    assert isinstance(sequence, StereoSequence)
    assert (sequence.name, sequence.rectifier.camera.size) == ("P1", (W, H))
    for index, pair in enumerate(pairs):
        assert all(
            np.array_equal(side(index), image) for side, image in zip(sequence.sides, pair, strict=True)
        )
    Counted.calls = []
    monkeypatch.setattr(cv2, "VideoCapture", Counted)
    prepared(spec, data, tmp_path)
    assert (Counted.calls.count("grab"), Counted.calls.count("open")) == (len(pairs) + 1, 2)


def test_a_view_of_pictures_that_hold_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="set `views` too"):
        trees.spec_of("mine", "stereo", tmp_path, options={"view": "second"})


def test_views_of_a_stereo_recorder_as_images(tmp_path: Path) -> None:
    for number in (1, 2):
        trees.write_image(tmp_path / f"a/{number}.png", trees.picture(2 * H, W, number))
    for side in ("left", "right"):
        (tmp_path / f"calib.{side}.intrinsic.txt").write_text("40 0 24 0 40 16 0 0 1")
    (tmp_path / "calib.l2r.4x4").write_text("1 0 0 -5\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    sequence = choose(trees.spec_of("mine", "stereo", tmp_path, options={"views": "above"}), tmp_path)[
        0
    ].sequence
    assert isinstance(sequence, StereoSequence)
    assert (sequence.name, sequence.frame_ids) == ("a", ["1", "2"])
    assert np.array_equal(sequence.sides[1](1), trees.picture(2 * H, W, 2)[H:])


@pytest.mark.parametrize("stated", [9, 6])
def test_frames_beyond_those_that_the_header_claims_are_told_of(
    stated: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.avi"
    write_video(path, pictures(9), "MJPG")
    content = bytearray(path.read_bytes())
    # dwLength of the stream's header, dwTotalFrames of the file's.
    for chunk, offset in ((b"strh", 32), (b"avih", 16)):
        struct.pack_into("<I", content, content.index(chunk) + 8 + offset, stated)
    path.write_bytes(content)
    video = Video(path)
    assert video.n_frames == stated
    read = [video.read(index) for index in range(stated)]
    np.testing.assert_array_equal(video.read(0), read[0])
    said = capsys.readouterr().err
    assert ("says that it has 6 frames and has more, which are left out" in said) == (stated == 6)
    assert said.count("\n") == (stated == 6)
