"""Accuracy and speed of the networks on a dataset, and the front of those that no other one beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scopedepth.report.results import Results, latency, latency_interval
from scopedepth.report.words import higher_is_better
from scopedepth.statistics.pareto import Place, Point, pareto_front


@dataclass(frozen=True)
class Candidate:
    """A network with both numbers: the headline's metric, and ms a frame. Intervals may be missing."""

    model: str
    title: str
    seen: str
    "the mark of what it has seen of the dataset in training"
    value: float
    low: float | None
    high: float | None
    ms: float
    ms_low: float | None
    ms_high: float | None
    whole: bool
    "it has a number on each frame that should have one: otherwise it stands outside of front and ranking"


def candidates(
    results: Results, dataset: str, protocol: str | None = None, metric: str | None = None
) -> list[Candidate]:
    """Return the networks that have both an accuracy and a speed on `dataset`; the headline's where none is named.

    A trivial baseline takes next to no time; it is a level to beat.
    """
    found = []
    for model in results.networks:
        score, speed = results.score(dataset, model, protocol, metric), results.speed.get(model)
        ms = latency(speed) if speed else None
        if score and speed and score["value"] is not None and ms:
            seen = results.mark(dataset, model)
            spread = score["value"], score["ci_low"], score["ci_high"]
            title = results.model_title(model)
            whole = not score["n_failed"]
            found.append(Candidate(model, title, seen, *spread, ms, *latency_interval(speed), whole))
    return found


def front(results: Results, found: Sequence[Candidate], metric: str | None = None) -> list[Candidate]:
    """Return the candidates on the front, the fastest first; `metric`: that of their values, if not the headline's."""
    place = places(results, found, metric)
    return sorted((one for one in found if one.whole and place[one.model].on_front), key=lambda one: one.ms)


def places(results: Results, found: Sequence[Candidate], metric: str | None = None) -> dict[str, Place]:
    """Return the place of each candidate that is whole, by its name.

    What fails on the hard frames has an easier mean: it is on no front, and puts nobody behind it.
    """
    turned = -1.0 if higher_is_better(metric or results.metric) else 1.0
    points = [
        Point(
            one.model,
            turned * one.value,
            *_ends(one.low, one.high, turned),
            one.ms,
            *_ends(one.ms_low, one.ms_high),
        )
        for one in found
        if one.whole
    ]
    return {place.name: place for place in pareto_front(points)}


def _ends(low: float | None, high: float | None, turned: float = 1.0) -> tuple[float, float]:
    """Return an interval's ends, the smaller one first; without an interval nothing is sure."""
    if low is None or high is None:
        return -math.inf, math.inf
    return min(turned * low, turned * high), max(turned * low, turned * high)
