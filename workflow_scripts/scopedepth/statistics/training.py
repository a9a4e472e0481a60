"""Whether a model has seen a dataset in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

NO, PARTLY, YES = "no", "partly", "yes"


def seen_in_training(model: Mapping[str, Any], dataset: str, sequences: Sequence[str]) -> str:
    """Return ``no``, ``partly`` or ``yes``: how many of `sequences` stand in the model's `trained_on`.

    An entry names a dataset of the configuration and sequences of it, by name or by pattern; null means all.
    Its `also` are other datasets that show the same frames: views of that one, or those that it is a view of.
    """
    patterns: list[str] = []
    for entry in model["trained_on"]:
        if dataset in (entry["dataset"], *entry.get("also", ())):
            patterns += ["*"] if entry["sequences"] is None else entry["sequences"]
    seen = [any(fnmatchcase(name, pattern) for pattern in patterns) for name in sequences]
    if seen and all(seen):
        return YES
    return PARTLY if any(seen) else NO
