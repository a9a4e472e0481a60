"""Reading and writing a shard's file directly, for the layout that `sharded` creates.

Zarr reads a 640x480 colour frame in 2.2 ms, of which 1 ms is Zarr: opening the file again for each chunk, its event
loop, copies; writing costs as much again. Predicting with a fast network, aligning and scoring touch every frame there
is, so the common case is coded here; any other layout is left to Zarr, and Zarr reads what is written here.

Layout (Zarr v3 specification, sharding codec 1.0): compressed chunks one after the other, then an index of
(offset, length) of each chunk as little-endian uint64, then the index's CRC32C. A chunk ends with its own CRC32C.
"""

from __future__ import annotations

import os
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import google_crc32c
import numcodecs.blosc  # type: ignore[import-untyped]
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, ShardingCodec

CHECKSUM_BYTES = 4
# In the order of blosc's own numbers.
SHUFFLES = ("noshuffle", "shuffle", "bitshuffle")
# What the index says of a chunk that was not written.
NOT_WRITTEN = 2**64 - 1


class DamagedShard(ValueError):
    """A shard whose bytes are not what was written."""


def blosc_of(array: zarr.Array) -> BloscCodec | None:
    """Return the compressor of an array with one frame a chunk and the codecs known here, else None."""
    chain: Any = getattr(array.metadata, "codecs", ())
    if len(chain) != 1 or not isinstance(chain[0], ShardingCodec) or not array.dtype.isnative:
        return None
    sharding = chain[0]
    inner: Any = sharding.codecs
    known = (
        [type(codec) for codec in inner] == [BytesCodec, BloscCodec, Crc32cCodec]
        and [type(codec) for codec in sharding.index_codecs] == [BytesCodec, Crc32cCodec]
        and sharding.index_location.value == "end"
        and tuple(sharding.chunk_shape) == (1, *array.shape[1:])
    )
    return inner[1] if known else None


def write_shard(
    path: Path, in_shard: int, blosc: BloscCodec, frames: NDArray[Any], pool: Executor | None = None
) -> None:
    """Write `frames`, contiguous (n, ...) with n up to `in_shard`, as the shard at `path`, at once and to the disk.

    `pool`: threads that compress, a frame each.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    index = np.full((in_shard, 2), NOT_WRITTEN, "<u8")
    shuffle = SHUFFLES.index(blosc.shuffle.value)

    def compress(frame: NDArray[Any]) -> bytes:
        chunk: bytes = numcodecs.blosc.compress(
            frame, blosc.cname.value.encode(), blosc.clevel, shuffle, blosc.blocksize, blosc.typesize
        )
        return chunk

    offset = 0
    with beside.open("wb") as file:
        for number, chunk in enumerate((map if pool is None else pool.map)(compress, frames)):
            file.write(chunk)
            file.write(_checksum(chunk))
            length = len(chunk) + CHECKSUM_BYTES
            index[number] = offset, length
            offset += length
        file.write(index.tobytes())
        file.write(_checksum(index.tobytes()))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _checksum(data: bytes) -> bytes:
    return int(google_crc32c.value(data)).to_bytes(CHECKSUM_BYTES, "little")


def read_shard(path: Path, in_shard: int, first: int, out: NDArray[Any]) -> None:
    """Decode frames [first, first + len(out)) of the shard at `path` into `out`, contiguous (n, ...).

    `in_shard`: chunks that the index has room for. Raises `DamagedShard` where a checksum or a length is wrong.
    """
    index_bytes = 16 * in_shard + CHECKSUM_BYTES
    with path.open("rb") as file:
        file.seek(0, 2)
        size = file.tell()
        if size < index_bytes:
            raise DamagedShard(f"{path.name} is too short")
        file.seek(size - index_bytes)
        index = np.frombuffer(_checked(file.read(index_bytes), "the index"), "<u8").reshape(-1, 2)
        for number, frame in enumerate(out):
            offset, length = (int(value) for value in index[first + number])
            if offset == NOT_WRITTEN or offset + length > size - index_bytes:
                raise DamagedShard(f"chunk {first + number} is not in the file")
            file.seek(offset)
            chunk = _checked(file.read(length), f"chunk {first + number}")
            try:
                numcodecs.blosc.decompress(chunk, frame)
            except (RuntimeError, ValueError) as error:
                raise DamagedShard(f"chunk {first + number} does not decompress") from error


def _checked(data: bytes, what: str) -> memoryview:
    """Return `data` without the checksum at its end, which must be right."""
    body, checksum = memoryview(data)[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
    if len(checksum) != CHECKSUM_BYTES or google_crc32c.value(bytes(body)) != int.from_bytes(
        checksum, "little"
    ):
        raise DamagedShard(f"the checksum of {what} is wrong")
    return body
