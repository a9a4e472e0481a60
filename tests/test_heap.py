"""Freed memory stays with the process."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import resource, sys
import numpy as np
from scopedepth.job.heap import keep_freed_memory
kept = sys.argv[1] == "keep" and keep_freed_memory()
def allocate():
    for _ in range(50):
        # Larger than glibc's own limit can grow to.
        np.empty(40 * 2**20, np.uint8).fill(1)
allocate()
before = resource.getrusage(resource.RUSAGE_SELF)
allocate()
after = resource.getrusage(resource.RUSAGE_SELF)
print(kept, after.ru_minflt - before.ru_minflt)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such setting")
def test_a_block_that_was_freed_is_used_again_without_asking_the_system(root: Path) -> None:
    faults = {}
    for how in ("keep", "give back"):
        found = subprocess.run(
            [sys.executable, "-c", PROGRAM, how],
            check=True,
            capture_output=True,
            text=True,
            # Without large pages, so that a fault is a page of 4 KiB.
            env={"PYTHONPATH": str(root / "workflow_scripts"), "NUMPY_MADVISE_HUGEPAGE": "0"},
        )
        kept, count = found.stdout.split()
        assert kept == str(how == "keep")
        faults[how] = int(count)
    # 40 MiB are 10,240 pages.
    assert faults["keep"] < 500
    assert faults["give back"] > 50 * 10_000
