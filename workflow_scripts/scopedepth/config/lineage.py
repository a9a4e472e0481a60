"""The facts of lineage (`scopedepth.lineage`) that a configuration states, and what it may not state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scopedepth.config.datasets import DatasetSpec, ViewSpec
from scopedepth.config.finetuning import TunedSpec, seen_by
from scopedepth.config.models import ModelSpec
from scopedepth.config.provenance import TrainedOn
from scopedepth.errors import ScopeDepthError
from scopedepth.job.identity import canonical_json
from scopedepth.lineage.footage import fits, named, path, reached
from scopedepth.lineage.levels import chosen, seen, seen_frames
from scopedepth.vocabulary.lineage import FRAMES

Entries = Mapping[str, DatasetSpec | ViewSpec]
Models = Mapping[str, ModelSpec | TunedSpec]


def facts_of(datasets: Entries, models: Models) -> dict[str, Any]:
    """Return the facts of all datasets and models; one that contradicts another is a `ScopeDepthError`."""
    found: dict[str, Any] = {
        "datasets": {name: _dataset(name, datasets) for name in datasets},
        "models": {name: _model(name, models) for name in models},
    }
    for name in datasets:
        _check_ends(name, found["datasets"])
    for name, model in models.items():
        field = "train" if isinstance(model, TunedSpec) else "trained_on"
        for index, entry in enumerate(found["models"][name]):
            _check_entry(f"models.{name}.{field}[{index}]", entry, found["datasets"])
    return found


def facts_for(facts: Mapping[str, Any], datasets: Iterable[str], models: Iterable[str]) -> dict[str, Any]:
    """Return of `facts` what decides about some datasets and models, so that other entries change nothing of it."""
    of_models = {name: facts["models"][name] for name in models}
    trained = [e["dataset"] for entries in of_models.values() for e in entries if "dataset" in e]
    decide = sorted(reached(facts["datasets"], *datasets, *trained))
    return {"datasets": {name: facts["datasets"][name] for name in decide}, "models": of_models}


def refuse_seen_frames(
    where: str, datasets: Iterable[str], models: Iterable[str], facts: Mapping[str, Any]
) -> None:
    """Refuse a study that scores a model on frames that it was trained on, as far as names of sequences tell."""
    for dataset in datasets:
        for model in models:
            for sequence in _names(dataset, model, facts):
                if seen(facts, model, dataset, sequence) == FRAMES:
                    raise ScopeDepthError(seen_frames(where, model, dataset, sequence))


def refuse_renamed(
    where: str, datasets: Iterable[str], model: str, learnt: Iterable[str], facts: Mapping[str, Any]
) -> None:
    """Refuse a study of a model with folds on an edition of its videos in which they have other names.

    Which network has not seen a sequence is told by the sequence's name.
    """
    known = facts["datasets"]
    taught = reached(known, *learnt)
    for dataset in datasets:
        for name in sorted(reached(known, dataset) - taught):
            for link in known[name]["same_as"]:
                if link["names"] is not None and reached(known, link["dataset"]) & taught:
                    raise ScopeDepthError(
                        f"{where}: {model} has folds, and {dataset} shows videos of {link['dataset']} under other "
                        "names, so that the network that has not seen one cannot be told. Leave one of them out."
                    )


def _names(dataset: str, model: str, facts: Mapping[str, Any]) -> list[str]:
    """Return the names of a dataset's sequences; where they are not stated, those that its model's entries name."""
    datasets = facts["datasets"]
    lists = datasets[dataset]["sequences"]
    names = named(lists)
    if names is not None:
        return names
    patterns = [pattern for patterns in lists for pattern in patterns] or ["*"]
    if datasets[dataset]["listed"]:
        return patterns
    for entry in facts["models"].get(model, ()):
        if "dataset" in entry:
            of_it = chosen(datasets, entry)
            for name in named(of_it) or [pattern for some in of_it for pattern in some]:
                there = [own for place, own in path(datasets, entry["dataset"], name) if place == dataset]
                patterns += [own for own in (name, *there) if fits(own, lists)]
    return patterns


def _dataset(name: str, datasets: Entries) -> dict[str, Any]:
    spec = datasets[name]
    if isinstance(spec, ViewSpec):
        base = _dataset(spec.view_of, datasets)  # views were checked before
        own = [] if spec.sequences is None else [spec.sequences]
        link = {"dataset": spec.view_of, "names": None}
        nothing: dict[str, Any] = {"patient": None, "device": {}}
        return {**base, **nothing, "same_as": [link], "sequences": [*base["sequences"], *own]}
    where = f"datasets.{name}.provenance"
    links = [{"dataset": one.dataset, "names": one.sequences} for one in spec.provenance.same_as]
    if any(link["names"] is None for link in links[:-1]):
        raise ScopeDepthError(
            f"{where}.same_as: all sequences are in {next(k['dataset'] for k in links if k['names'] is None)}, so that "
            "those after it count for nothing; say as `sequences` which ones are, or put it last."
        )
    if links and links[-1]["names"] is None and (spec.provenance.patient or spec.provenance.device):
        raise ScopeDepthError(
            f"{where}: patient and device of the same videos are said once, by {links[-1]['dataset']}."
        )
    chosen_frames = spec.frames
    listed = chosen_frames.list is not None or chosen_frames.exclude is not None
    source = canonical_json(spec.source.model_dump(mode="json"))
    return {
        "sequences": [] if spec.sequences is None else [list(spec.sequences)],
        "same_as": links,
        "patient": spec.provenance.patient,
        "device": spec.provenance.device,
        "frames": None if listed else [chosen_frames.start, chosen_frames.stop, chosen_frames.step],
        "listed": listed,
        "files": canonical_json({"source": source, "loader": spec.loader, "options": spec.options}),
        "source": source,
    }


def _check_ends(name: str, datasets: Mapping[str, Any], above: tuple[str, ...] = ()) -> None:
    for link in datasets[name]["same_as"]:
        if link["dataset"] in (name, *above):
            raise ScopeDepthError(
                f"datasets.{name}.provenance.same_as: {link['dataset']} is said to be the same as {name} "
                "itself; say it of one of them."
            )
        _check_ends(link["dataset"], datasets, (name, *above))


def _model(name: str, models: Models, above: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return what a model and those that it was made from were trained on."""
    spec = models[name]
    origin = spec.made_from
    if origin is not None and origin in (name, *above):
        raise ScopeDepthError(f"models.{name}.from: {origin} is made from {name} itself.")
    inherited = _model(origin, models, (name, *above)) if origin is not None else []
    if isinstance(spec, TunedSpec):
        return [*map(_entry, seen_by(spec)), *inherited]
    own = spec.trained_on
    if own is None:
        # Nobody has said; a network without weights has seen nothing.
        own = [] if origin is not None or spec.weights.kind == "none" else [TrainedOn(unknown=True)]
    return [*map(_entry, own), *inherited]


def _entry(stated: TrainedOn) -> dict[str, Any]:
    if stated.unknown:
        return {"unknown": True}
    if stated.device is not None:
        return {"device": stated.device}
    return {"dataset": stated.dataset, "sequences": stated.sequences, "held_out": stated.held_out}


def _check_entry(where: str, entry: Mapping[str, Any], datasets: Mapping[str, Any]) -> None:
    if "dataset" not in entry:
        return
    lists = chosen(datasets, entry)
    if named(lists) is not None or not (lists or entry["held_out"]):
        return
    decide = {name: datasets[name] for name in sorted(reached(datasets, entry["dataset"]))}
    by_name = [
        name
        for name, one in decide.items()
        if one["patient"]
        or set(one["device"]) - {"*"}
        or any(isinstance(link["names"], str) for link in one["same_as"])
    ]
    if by_name:
        raise ScopeDepthError(
            f"{where}.sequences: name them, without patterns: which ones there are is not known before the data are "
            f"there, and {by_name[0]} tells patient, device or other edition by their names."
        )
