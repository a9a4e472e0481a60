"""Unpacking 7z archives with py7zr, which is installed apart: pip install py7zr.

The library hands out each entry's bytes as they are decoded. Where they go, and how many there may be, is decided here
as for the other archives; what an archive says of its own sizes is not relied on.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

from scopedepth.errors import ScopeDepthError
from scopedepth.fetch.targets import Targets, is_litter_entry

# How py7zr fails, besides its own errors, on bytes that are no archive.
DAMAGED = (LookupError, TypeError, AttributeError, AssertionError, MemoryError, RuntimeError)


def unpack_7z(archive: Path, targets: Targets, advance: Callable[[int], None]) -> None:
    """Write an archive's files to their `targets`; raises a ScopeDepthError for what is refused in any archive."""
    try:
        py7zr, errors = importlib.import_module("py7zr"), importlib.import_module("py7zr.exceptions")
    except ImportError as error:
        raise ScopeDepthError(
            f"{archive.name} is a 7z archive. To unpack it, run: pip install py7zr"
        ) from error
    try:
        # Of an open file, entries are decoded one after the other, in this thread.
        with archive.open("rb") as file, py7zr.SevenZipFile(file, "r") as opened:
            if opened.needs_password():
                raise ScopeDepthError(targets.encrypted())
            wanted = set()
            for entry in opened.files:
                is_other = entry.is_symlink or entry.is_junction or entry.is_socket
                if is_other or not (entry.is_file or entry.is_directory):
                    raise ScopeDepthError(targets.refused(entry.filename))
                if not entry.is_directory and not is_litter_entry(entry.filename):
                    targets.of(entry.filename)  # each name is checked and counted before a byte is decoded
                    wanted.add(entry.filename)
            opened.extract(targets=wanted, factory=_Writers(targets, advance))
    except errors.PasswordRequired as error:
        raise ScopeDepthError(targets.encrypted()) from error
    except (errors.ArchiveError, *DAMAGED) as error:
        raise ScopeDepthError(
            f"The archive {archive.name} is damaged or cut short ({type(error).__name__}: {error}). Fetch it again."
        ) from error


class _Writers:
    """Makes a writer of each entry that py7zr decodes."""

    def __init__(self, targets: Targets, advance: Callable[[int], None]) -> None:
        self.targets, self.advance = targets, advance

    def create(self, name: str) -> _Writer:
        """Return the writer of an entry whose name was checked before."""
        return _Writer(self.targets, self.targets.known(name), self.advance)


class _Writer:
    """One file that py7zr writes, counted as it grows."""

    def __init__(self, targets: Targets, path: Path, advance: Callable[[int], None]) -> None:
        self.targets, self.advance = targets, advance
        self.file: IO[bytes] = path.open("w+b")

    def write(self, piece: bytes | bytearray) -> int:
        """Write a piece, unless there are too many."""
        self.targets.spent.add_bytes(len(piece))
        return self.file.write(piece)

    def read(self, size: int | None = None) -> bytes:
        """Return bytes from the place where the file stands."""
        return self.file.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place."""
        return self.file.seek(offset, whence)

    def seekable(self) -> bool:
        """Nothing is read back."""
        return False

    def flush(self) -> None:
        """Give the bytes to the system."""
        self.file.flush()

    def size(self) -> int:
        """Return how many bytes there are."""
        return self.file.tell()

    def close(self) -> None:
        """Close the file."""
        if not self.file.closed:
            self.file.close()
            self.advance(1)
