"""Networks that were each trained without a part of the data: a sequence is predicted by the one that has not seen it.

Their weights are a folder for each fold and `folds.json`, for each fold the names of the sequences it was kept from. A
sequence of another name was seen by none of them, and the first one predicts it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scopedepth.errors import ScopeDepthError
from scopedepth.models.base import DepthModel

FOLDS = "folds.json"


def fold_name(number: int) -> str:
    """Return the folder of a fold, counted from 0."""
    return f"fold_{number + 1}"


def read_folds(weights: Path) -> list[list[str]] | None:
    """Return the names that each fold's network was kept from; None where the weights are of one network."""
    path = weights / FOLDS
    if not path.is_file():
        return None
    try:
        folds = json.loads(path.read_text(encoding="utf-8"))
        if not folds or any(not isinstance(name, str) for fold in folds for name in fold):
            raise ValueError("no list of names for each fold")
    except (ValueError, TypeError, RecursionError) as error:
        raise ScopeDepthError(f"{path} is damaged ({error}). Delete the folder and train again.") from error
    return [list(fold) for fold in folds]


class FoldedModel(DepthModel):
    """The networks of all folds; by itself, as for its clock, it is the first one."""

    def __init__(self, folds: list[list[str]], load: Callable[[int], DepthModel]) -> None:
        self._folds, self._load = folds, load
        self._first = load(0)
        self._threads: int | None = None
        self._last: tuple[int, DepthModel] = (0, self._first)
        vars(self).update({key: value for key, value in vars(self._first).items() if not key.startswith("_")})
        self.wants_intrinsics, self.window = self._first.wants_intrinsics, self._first.window

    def for_sequence(self, name: str) -> DepthModel:
        number = next((at for at, fold in enumerate(self._folds) if name in fold), 0)
        if number != self._last[0]:
            other = self._load(number)
            other.prepare(self._threads)
            self._last = number, other
        return self._last[1]

    def grid(self, height: int, width: int) -> tuple[int, int]:
        return self._first.grid(height, width)

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        return self._first.input_size(height, width)

    def preprocess(self, frames: np.ndarray) -> Any:
        return self._first.preprocess(frames)

    def forward(self, batch: Any, size: tuple[int, int]) -> Any:
        return self._first.forward(batch, size)

    def begin_host(self, out: Any) -> Any:
        return self._first.begin_host(out)

    def to_host(self, out: Any) -> np.ndarray:
        return self._first.to_host(out)

    def use_threads(self, threads: int) -> None:
        self._first.use_threads(threads)

    def prepare(self, threads: int | None) -> None:
        self._threads = threads
        self._first.prepare(threads)

    def is_out_of_memory(self, error: Exception) -> bool:
        return self._first.is_out_of_memory(error)

    def is_fatal(self, error: Exception) -> bool:
        return self._first.is_fatal(error)

    def free_memory(self) -> None:
        self._first.free_memory()
