"""Preparing a store: what is kept, flagged and counted, and what is an error."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

import dataset_trees as trees
from scopedepth.datasets import prepare
from scopedepth.datasets.place import data_root
from scopedepth.datasets.reading.masks import find_border
from scopedepth.errors import ScopeDepthError
from scopedepth.fetch import fetch_dataset
from scopedepth.stores.dataset import DatasetStore
from scopedepth.stores.sharded import ShardedStore
from scopedepth.vocabulary.flags import BORDER, FRAME_NO_DEPTH, FRAME_OK, FRAME_UNREADABLE, NO_DEPTH, SPECULAR

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs


def make_store(place: Path, spec: specs.Dataset, workers: int = 2) -> DatasetStore:
    """Fetch and prepare one unit below `place`."""
    fetch_dataset(spec, place / "raw", place / "raw.json", workers)
    prepare.prepare_unit(spec, place / "raw", place / "unit.zarr", place / "unit.json", workers)
    return DatasetStore(place / "unit.zarr")


def own_images(root: Path, count: int, size: tuple[int, int] = (48, 64), sequence: str = "a") -> np.ndarray:
    """Write `count` images with a circular border and 16-bit depth; return the depth in steps."""
    rows, columns = np.indices(size)
    circle = (rows - size[0] / 2) ** 2 + (columns - size[1] / 2) ** 2 < (0.48 * size[1]) ** 2
    depth = np.round(trees.depth_mm(*size, 20, 90) * 100).astype(np.uint16)
    depth[~circle] = 0
    for number in range(count):
        rgb = trees.picture(*size, seed=number)
        rgb[~circle] = 3
        rgb[20:24, 20:24] = 250
        trees.write_image(root / f"{sequence}/rgb/{number:04d}.png", rgb)
        trees.write_image(root / f"{sequence}/depth/{number:04d}.png", depth)
    return depth


def test_a_store_holds_what_the_files_hold(tmp_path: Path) -> None:
    depth = own_images(tmp_path / "mine", 5)
    (tmp_path / "mine/a/intrinsics.txt").write_text("50 0 32 0 50 24 0 0 1")
    before = content_digest_of(tmp_path / "mine")
    spec = trees.spec_of(
        "mine", "folder", tmp_path / "mine", depth={"scale": 0.01}, licence="CC0", citation="me"
    )
    store = make_store(tmp_path, spec)
    sequence = store.sequences["a"]
    assert (sequence.n_frames, sequence.height, sequence.width, sequence.units) == (5, 48, 64, "mm")
    assert sequence.frame_ids() == [f"{number:04d}" for number in range(5)]
    assert np.array_equal(sequence.stored_depth(0, 5)[3], depth)
    decoded = sequence.depth(1, 3)
    assert decoded.dtype == np.float32
    assert np.array_equal(np.isnan(decoded[0]), depth == 0)
    assert np.allclose(decoded[0][depth > 0], depth[depth > 0] / 100)
    assert np.array_equal(sequence.rgb(2, 3)[0, 5:20, 25:40], trees.picture(48, 64, 2)[5:20, 25:40])
    assert sequence.intrinsics is not None
    assert sequence.intrinsics[0, 0] == 50
    assert (sequence.attrs["licence"], sequence.attrs["citation"]) == ("CC0", "me")
    flags = sequence.flags(0, 5)
    assert np.array_equal((flags[0] & NO_DEPTH) > 0, depth == 0)
    assert ((flags[0] & BORDER) > 0)[depth == 0].mean() > 0.9
    assert not ((flags[0] & BORDER) > 0)[8:40, 20:44].any()
    assert np.all(flags[:, 21:23, 21:23] & SPECULAR)
    manifest = json.loads((tmp_path / "unit.json").read_text())
    assert manifest["sequences"]["a"]["frames"] == 5
    assert manifest["unit"] == "unit"
    assert content_digest_of(tmp_path / "mine") == before
    assert data_root(tmp_path / "raw") == (tmp_path / "mine").resolve()


def content_digest_of(folder: Path) -> str:
    """Return the digest of a folder's files."""
    from scopedepth.job.manifest import digest_tree

    return digest_tree(folder)


def test_xarray_reads_the_same(tmp_path: Path) -> None:
    import xarray as xr

    own_images(tmp_path / "mine", 3)
    store = make_store(tmp_path, trees.spec_of("mine", "folder", tmp_path / "mine", depth={"scale": 0.01}))
    tree = xr.open_datatree(tmp_path / "unit.zarr", engine="zarr", consolidated=False)
    sequence = tree["a"].ds
    assert sequence["depth"].dims == ("frame", "y", "x")
    assert np.allclose(sequence["depth"].values, store.sequences["a"].depth(0, 3), equal_nan=True, rtol=1e-6)
    assert sequence["depth"].attrs["units"] == "mm"
    assert list(sequence["frame_id"].values) == ["0000", "0001", "0002"]
    assert sequence["flags"].attrs["flag_meanings"].split()[1] == "border"


def test_made_again_the_store_is_byte_identical(tmp_path: Path) -> None:
    own_images(tmp_path / "mine", 4)
    spec = trees.spec_of("mine", "folder", tmp_path / "mine", depth={"scale": 0.01})
    for place, workers in (("one", 1), ("two", 4)):
        (tmp_path / place).mkdir()
        make_store(tmp_path / place, spec, workers=workers)
    assert content_digest_of(tmp_path / "one/unit.zarr") == content_digest_of(tmp_path / "two/unit.zarr")
    for name in ("unit.json", "unit.page.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_killed_job_goes_on_with_the_missing_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_images(tmp_path / "mine", 7)
    spec = trees.spec_of("mine", "folder", tmp_path / "mine", depth={"scale": 0.01})
    monkeypatch.setattr(prepare, "SHARD_FRAMES", 2)
    (tmp_path / "whole").mkdir()
    make_store(tmp_path / "whole", spec)
    read_block, read = prepare.read_block, list[int]()

    def stopping(plan: Any, start: int, stop: int, pool: Any) -> Any:
        if len(read) == 2:
            raise KeyboardInterrupt
        read.append(start)
        return read_block(plan, start, stop, pool)

    monkeypatch.setattr(prepare, "read_block", stopping)
    with pytest.raises(KeyboardInterrupt):
        make_store(tmp_path, spec)
    assert not (tmp_path / "unit.zarr").exists()

    def noted(plan: Any, start: int, stop: int, pool: Any) -> Any:
        read.append(start)
        return read_block(plan, start, stop, pool)

    monkeypatch.setattr(prepare, "read_block", noted)
    make_store(tmp_path, spec)
    assert read == [0, 2, 4, 6]
    assert content_digest_of(tmp_path / "unit.zarr") == content_digest_of(tmp_path / "whole/unit.zarr")


def test_a_corrupted_frame_of_many_has_a_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    depth = own_images(tmp_path / "mine", 30)
    broken = tmp_path / "mine/a/rgb/0007.png"
    broken.write_bytes(broken.read_bytes()[:200])
    trees.write_image(tmp_path / "mine/a/depth/0011.png", np.zeros_like(depth))
    (tmp_path / "mine/a/depth/0012.png").unlink()
    store = make_store(tmp_path, trees.spec_of("mine", "folder", tmp_path / "mine", depth={"scale": 0.01}))
    sequence = store.sequences["a"]
    status = sequence.status()
    assert list(np.flatnonzero(status == FRAME_UNREADABLE)) == [7]
    assert list(np.flatnonzero(status == FRAME_NO_DEPTH)) == [11, 12]
    assert (status == FRAME_OK).sum() == 27
    assert np.isnan(sequence.depth(7, 8)).all()
    counts = json.loads((tmp_path / "unit.json").read_text())["sequences"]["a"]
    assert (counts["unreadable"], counts["unreadable_frames"], counts["no_depth"]) == (1, ["0007"], 2)
    assert str(broken) in capsys.readouterr().err


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_images(tmp_path / "mine", 3)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ShardedStore, "write_shard", full)
    with pytest.raises(ScopeDepthError, match=r"No space left on the disk of .*unit\.zarr"):
        make_store(tmp_path, trees.spec_of("mine", "folder", tmp_path / "mine"))
    assert not (tmp_path / "unit.zarr").exists()


def test_too_many_corrupted_frames_are_an_error(tmp_path: Path) -> None:
    own_images(tmp_path / "mine", 10)
    for number in (3, 4):
        (tmp_path / f"mine/a/rgb/{number:04d}.png").write_bytes(b"broken")
    spec = trees.spec_of("mine", "folder", tmp_path / "mine", depth={"scale": 0.01}, max_bad_frames=0.1)
    with pytest.raises(
        ScopeDepthError, match=r"2 of 10 frames cannot be read \(20\.0%, allowed 10\.0%\).* 0003"
    ):
        make_store(tmp_path, spec)
    assert not (tmp_path / "unit.zarr").exists()
    assert not (tmp_path / "unit.json").exists()


def test_sizes_that_differ_are_an_error(tmp_path: Path) -> None:
    own_images(tmp_path / "mine", 3)
    trees.write_image(tmp_path / "mine/a/depth/0001.png", np.full((47, 64), 5, np.uint16))
    spec = trees.spec_of("mine", "folder", tmp_path / "mine")
    with pytest.raises(ScopeDepthError, match=r"0001\.png is 64x48, .*0001\.png is 64x47"):
        make_store(tmp_path, spec)
    trees.write_image(tmp_path / "mine/a/depth/0001.png", np.full((40, 64), 5, np.uint16))
    trees.write_image(tmp_path / "mine/a/rgb/0001.png", trees.picture(40, 64))
    assert list(make_store(tmp_path, spec).sequences) == ["a_64x40", "a_64x48"]
    # A loader of published data, whose sequences have one size.
    trees.c3vd(tmp_path / "c3vd/a", {0: np.full((48, 64), 5.0), 1: np.full((40, 64), 5.0)})
    with pytest.raises(ScopeDepthError, match="frame 0001 is 64x40, frame 0000 is 64x48"):
        make_store(tmp_path, trees.spec_of("c3vd", "c3vd", tmp_path / "c3vd"))


def test_one_sequence_of_a_split_dataset(tmp_path: Path) -> None:
    for name in ("a", "b"):
        own_images(tmp_path / "mine", 2, sequence=name)
    spec = trees.spec_of("mine", "folder", tmp_path / "mine", split="sequence", sequences=["b"])
    assert list(make_store(tmp_path, spec).sequences) == ["b"]


def test_the_parts_of_a_sequence_are_the_whole(tmp_path: Path) -> None:
    own_images(tmp_path / "mine", 7)
    spec = trees.spec_of("mine", "folder", tmp_path / "mine", depth={"scale": 0.01})
    whole = make_store(tmp_path / "whole", spec).sequences["a"]
    parts = [
        make_store(tmp_path / f"from{first}", {**spec, "part": [first, stop]}).sequences["a"]
        for first, stop in ((0, 3), (3, None))
    ]
    assert [(part.first_frame, part.n_frames) for part in parts] == [(0, 3), (3, 4)]
    assert [name for part in parts for name in part.frame_ids()] == whole.frame_ids()
    for read in ("rgb", "depth", "flags", "status"):
        together = np.concatenate([getattr(part, read)(0, part.n_frames) for part in parts])
        assert np.array_equal(together, getattr(whole, read)(0, 7), equal_nan=read == "depth"), read


def test_a_cut_beyond_the_end_names_the_sequence(tmp_path: Path) -> None:
    own_images(tmp_path / "mine", 2)
    spec = trees.spec_of("mine", "folder", tmp_path / "mine", depth={"scale": 0.01})
    with pytest.raises(ScopeDepthError, match=r"Sequence a has 2 chosen frames .* cut at frame 5.*cut\.a"):
        make_store(tmp_path, {**spec, "part": [5, None]})


def test_undistorted_images_and_pinhole_depth(tmp_path: Path) -> None:
    grey = np.full((320, 320), 40, np.uint8)
    trees.endoslam(tmp_path / "data", {"Stomach": {0: grey, 1: grey}})
    spec = trees.spec_of(
        "endoslam", "endoslam_unity", tmp_path / "data", depth={"unit": "relative"}, undistort=True
    )
    sequence = make_store(tmp_path, spec).sequences["stomach"]
    assert sequence.units == "relative"
    assert np.all(sequence.depth(0, 2) == 40)
    assert not np.array_equal(sequence.rgb(0, 1)[0], trees.picture(320, 320, 0))
    black = (sequence.rgb(0, 1)[0] == 0).all(axis=-1)
    assert np.all(sequence.flags(0, 1)[0][black] & BORDER)


def test_the_black_borders_of_wide_hamlyn_videos(tmp_path: Path) -> None:
    depth = np.full((288, 720), 85, np.uint16)
    trees.hamlyn(tmp_path / "data", "14", {0: depth, 1: depth}, "417.90 0 373.21\n0 417.90 158.14\n0 0 1")
    for path in (tmp_path / "data/rectified14/image01").iterdir():
        rgb = trees.picture(288, 720)
        rgb[:, :60], rgb[:, -50:] = 0, 0
        trees.write_image(path, rgb)
    spec = trees.spec_of("hamlyn", "hamlyn_rectified", tmp_path / "data")
    flags = make_store(tmp_path, spec).sequences["rectified14"].flags(0, 2)
    assert np.all(flags[:, :, :56] & BORDER)
    assert np.all(flags[:, :, -46:] & BORDER)
    assert not np.any(flags[:, :, 66:-56] & BORDER)


def test_border_with_a_line_and_a_dark_lumen() -> None:
    image = trees.picture(120, 160)
    image[:, :20] = 4  # a black border to the left
    image[:2] = (200, 30, 30)  # the recorder's coloured line above
    image[100:112, 4:14] = 255  # and its mark
    cv2.circle(image, (90, 60), 15, (2, 2, 2), -1)  # a dark lumen in the middle
    border = find_border([image])
    assert border is not None
    assert border[:, :19].all()
    assert not border[5:, 24:].any()
    full = find_border([trees.picture(120, 160)])
    assert full is not None
    assert not full.any()


def test_border_of_the_samples(samples: Path) -> None:
    from scopedepth.datasets.reading.images import read_image

    found = find_border([read_image(path) for path in sorted((samples / "c3vd").glob("*_color.png"))])
    assert found is not None
    assert found[0, 0]
    assert found[-1, -1]
    assert found.mean() == pytest.approx(0.07, abs=0.01)  # as many as have no depth
    rendered = find_border([read_image(path) for path in sorted((samples / "simcol3d").glob("Frame*.png"))])
    assert rendered is not None
    assert not rendered.any()


MEMORY = """
    import os, resource, sys
    from pathlib import Path
    os.fsync = lambda handle: None  # a busy disk's waits are not what is measured
    sys.path[:0] = [{library!r}, {tests!r}]
    import dataset_trees as trees
    from scopedepth.datasets.prepare import prepare_unit
    place, count = Path(sys.argv[1]), int(sys.argv[2])
    spec = trees.spec_of("many", "folder", place / "mine", depth={{"scale": 0.01}}, frames={{"stop": count}})
    prepare_unit(spec, place / "raw", place / f"{{count}}.zarr", place / f"{{count}}.json", 2)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_video(tmp_path: Path, root: Path) -> None:
    """2,000 frames of 320x320 peak within 10 % of 200. Files are links to ten: disk is not what is measured."""
    for number in range(10):
        smooth = cv2.resize(trees.picture(16, 16, number), (320, 320))
        trees.write_image(tmp_path / f"ten/a/rgb/{number:04d}.png", smooth)
        trees.write_image(tmp_path / f"ten/a/depth/{number:04d}.png", smooth[..., 0].astype(np.uint16))
    for kind in ("rgb", "depth"):
        (tmp_path / f"mine/a/{kind}").mkdir(parents=True)
        for number in range(2000):
            (tmp_path / f"mine/a/{kind}/{number:04d}.png").hardlink_to(
                tmp_path / f"ten/a/{kind}/{number % 10:04d}.png"
            )
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/in_place.json").write_text(json.dumps({"path": str(tmp_path / "mine")}))
    script = textwrap.dedent(MEMORY).format(library=str(root / "workflow_scripts"), tests=str(root / "tests"))
    peaks = []
    for count in (200, 2000):
        command = [sys.executable, "-c", script, str(tmp_path), str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] < 1.1 * peaks[0]


def test_readers_need_neither_xarray_nor_pandas_nor_opencv(root: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import scopedepth.stores.dataset; "
        "print([name for name in ('xarray', 'pandas', 'cv2', 'torch', 'scipy', 'matplotlib') if name in sys.modules])"
    )
    command = [sys.executable, "-c", script, str(root / "workflow_scripts")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"
