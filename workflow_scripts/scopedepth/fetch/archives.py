"""Unpacking zip, tar and 7z archives of strangers: nothing outside the folder, no links, no bombs; nested ones too.

Stated limits, for an archive and all those in it together: entries; bytes unpacked, in all and as a multiple of the
outermost archive's own size.
Images and depth are compressed already, so an honest archive of them grows little; a bomb grows a thousandfold.
"""

from __future__ import annotations

import errno
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from scopedepth.errors import ScopeDepthError
from scopedepth.fetch.download import disk_error
from scopedepth.fetch.targets import Spent, Targets, UnpackLimits, is_litter_entry
from scopedepth.job.progress import progress

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".7z")
PIECE = 1 << 20
# How the readers of archives fail on bytes that are none, or not all of one.
DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError,
    ValueError, OverflowError,
)  # fmt: skip


@dataclass
class Entry:
    """One regular file of an archive: its path inside, and how to open it."""

    name: str
    open: Callable[[], IO[bytes]]


def is_archive(path: Path) -> bool:
    """Return whether a file's name is an archive's; torch's checkpoints may be called .pth.tar and are none."""
    name = path.name.lower()
    return name.endswith(SUFFIXES) and not name.endswith(".pth.tar")


def bare_name(path: Path) -> str:
    """Return an archive's name without its suffix: the folder that it is unpacked into."""
    suffix = max((s for s in SUFFIXES if path.name.lower().endswith(s)), key=len)
    return path.name[: -len(suffix)] or "archive"


def is_wanted(name: str, which: bool | list[str]) -> bool:
    """Return whether an archive is to be unpacked: all, none, or those whose name matches one of the patterns."""
    return which if isinstance(which, bool) else any(fnmatchcase(name, pattern) for pattern in which)


def unpack(
    archive: Path,
    folder: Path,
    limits: UnpackLimits | None = None,
    depth: int = 1,
    which: bool | list[str] = True,
    spent: Spent | None = None,
) -> None:
    """Unpack `archive` into the new folder `folder`, and archives inside it into folders beside themselves.

    `which` of the archives inside are unpacked (`is_wanted`); the others stay as they are. `spent`: what an outer
    archive has taken already. Unpacks beside `folder` and renames at the end. Raises `ScopeDepthError` for a damaged
    archive, one that is encrypted, an entry that would leave the folder or comes twice, a link or device, and what
    exceeds `limits`.
    """
    limits = limits or UnpackLimits()
    spent = spent or Spent(archive.name, archive.stat().st_size, limits)
    beside = folder.with_name(folder.name + ".unpacking")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        _unpack_entries(archive, beside, spent)
        inside = sorted(path for path in beside.rglob("*") if path.is_file() and is_archive(path))
        for inner in (path for path in inside if is_wanted(path.name, which)):
            if depth >= limits.depth:
                raise ScopeDepthError(
                    f"{archive.name} holds archives in archives, more than {limits.depth} deep."
                )
            unpack(inner, free_folder(inner.with_name(bare_name(inner))), limits, depth + 1, which, spent)
            inner.unlink()
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(beside, folder)
    except OSError as error:
        raise disk_error(error, beside) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def free_folder(path: Path) -> Path:
    """Return `path`, or, where something has that name already, the path with a number behind it."""
    number, free = 2, path
    while free.exists():
        free, number = path.with_name(f"{path.name}_{number}"), number + 1
    return free


def _unpack_entries(archive: Path, folder: Path, spent: Spent) -> None:
    targets = Targets(archive.name, folder, spent)
    try:
        with progress(f"unpack {archive.name}", 0, "files") as advance:
            if archive.name.lower().endswith(".7z"):
                from scopedepth.fetch.seven_zip import unpack_7z

                unpack_7z(archive, targets, advance)
                return
            for entry in _entries(archive, targets):
                target = targets.of(entry.name)
                with entry.open() as source, target.open("wb") as file:
                    while piece := source.read(PIECE):
                        spent.add_bytes(len(piece))
                        file.write(piece)
                advance(1)
    except DAMAGED as error:
        raise ScopeDepthError(
            f"The archive {archive.name} is damaged or cut short ({error}). Fetch it again."
        ) from error
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise ScopeDepthError(
            f"{archive.name} holds a file and a folder of one name ({error.filename})."
        ) from error
    except OSError as error:
        if error.errno not in (None, errno.EINVAL, errno.ENAMETOOLONG, errno.EILSEQ):
            raise
        raise ScopeDepthError(
            f"The archive {archive.name} is damaged, or names a file as this disk cannot ({error}). Fetch it again."
        ) from error


def _entries(archive: Path, targets: Targets) -> Iterator[Entry]:
    """Yield an archive's regular files. Folders follow from paths; anything else is refused."""
    if archive.name.lower().endswith(".zip"):
        yield from _zip_entries(archive, targets)
    else:
        yield from _tar_entries(archive, targets)


def _zip_entries(archive: Path, targets: Targets) -> Iterator[Entry]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ScopeDepthError(targets.refused(info.filename))
            if info.flag_bits & 1:
                raise ScopeDepthError(targets.encrypted())
            if info.is_dir() or is_litter_entry(info.filename):
                continue
            yield Entry(info.filename, lambda info=info: file.open(info))  # type: ignore[misc]


def _tar_entries(archive: Path, targets: Targets) -> Iterator[Entry]:
    with tarfile.open(archive, "r:*") as file:
        for member in file:
            if not (member.isreg() or member.isdir()):
                raise ScopeDepthError(targets.refused(member.name))
            if member.isdir() or is_litter_entry(member.name):
                continue
            yield Entry(member.name, lambda member=member: _opened(file, member))  # type: ignore[misc]


def _opened(file: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    opened = file.extractfile(member)
    assert opened is not None
    return opened
