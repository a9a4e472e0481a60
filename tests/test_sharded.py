"""The resumable writer: nothing lost, nothing twice, the same bytes."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from scopedepth.errors import ScopeDepthError
from scopedepth.job.manifest import digest_tree
from scopedepth.stores.sharded import ArraySpec, ShardedStore, open_groups, read_frames, shard_file
from scopedepth.stores.shardfile import blosc_of

FRAMES = {"a": 10, "b": 3}
SHARD = 4


def groups() -> dict[str, Any]:
    arrays = {
        "rgb": ArraySpec((5, 7, 3), "uint8", ("y", "x", "channel")),
        "depth": ArraySpec((5, 7), "float32", ("y", "x"), fill=float("nan"), attrs={"units": "mm"}),
        "frame_id": ArraySpec((), str, fill="", codec="noshuffle"),
        "status": ArraySpec((), "uint8"),
    }
    return {
        name: {"n_frames": n, "arrays": arrays, "attrs": {"sequence": name}} for name, n in FRAMES.items()
    }


def blocks(sequence: str, start: int, stop: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([ord(sequence[0]), start])
    n = stop - start
    return {
        "rgb": rng.integers(0, 255, (n, 5, 7, 3), dtype=np.uint8),
        "depth": rng.normal(size=(n, 5, 7)).astype(np.float32),
        "frame_id": np.array([f"frame {i:04d} é" for i in range(start, stop)], dtype=object),
        "status": np.zeros(n, np.uint8),
    }


def write(
    path: Path, fingerprint: dict[str, Any] | None = None, stop_after: int | None = None
) -> list[tuple[str, int]]:
    written: list[tuple[str, int]] = []
    with ShardedStore(path, fingerprint or {"v": (1, 2)}, groups(), SHARD, attrs={"kind": "test"}) as store:
        for sequence, shard, start, stop in store.missing():
            if len(written) == stop_after:
                break
            store.write_shard(sequence, shard, blocks(sequence, start, stop))
            written.append((sequence, shard))
        if stop_after is None:
            store.finish()
    return written


def test_a_store_opens_with_xarray_and_holds_what_was_written(tmp_path: Path) -> None:
    import xarray

    assert len(write(tmp_path / "x.zarr")) == 4
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.zarr"]
    tree: Any = xarray.open_datatree(tmp_path / "x.zarr", engine="zarr", consolidated=False)
    assert tree.attrs == {"kind": "test"}
    assert tree["a"].attrs == {"sequence": "a"}
    assert tree["a"]["rgb"].dims == ("frame", "y", "x", "channel")
    assert tree["a"]["depth"].attrs["units"] == "mm"
    expected = blocks("a", 4, 8)
    np.testing.assert_array_equal(tree["a"]["depth"][4:8], expected["depth"])
    assert list(tree["a"]["frame_id"][4:8].values) == list(expected["frame_id"])
    read = read_frames(open_groups(tmp_path / "x.zarr")["b/rgb"], 1, 3, "b")
    np.testing.assert_array_equal(read, blocks("b", 0, 3)["rgb"][1:])


@pytest.mark.parametrize("stop_after", [0, 1, 3, 4])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path: Path, stop_after: int) -> None:
    write(tmp_path / "whole.zarr")
    first = write(tmp_path / "x.zarr", stop_after=stop_after)
    second = write(tmp_path / "x.zarr")
    assert len(first) + len(second) == 4
    assert not set(first) & set(second)
    assert digest_tree(tmp_path / "x.zarr") == digest_tree(tmp_path / "whole.zarr")


def test_threads_that_compress_change_no_byte(tmp_path: Path) -> None:
    write(tmp_path / "x.zarr")
    with (
        ThreadPoolExecutor(3) as pool,
        ShardedStore(tmp_path / "y.zarr", {}, groups(), SHARD, attrs={"kind": "test"}) as store,
    ):
        for sequence, shard, start, stop in store.missing():
            store.write_shard(sequence, shard, blocks(sequence, start, stop), pool)
        store.finish()
    assert digest_tree(tmp_path / "x.zarr") == digest_tree(tmp_path / "y.zarr")


@pytest.mark.parametrize("shape", [(475, 475, 3), (701, 1001, 3), (2, 1), (1080, 1920, 3)])
def test_a_frame_is_compressed_in_equal_parts_whose_bits_can_be_shuffled(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    group = {"n_frames": 1, "arrays": {"rgb": ArraySpec(shape, "uint8", tuple("yxc"[: len(shape)]))}}
    with ShardedStore(tmp_path / "x.zarr", {}, {"a": group}, 1):
        blosc = blosc_of(zarr.open_array(tmp_path / "x.zarr.partial" / "store" / "a" / "rgb", mode="r"))
    assert blosc is not None
    size = int(np.prod(shape))
    parts = max(1, round(size / 2**19))
    assert blosc.blocksize % 8 == 0
    assert 0 <= size - parts * blosc.blocksize < 8 * parts


def test_another_fingerprint_discards_the_partial_store(tmp_path: Path) -> None:
    write(tmp_path / "x.zarr", {"v": 1}, stop_after=2)
    assert len(write(tmp_path / "x.zarr", {"v": 2})) == 4


def test_remaking_replaces_the_older_store(tmp_path: Path) -> None:
    write(tmp_path / "x.zarr")
    (tmp_path / "x.zarr" / "old").touch()
    write(tmp_path / "x.zarr")
    assert not (tmp_path / "x.zarr" / "old").exists()


def test_killed_between_renaming_and_the_end_redoes_nothing(tmp_path: Path) -> None:
    store = ShardedStore(tmp_path / "x.zarr", {}, groups(), SHARD)
    store.__enter__()
    for sequence, shard, start, stop in store.missing():
        store.write_shard(sequence, shard, blocks(sequence, start, stop))
    store.finish()  # and killed here: no __exit__
    with ShardedStore(tmp_path / "x.zarr", {}, groups(), SHARD) as again:
        assert again.missing() == []
        again.finish()
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.zarr"]


def test_finish_refuses_an_incomplete_store(tmp_path: Path) -> None:
    with ShardedStore(tmp_path / "x.zarr", {}, groups(), SHARD) as store:
        with pytest.raises(RuntimeError, match="4 shards are missing"):
            store.finish()
        with pytest.raises(ValueError, match="a block of"):
            store.write_shard("a", 0, blocks("a", 0, 3))
        with pytest.raises(ValueError, match="arrays"):
            store.write_shard("a", 0, {})


def test_a_sequence_cannot_name_another_folder(tmp_path: Path) -> None:
    spec = {"../b": {"n_frames": 1, "arrays": {}}}
    with pytest.raises(ScopeDepthError, match="cannot be named"):
        ShardedStore(tmp_path / "x.zarr", {}, spec, 1)


def test_shards_are_decoded_as_zarr_does(tmp_path: Path) -> None:
    write(tmp_path / "x.zarr")
    group = open_groups(tmp_path / "x.zarr")
    assert blosc_of(group["a/rgb"])
    assert blosc_of(group["a/depth"])
    assert not blosc_of(group["a/status"])
    for name in ("rgb", "depth", "status", "frame_id"):
        array = group[f"a/{name}"]
        for start, stop in [(0, 10), (0, 1), (3, 9), (4, 8), (9, 10), (2, 2)]:
            found = read_frames(array, start, stop, "a")
            assert found.dtype == array.dtype
            np.testing.assert_array_equal(found, array[start:stop])
    foreign = zarr.create_array(
        tmp_path / "f.zarr", shape=(6, 5), chunks=(2, 5), shards=(4, 5), dtype="i4", fill_value=0
    )
    foreign[:] = np.arange(30).reshape(6, 5)
    assert not blosc_of(foreign)
    np.testing.assert_array_equal(read_frames(foreign, 1, 5, "f"), foreign[1:5])


@pytest.mark.parametrize("name", ["rgb", "depth", "status", "frame_id"])
def test_any_flipped_bit_is_noticed(tmp_path: Path, name: str) -> None:
    write(tmp_path / "x.zarr")
    array = open_groups(tmp_path / "x.zarr")[f"a/{name}"]
    file = shard_file(array, 0)
    whole = file.read_bytes()
    for position in np.linspace(0, len(whole) - 1, 25).astype(int):
        content = bytearray(whole)
        content[position] ^= 4
        file.write_bytes(content)
        with pytest.raises(ScopeDepthError, match="sequence a"):
            read_frames(array, 0, 4, "sequence a")
    for length in (0, 3, 20, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(ScopeDepthError, match="sequence a, frames 0 to 3, is damaged"):
            read_frames(array, 0, 4, "sequence a")
    file.unlink()
    with pytest.raises(ScopeDepthError, match="missing"):
        read_frames(array, 2, 3, "sequence a")
    with pytest.raises(ScopeDepthError, match="no store"):
        open_groups(tmp_path / "none.zarr")


def test_other_processes_may_write(tmp_path: Path) -> None:
    with ShardedStore(tmp_path / "x.zarr", {}, groups(), SHARD) as store:
        sent = pickle.loads(pickle.dumps(store))
        for sequence, shard, start, stop in sent.missing():
            sent.write_shard(sequence, shard, blocks(sequence, start, stop))
        assert store.missing() == []
        store.finish()


KILLED = """
import os, signal, sys, zarr.storage._local as local
sys.path[:0] = [{tests!r}, {library!r}]
from pathlib import Path
import test_sharded
calls = 0
replace = Path.replace
def dying(self, target):
    global calls
    calls += self.suffix == ".partial" and "/c/" in str(self)
    if calls == {count}:
        os.kill(os.getpid(), signal.SIGKILL)  # the file beside is written, and not renamed
    return replace(self, target)
Path.replace = dying
test_sharded.write(Path({path!r}))
"""


@pytest.mark.parametrize("count", [1, 7])
def test_a_killed_write_leaves_no_trace(tmp_path: Path, count: int) -> None:
    write(tmp_path / "whole.zarr")
    tests = Path(__file__).parent
    code = KILLED.format(
        tests=str(tests),
        library=str(tests.parent / "workflow_scripts"),
        count=count,
        path=str(tmp_path / "x.zarr"),
    )
    ended = subprocess.run([sys.executable, "-c", code], env=dict(os.environ), capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert list((tmp_path / "x.zarr.partial").rglob("*.partial"))
    write(tmp_path / "x.zarr")
    assert digest_tree(tmp_path / "x.zarr") == digest_tree(tmp_path / "whole.zarr")
