"""The state of a training that is under way: written beside and renamed, so that there is a whole one at any time."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


@dataclass
class State:
    """What a training goes on from. What is random follows from the seed and the step, and so does the learning rate.

    `identity`: what the training is made from; the state of another one is none. `step`: steps done. `learnt`: the
    parameters that learn; `optimiser`: their moments. `best`: the parameters of the best look so far, `best_step` and
    `best_loss` of it. `curve`: the looks. `at_once`: frames of a batch that memory holds. `seconds`: spent so far.
    """

    identity: str
    step: int = 0
    learnt: dict[str, Tensor] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_step: int = 0
    best_loss: float = float("inf")
    curve: list[dict[str, Any]] = field(default_factory=list)
    recent: float = 0.0
    at_once: int = 0
    seconds: float = 0.0

    def write(self, path: Path) -> None:
        """Write the state at once."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".new")
        torch.save({one.name: getattr(self, one.name) for one in fields(self)}, beside)
        os.replace(beside, path)


def read_state(path: Path, identity: str) -> State:
    """Return the state at `path`; one to begin with where there is none, a damaged one or one of another training."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        state = State(**found)
    except (OSError, RuntimeError, EOFError, TypeError, ValueError, pickle.UnpicklingError):
        return State(identity)
    return state if state.identity == identity else State(identity)
