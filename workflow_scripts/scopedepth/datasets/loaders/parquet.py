"""Loader `parquet`: images, and their depth where there is any, as bytes in the columns of Parquet files.

This is the form of the Hugging Face Hub's image data sets: a column holds encoded images (PNG, JPEG, ...), as bytes or
as a struct of `bytes` and `path`. A file is a sequence, or with option `sequence` a column says which sequence a row
belongs to, over all files. Rows stay in their order; a frame's name is its path without suffix, else its row's number.

Options: `images` and `depths` name the columns (`image`, and none: then no frame has depth); `sequence` names the
column of the sequences; `bits` as in the loader `folder`. Depth is an encoded image of one channel. Only bytes within
the file are read: a row that has a path alone is an unreadable frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from scopedepth.datasets.reading.base import DepthEncoding, Frame, Sequence, file_safe, origin, same_size
from scopedepth.datasets.reading.depth import Meaning
from scopedepth.datasets.reading.images import decoded, one_channel, to_rgb8
from scopedepth.datasets.reading.listing import find_files
from scopedepth.errors import ScopeDepthError, UnreadableFrame
from scopedepth.job.extensions import read_options

if TYPE_CHECKING:
    from scopedepth.config.options import Bits, Key
    from scopedepth.vocabulary import specs

# What is read of data used in place: other files there make nothing stale.
READS = (".parquet",)
# Rows unpacked at once: memory holds these, whatever the length of the file.
ROWS = 16
# And so many of a file's bytes; without, a group of rows would be read whole.
BUFFER = 1 << 20
# Rows kept that were asked for last.
KEPT = 16
# Rows looked at for one with depth: no more than are kept, so that nothing is unpacked twice.
LOOKED_AT = 8
# What damaged files raise.
DAMAGE = (pa.ArrowException, OSError, UnicodeDecodeError)
# The bytes of a row's image and depth.
Content = tuple[bytes | None, bytes | None]


@dataclass(frozen=True)
class Options:
    """Columns of images, depth and sequences; used bits of an image's 16."""

    images: Key = "image"
    depths: Key | None = None
    sequence: Key | None = None
    bits: Bits | None = None


@dataclass(frozen=True)
class Row:
    """Where a frame lies: a file and the row's number there."""

    path: Path
    number: int


def find(raw: Path, spec: specs.Dataset) -> list[Sequence]:
    """Return the sequences of the Parquet files below `raw`."""
    options = read_options(spec, Options)
    files = find_files(raw, "*.parquet")
    if not files:
        raise ScopeDepthError(f"No .parquet file was found below {raw}.")
    rows: dict[str, list[Row]] = {}
    names: dict[str, list[str]] = {}
    for path in files:
        alone = file_safe(path.relative_to(raw).with_suffix("").as_posix())
        for number, (sequence, name) in enumerate(_labels(path, options)):
            key = alone if sequence is None else file_safe(sequence)
            rows.setdefault(key, []).append(Row(path, number))
            names.setdefault(key, []).append(name or f"{len(rows[key]) - 1:06d}")
    if not rows:
        raise ScopeDepthError(f"The .parquet files below {raw} have no row.")
    return [_sequence(name, rows[name], names[name], spec, options) for name in rows]


def _labels(path: Path, options: Options) -> Iterator[tuple[str | None, str]]:
    """Yield sequence and frame name of each row; None where a file is one sequence, "" where a row has no name."""
    with _opened(path, options) as file:
        image = file.schema_arrow.field(options.images).type
        named = pa.types.is_struct(image) and image.get_field_index("path") >= 0
        columns = [f"{options.images}.path"] * named + [options.sequence] * (options.sequence is not None)
        if not columns:
            yield from ((None, "") for _ in range(file.metadata.num_rows))
            return
        try:
            for batch in file.iter_batches(4096, columns=columns):
                paths = batch.column(options.images).to_pylist() if named else [None] * len(batch)
                groups = (
                    batch.column(options.sequence).to_pylist() if options.sequence else [None] * len(batch)
                )
                for one, group in zip(paths, groups, strict=True):
                    name = PurePosixPath((one or {}).get("path") or "").stem
                    yield (None if options.sequence is None else str(group)), name
        except DAMAGE as error:
            raise ScopeDepthError(f"{path} does not read as Parquet ({error}). Fetch it again.") from error


def _opened(path: Path, options: Options) -> pq.ParquetFile:
    """Return an open file that has the columns asked for."""
    try:
        file = pq.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False)
    except DAMAGE as error:
        raise ScopeDepthError(f"{path} does not read as Parquet ({error}). Fetch it again.") from error
    there = {one.name: one.type for one in file.schema_arrow}
    for name in (options.images, options.depths, options.sequence):
        if name is not None and name not in there:
            raise ScopeDepthError(
                f"{path} has no column {name!r}; it has {', '.join(there)}. Correct the options."
            )
    for name in (options.images, options.depths):
        if name is not None and not _holds_bytes(there[name]):
            raise ScopeDepthError(
                f"{path}: the column {name} holds {there[name]}; images are bytes or a struct of bytes and path."
            )
    return file


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        at = kind.get_field_index("bytes")
        return at >= 0 and _holds_bytes(kind.field(at).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


@dataclass
class ParquetSequence(Sequence):
    """Frames in rows, unpacked some at a time, in their order."""

    rows: list[Row] = field(kw_only=True)
    options: Options = field(kw_only=True)
    meaning: Meaning | None = None

    def __post_init__(self) -> None:
        self._kept: dict[int, Content] = {}
        self._at = 0
        self._coming: Iterator[Content] = iter(())

    def content(self, index: int) -> Content:
        """Return the bytes of a frame's image and depth."""
        if index not in self._kept:
            if index < self._at:
                self._at = 0
            if self._at == 0:
                self._coming = self._contents()
            for content in self._coming:
                self._at += 1
                if self._at > index:
                    self._kept[index] = content
                    break
            else:
                raise UnreadableFrame(f"{self.where(index)}: does not read")
            while len(self._kept) > KEPT:
                del self._kept[min(self._kept)]
        return self._kept[index]

    def _contents(self) -> Iterator[Content]:
        """Yield the bytes of image and depth of each row of the sequence."""
        wanted: dict[Path, list[int]] = {}
        for row in self.rows:
            wanted.setdefault(row.path, []).append(row.number)
        columns = [name for name in (self.options.images, self.options.depths) if name is not None]
        for path, numbers in wanted.items():
            here, end = set(numbers), 0
            with _opened(path, self.options) as file:
                try:
                    for group in range(file.num_row_groups):
                        at, end = end, end + file.metadata.row_group(group).num_rows
                        if here.isdisjoint(range(at, end)):
                            continue
                        for batch in file.iter_batches(ROWS, [group], columns):
                            for place in range(len(batch)):
                                if at + place in here:
                                    parts = [_bytes(batch.column(name)[place].as_py()) for name in columns]
                                    yield parts[0], (parts[1] if len(parts) > 1 else None)
                            at += len(batch)
                except DAMAGE as error:
                    raise UnreadableFrame(f"{path} does not read further ({error})") from error

    def where(self, index: int) -> Path:
        """Return what messages call a frame's place: a path that is none, of the file and the row's number."""
        return self.rows[index].path / f"row {self.rows[index].number}"

    def image(self, index: int) -> NDArray[np.uint8]:
        """Return a frame's image alone."""
        content, where = self.content(index)[0], self.where(index)
        if not content:
            raise UnreadableFrame(f"{where}: holds no bytes of an image")
        return to_rgb8(decoded(content, where), where, self.options.bits)

    def read(self, index: int) -> Frame:
        """Return a frame."""
        rgb, content, where = self.image(index), self.content(index)[1], self.where(index)
        if not content or self.meaning is None:
            return Frame(rgb, None)
        depth = self.meaning.depth(_numbers(content, where), where)
        same_size(rgb, where, depth, where / str(self.options.depths))
        return Frame(rgb, depth)


def _bytes(value: Any) -> bytes | None:
    return value.get("bytes") if isinstance(value, dict) else value


def _sequence(
    name: str, rows: list[Row], names: list[str], spec: specs.Dataset, options: Options
) -> Sequence:
    if len(set(names)) < len(names):  # two files may name their images alike
        names = [f"{index:06d}" for index in range(len(names))]
    sequence = ParquetSequence(
        name,
        names,
        DepthEncoding("float32", 1.0, spec["depth"]["unit"]),
        depth_origin=origin(spec, "unknown"),
        notes=[] if options.depths else ["no frame has depth: options.depths names no column"],
        forward_only=True,
        rows=rows,
        options=options,
    )
    if options.depths and spec["depth"]["kind"] != "none":
        dtype = _first_dtype(sequence)
        meaning = Meaning.of(spec["depth"], dtype, rows[0].path)
        sequence.encoding, sequence.meaning = meaning.encoding, meaning
    return sequence


def _first_dtype(sequence: ParquetSequence) -> np.dtype[Any] | None:
    """Return the type of the first depth that reads among some rows; None where none does."""
    for index in range(min(len(sequence), LOOKED_AT)):
        try:
            content = sequence.content(index)[1]
            if content:
                return _numbers(content, sequence.where(index)).dtype
        except UnreadableFrame:
            continue
    return None


def _numbers(content: bytes, where: Path) -> NDArray[Any]:
    return one_channel(decoded(content, where, depth=True), where)
