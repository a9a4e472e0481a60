"""The steps of a training, from wherever its state is to the last one."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from scopedepth.errors import ScopeDepthError
from scopedepth.finetuning.data import Lessons
from scopedepth.finetuning.losses import agreement, inner, loss
from scopedepth.finetuning.state import State
from scopedepth.job.progress import progress
from scopedepth.models.torch_model import DTYPES, TorchModel

# Share of the steps in which the learning rate rises.
RISING = 0.1
# A batch's gradient is made shorter where it is longer than this.
LONGEST_GRADIENT = 1.0
# Of the loss that is shown, what a step adds at least.
SHOWN_STEPS = 20

Pictures = Sequence[tuple[NDArray[np.uint8], NDArray[np.float32]]]


def learning_rate(step: int, steps: int, highest: float) -> float:
    """Return the rate of a step, counted from 0: a straight rise, then half a cosine to nothing."""
    rising = max(1, round(RISING * steps))
    if step < rising:
        return highest * (step + 1) / rising
    return highest * 0.5 * (1 + math.cos(math.pi * (step - rising + 1) / max(1, steps - rising + 1)))


def train(
    model: TorchModel,
    parameters: Mapping[str, torch.nn.Parameter],
    lessons: Lessons,
    recipe: Mapping[str, Any],
    seed: int,
    state: State,
    path: Path,
    every: int,
) -> None:
    """Take the steps that `state` has not taken, and leave in `parameters` what the best look chose, or the last step.

    `path`: where the state is written, every `every` steps. The best is chosen where frames are held out.
    """
    steps = recipe["steps"]
    optimiser = torch.optim.AdamW(
        list(parameters.values()), recipe["learning_rate"], weight_decay=recipe["weight_decay"]
    )
    if state.step:
        _put(state.learnt, parameters)
        optimiser.load_state_dict(state.optimiser)
    else:
        state.at_once = recipe["batch"]
        _look(model, lessons, recipe, state, parameters)
    with progress(f"finetune {model.name}", steps, "steps") as advance:
        advance(state.step)
        while state.step < steps:
            began = time.monotonic()
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(state.step, steps, recipe["learning_rate"])
            pictures = lessons.batch(state.step, recipe["batch"], seed, recipe)
            value = _gradient(model, pictures, recipe, state, optimiser)
            torch.nn.utils.clip_grad_norm_(parameters.values(), LONGEST_GRADIENT)
            optimiser.step()
            state.step += 1
            state.recent += (value - state.recent) / min(state.step, SHOWN_STEPS)
            if not math.isfinite(value):
                raise ScopeDepthError(
                    f"Model {model.name}: after {state.step} steps its loss is no number. Lower the learning rate of "
                    "its recipe."
                )
            if state.step % recipe["check_every"] == 0 or state.step == steps:
                _look(model, lessons, recipe, state, parameters)
            state.seconds += time.monotonic() - began
            if state.step % every == 0 or state.step == steps:
                state.learnt = _copies(parameters)
                state.optimiser = optimiser.state_dict()
                state.write(path)
            advance()
    if lessons.held_out:
        _put(state.best, parameters)


def _gradient(
    model: TorchModel,
    pictures: Pictures,
    recipe: Mapping[str, Any],
    state: State,
    optimiser: torch.optim.Optimizer,
) -> float:
    """Leave the gradient of a batch in the parameters and return its loss; in parts where memory does not suffice."""
    while True:
        optimiser.zero_grad(set_to_none=True)
        total = 0.0
        try:
            for part in _alike(pictures, state.at_once):
                value, _ = assess(model, part, recipe["precision"])
                share = value.sum() / len(pictures)
                share.backward()  # type: ignore[no-untyped-call]
                total += share.item()
            return total
        except Exception as error:
            if not model.is_out_of_memory(error) or state.at_once == 1:
                raise
        state.at_once = (state.at_once + 1) // 2
        model.free_memory()


def assess(model: TorchModel, pictures: Pictures, precision: str) -> tuple[Tensor, Tensor]:
    """Return the loss of each frame and its agreement with the truth (`losses`), each (n,). Frames are of one size."""
    frames = np.stack([rgb for rgb, _ in pictures])
    depth = torch.from_numpy(np.stack([depth for _, depth in pictures])).to(model.torch_device)
    # Made where no gradient is kept: a copy may take part in one. Planes of colours one behind the other, for with the
    # colours of a pixel side by side, torch 2.13 on a processor destroyed memory on the way back through narrow layers.
    batch = model.preprocess(frames).clone(memory_format=torch.contiguous_format)
    with torch.autocast(model.torch_device.type, DTYPES[precision], enabled=precision != "fp32"):
        output = model.run(batch, frames.shape[1:3])
    output = output.float()
    valid = inner(depth)
    depth, valid = (
        functional.interpolate(x[:, None], output.shape[1:], mode="nearest-exact")[:, 0]
        for x in (depth, valid)
    )
    if model.unit is not None:
        depth = depth / MILLIMETRES[model.unit]
    kind = model.output_kind
    each = [loss(kind, *(x[at : at + 1] for x in (output, depth, valid))) for at in range(len(pictures))]
    return torch.stack(each), agreement(kind, output.detach(), depth, valid)


MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0}


def _look(
    model: TorchModel,
    lessons: Lessons,
    recipe: Mapping[str, Any],
    state: State,
    parameters: Mapping[str, torch.nn.Parameter],
) -> None:
    """Note how the model does on the frames that are watched; keep the best, and stop where its sign turned over."""
    losses, agreements = [], []
    pictures = [frame.read() for frame in lessons.watched]
    with torch.no_grad():
        for part in _alike(pictures, state.at_once):
            values, signs = assess(model, part, recipe["precision"])
            losses.append(values)
            agreements.append(signs)
    value, sign = float(torch.cat(losses).mean()), float(torch.cat(agreements).mean())
    before = [one["agreement"] for one in state.curve]
    state.curve.append(
        {
            "step": state.step,
            "loss": state.recent if state.step else None,
            "watched_loss": value,
            "agreement": sign,
        }
    )
    if sign < 0 and (2 * state.step >= recipe["steps"] or max(before, default=-1.0) > 0):
        where = "held out" if lessons.held_out else "learnt from"
        raise ScopeDepthError(
            f"Model {model.name}: its sign turned over: after {state.step} steps it says near where it is far "
            f"(correlation {sign:.2f} on frames {where}). Lower the learning rate of its recipe, or take another seed."
        )
    if lessons.held_out and value < state.best_loss:
        state.best, state.best_step, state.best_loss = _copies(parameters), state.step, value


def _alike(pictures: Pictures, most: int) -> list[Pictures]:
    """Return the pictures in parts of at most so many, each of one size."""
    sizes: dict[tuple[int, ...], list[tuple[NDArray[np.uint8], NDArray[np.float32]]]] = {}
    for one in pictures:
        sizes.setdefault(one[1].shape, []).append(one)
    return [group[at : at + most] for group in sizes.values() for at in range(0, len(group), most)]


def _copies(parameters: Mapping[str, torch.nn.Parameter]) -> dict[str, Tensor]:
    return {name: parameter.detach().cpu().clone() for name, parameter in parameters.items()}


def _put(tensors: Mapping[str, Tensor], parameters: Mapping[str, torch.nn.Parameter]) -> None:
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[name])
