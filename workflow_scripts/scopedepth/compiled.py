"""Numba's `njit` with a disk cache that never holds code older than its source.

Numba looks at the file of a cached function alone. When a function that it calls is edited in another file, the
old machine code is found again and goes on running, although the edit has made every result stale. So the
cache lies in a folder named after all source that compiled code can come from: an edit there compiles anew.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numba
from numba import njit as njit

ROOT = Path(__file__).parent
# The packages with compiled code.
COMPILED = ("evaluation", "phantom")


def source_digest() -> str:
    """Return a short digest of the source of all packages with compiled code."""
    digest = hashlib.sha256()
    for path in sorted(path for package in COMPILED for path in (ROOT / package).glob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _base() -> Path:
    """Return where caches go: the user's choice, beside the source, or the home where the source is read-only."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return Path(chosen)
    return ROOT / "__pycache__" if os.access(ROOT, os.W_OK) else Path.home() / ".cache" / "scopedepth"


numba.config.CACHE_DIR = str(_base() / f"compiled-{source_digest()}")
