"""The numbers of every protocol of config.yaml on a few made arrays, by name and version.

    PYTHONPATH=workflow_scripts:tests python -m conformance.golden

adds the numbers of protocols and versions that golden.json does not hold yet. Numbers that it holds it does not
change: where they moved, the protocol's version is to be raised first.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.arrays import Case, make
from conformance.compare import protocols, scores

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

PATH = Path(__file__).parent / "golden.json"

# Sums run in the lanes of a processor's registers, in an order of its own.
TOLERANCE = 1e-11

CASES = [
    Case("negatives", kind="scaled_disparity", dataset="hamlyn", sequence="rectified14", frames=2),
    Case("ordinary", kind="disparity", dataset="c3vd", frames=2, grid=(19, 31), span=(0.2, 190)),
    Case("zeros", kind="depth", dataset="simcol3d", frames=2, span=(0.1, 320)),
    Case("ordinary", kind="metric_depth", unit="mm", dataset="serv_ct", frames=2, span=(4, 320)),
    Case("constant", kind="disparity", dataset="scared"),
    Case("three pixels", kind="depth", dataset="scared"),
    Case("ends", kind="scaled_disparity", dataset="scared", ends=(0.001, 1, 100, 150, 180, 200, 300)),
]

Numbers = dict[str, list[dict[str, float | None]]]


def key(spec: specs.Protocol) -> str:
    return f"{spec['name']}, version {spec['version']}"


def numbers(spec: specs.Protocol) -> Numbers:
    """Return a protocol's metrics by case, one mapping a frame."""
    return {case.name: [dict(score.metrics) for score in scores(spec, case, make(case))] for case in CASES}


def moved(kept: Numbers, now: Numbers) -> str:
    """Return the first number that is not what was kept, in words; empty where all are."""
    for case, frames in kept.items():
        for frame, (was, found) in enumerate(zip(frames, now.get(case, []), strict=True)):
            for metric in was.keys() | found.keys():
                a, b = was.get(metric), found.get(metric)
                if not _same(a, b):
                    return f"{case}, frame {frame}, {metric}: {a} became {b}"
    return "" if kept.keys() == now.keys() else "the cases are others"


def _same(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def kept() -> dict[str, Numbers]:
    found: dict[str, Numbers] = json.loads(PATH.read_text(encoding="utf-8")) if PATH.is_file() else {}
    return found


def main() -> None:
    old, new = kept(), {}
    for name, spec in protocols().items():
        new[key(spec)] = numbers(spec)
        change = moved(old[key(spec)], new[key(spec)]) if key(spec) in old else ""
        if change:
            sys.exit(f"{name}: {change}. Raise its version in config.yaml.")
    PATH.write_text(json.dumps(new, indent=0) + "\n", encoding="utf-8")
    print(f"{len(new)} protocols, {len(new.keys() - old.keys())} of them new")


if __name__ == "__main__":
    main()
