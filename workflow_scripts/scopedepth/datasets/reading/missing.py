"""Numbers that are no depth: those that the spec names, those outside of a range, and what looks like a background."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Where sensors and renderers put what they did not see: the ends of integers and of half floats.
ENDS = (255, 4095, 16383, 32767, 65504, 65535)
# The greatest or least number, where so large a share of the depths has it and the next one is so many times nearer or
# farther, is a background. Coarse depth begins with 1, 2, 3.
SHARE, TIMES = 0.001, {"greatest": 2.0, "least": 4.0}
# Millimetres: no endoscope looks at a median nearer or farther than this.
NEAREST, FARTHEST = 1.0, 500.0
MILLIMETRES = {"m": 1000.0, "cm": 10.0}


def is_missing(
    numbers: NDArray[Any], scale: float, invalid: Collection[float], limits: Collection[float] | None
) -> NDArray[np.bool_]:
    """Return where stored `numbers` are no depth by the spec, bool (h, w).

    `invalid` are stored numbers, compared in the file's own precision; `limits` the least and greatest depth that is
    taken, in the depth's unit, which is a number times `scale`.
    """
    missing = np.zeros(numbers.shape, bool)
    for value in invalid:
        if numbers.dtype.kind == "f":
            with np.errstate(over="ignore"):
                missing |= numbers == numbers.dtype.type(value)
        else:
            missing |= numbers == value
    if limits is not None:
        low, high = limits
        with np.errstate(invalid="ignore", over="ignore"):
            depth = numbers.astype(np.float64) * scale
            missing |= ~((depth >= low) & (depth <= high))
    return missing


def cleared(
    stored: NDArray[Any], scale: float, invalid: Collection[float], limits: Collection[float] | None
) -> NDArray[Any]:
    """Return stored integers with 0 where the spec says that they are no depth."""
    if not invalid and limits is None:
        return stored
    return np.where(is_missing(stored, scale, invalid, limits), stored.dtype.type(0), stored)


def doubts(facts: Mapping[str, Any], unit: str, scale: float) -> list[str]:
    """Return what makes the depth of a sequence doubtful: a median that no body has, a background taken for depth.

    `facts`: what `describe_depth` found; `scale`: the depth of a stored number, in `unit`.
    """
    said = []
    for extreme in facts.get("extremes") or []:
        number = float(f"{extreme['depth'] / scale:.7g}")
        if number in ENDS or extreme["times"] >= TIMES[extreme["which"]]:
            said.append(
                f"{extreme['share']:.1%} of the depths are {written(number)} as stored, "
                f"{'the end of its type' if number in ENDS else 'far from all others'}; if that is no depth but a "
                f"background, set depth.invalid to [{written(number)}]"
            )
    if unit == "mm":
        said += _median_doubt(facts["percentiles"]["50"])
    return said


def written(number: float) -> str:
    """Return a number as YAML reads one: 10000000000, which 1e+10 is not."""
    return f"{number:.0f}" if number.is_integer() and abs(number) < 1e16 else f"{number:.7g}"


def _median_doubt(median: float) -> list[str]:
    if NEAREST <= median <= FARTHEST:
        return []
    likely = [
        f"depth.unit: {unit} would make it {median * factor:.3g} mm"
        for unit, factor in MILLIMETRES.items()
        if NEAREST < median * factor <= FARTHEST
    ]
    remedy = "; ".join(likely) if likely else "correct depth.unit, depth.scale or depth.invalid"
    return [f"the median depth is {median:.3g} mm, which no body has: {remedy}"]


def extremes_of(depth: NDArray[np.float64], counts: NDArray[Any]) -> list[dict[str, Any]]:
    """Return the least and the greatest depth found with their shares and how many times they are from the next one.

    depth: the different depths found, growing; counts: how often each was found. A rare one is left out.
    """
    if len(depth) < 2:
        return []
    found = []
    for which, at, times in (("least", 0, depth[1] / depth[0]), ("greatest", -1, depth[-1] / depth[-2])):
        share = float(counts[at] / counts.sum())
        if share >= SHARE:
            found.append({"which": which, "depth": float(depth[at]), "share": share, "times": float(times)})
    return found
