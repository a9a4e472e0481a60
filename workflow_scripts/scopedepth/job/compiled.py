"""Numba's `njit` with a disk cache that never holds code older than its source.

Numba looks at the file of a cached function alone. When a function that it calls is edited in another file, the
old machine code is found again and goes on running, although the edit has made every result stale. So the
cache lies in a folder named after all source that compiled code can come from: an edit there compiles anew.
Numba also asks where the source lies, and would compile a copied or moved project once more: here it does not.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

import numba
from numba import njit as njit
from numba.core.caching import UserProvidedCacheLocator

ROOT = Path(__file__).parents[1]
# The packages with compiled code.
COMPILED = ("evaluation", "metrics", "phantom")


def source_digest() -> str:
    """Return a short digest of the source of all packages with compiled code."""
    digest = hashlib.sha256()
    for path in sorted(path for package in COMPILED for path in (ROOT / package).rglob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Return a folder that can be written: the user's choice, beside the source, in the home, or a temporary one.

    Where the first ones are read-only, as in containers and on clusters, compiling again costs time and nothing else.
    """
    name = f"compiled-{source_digest()}"
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    for base in [*([Path(chosen)] if chosen else []), ROOT / "__pycache__"]:
        if _can_write(base / name):
            return base / name
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    for base in (Path(caches, "scopedepth"), Path(tempfile.gettempdir(), f"scopedepth-{os.getuid()}")):
        # Where others can write, anybody could have put a folder there, and what lies in it is run.
        if _can_write(base) and _is_private(base) and _can_write(base / name):
            return base / name
    return Path(tempfile.mkdtemp(prefix="scopedepth-"))


def _can_write(folder: Path) -> bool:
    """Make a folder, unless it is there; returns whether files can be written into it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _is_private(folder: Path) -> bool:
    facts = folder.lstat()
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o022


class Locator(UserProvidedCacheLocator):  # type: ignore[misc]
    """Finds the code of this package's functions by their place in the package; of others as Numba does."""

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        path = Path(py_file).absolute().parent
        if path.is_relative_to(ROOT):
            return "-".join(path.relative_to(ROOT).parts)
        return str(super().get_suitable_cache_subpath(py_file))


numba.config.CACHE_DIR = str(cache_folder())
NUMBAS_OWN = ("InTreeCacheLocator", "UserWideCacheLocator", "IPythonCacheLocator", "ZipCacheLocator")
numba.config.CACHE_LOCATOR_CLASSES = ",".join([f"{__name__}.{Locator.__name__}", *NUMBAS_OWN])
