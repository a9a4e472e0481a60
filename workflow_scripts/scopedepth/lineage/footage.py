"""Which videos a dataset shows: its editions are followed to the one that is no edition of another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

Datasets = Mapping[str, Mapping[str, Any]]
# A dataset, and the name of a sequence in it.
Place = tuple[str, str]


def path(datasets: Datasets, dataset: str, sequence: str) -> list[Place]:
    """Return where a sequence stands: its own place, that in the dataset it is an edition of, and so on to the last."""
    places = [(dataset, sequence)]
    while (following := _next(datasets, *places[-1])) is not None:
        places.append(following)
    return places


def _next(datasets: Datasets, dataset: str, sequence: str) -> Place | None:
    for link in datasets[dataset]["same_as"]:
        there = name_there(link["names"], sequence)
        if there is not None:
            return link["dataset"], there
    return None


def name_there(names: str | Mapping[str, str] | None, sequence: str) -> str | None:
    """Return a sequence's name in the other dataset of a link, None where it is not in that one."""
    if names is None:
        return sequence
    if isinstance(names, str):
        found = re.fullmatch(names, sequence)
        return found[1] if found else None
    return names.get(sequence)


def same(one: Sequence[Place], other: Sequence[Place]) -> bool:
    """Return whether two paths are of one video: they have the same name in the first dataset that both come to.

    Parts of a longer sequence of another dataset are thus videos of their own, and each is the same as the longer one.
    """
    names = dict(other)
    return next((names[dataset] == name for dataset, name in one if dataset in names), False)


def shows(datasets: Datasets, dataset: str, places: Sequence[Place], lists: Sequence[Sequence[str]]) -> bool:
    """Return whether a dataset, of the sequences that fit `lists`, shows the video whose path is `places`.

    Where a pattern tells the names of another dataset, there is taken to be a name for each of that one's sequences.
    """
    own = next((name for place, name in places if place == dataset), None)
    if own is not None:
        return fits(own, lists)
    for link in datasets[dataset]["same_as"]:
        if link["names"] is None:
            return shows(datasets, link["dataset"], places, lists)
        if isinstance(link["names"], str):
            found = shows(datasets, link["dataset"], places, [])
        else:
            inside = (name for name in link["names"] if fits(name, lists))
            found = any(same(path(datasets, dataset, name), places) for name in inside)
        if found:
            return True
    return False


def reached(datasets: Datasets, *names: str) -> set[str]:
    """Return `names` and all datasets that they are editions of."""
    links = [link["dataset"] for name in names for link in datasets[name]["same_as"]]
    return set(names) | (reached(datasets, *links) if links else set())


def fits(name: str, lists: Iterable[Sequence[str]]) -> bool:
    """Return whether a name fits a pattern of each list."""
    return all(any(fnmatchcase(name, pattern) for pattern in patterns) for patterns in lists)


def is_pattern(name: str) -> bool:
    return any(character in name for character in "*?[")


def named(lists: Sequence[Sequence[str]]) -> list[str] | None:
    """Return the names that fit all lists, or None where no list spells its names out."""
    whole = (names for names in lists if not any(map(is_pattern, names)))
    return next(([name for name in names if fits(name, lists)] for names in whole), None)


def tabled(datasets: Datasets, dataset: str) -> set[str]:
    """Return the names of a dataset that its own links, or those of the datasets with the same names, spell out."""
    names: set[str] = set()
    for link in datasets[dataset]["same_as"]:
        if link["names"] is None:
            names |= tabled(datasets, link["dataset"])
        elif not isinstance(link["names"], str):
            names |= set(link["names"])
    return names


def patient(datasets: Datasets, video: Place) -> str | None:
    """Return whose video it is that stands at the end of a path, None where nobody says."""
    rule = datasets[video[0]]["patient"]
    if isinstance(rule, str):
        found = re.fullmatch(rule, video[1])
        return found[1] if found else None
    return by_pattern(rule or {}, video[1])


def device(datasets: Datasets, video: Place) -> str | None:
    """Return what it was taken with, None where nobody says."""
    return by_pattern(datasets[video[0]]["device"], video[1])


def by_pattern(table: Mapping[str, str], name: str) -> str | None:
    """Return what stands behind the first pattern that fits `name`."""
    return next((value for pattern, value in table.items() if fnmatchcase(name, pattern)), None)
