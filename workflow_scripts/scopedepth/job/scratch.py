"""Building a store on a node's own disk, and bringing it to the shared file system when it is finished.

Worth it where each shard takes long to be safe on the shared file system. A killed job goes on where it was only
on the same node, and only if the scheduler leaves that disk as it was.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scopedepth.errors import ScopeDepthError


@contextmanager
def built_in(scratch: str | None, final: Path) -> Iterator[Path]:
    """Yield where to build the store `final`; once the body is done, the store is at `final`, whole or not at all.

    `scratch`: a folder, variables such as $TMPDIR allowed; None builds beside `final`. A `ScopeDepthError` says
    that a variable is not set.
    """
    if not scratch:
        yield final
        return
    folder = os.path.expandvars(scratch)
    if "$" in folder:
        raise ScopeDepthError(
            f"execution.scratch: {scratch} names a variable that is not set on this machine. "
            "Set it, or leave scratch out."
        )
    # Stores of one name from other projects lie in other folders.
    place = Path(folder, "scopedepth-" + hashlib.sha256(str(final.resolve()).encode()).hexdigest()[:16])
    place.mkdir(parents=True, exist_ok=True)
    yield place / final.name
    bring(place / final.name, final)
    shutil.rmtree(place)


def bring(built: Path, final: Path) -> None:
    """Copy the directory `built` to `final` by way of a name beside it, so that no part is taken for the whole."""
    beside = final.with_name(final.name + ".copying")
    shutil.rmtree(beside, ignore_errors=True)
    beside.parent.mkdir(parents=True, exist_ok=True)
    for folder, _, names in os.walk(built):
        target = beside / Path(folder).relative_to(built)
        target.mkdir(parents=True)
        for name in names:
            shutil.copyfile(Path(folder, name), target / name)
            sync(target / name)
        sync(target)
    if final.exists():
        shutil.rmtree(final)
    os.replace(beside, final)
    sync(final.parent)


def sync(path: Path) -> None:
    """Wait until a file, or what a folder lists, is safe on its disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
