"""What a unit is called: its dataset; where that is split, its sequence; where that is cut, its first frame."""

from __future__ import annotations


def unit_name(dataset: str, sequence: str | None = None, first: int | None = None) -> str:
    """Return the name of a unit. No dataset has an @ in its name, and no sequence a tilde."""
    name = dataset if sequence is None else f"{dataset}@{sequence}"
    return name if first is None else f"{name}~{first}"


def dataset_of(unit: str) -> str:
    """Return the dataset that a unit belongs to, by the unit's name."""
    return unit.partition("@")[0]
