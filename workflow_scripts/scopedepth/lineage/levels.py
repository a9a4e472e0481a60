"""How near a model's training data come to a sequence that it is tested on: the level of disjointness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scopedepth.lineage.footage import (
    Datasets,
    device,
    fits,
    is_pattern,
    named,
    path,
    patient,
    same,
    shows,
    tabled,
)
from scopedepth.vocabulary.lineage import DATASET, DEVICE, FRAMES, LEVELS, NONE, PATIENT, SEQUENCE, UNKNOWN

Facts = Mapping[str, Mapping[str, Any]]


def closest(levels: Iterable[str]) -> str:
    """Return the level that says most of what was seen; none where there is no level."""
    return min(levels, key=LEVELS.index, default=NONE)


def seen(facts: Facts, model: str, dataset: str, sequence: str) -> str:
    """Return the closest level at which `model` is known to have seen a sequence in training (`LEVELS`).

    `facts`: see the package. Which sequences a model has seen is decided by names and patterns alone. Frames of a
    sequence seen count as seen, unless both datasets count frames of the same files and take none in common.
    """
    return closest(
        _level(facts["datasets"], entry, dataset, sequence) for entry in facts["models"].get(model, ())
    )


def seen_frames(where: str, model: str, dataset: str, sequence: str) -> str:
    """Return why a study is refused, in a line."""
    of = "" if is_pattern(sequence) else f" (sequence {sequence})"
    return (
        f"{where}: {model} was trained on frames of {dataset}{of} that it would be ranked on. Leave one of them out, "
        f"say which sequences it has seen (models.{model}.trained_on), or say allow_seen: true here."
    )


def _level(datasets: Datasets, entry: Mapping[str, Any], dataset: str, sequence: str) -> str:
    places = path(datasets, dataset, sequence)
    owner, taken_with = patient(datasets, places[-1]), device(datasets, places[-1])
    if "dataset" not in entry:
        if entry.get("unknown"):
            return UNKNOWN
        return DEVICE if entry["device"] == taken_with else NONE
    trained, lists = entry["dataset"], chosen(datasets, entry)
    names = named(lists)
    known = _known(datasets, trained, lists) if names is None else names
    paths = [path(datasets, trained, name) for name in known]
    by_name = any(same(one, places) for one in paths)
    shown = shows(datasets, trained, places, lists) if names is None else by_name
    if shown and entry["held_out"] is None:
        return FRAMES if _share_frames(datasets[trained], datasets[dataset]) else SEQUENCE
    others = [one for one in paths if not same(one, places)]
    of_owner = [
        one for one in others
        if owner is not None and one[-1][0] == places[-1][0] and patient(datasets, one[-1]) == owner
    ]  # fmt: skip
    if shown and entry["held_out"] == "patient":
        others = [one for one in others if one not in of_owner]
    elif of_owner:
        return PATIENT
    # Datasets of which some sequences were seen, nobody knows by which names.
    unnamed = _alike(datasets, trained) if names is None else set()
    seen_of = {name for one in others for name, _ in one} | unnamed
    if _files(datasets, seen_of) & _files(datasets, {name for name, _ in places}):
        return DATASET
    devices = {device(datasets, one[-1]) for one in others}
    devices |= {value for name in unnamed for value in datasets[name]["device"].values()}
    return DEVICE if taken_with is not None and taken_with in devices else NONE


def chosen(datasets: Datasets, entry: Mapping[str, Any]) -> list[list[str]]:
    """Return the lists of patterns that the sequences fit that a model was trained on."""
    own = [] if entry["sequences"] is None else [entry["sequences"]]
    return [*own, *datasets[entry["dataset"]]["sequences"]]


def _known(datasets: Datasets, dataset: str, lists: Sequence[Sequence[str]]) -> list[str]:
    """Return the names of a dataset's sequences that links spell out, of those that fit `lists`."""
    return [name for name in sorted(tabled(datasets, dataset)) if fits(name, lists)]


def _alike(datasets: Datasets, dataset: str) -> set[str]:
    """Return a dataset and those that it is an edition of without naming sequences."""
    links = [
        link["dataset"] for link in datasets[dataset]["same_as"] if not isinstance(link["names"], Mapping)
    ]
    return {dataset}.union(*(_alike(datasets, name) for name in links))


def _files(datasets: Datasets, names: Iterable[str]) -> set[str]:
    """Return what tells that two datasets are one: their names, and where their files come from."""
    return {key for name in names for key in (name, datasets[name]["source"])}


def _share_frames(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if one["files"] != other["files"] or one["frames"] is None or other["frames"] is None:
        return True
    (first, stop, step), (start, end, stride) = one["frames"], other["frames"]
    # Where two rows of numbers meet at all, they do so within so many steps of the one from where both have begun.
    begin = max(first, start)
    places = range(begin + (first - begin) % step, begin + (step + 1) * stride, step)
    inside = (n for n in places if (stop is None or n < stop) and (end is None or n < end))
    return any((n - start) % stride == 0 for n in inside)
