"""Fine-tuning one model: a base's weights and stores of frames to weights in the base's own format, and a manifest."""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from scopedepth.errors import ScopeDepthError
from scopedepth.finetuning.data import Frame, Lessons, folds_of, frames_named, lessons, names_of
from scopedepth.finetuning.learners import Learners
from scopedepth.finetuning.loop import train
from scopedepth.finetuning.state import State, read_state
from scopedepth.job.extensions import module_of
from scopedepth.job.identity import canonical_json
from scopedepth.job.leaves import check_weights
from scopedepth.job.manifest import write_json, write_manifest
from scopedepth.job.run import library_versions
from scopedepth.models import load_model
from scopedepth.models.folds import FOLDS, fold_name
from scopedepth.models.torch_model import TorchModel
from scopedepth.stores.dataset import DatasetStore
from scopedepth.vocabulary.outputs import METRIC_KINDS
from scopedepth.vocabulary.weights import FORMATS


def finetune(
    spec: Mapping[str, Any],
    made_from: str,
    weights: Path,
    stores: Sequence[Path],
    out: Path,
    manifest: Path,
    device: str = "auto",
    checkpoint_every: int = 50,
) -> dict[str, Any]:
    """Train the model that `spec` says and write its weights to the folder `out`; returns what the record says of it.

    `made_from`: what decides the result. An interrupted training of the same goes on from the state that it wrote last,
    every `checkpoint_every` steps, and ends with the same bytes. Raises `ScopeDepthError` for a recipe that does not
    fit the network, data that do not do, and a training that went wrong.
    """
    check_weights(weights)
    name, people = spec["model"]["name"], spec["people"]
    _one_network(spec["model"], weights)
    frames = frames_named([DatasetStore(path) for path in stores], spec["train"], name)
    partial, beside = out.with_name(out.name + ".partial"), out.with_name(out.name + ".partial") / "merged"
    shutil.rmtree(beside, ignore_errors=True)
    if spec["folds"] is None:
        facts = _train(spec, name, frames, made_from, weights, partial, beside, device, checkpoint_every)
    else:
        apart = folds_of(frames, spec["folds"], people, spec["seed"], name)
        kept = [names_of(fold, people) for fold in apart]
        _told_apart(name, kept)
        each = []
        for number, fold in enumerate(apart):
            kept_out = set(map(id, fold))
            others = [frame for frame in frames if id(frame) not in kept_out]
            each.append(
                _train(
                    spec,
                    f"{name}, fold {number + 1} of {len(apart)}",
                    others,
                    made_from,
                    weights,
                    partial / fold_name(number),
                    beside / fold_name(number),
                    device,
                    checkpoint_every,
                )
            )
        write_json(beside / FOLDS, kept)
        facts = {
            **each[0],
            "folds": [{**one, "kept_from": names} for one, names in zip(each, kept, strict=True)],
        }
    shutil.rmtree(out, ignore_errors=True)
    os.replace(beside, out)
    write_manifest(manifest, out, model=name, chosen_step=facts["chosen_step"])
    shutil.rmtree(partial)
    return facts


def _train(
    spec: Mapping[str, Any],
    name: str,
    frames: Sequence[Frame],
    made_from: str,
    weights: Path,
    partial: Path,
    out: Path,
    device: str,
    checkpoint_every: int,
) -> dict[str, Any]:
    """Train one network on frames and write it to `out`; `partial` has its state. Returns what the record says."""
    recipe, seed = spec["recipe"], spec["seed"]
    named: Any = {**spec["model"], "name": name}
    model = load_model(named, weights, device)
    assert isinstance(model, TorchModel)  # `formats` has families of such alone
    model.prepare(1)
    _check_units(model, frames)
    chosen = lessons(frames, spec["holdout"], spec["people"], seed, name)
    torch.manual_seed(seed)
    format = importlib.import_module(module_of(FORMATS, spec["model"]["family"]))
    learners = Learners(model, recipe, format, name)
    state = read_state(partial / "state.pt", _identity(made_from, model))
    # By its name, so that its code is no part of what decides the weights.
    gpu = importlib.import_module("scopedepth.timing.gpu").find_gpu(model.device)
    before = None if gpu is None else gpu.energy_joule()
    begun_at = state.step
    train(model, learners.parameters, chosen, recipe, seed, state, partial / "state.pt", checkpoint_every)
    after = None if gpu is None else gpu.energy_joule()
    facts = {
        **_facts(model, learners, chosen, recipe, state),
        # Of the steps of this run alone.
        "energy_joule": None if before is None or after is None else after - before,
        "continued_at": begun_at,
    }

    learners.merge()
    out.mkdir(parents=True)
    format.save(model, weights, out)
    return facts


def _one_network(model: Mapping[str, Any], weights: Path) -> None:
    """Refuse a base that has a network for each sequence."""
    places = model["options"].get("checkpoint") or ""
    if not isinstance(places, str) or "{" in places or (weights / FOLDS).is_file():
        raise ScopeDepthError(
            f"Model {model['name']}: what it is made from has a network for each sequence (options.checkpoint). Enter "
            "one of them as a model of its own, and begin with that."
        )


def _told_apart(name: str, kept: Sequence[Sequence[str]]) -> None:
    """Refuse folds that a sequence's name does not tell apart: it is by its name that its network is chosen."""
    every = [one for names in kept for one in names]
    doubled = next((one for one in every if every.count(one) > 1), None)
    if doubled is not None:
        raise ScopeDepthError(
            f"Model {name}: sequences of the name {doubled} are in two folds, and its network is chosen by the name. "
            "Make folds of one dataset, or give its sequences names of their own."
        )


def _check_units(model: TorchModel, frames: Sequence[Frame]) -> None:
    """Refuse depth without a unit for an output with one."""
    if model.output_kind not in METRIC_KINDS:
        return
    for frame in frames:
        if frame.sequence.units != "mm":
            raise ScopeDepthError(
                f"Model {model.name}: its output is in {model.unit}, and the depth of {frame.dataset} has no "
                "unit (depth.unit). Learn from data with one."
            )


def _identity(made_from: str, model: TorchModel) -> str:
    """Return what a state must have been made from to be gone on with: the job's, the libraries and the device."""
    told = {"made_from": made_from, "versions": library_versions(), "device": model.device}
    return hashlib.sha256(canonical_json(told).encode()).hexdigest()


def _facts(
    model: TorchModel, learners: Learners, chosen: Lessons, recipe: Mapping[str, Any], state: State
) -> dict[str, Any]:
    on_gpu = model.torch_device.type == "cuda"
    return {
        "device": model.device,
        "frames": len(chosen.learnt),
        "held_out": chosen.held_out,
        "learning_parameters": sum(parameter.numel() for parameter in learners.parameters.values()),
        "chosen_step": state.best_step if chosen.held_out else recipe["steps"],
        "steps_per_second": round(recipe["steps"] / state.seconds, 3) if state.seconds else None,
        "frames_at_once": state.at_once,
        "peak_gpu_mib": round(torch.cuda.max_memory_allocated(model.torch_device) / 2**20, 1)
        if on_gpu
        else None,
        "curve": state.curve,
    }
