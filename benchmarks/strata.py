"""How often a weakness that was planted in one stratum is named first, and what the sums by strata cost.

    python benchmarks/strata.py [--studies 100] [--factor 1.5] [--cost]

Each simulated study has two networks on six sequences of eight frames (tests/strata_study.py): one errs `factor` times
as much in one stratum, each stratum in turn, the other is alike everywhere. Errors are smooth over the image, and
differ in level from sequence to sequence. Counted: how often the planted stratum is named first, how often another or
none is, and how often anything is named of the even network, which is a false alarm. `--cost`: processor time of
scoring with and without the sums, in turns in one run, on the frames of benchmarks/score.py. Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
for folder in ("workflow_scripts", "tests", "benchmarks"):
    sys.path.insert(0, str(ROOT / folder))

import score  # noqa: E402
from scopedepth.evaluation.score import score_unit  # noqa: E402
from scopedepth.job.heap import keep_freed_memory  # noqa: E402
from scopedepth.vocabulary.strata import PART, without_part  # noqa: E402
from strata_study import PLANTED, simulated  # noqa: E402


def cost(frames: int = 60, rounds: int = 5) -> dict[str, list[float]]:
    """Return the milliseconds a frame without and with strata, the least of all rounds, by number of protocols."""
    keep_freed_memory()  # as jobs do
    found = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        score.write_stores(folder, frames, "scaled_disparity", False)
        every = score.specs()
        score.stages(folder, every)
        for names in (list(every), ["median_depth"]):
            took = [float("inf")] * 2
            for _ in range(rounds + 1):  # the first one compiles
                for which, parts in enumerate((names, [*names, "median_depth" + PART])):
                    began = time.process_time()
                    score_unit(
                        {part: every[without_part(part)] for part in parts},  # type: ignore[misc]
                        folder / "data.zarr",
                        folder / "predicted.zarr",
                        {name: folder / "fits" / f"{name}.parquet" for name in names},
                        score.KEYS,
                        {part: folder / "scores" / f"{part}.parquet" for part in parts},
                    )
                    took[which] = min(took[which], 1000 * (time.process_time() - began) / frames)
            found[f"{len(names)} protocols"] = took
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--factor", type=float, default=1.5, help="of the error in the planted stratum")
    parser.add_argument("--cost", action="store_true", help="measure the processor time of scoring instead")
    options = parser.parse_args()
    if options.cost:
        found = cost()
        for name, (without, with_strata) in found.items():
            print(
                f"{name}: {without:.2f} ms a frame, {with_strata:.2f} with strata: {with_strata / without:.2f} times"
            )
        print(json.dumps(found))
        return
    right, alarms = 0, 0
    missed: Counter[str] = Counter()
    for study in range(options.studies):
        planted = PLANTED[study % len(PLANTED)]
        weak, even = simulated(study, planted, options.factor, [8] * 6)
        right += weak == planted[1]
        alarms += even is not None
        if weak != planted[1]:
            missed[f"{planted[1]}: {weak}"] += 1
    print(f"planted weakness of {options.factor} times named first in {right} of {options.studies} studies")
    print(f"something named of the even network in {alarms}")
    for name, count in missed.most_common():
        print(f"  {name} was named in {count}")
    print(json.dumps({"right": right, "alarms": alarms, "studies": options.studies, "missed": missed}))


if __name__ == "__main__":
    main()
