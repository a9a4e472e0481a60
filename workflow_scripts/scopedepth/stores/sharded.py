"""A resumable writer of Zarr stores, and checked reads from them.

A shard is a run of frames of one sequence: one file an array, written whole, once, by one process. The store
grows beside its final name, so that nobody mistakes a part for the whole:

    X.zarr.partial/fingerprint.json   what the store is being made from
    X.zarr.partial/done/G.S           an empty file for each finished shard S of group number G
    X.zarr.partial/store/             the Zarr tree, renamed to X.zarr when nothing is missing

A shard is marked as done only after its files are on the disk. Killed at any moment, the next run with the
same fingerprint makes the missing shards only, and the finished store has the same bytes as an uninterrupted
one: a frame is compressed by one thread, chunks lie in the order of frames, and what a killed write left is removed.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from scopedepth.errors import ScopeDepthError
from scopedepth.job.manifest import write_json
from scopedepth.job.scratch import sync
from scopedepth.stores.shardfile import SHUFFLES, blosc_of, read_shard, write_shard

# Measured with one thread on frames of C3VD, SimCol3D, Hamlyn's f7 and the phantom: level 3 in blosc's own small blocks
# takes 2.6 to 5 times as long to write as level 1 in blocks of some 512 KiB (55 against 17 ms for 6 MB of C3VD), and
# the files are as large (C3VD 0.624 of raw against 0.621, SimCol3D 0.588 against 0.590, Hamlyn 0.423 against 0.422).
# LZ4 would halve the time once more, for files 15 to 29 per cent larger.
ZSTD_LEVEL = 1
BLOCK_BYTES = 2**19


@dataclass(frozen=True)
class ArraySpec:
    """One array of a group; its first dimension, `frame`, is added to `shape` and `dims`.

    `shape`: of one frame, () for one value a frame. `dtype`: a NumPy dtype, or `str` (for shape () only).
    `dims`: a name for each dimension of a frame. `codec`: how blosc shuffles before zstd, of `SHUFFLES`.
    `level`: zstd's.
    `attrs`: the array's attributes, such as CF's scale_factor, _FillValue, flag_masks.
    """

    shape: tuple[int, ...]
    dtype: Any
    dims: tuple[str, ...] = ()
    fill: Any = 0
    codec: str = "bitshuffle"
    level: int = ZSTD_LEVEL
    attrs: Mapping[str, Any] = field(default_factory=dict)


class ShardedStore:
    """Writes the store `final` shard by shard; see the module's text for how it resumes.

    `fingerprint`: JSON-able; all that decides the content. A partial store with another one is discarded.
    `groups`: name -> {"n_frames": int, "arrays": {name: ArraySpec}, "attrs": dict}.
    `shard_frames`: frames in a shard, one number for all groups or {group: number}.
    `attrs`: attributes of the root group.

    Instances may be sent to other processes: different shards may be written at the same time from several
    threads or processes, each shard by one of them.
    """

    def __init__(
        self,
        final: Path,
        fingerprint: Mapping[str, Any],
        groups: Mapping[str, Mapping[str, Any]],
        shard_frames: int | Mapping[str, int],
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        self.final = Path(final)
        self.partial = self.final.with_name(self.final.name + ".partial")
        self.groups = dict(groups)
        self.attrs = dict(attrs or {})
        if isinstance(shard_frames, int):
            self.shard_frames = dict.fromkeys(self.groups, shard_frames)
        else:
            self.shard_frames = {name: shard_frames[name] for name in self.groups}
        # Through JSON and back, so that tuples compare equal to what was read from the file.
        self.fingerprint = json.loads(json.dumps(fingerprint))
        self._numbers = {name: number for number, name in enumerate(self.groups)}
        self._arrays: dict[tuple[str, str], zarr.Array] = {}
        for name in self.groups:
            if not name or name in {".", ".."} or "/" in name:
                raise ScopeDepthError(
                    f"A sequence cannot be named {name!r}: it names a folder of {self.final}."
                )

    def __enter__(self) -> Self:
        if not self._resumable():
            shutil.rmtree(self.partial, ignore_errors=True)
            self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave a partial store where it is, the next run's start. A finished one leaves nothing behind."""
        if not (self.partial / "store").exists() and kind is None:
            shutil.rmtree(self.partial, ignore_errors=True)

    @property
    def n_frames(self) -> int:
        """All frames of all groups."""
        return sum(int(group["n_frames"]) for group in self.groups.values())

    def shards(self) -> Iterator[tuple[str, int, int, int]]:
        """Yield (group, shard, first frame, one past the last frame) of every shard, in order."""
        for name, group in self.groups.items():
            step, frames = self.shard_frames[name], int(group["n_frames"])
            for shard, start in enumerate(range(0, frames, step)):
                yield name, shard, start, min(start + step, frames)

    def missing(self) -> list[tuple[str, int, int, int]]:
        """Return (group, shard, first frame, one past the last frame) of the shards still to be written."""
        if not (self.partial / "store").exists():
            return []  # renamed already
        done = {entry.name for entry in os.scandir(self.partial / "done")}
        return [shard for shard in self.shards() if self._mark(shard[0], shard[1]).name not in done]

    def write_shard(
        self, group: str, shard: int, blocks: Mapping[str, np.ndarray], pool: Executor | None = None
    ) -> None:
        """Write one shard of every array of `group`, in full, and mark it as done once it is on the disk.

        `blocks`: for each array (frames of the shard, *shape of a frame). `pool`: threads that compress frames; the
        bytes are the same without.
        """
        start = shard * self.shard_frames[group]
        stop = min(start + self.shard_frames[group], int(self.groups[group]["n_frames"]))
        specs: Mapping[str, ArraySpec] = self.groups[group]["arrays"]
        if set(blocks) != set(specs):
            raise ValueError(f"shard of {group}: arrays {sorted(blocks)} instead of {sorted(specs)}")
        for name, spec in specs.items():
            block = blocks[name]
            if block.shape != (stop - start, *spec.shape):
                raise ValueError(
                    f"{group}/{name}: a block of {block.shape}, not {(stop - start, *spec.shape)}"
                )
            array = self._array(group, name)
            path = shard_file(array, shard)
            blosc = blosc_of(array)
            if blosc is not None:
                write_shard(path, shard_length(array), blosc, np.ascontiguousarray(block, array.dtype), pool)
            else:
                array[start:stop] = block
                sync(path)
            # The folders down to the file are new as well.
            for folder in list(path.parents)[: array.ndim]:
                sync(folder)
        mark = self._mark(group, shard)
        mark.touch()
        sync(mark.parent)

    def finish(self) -> None:
        """Check that no shard is missing and give the store its final name, replacing an older one."""
        left = self.missing()
        if left:
            raise RuntimeError(f"{self.final}: {len(left)} shards are missing, the first one {left[0]}")
        store = self.partial / "store"
        if not store.exists():
            return
        # Zarr writes beside the file and renames; a killed write leaves the file beside.
        for stray in store.rglob("*.partial"):
            if stray.is_file():
                stray.unlink()
        if self.final.exists():
            shutil.rmtree(self.final)
        os.replace(store, self.final)
        sync(self.final.parent)

    def _resumable(self) -> bool:
        try:
            same = json.loads((self.partial / "fingerprint.json").read_text("utf-8")) == self.fingerprint
        except (OSError, ValueError, RecursionError):
            return False
        return same and ((self.partial / "store").exists() or self.final.exists())

    def _begin(self) -> None:
        (self.partial / "done").mkdir(parents=True)
        root = zarr.create_group(self.partial / "store", attributes=self.attrs)
        for name, group in self.groups.items():
            place = root.create_group(name, attributes=dict(group.get("attrs", {})))
            for key, spec in group["arrays"].items():
                _create_array(place, key, spec, int(group["n_frames"]), self.shard_frames[name])
        # Last: without it the next run begins anew.
        write_json(self.partial / "fingerprint.json", self.fingerprint)

    def _array(self, group: str, name: str) -> zarr.Array:
        if (group, name) not in self._arrays:
            path = self.partial / "store" / group / name
            array = zarr.open_array(path, mode="r+", zarr_format=3)
            # A chunk of fill values is stored like any other, so that a missing file always means damage.
            self._arrays[group, name] = array.with_config({"write_empty_chunks": True})
        return self._arrays[group, name]

    def _mark(self, group: str, shard: int) -> Path:
        return self.partial / "done" / f"{self._numbers[group]}.{shard}"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_arrays": {}}


def _create_array(group: zarr.Group, name: str, spec: ArraySpec, n_frames: int, shard_frames: int) -> None:
    if spec.codec not in SHUFFLES:
        raise ValueError(f"array {name}: codec {spec.codec!r} is none of {SHUFFLES}")
    blosc = BloscCodec(cname="zstd", clevel=spec.level, shuffle=spec.codec, blocksize=_block(spec))
    # One frame a chunk, so that reading one frame decodes one; scalars need no second level.
    layout: dict[str, Any] = {"chunks": (shard_frames,)}
    if spec.shape:
        layout = {"chunks": (1, *spec.shape), "shards": (shard_frames, *spec.shape)}
    group.create_array(
        name,
        shape=(n_frames, *spec.shape),
        dtype=spec.dtype,
        fill_value=spec.fill,
        # The checksum comes last, over the compressed bytes: a flipped bit is an error, not a number.
        compressors=[blosc, Crc32cCodec()],
        dimension_names=("frame", *spec.dims),
        attributes=dict(spec.attrs),
        **layout,
    )


def _block(spec: ArraySpec) -> int:
    """Return the bytes that blosc compresses at once: a frame in equal parts of about `BLOCK_BYTES`, 0 for scalars.

    Blosc shuffles no bits of a last block whose numbers are no multiple of 8; here that one holds a few bytes at most.
    """
    if not spec.shape:
        return 0
    item = np.dtype(spec.dtype).itemsize
    numbers = math.prod(spec.shape)
    parts = max(1, round(numbers * item / BLOCK_BYTES))
    return numbers // parts // 8 * 8 * item


def shard_file(array: zarr.Array, shard: int) -> Path:
    """Return the file of the shard number `shard` (along frames) of `array`, whether it exists or not."""
    return Path(array.store.root, array.path, "c", str(shard), *("0" * (array.ndim - 1)))


def shard_length(array: zarr.Array) -> int:
    """Return the frames in a shard of `array`."""
    return int((array.shards or array.chunks)[0])


def read_frames(array: zarr.Array, start: int, stop: int, where: str) -> np.ndarray:
    """Return frames [start, stop) of `array`, checked.

    A missing file or a wrong checksum is a `ScopeDepthError` that names `where` and the frames. (Zarr alone
    takes a missing file for fill values, and a damaged one is a bare ValueError.)
    """
    step = shard_length(array)
    for shard in range(start // step, -(-stop // step)):
        if not shard_file(array, shard).exists():
            raise ScopeDepthError(_damaged(where, shard * step, stop, "a file is missing"))
    try:
        return _read_shards(array, start, stop) if blosc_of(array) else np.asarray(array[start:stop])
    except (ValueError, RuntimeError, OSError) as error:
        raise ScopeDepthError(_damaged(where, start, stop, str(error))) from error


def _read_shards(array: zarr.Array, start: int, stop: int) -> np.ndarray:
    """Return frames [start, stop) of an array that `shardfile` can decode."""
    step = shard_length(array)
    out = np.empty((stop - start, *array.shape[1:]), array.dtype)
    at = start
    while at < stop:
        end = min(stop, (at // step + 1) * step)
        read_shard(shard_file(array, at // step), step, at % step, out[at - start : end - start])
        at = end
    return out


def _damaged(where: str, start: int, stop: int, reason: str) -> str:
    return (
        f"{where}, frames {start} to {stop - 1}, is damaged ({reason}). Delete the store and make it again."
    )


def open_groups(path: Path) -> zarr.Group:
    """Open the store at `path` for reading, or raise a `ScopeDepthError` that names it."""
    if not path.is_dir():
        raise ScopeDepthError(f"There is no store at {path}. Make it before it is read.")
    with readable(path):
        # Consolidated metadata would be a second truth.
        return zarr.open_group(path, mode="r", zarr_format=3, use_consolidated=False)


@contextmanager
def readable(where: Path | str) -> Iterator[None]:
    """Turn what a store's damaged or missing metadata lead to in the body into a `ScopeDepthError` naming `where`."""
    try:
        yield
    except ScopeDepthError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, OSError, AssertionError) as error:
        raise ScopeDepthError(
            f"{where} is not a readable store ({type(error).__name__}: {error}). Delete it and make it again."
        ) from error
