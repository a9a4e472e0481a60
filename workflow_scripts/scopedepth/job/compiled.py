"""Numba's `njit` with a disk cache that never holds code older than its source.

Numba looks at the file of a cached function alone. When a function that it calls is edited in another file, the
old machine code is found again and goes on running, although the edit has made every result stale. So the
cache lies in a folder named after all source that compiled code can come from: an edit there compiles anew.
Numba also asks where the source lies, and would compile a copied or moved project once more: here it does not.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numba
from numba import njit as njit
from numba.core.caching import UserProvidedCacheLocator

from scopedepth.job.caches import cache_folder

ROOT = Path(__file__).parents[1]
# The packages with compiled code.
COMPILED = ("evaluation", "metrics", "phantom", "statistics")


def source_digest() -> str:
    """Return a short digest of the source of all packages with compiled code."""
    digest = hashlib.sha256()
    for path in sorted(path for package in COMPILED for path in (ROOT / package).rglob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


class Locator(UserProvidedCacheLocator):  # type: ignore[misc]
    """Finds the code of this package's functions by their place in the package; of others as Numba does."""

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        path = Path(py_file).absolute().parent
        if path.is_relative_to(ROOT):
            return "-".join(path.relative_to(ROOT).parts)
        return str(super().get_suitable_cache_subpath(py_file))


# Compiling again costs time and nothing else.
numba.config.CACHE_DIR = str(
    cache_folder(f"compiled-{source_digest()}") or tempfile.mkdtemp(prefix="scopedepth-")
)
NUMBAS_OWN = ("InTreeCacheLocator", "UserWideCacheLocator", "IPythonCacheLocator", "ZipCacheLocator")
numba.config.CACHE_LOCATOR_CLASSES = ",".join([f"{__name__}.{Locator.__name__}", *NUMBAS_OWN])
