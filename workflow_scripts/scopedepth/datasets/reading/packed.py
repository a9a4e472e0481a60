"""Frames by number, from files or forward through one packed archive beside them, which may stay packed."""

from __future__ import annotations

import re
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

from scopedepth.datasets.reading.images import read_bytes
from scopedepth.datasets.reading.listing import find_files, is_litter
from scopedepth.datasets.reading.pairing import unique_by
from scopedepth.datasets.reading.video import KEPT
from scopedepth.errors import UnreadableFrame

Map = TypeVar("Map", bound=NDArray[Any])


class PackedFrames(Generic[Map]):
    """Arrays by frame number: `stem`NNNNNN`suffix` below a folder, or packed in `archive`, a .tar.gz, in their order.

    `decode` turns a file's bytes into an array and names the second argument in its error.
    """

    def __init__(
        self, files: dict[int, Path], archive: Path | None, suffix: str, decode: Callable[[bytes, str], Map]
    ) -> None:
        self._files, self._archive, self._suffix, self._decode = files, archive, suffix, decode
        self._lock = threading.Lock()
        self._kept: dict[int, Map] = {}
        self._open: tarfile.TarFile | None = None
        self._ended = False

    @classmethod
    def of(
        cls, folder: Path, stem: str, archive: str, suffix: str, decode: Callable[[bytes, str], Map]
    ) -> PackedFrames[Map] | None:
        """Return the frames below a folder, None where there are neither files nor the archive."""
        files = unique_by(find_files(folder, f"{stem}*{suffix}"), lambda path: _number(path.name))
        packed = folder / archive
        if not files and not packed.is_file():
            return None
        return cls(files, None if files else packed, suffix, decode)

    @property
    def is_packed(self) -> bool:
        """Whether the frames lie in the archive."""
        return self._archive is not None

    def numbers(self) -> list[int]:
        """Return the frames' numbers, in order; an archive is unpacked once for them and nothing is kept."""
        if self._archive is None:
            return sorted(self._files)
        try:
            with tarfile.open(self._archive, "r|gz") as file:
                found = {_number(member.name) for member in file if self._is_frame(member)}
        except (tarfile.TarError, EOFError, OSError) as error:
            raise UnreadableFrame(f"{self._archive}: does not unpack ({error})") from error
        return sorted(found)

    def read(self, number: int) -> Map | None:
        """Return frame `number`; None where there is none."""
        if self._archive is None:
            path = self._files.get(number)
            return None if path is None else self._decode(read_bytes(path), str(path))
        with self._lock:
            if number not in self._kept and self._kept and number < min(self._kept):
                self._open, self._ended = None, False  # asked to go back: start again
                self._kept.clear()
            while number not in self._kept and not self._ended:
                self._step()
                while len(self._kept) > KEPT:  # on the way too: a list's frames may lie hundreds apart
                    del self._kept[min(self._kept)]
            return self._kept.get(number)

    def _step(self) -> None:
        """Unpack the archive's next frame."""
        assert self._archive is not None
        try:
            if self._open is None:
                self._open = tarfile.open(self._archive, "r|gz")  # noqa: SIM115  # read on as frames are asked for
            member = self._open.next()
            if member is None:
                self._ended = True
                return
            file = self._open.extractfile(member) if self._is_frame(member) else None
            if file is not None:
                self._kept[_number(member.name)] = self._decode(file.read(), f"{self._archive}:{member.name}")
        except (tarfile.TarError, EOFError, OSError) as error:
            self._ended = True
            raise UnreadableFrame(f"{self._archive}: does not unpack further ({error})") from error

    def _is_frame(self, member: tarfile.TarInfo) -> bool:
        name = Path(member.name).name
        return member.isfile() and name.lower().endswith(self._suffix) and not is_litter(name)


def _number(name: str) -> int:
    match = re.search(r"(\d+)\.[a-z]+$", name.lower())
    return int(match[1]) if match else -1
