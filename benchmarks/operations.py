"""Random sequences of operations on a tiny study, each held to a fresh run: does any old number pass for a new one?

python benchmarks/operations.py                           1,000 sequences of four operations, two at once
python benchmarks/operations.py --sequences 50 --first 7  seeds 7 to 56
python benchmarks/operations.py --seed 123                one of them again, with its operations
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "workflow_scripts"), str(ROOT / "tests")]


def run(seeds: list[int], length: int) -> tuple[Counter[str], list[str]]:
    """Run sequences in one process, which keeps the fresh runs that several need; returns operations and findings."""
    import operations

    done: Counter[str] = Counter()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        fresh = operations.Fresh(Path(folder))
        for seed in seeds:
            place = Path(folder, str(seed))
            place.mkdir()
            try:
                done.update(operations.check_sequence(seed, place, fresh, length))
            except Exception as error:
                found.append(f"seed {seed}: {type(error).__name__}: {error}")
            shutil.rmtree(place)
    return done, found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sequences", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--length", type=int, default=4, help="operations in a sequence")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, help="run this one alone")
    options = parser.parse_args()
    seeds = (
        [options.seed]
        if options.seed is not None
        else list(range(options.first, options.first + options.sequences))
    )
    began = time.monotonic()
    done: Counter[str] = Counter()
    found: list[str] = []
    # Small parts, so that it can be watched.
    parts = [seeds[place : place + 25] for place in range(0, len(seeds), 25)]
    with ProcessPoolExecutor(options.processes) as pool:
        for number, (operations, findings) in enumerate(
            pool.map(run, parts, [options.length] * len(parts)), 1
        ):
            done += operations
            found += findings
            print(
                "\n".join([f"{number}/{len(parts)} parts, {time.monotonic() - began:.0f} s", *findings]),
                flush=True,
            )
    total = sum(done.values())
    print(
        f"seeds {seeds[0]} to {seeds[-1]}: {total} operations in {len(seeds)} sequences, {len(found)} differ"
    )
    for name, count in sorted(done.items()):
        print(f"  {count:5d}  {name}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
