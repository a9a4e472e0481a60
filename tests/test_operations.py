"""Random sequences of operations end in the tables of a fresh run, and run nothing that need not run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from operations import Fresh, check_sequence

# A few in every run of the tests, others each time that the suite is asked for more; benchmarks/operations.py does
# thousands.
SEEDS = range(int(os.environ.get("SCOPEDEPTH_SEQUENCES", "12")))


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    return Fresh(tmp_path_factory.mktemp("fresh"))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_sequence_ends_in_a_fresh_runs_tables(fresh: Fresh, tmp_path: Path, seed: int) -> None:
    check_sequence(seed, tmp_path, fresh)
