"""Lists of frames: each line names the frame that its makers mean, or is an error."""

from __future__ import annotations

import copy
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

import dataset_trees as trees
from project import CONFIG, Project, write_frames
from scopedepth.config.load import ConfigError, check, select_study
from scopedepth.datasets import Chosen, choose, choose_counted
from scopedepth.datasets.check import check_dataset
from scopedepth.datasets.place import point_to
from scopedepth.datasets.prepare import make_outline, prepare_unit, read_block, spread
from scopedepth.datasets.reading.base import DepthEncoding, DepthOfListed, Frame
from scopedepth.datasets.reading.packed import PackedFrames
from scopedepth.datasets.reading.video import KEPT
from scopedepth.errors import ScopeDepthError
from scopedepth.report.html.sections.datasets import list_facts
from scopedepth.stores.dataset import DatasetStore
from scopedepth.study.layout import Job
from scopedepth.study.made_from import MadeFrom
from scopedepth.study.plan import Plan, fetched_lists, lists_of
from scopedepth.vocabulary.flags import FRAME_NO_DEPTH, FRAME_OK
from scopedepth.vocabulary.video import why_no_video

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# Videos of a list of 551 lines as AF-SfMLearner's test split has them, and how many lines name each.
VIDEOS = {(1, 3): 78, (2, 4): 71, (3, 4): 79, (4, 4): 76, (5, 4): 87, (6, 4): 83, (7, 4): 77}
LENGTH = 120
SIZE = (6, 8)


def lines_of(seed: int) -> list[str]:
    """Return the lines of such a list, frames and their order by chance."""
    rng = np.random.default_rng(seed)
    lines = [
        f"dataset{dataset}/keyframe{keyframe}\t{number}\tl"
        for (dataset, keyframe), count in VIDEOS.items()
        for number in rng.choice(np.arange(1, LENGTH + 1), count, replace=False)
    ]
    rng.shuffle(lines)
    return lines


def depth_of(dataset: int, frame: int) -> float:
    """Return the depth that a whole frame has, in mm; frames are counted from 0."""
    return 100.0 * dataset + 0.25 * frame + 1


def points(dataset: int, frame: int) -> np.ndarray:
    """Return a map of points of both cameras, whose right half is another depth."""
    left = trees.points(np.full(SIZE, depth_of(dataset, frame)))
    return np.vstack([left, np.full_like(left, 7.0)])


def extracted(root: Path, dataset: int, keyframe: int, endodac: bool = False) -> None:
    """Write one video's left frames as AF-SfMLearner's or EndoDAC's instructions leave them."""
    base = root / f"dataset{dataset}" / f"keyframe{keyframe}"
    if endodac:
        base = root / "train" / base.relative_to(root) / "data"
    for frame in range(LENGTH):
        rgb = np.full((*SIZE, 3), (dataset, frame, 3), np.uint8)
        image, map_ = base / f"image_02/data/{frame + 1:010d}.png", base / "image_02/data/groundtruth"
        if endodac:
            image, map_ = base / f"left/frame_data{frame:06d}.png", base / "scene_points"
        trees.write_image(image, rgb)
        map_.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(map_ / f"scene_points{frame:06d}.tiff", points(dataset, frame), photometric="rgb")


def scared_spec(root: Path, split: Path, frames: str, **fields: Any) -> specs.Dataset:
    listed = {"list": {"path": str(split), "layout": "scared"}}
    return trees.spec_of("scared", "scared", root, options={"frames": frames}, frames=listed, **fields)


def named(chosen: list[Chosen]) -> dict[str, list[str]]:
    return {one.sequence.name: one.frame_ids for one in chosen}


@pytest.mark.parametrize("endodac", [False, True])
def test_the_list_of_551_gives_551_frames_each_with_its_own_depth(tmp_path: Path, endodac: bool) -> None:
    for dataset, keyframe in VIDEOS:
        extracted(tmp_path / "data", dataset, keyframe, endodac)
    lines = lines_of(551)
    split = tmp_path / "test_files.txt"
    split.write_text("\n".join(lines))
    chosen, choice = choose_counted(scared_spec(tmp_path / "data", split, "extracted"), tmp_path / "data")
    assert choice.counts() == {
        "listed": {"list": str(split), "listed": 551, "found": 551, "repeated": 0, "sequences": 7}
    }
    seen = set()
    for one in chosen:
        dataset = int(one.sequence.name.split("_")[1])
        for index in one.indices:
            frame = one.sequence.read(index)
            assert frame.depth is not None
            number = int(frame.rgb[0, 0, 1])
            assert one.sequence.frame_ids[index] == f"{number:06d}"
            assert tuple(frame.rgb[0, 0]) == (dataset, number, 3)
            assert np.all(frame.depth == np.float32(depth_of(dataset, number)))
            seen.add(f"dataset{dataset}/keyframe{one.sequence.name[-1]}\t{number + 1}\tl")
    assert seen == set(lines)


def test_the_same_list_on_scareds_own_videos(tmp_path: Path) -> None:
    """Videos and packed point maps as SCARED gives them out, key frames of datasets 8 and 9 counted from 0."""
    key = np.full((32, 48), 80.0)
    for dataset, keyframe in ((3, 4), (8, 0), (8, 1)):
        video = [np.full((32, 48), depth_of(dataset, frame) + keyframe) for frame in range(6)]
        trees.scared(tmp_path / "data", dataset, keyframe, key, video)
    split = tmp_path / "test_files.txt"
    split.write_bytes(b"\xef\xbb\xbfdataset3/keyframe4 5 l\r\ndataset8/keyframe2  2  l \r\n\r\n")
    chosen = choose(scared_spec(tmp_path / "data", split, "video"), tmp_path / "data")
    assert named(chosen) == {"dataset_3_keyframe_4": ["000004"], "dataset_8_keyframe_1": ["000001"]}
    for one, depth in zip(chosen, (depth_of(3, 4) + 4, depth_of(8, 1) + 1), strict=True):
        assert np.all(one.sequence.read(one.indices[0]).depth == np.float32(depth))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dataset3/keyframe4 121 l", "sequence dataset_3_keyframe_4 has no frame 000120"),
        ("dataset3/keyframe4 0 l", "has no frame -00001"),
        ("dataset3/keyframe4 5 r", "of the camera r; the left one"),
        ("dataset3/keyframe5 5 l", "there is no video dataset_3_keyframe_5"),
        ("dataset3/keyframe4", "spelled datasetX/keyframeY, number, l"),
        (f"dataset3/keyframe4 {5000 * '9'} l"[:70], "spelled datasetX/keyframeY, number, l"),
        ("dataset3/keyframe4 5.png l", "spelled datasetX/keyframeY, number, l"),
        ("dataset_3_keyframe_4 5", "spelled datasetX/keyframeY, number, l"),
    ],
)
def test_a_line_of_scared_without_a_frame(tmp_path: Path, line: str, message: str) -> None:
    extracted(tmp_path / "data", 3, 4)
    split = tmp_path / "split.txt"
    split.write_text(f"dataset3/keyframe4 1 l\n{line}\n")
    with pytest.raises(ScopeDepthError, match=message) as caught:
        choose(scared_spec(tmp_path / "data", split, "extracted"), tmp_path / "data")
    assert f"1 of 2 lines of {split} name no frame: line 2 ({line!r})" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_plain_list_of_extracted_frames_says_which_number_it_means(tmp_path: Path) -> None:
    """Image 0000000006 is frame 000005: a 6 may be one or the other."""
    extracted(tmp_path / "data", 3, 4)
    spec: Any = trees.spec_of("scared", "scared", tmp_path / "data", options={"frames": "extracted"})
    for line, frame in (
        ("dataset_3_keyframe_4 0000000006.png", "000005"),
        ("dataset_3_keyframe_4 000006", "000006"),
    ):
        spec["frames"]["list"] = {
            "path": None,
            "url": None,
            "sha256": None,
            "lines": [line],
            "layout": "plain",
        }
        assert named(choose(spec, tmp_path / "data")) == {"dataset_3_keyframe_4": [frame]}
    spec["frames"]["list"]["lines"] = ["dataset_3_keyframe_4 6"]
    with pytest.raises(ScopeDepthError, match="6 may be 000005 or 000006"):
        choose(spec, tmp_path / "data")


def test_a_list_of_scared_wants_its_videos(tmp_path: Path) -> None:
    trees.scared(tmp_path / "data", 3, 4, np.full((32, 48), 80.0), [])
    split = tmp_path / "split.txt"
    split.write_text("dataset3/keyframe4 1 l\n")
    with pytest.raises(ScopeDepthError, match=r"options\.frames is to be video or extracted"):
        choose(scared_spec(tmp_path / "data", split, "keyframes"), tmp_path / "data")


def test_a_listed_frame_without_ground_truth_is_said(tmp_path: Path) -> None:
    extracted(tmp_path / "data", 3, 4)
    (tmp_path / "data/dataset3/keyframe4/image_02/data/groundtruth/scene_points000004.tiff").unlink()
    split = tmp_path / "split.txt"
    split.write_text("dataset3/keyframe4 5 l\ndataset3/keyframe4 6 l\n")
    chosen = choose(scared_spec(tmp_path / "data", split, "extracted"), tmp_path / "data")
    assert named(chosen) == {"dataset_3_keyframe_4": ["000004", "000005"]}
    assert chosen[0].sequence.notes[-1] == "1 of the listed frames have no depth file"


def test_two_extracted_images_of_one_frame(tmp_path: Path) -> None:
    extracted(tmp_path / "data", 3, 4)
    trees.write_image(
        tmp_path / "data/dataset3/keyframe4/image_02/data/5.png", np.zeros((*SIZE, 3), np.uint8)
    )
    spec = trees.spec_of("scared", "scared", tmp_path / "data", options={"frames": "extracted"})
    with pytest.raises(ScopeDepthError, match="are one frame; keep one of them"):
        choose(spec, tmp_path / "data")


def test_a_published_split_of_simcol(tmp_path: Path) -> None:
    for part, folder in (("I", "Frames_S5"), ("II", "Frames_B10"), ("III", "Frames_O1")):
        truth = {number: np.full(SIZE, 20.0 + number) for number in range(3)}
        trees.simcol(tmp_path / f"data/SyntheticColon_{part}" / folder, truth)
    split = tmp_path / "test_files.txt"
    split.write_text("1\t5\t1\n1\t5\t3\n2\t10\t2\n3\t1\t3\n")
    frames = {"list": {"path": str(split), "layout": "simcol3d"}}
    spec = trees.spec_of("simcol3d", "simcol3d", tmp_path / "data", frames=frames)
    assert named(choose(spec, tmp_path / "data")) == {
        "Frames_B10": ["0001"],
        "Frames_O1": ["0002"],
        "Frames_S5": ["0000", "0002"],
    }
    for line in ("1 6 1", "1 5 4", "4 5 1", "1 5", "1 5 0", "1 5 1 l"):
        split.write_text(line)
        with pytest.raises(ScopeDepthError, match="1 of 1 lines"):
            choose(spec, tmp_path / "data")


@pytest.fixture
def hamlyn(tmp_path: Path) -> Path:
    depth = np.full((8, 12), 85, np.uint16)
    for number in ("01", "14"):
        trees.hamlyn(
            tmp_path / "data", number, dict.fromkeys((0, 3, 12), depth), "9 0 6\n0 9 4\n0 0 1", number == "01"
        )
    return tmp_path / "data"


def hamlyn_spec(root: Path, *lines: str, **fields: Any) -> specs.Dataset:
    return trees.spec_of("hamlyn", "hamlyn_rectified", root, frames={"list": list(lines)}, **fields)


@pytest.mark.parametrize(
    ("lines", "frames"),
    [
        (["rectified01/image01/0000000003.jpg", "rectified14/image01/0000000012"], {"01": [3], "14": [12]}),
        (["rectified01"], {"01": [0, 3, 12]}),
        (["train/rectified14/", "rectified01 3 l"], {"01": [3], "14": [0, 3, 12]}),
        (["rectified01\\image01\\0000000000.JPG # the first"], {"01": [0]}),
        (["12", "# a comment", "", "rectified01, 0000000003"], {"01": [3, 12], "14": [12]}),
        (["rectified01/rectified01/image01/0000000003.png"], {"01": [3]}),
    ],
)  # fmt: skip
def test_lists_of_paths_sequences_and_frames(
    hamlyn: Path, lines: list[str], frames: dict[str, list[int]]
) -> None:
    expected = {f"rectified{name}": [f"{n:010d}" for n in numbers] for name, numbers in frames.items()}
    assert named(choose(hamlyn_spec(hamlyn, *lines), hamlyn)) == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rectified01/image02/0000000003.jpg", "read from image01, not from image02"),
        ("rectified01/image01/0000000004.jpg", "sequence rectified01 has no frame 0000000004.jpg"),
        ("rectified02/image01/0000000003.jpg", "no sequence rectified02/image01"),
        ("rectified1 3", "no sequence rectified1"),
        ("rectified01 3 r", "what is r"),
        ("rectified01 3 l 2", "what is 2|what is l 2"),
        ("rectified01/rectified14/image01/3", "may be rectified01 or rectified14"),
        ("5", "sequence rectified01 has no frame 5"),
        ("rectified01 " + 5000 * "9", "sequence rectified01 has no frame 999"),
        ("rectified01/image01", "no frame image01"),
    ],
)
def test_a_plain_line_without_a_frame(hamlyn: Path, line: str, message: str) -> None:
    with pytest.raises(ScopeDepthError, match=message):
        choose(hamlyn_spec(hamlyn, "rectified01 3", line), hamlyn)


def test_lines_of_sequences_that_do_not_take_part(hamlyn: Path) -> None:
    """A unit reads the list of its whole dataset: lines of other sequences are counted there and no error here."""
    spec = hamlyn_spec(hamlyn, "rectified01 3", "rectified14 0", "rectified14 0", sequences=["rectified14"])
    chosen, choice = choose_counted(spec, hamlyn)
    assert named(chosen) == {"rectified14": ["0000000000"]}
    assert choice.counts()["listed"] == {
        "list": "the configuration's list",
        "listed": 3,
        "found": 2,
        "repeated": 1,
        "sequences": 2,
    }
    assert chosen[0].sequence.notes[-1] == (
        "1 of 3 frames are listed, by 2 lines of the configuration's list"
    )


def test_frames_are_excluded(hamlyn: Path) -> None:
    lists = {"list": ["rectified01", "rectified14"], "exclude": ["rectified14", "rectified01 3"]}
    spec = trees.spec_of("hamlyn", "hamlyn_rectified", hamlyn, frames=lists)
    chosen, choice = choose_counted(spec, hamlyn)
    assert named(chosen) == {"rectified01": ["0000000000", "0000000012"]}
    assert choice.counts()["excluded"]["found"] == 4
    alone = trees.spec_of("hamlyn", "hamlyn_rectified", hamlyn, frames={"exclude": ["3"], "step": 2})
    assert named(choose(alone, hamlyn))["rectified14"] == ["0000000000"]
    unknown = trees.spec_of("hamlyn", "hamlyn_rectified", hamlyn, frames={"exclude": ["rectified14 4"]})
    with pytest.raises(ScopeDepthError, match="rectified14 has no frame 4"):
        choose(unknown, hamlyn)


def test_hamlyns_frames_with_all_four_files(hamlyn: Path) -> None:
    for name in ("0000000000", "0000000003"):
        right = hamlyn / "rectified14/depth02" / f"{name}.png"
        trees.write_image(right, np.full((8, 12), 85, np.uint16))
    spec = trees.spec_of(
        "hamlyn", "hamlyn_rectified", hamlyn, options={"complete": True}, sequences=["rectified14"]
    )
    with pytest.raises(
        ScopeDepthError, match="rectified01 holds no frame with all of image01, image02, depth01"
    ):
        choose(spec, hamlyn)
    for name in ("0000000000", "0000000003", "0000000012"):
        trees.write_image(
            hamlyn / "rectified01/rectified01/depth02" / f"{name}.png", np.ones((8, 12), np.uint16)
        )
    chosen = choose(spec, hamlyn)
    assert named(chosen) == {"rectified14": ["0000000000", "0000000003"]}
    assert "1 of 3 frames lack one of their four files and are left out" in chosen[0].sequence.notes


def test_lists_of_c3vd_name_files_and_sequences(tmp_path: Path) -> None:
    for name in ("cecum_t1_a", "trans_t4_b"):
        trees.c3vd(tmp_path / name, {number: np.full(SIZE, 30.0) for number in (0, 7)})
    frames = {"list": ["trans_t4_b", "cecum_t1_a/0007_color.png"]}
    spec = trees.spec_of("c3vd", "c3vd", tmp_path, frames=frames)
    assert named(choose(spec, tmp_path)) == {"cecum_t1_a": ["0007"], "trans_t4_b": ["0000", "0007"]}


def test_a_number_that_two_frames_have(tmp_path: Path) -> None:
    for name in ("a_3", "b_3", "b_4"):
        trees.write_image(tmp_path / "s/rgb" / f"{name}.png", trees.picture(8, 8))
    spec: Any = trees.spec_of("mine", "folder", tmp_path, frames={"list": ["s 3"]})
    with pytest.raises(ScopeDepthError, match="3 may be a_3 or b_3 of sequence s"):
        choose(spec, tmp_path)
    spec["frames"]["list"]["lines"] = ["s 4"]
    assert named(choose(spec, tmp_path)) == {"s": ["b_4"]}


def test_a_name_that_a_sequence_and_a_frame_have(tmp_path: Path) -> None:
    for sequence in ("1", "2"):
        for number in (1, 7):
            trees.write_image(tmp_path / sequence / f"rgb/{number:04d}.png", trees.picture(8, 8))
    spec: Any = trees.spec_of("mine", "folder", tmp_path, frames={"list": ["7", "1"]})
    with pytest.raises(ScopeDepthError, match=r"line 2 \('1'\): 1 is a sequence and a frame"):
        choose(spec, tmp_path)
    spec["frames"]["list"]["lines"] = ["7", "2", "1 1"]
    assert named(choose(spec, tmp_path)) == {"1": ["0001", "0007"], "2": ["0001", "0007"]}


def test_lists_that_are_not_what_they_should_be(hamlyn: Path, tmp_path: Path) -> None:
    split = tmp_path / "split.txt"
    split.write_text("rectified01 3\n")
    right = hashlib.sha256(split.read_bytes()).hexdigest()
    for sha256, fine in ((right, True), ("0" * 64, False)):
        frames = {"list": {"path": str(split), "sha256": sha256}}
        spec = trees.spec_of("hamlyn", "hamlyn_rectified", hamlyn, frames=frames)
        if fine:
            assert len(choose(spec, hamlyn)) == 1
            continue
        with pytest.raises(ScopeDepthError, match="is not the one stated"):
            choose(spec, hamlyn)
    spec = trees.spec_of("hamlyn", "hamlyn_rectified", hamlyn, frames={"list": str(split)})
    for content, message in (
        (b"# nothing\n\n", "names no frame"),
        ("rectified01 3".encode("utf-16"), "is no text"),
    ):
        split.write_bytes(content)
        with pytest.raises(ScopeDepthError, match=message):
            choose(spec, hamlyn)
    split.unlink()
    with pytest.raises(ScopeDepthError, match="cannot be read"):
        choose(spec, hamlyn)


def test_the_files_of_a_datasets_lists(hamlyn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = b"rectified14 3\r\n"
    sha256 = hashlib.sha256(text).hexdigest()
    url = "https://example.org/splits/test_files.txt"
    frames = {"list": {"url": url, "sha256": sha256}, "exclude": "bad.txt"}
    spec = trees.spec_of("hamlyn", "hamlyn_rectified", hamlyn, frames=frames)
    fetched = Path("fetched.txt")
    assert [source["path"] for source in lists_of(spec)] == [None, "bad.txt"]
    assert fetched_lists(spec) == {sha256: url}
    assert lists_of(trees.spec_of("hamlyn", "hamlyn_rectified", hamlyn)) == []
    with pytest.raises(
        ScopeDepthError, match=f"has not been fetched. Run: scopedepth run --cores 1 {fetched}"
    ):
        choose_counted(spec, hamlyn, {sha256: fetched})
    with pytest.raises(ScopeDepthError, match=f"the list {url} has not been fetched.$"):
        choose(spec, hamlyn)
    fetched.write_bytes(text)
    Path("bad.txt").write_text("rectified14 0\n")
    assert named(choose_counted(spec, hamlyn, {sha256: fetched})[0]) == {"rectified14": ["0000000003"]}


def test_listed_and_found_are_said_and_kept(hamlyn: Path, tmp_path: Path) -> None:
    spec = hamlyn_spec(hamlyn, "rectified01 3", "rectified01 12")
    (tmp_path / "raw").mkdir()
    point_to(tmp_path / "raw", hamlyn, None)
    said = list(check_dataset(spec, tmp_path / "raw"))
    assert said[1] == "the configuration's list: 2 lines, 2 frames of 1 sequences found"
    assert any("2 of 3 frames are listed, by 2 lines" in line for line in said)
    prepare_unit(spec, tmp_path / "raw", tmp_path / "unit.zarr", tmp_path / "unit.json", 1)
    manifest = json.loads((tmp_path / "unit.json").read_text())
    assert manifest["frame_lists"]["listed"]["found"] == 2
    assert manifest["sequences"]["rectified01"]["frames"] == 2
    page = json.loads((tmp_path / "unit.page.json").read_text())
    assert any("2 of 3 frames are listed" in note for note in page["sequences"][0]["notes"])
    assert list_facts([tmp_path / "unit.zarr"]) == [
        ("Frames listed", "2 lines of the configuration's list, 2 frames of 1 sequences")
    ]
    assert list_facts([]) == []


def test_frames_far_apart_are_read_in_one_pass_over_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """40 frames lie between listed ones, more than are kept for neighbouring threads; no more than these are held."""
    key = np.full((32, 48), 80.0)
    trees.scared(tmp_path / "data", 3, 4, key, [np.full((32, 48), 20.0 + frame) for frame in range(90)])
    split = tmp_path / "split.txt"
    split.write_text("".join(f"dataset3/keyframe4 {number} l\n" for number in (1, 2, 42, 82, 90)))
    spec = scared_spec(tmp_path / "data", split, "video")
    chosen = choose(spec, tmp_path / "data")[0]
    plan = make_outline(chosen)
    opened, held = [], []
    step = PackedFrames._step

    def watched(self: Any) -> None:
        opened.append(self._open is None)
        step(self)
        held.append(len(self._kept))

    monkeypatch.setattr(PackedFrames, "_step", watched)
    with ThreadPoolExecutor(8) as pool:
        block = read_block(plan, 0, 5, pool)
    assert block["depth"][:, 0, 0].tolist() == [20.0, 21.0, 61.0, 101.0, 109.0]
    assert list(block["frame_id"]) == ["000000", "000001", "000041", "000081", "000089"]
    assert sum(opened) == 1
    assert max(held) <= KEPT + 1


def test_a_list_at_an_address_is_fetched_before_its_dataset_is_prepared(root: Path) -> None:
    digests = {"a": "a" * 64, "b": "b" * 64}
    entry = {"loader": "folder", "source": {"kind": "path", "path": "data/one"}}
    frames = {
        name: {"url": f"https://example.org/{name}.txt", "sha256": digest} for name, digest in digests.items()
    }
    config = copy.deepcopy(CONFIG)
    config["datasets"] = {
        "one": {**entry, "frames": {"list": frames["a"], "exclude": frames["b"]}},
        "two": {**entry, "frames": {"list": {"path": "mine.txt"}}},
        "cut": {"view_of": "one", "sequences": ["left"]},
    }
    config["studies"]["small"]["datasets"] = ["cut", "two"]
    plan = Plan(select_study(config), root / "workflow_scripts")
    lists = plan.inputs("prepare")["lists_list"]
    assert lists(SimpleNamespace(unit="one")) == [
        f"results/lists/{digest}.txt" for digest in digests.values()
    ]
    assert lists(SimpleNamespace(unit="two")) == lists(SimpleNamespace(unit="cut")) == []
    fetch = Job("fetch_list", (digests["b"],))
    assert json.loads(plan.spec(fetch)) == {"sha256": digests["b"], "url": "https://example.org/b.txt"}
    assert fetch in plan.needed_by(Job("prepare", ("one",)))
    assert fetch in list(plan.jobs())
    assert plan.leaves(Job("prepare", ("one",))) == plan.leaves(Job("prepare", ("cut",))) == []
    assert [leaf.root for leaf in plan.leaves(Job("prepare", ("two",)))] == [Path("mine.txt")]


@pytest.mark.workflow
def test_the_workflow_fetches_a_list_for_the_dataset_behind_a_view(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"left 1\n").hexdigest()
    config = copy.deepcopy(CONFIG)
    config["datasets"]["one"]["frames"] = {"list": {"url": "https://example.org/a.txt", "sha256": digest}}
    config["datasets"]["cut"] = {"view_of": "one", "crop": {"x": 1, "width": 9, "height": 9}}
    config["studies"]["small"]["datasets"] = ["cut"]
    project = Project.create(tmp_path / "project", config)
    write_frames(project.folder / "data/one", ("left",))
    target = "results/datasets/cut.zarr"
    assert project.jobs(target) == {
        "fetch_dataset(one)",
        f"fetch_list({digest})",
        "prepare(one)",
        "prepare(cut)",
    }
    fetched = project.folder / f"results/lists/{digest}.txt"
    fetched.parent.mkdir(parents=True)
    fetched.write_bytes(b"left 1\n")
    # As a job leaves it.
    plan = Plan(select_study(config), project.folder / "workflow_scripts")
    made_from = MadeFrom(plan, project.folder / "results").now(Job("fetch_list", (digest,)))
    record = fetched.parent / f"{digest}.run.json"
    record.write_text(json.dumps({"made_from": made_from}))
    project.snakemake(target)
    manifest = json.loads((project.folder / "results/datasets/cut.json").read_text())
    assert manifest["sequences"]["left"]["frames"] == 1
    assert manifest["frame_lists"]["listed"]["found"] == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"url": "http://example.org/a.txt", "sha256": "a" * 64},
            r"frames\.list: url 'http://example.org/a.txt' is no address that begins with https",
        ),
        ({"url": "https://example.org/a.txt"}, "needs its sha256"),
        ({"path": "a.txt", "url": "https://example.org/a.txt"}, "one of path, url and lines"),
        ({"layout": "plain"}, "one of path, url and lines"),
        ({"path": "a.txt", "layout": "scared"}, "layout scared is for the loader scared alone"),
        ({"path": "a.txt", "layout": "folder"}, "the loader folder has no lists of its own; use plain"),
        ({"path": "a.txt", "layout": "scard"}, "Did you mean 'scared'"),
        ({"path": "a.txt", "sha256": "abc"}, r"frames\.list: sha256 'abc' is no digest"),
        ([], r"list\.lines: \[\] is not allowed"),
        (3, r"frames\.list: 3 is not allowed"),
    ],
)
def test_lists_that_the_configuration_refuses(given: Any, message: str) -> None:
    config = copy.deepcopy(CONFIG)
    config["datasets"]["one"]["frames"] = {"list": given}
    with pytest.raises(ConfigError, match=message) as caught:
        check(config)
    assert "\n" not in str(caught.value)


def test_models_see_what_a_list_leaves_out(hamlyn: Path, tmp_path: Path) -> None:
    """All frames of the sequences with a listed one, without depth; a step acts on all; looked at are listed ones."""
    lines = {"list": ["rectified01 3"], "unlisted": "predicted"}
    spec = trees.spec_of("hamlyn", "hamlyn_rectified", hamlyn, frames=lines)
    chosen = choose(spec, hamlyn)
    assert named(chosen) == {"rectified01": ["0000000000", "0000000003", "0000000012"]}
    assert [chosen[0].sequence.read(index).depth is None for index in range(3)] == [True, False, True]
    assert spread(chosen[0], 4) == [1]
    assert why_no_video(spec["frames"], None) is None
    (tmp_path / "raw").mkdir()
    point_to(tmp_path / "raw", hamlyn, None)
    assert not [
        line for line in check_dataset(spec, tmp_path / "raw") if "problem" in line or "nothing" in line
    ]
    prepare_unit(spec, tmp_path / "raw", tmp_path / "unit.zarr", tmp_path / "unit.json", 1)
    stored = DatasetStore(tmp_path / "unit.zarr").sequences["rectified01"]
    assert stored.status().tolist() == [FRAME_NO_DEPTH, FRAME_OK, FRAME_NO_DEPTH]
    assert (stored.rgb(0, 3) == np.stack([chosen[0].sequence.image(index) for index in range(3)])).all()
    assert np.isfinite(stored.depth(0, 3)).any(axis=(1, 2)).tolist() == [False, True, False]
    assert "not scored" in stored.attrs["notes"][-1]
    # Of every second frame none is listed.
    second = trees.spec_of("hamlyn", "hamlyn_rectified", hamlyn, frames={**lines, "step": 2})
    with pytest.raises(ScopeDepthError, match="no frame is left"):
        choose(second, hamlyn)
    others = {"exclude": ["rectified14", "rectified01 3"], "unlisted": "predicted"}
    left = choose(trees.spec_of("hamlyn", "hamlyn_rectified", hamlyn, frames=others), hamlyn)
    assert [(one.sequence.name, sorted(one.sequence.unlisted)) for one in left] == [("rectified01", [1])]


def test_masks_of_frames_that_are_not_listed_are_put_on_once(hamlyn: Path) -> None:
    calls: list[int] = []

    def overlay(index: int, frame: Frame, encoding: DepthEncoding) -> Frame:
        calls.append(index)
        return frame

    whole = choose(trees.spec_of("hamlyn", "hamlyn_rectified", hamlyn), hamlyn)[0].sequence
    whole.overlays.append(overlay)
    some = DepthOfListed(whole, frozenset({0}))
    assert [some.read(index).depth is None for index in (0, 1)] == [True, False]
    assert calls == [0, 1]


def test_unlisted_frames_of_no_list(hamlyn: Path) -> None:
    assert "unlisted" not in hamlyn_spec(hamlyn, "rectified01")["frames"]
    with pytest.raises(ValueError, match="unlisted: predicted is for frames of a list"):
        trees.spec_of("hamlyn", "hamlyn_rectified", hamlyn, frames={"unlisted": "predicted"})
