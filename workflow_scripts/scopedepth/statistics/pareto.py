"""The front of accuracy against speed: models that no other model beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One model: its error and its time, each with an interval. Smaller is better in both.

    A metric of which more is better enters with its sign turned, the ends of its interval swapped.
    """

    name: str
    error: float
    error_low: float
    error_high: float
    time: float
    time_low: float
    time_high: float


@dataclass(frozen=True)
class Place:
    """Where a model stands: on the front or behind it, and whether the intervals leave a doubt."""

    name: str
    on_front: bool
    dominated_by: tuple[str, ...]
    "models with values at least as good in both and better in one"
    surely_dominated_by: tuple[str, ...]
    "those of them whose intervals, too, lie wholly on the better side in both"

    @property
    def certain(self) -> bool:
        """Whether a model behind the front is surely there. One on the front may share its place with others."""
        return self.on_front or bool(self.surely_dominated_by)


def pareto_front(points: Sequence[Point]) -> list[Place]:
    """Return each model's place, in the order of `points`.

    On the front is a model that no other one dominates (at least as good in both values, better in one).
    Intervals are compared one by one, as they stand: two that just touch are no proof either way.
    """
    places = []
    for point in points:
        better = [other for other in points if other is not point and _dominates(other, point)]
        surely = [other.name for other in better if _surely_dominates(other, point)]
        places.append(Place(point.name, not better, tuple(o.name for o in better), tuple(surely)))
    return places


def _dominates(a: Point, b: Point) -> bool:
    return a.error <= b.error and a.time <= b.time and (a.error < b.error or a.time < b.time)


def _surely_dominates(a: Point, b: Point) -> bool:
    return a.error_high < b.error_low and a.time_high < b.time_low
