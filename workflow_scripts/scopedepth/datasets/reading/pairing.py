"""Which depth belongs to which image, by name. What two files could claim is an error and no choice."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from scopedepth.datasets.reading.base import FrameFiles
from scopedepth.errors import ScopeDepthError

Key = TypeVar("Key", bound=Hashable)

# By these words exporters tell image from depth.
WORDS = frozenset({"rgb", "color", "colour", "image", "img", "depth", "frame"})


def pair_by_name(images: Iterable[Path], depths: Iterable[Path]) -> dict[Path, Path]:
    """Return the depth file of each image that has one.

    The first of these rules that fits: the same name without suffix; the same name without the words of `WORDS`; the
    same numbers in the name. What a rule has paired, no later rule sees.
    """
    left, right = list(images), list(depths)
    numbers = _telling_numbers(left, right)
    rules: tuple[tuple[str, Callable[[Path], Any]], ...] = (
        ("name", lambda path: path.stem),
        ("name without words such as rgb and depth", _parts),
        ("the numbers in the name", lambda path: numbers[path]),
    )
    pairs: dict[Path, Path] = {}
    for rule, key in rules:
        found = _by_rule([path for path in left if path not in pairs], right, key, rule)
        pairs |= found
        taken = set(found.values())
        right = [path for path in right if path not in taken]
    return pairs


def _by_rule(
    images: list[Path], depths: list[Path], key: Callable[[Path], Any], rule: str
) -> dict[Path, Path]:
    keyed: dict[Any, tuple[list[Path], list[Path]]] = defaultdict(lambda: ([], []))
    for side, paths in enumerate((images, depths)):
        for path in paths:
            if key(path):
                keyed[key(path)][side].append(path)
    found = {}
    for candidates in keyed.values():
        if not all(candidates):
            continue
        for many, one in (candidates, candidates[::-1]):
            if len(many) > 1:
                raise ScopeDepthError(
                    f"{many[0]} and {many[1].name} both belong to {one[0]} by {rule}. Name each image and its depth "
                    "alike."
                )
        found[candidates[0][0]] = candidates[1][0]
    return found


def _parts(path: Path) -> tuple[str, ...]:
    """Return a name's words and numbers in order, without those by which exporters tell image from depth."""
    return tuple(part for part in re.findall(r"\d+|[^\W\d_]+", path.stem.lower()) if part not in WORDS)


def _telling_numbers(images: list[Path], depths: list[Path]) -> dict[Path, tuple[int, ...]]:
    """Return the numbers in each name by which images and depth can be compared.

    All of them where every name has as many; otherwise those that tell the files of one side apart, so that
    scene7_left_0012 meets z_0012 but video1_frame12 does not meet video2_frame12.
    """
    found = [{path: _numbers(path) for path in side} for side in (images, depths)]
    if len({len(one) for side in found for one in side.values()}) > 1:
        found = [_without_constant(side) for side in found]
    return {path: numbers for side in found for path, numbers in side.items()}


def _numbers(path: Path) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", path.stem))


def _without_constant(numbers: Mapping[Path, tuple[int, ...]]) -> dict[Path, tuple[int, ...]]:
    """Return numbers without those, but for the last, that are the same in all names."""
    alike = len({len(one) for one in numbers.values()}) == 1
    columns = list(zip(*numbers.values(), strict=True)) if alike else []
    constant = {place for place, values in enumerate(columns[:-1]) if len(set(values)) == 1}
    return {
        path: tuple(number for place, number in enumerate(one) if place not in constant)
        for path, one in numbers.items()
    }


def last_number(path: Path) -> int | None:
    """Return the last number in a file's name (frame-000012.color.png is 12), None without one."""
    match = re.search(r"(\d+)(?=\D*$)", path.stem)
    return int(match[1]) if match else None


def unique_by(paths: Iterable[Path], key: Callable[[Path], Key | None]) -> dict[Key, Path]:
    """Return files by a key; those without one are left out, and two with one key are a `ScopeDepthError`."""
    found: dict[Key, Path] = {}
    for path in paths:
        here = key(path)
        if here is None:
            continue
        if here in found:
            raise ScopeDepthError(f"{found[here]} and {path.name} are both {here}; keep one of them.")
        found[here] = path
    return found


def unpaired(frames: Sequence[FrameFiles], depths: Mapping[Any, Path] | Iterable[Path]) -> list[str]:
    """Return notes on frames without a depth file and on depth files without a frame: how many, and the first one."""
    without = [frame.id for frame in frames if frame.depth is None]
    notes = []
    if without:
        notes = [f"{len(without)} of {len(frames)} images have no depth file, the first one {without[0]}"]
    return notes + left_over(depths, (frame.depth for frame in frames))


def left_over(paths: Mapping[Any, Path] | Iterable[Path], used: Iterable[Path | None]) -> list[str]:
    """Return a note on depth files that no image takes: how many, and the first one's name."""
    every = paths.values() if isinstance(paths, Mapping) else paths
    unused = sorted(set(every) - set(used))
    if not unused:
        return []
    return [f"{len(unused)} depth files have no image and are left out, the first one {unused[0].name}"]
