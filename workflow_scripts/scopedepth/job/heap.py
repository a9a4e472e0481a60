"""The process's heap: a job keeps the memory that it has freed, and uses it again.

By default glibc gives large blocks back to the system when they are freed. A network allocates the same blocks anew in
every call, and the system fills each page with zeros before it hands it over: up to half of a small network's
time, by how the heap happens to lie in this process. Predictions take a fifth to a half less time without that,
and the same network takes the same time in every process. Results are the same to the last bit.

Who measures how much memory a piece of work needs gives the freed memory back first.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# glibc's malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3

# Larger blocks than any activation go back to the system still.
LARGEST_KEPT_BYTES = 2**30


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees; return whether its C library takes that (glibc does)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library
        return False
    return bool(mallopt(M_TRIM_THRESHOLD, -1) and mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES))


def end_without_collecting() -> None:
    """Let this process end without looking for garbage among what it holds by then: the system takes all of it."""
    atexit.register(gc.freeze)


@contextmanager
def without_collecting() -> Iterator[None]:
    """Import modules and build what stays without looking for garbage, unless this process does not anyway."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def give_freed_memory_back() -> None:
    """Give what this process has freed so far back to the system, where its C library can (glibc can)."""
    gc.collect()
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
