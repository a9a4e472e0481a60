"""Everything that is said of one metric of one dataset under one protocol."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from scopedepth.statistics.bootstrap import Draws, Estimates, bootstrap, draw
from scopedepth.statistics.comparisons import SIGNIFICANCE, holm, pairs, two_sided_p
from scopedepth.statistics.panel import Panel
from scopedepth.statistics.ranks import Ranking, rank
from scopedepth.statistics.skill import better_baseline, skill_series


@dataclass(frozen=True)
class Differences:
    """Pairs of models that have the same frames: the first less the second, with p values."""

    pairs: np.ndarray  # (pair, 2)
    estimates: Estimates | None
    p: np.ndarray
    p_holm: np.ndarray


@dataclass(frozen=True)
class Analysis:
    """One metric of one dataset under one protocol; arrays have an entry a model."""

    n_frames: np.ndarray
    n_sequences: np.ndarray
    n_failed: np.ndarray
    n_common: np.ndarray  # (model, model) frames on which both have a number
    complete: np.ndarray  # has a number on every frame that is due
    estimates: list[Estimates | None]  # of one model each, None where it has no number
    skill: Estimates | None  # of the complete models, in their order
    differences: Differences
    beaten: np.ndarray  # (model, model) whether the row's model is significantly better than the column's
    ranking: Ranking


def analyse(
    panel: Panel,
    metric: str,
    averaging: str,
    higher_is_better: bool,
    permitted: np.ndarray,
    is_baseline: np.ndarray,
    replicates: int,
    seed: int,
) -> Analysis:
    """Return the statistics of `metric`. Only models with a number on every due frame are compared and ranked.

    permitted, is_baseline: (model,), whether the protocol gives this metric of what the model predicts, and
    whether it is a trivial baseline for the skill. The numbers of a model, and of a pair, do not depend on the
    other models of the panel.
    """
    values, has, due = panel.values[metric], panel.has(metric, permitted), panel.due(metric, permitted)
    missing = due & ~has
    complete = has.any(axis=1) & ~missing.any(axis=1)
    estimates: list[Estimates | None] = [None] * len(values)
    skill = None
    differences = Differences(np.empty((0, 2), np.int64), None, np.empty(0), np.empty(0))
    for model in np.flatnonzero(has.any(axis=1) & ~complete):
        estimates[model] = estimate(panel, values[[model]], has[model], averaging, replicates, seed)
    if complete.any():
        ranked = np.flatnonzero(complete)
        frames = has[ranked[0]]
        pair = pairs(len(ranked))
        series = values[ranked]
        all_series = np.concatenate([series, series[pair[:, 0]] - series[pair[:, 1]]])
        both = estimate(panel, all_series, frames, averaging, replicates, seed)
        for position, model in enumerate(ranked):
            estimates[model] = both.take(slice(position, position + 1))
        if len(pair):
            between = both.take(slice(len(ranked), None))
            p = two_sided_p(between.value, between.error, between.df)
            differences = Differences(ranked[pair], between, p, holm(p))
        level = both.value[: len(ranked)]
        best = None if higher_is_better else better_baseline(level, is_baseline[ranked])
        if best is not None:
            against = skill_series(series, level, best)
            skill = estimate(panel, against, frames, averaging, replicates, seed)
    beaten = _beaten(differences, higher_is_better, len(values))
    value = np.array([np.nan if one is None else one.value[0] for one in estimates])
    estimates = [one and _within_range(one, higher_is_better) for one in estimates]
    return Analysis(
        n_frames=has.sum(axis=1),
        n_sequences=np.logical_or.reduceat(has, panel.starts[:-1], axis=1).sum(axis=1),
        n_failed=missing.sum(axis=1),
        n_common=has.astype(np.int64) @ has.T,
        complete=complete,
        estimates=estimates,
        skill=skill,
        differences=differences,
        beaten=beaten,
        ranking=rank(value, complete, beaten, higher_is_better),
    )


def _within_range(estimates: Estimates, higher_is_better: bool) -> Estimates:
    """Return intervals without what no metric can be: an error below 0, a score above 1."""
    if higher_is_better:
        return replace(estimates, high=np.minimum(estimates.high, 1.0))
    return replace(estimates, low=np.maximum(estimates.low, 0.0))


def estimate(
    panel: Panel, series: np.ndarray, frames: np.ndarray, averaging: str, replicates: int, seed: int
) -> Estimates:
    """Return the estimates of `series` (series, frame) on the frames where `frames`, sequences without any left out."""
    counts = np.add.reduceat(frames.astype(np.int64), panel.starts[:-1])
    counts = counts[counts > 0]
    starts = np.concatenate([[0], np.cumsum(counts)])
    draws = _draws(panel.dataset, len(counts), replicates, seed)
    return bootstrap(np.ascontiguousarray(series[:, frames]), starts, averaging, draws)


@lru_cache(maxsize=4)
def _draws(dataset: str, n_sequences: int, replicates: int, seed: int) -> Draws:
    return draw(dataset, n_sequences, replicates, seed)


def _beaten(differences: Differences, higher_is_better: bool, n_models: int) -> np.ndarray:
    beaten = np.zeros((n_models, n_models), bool)
    if differences.estimates is not None:
        gain = differences.estimates.value * (1 if higher_is_better else -1)
        significant = differences.p_holm < SIGNIFICANCE  # False where p is NaN
        first, second = differences.pairs.T
        beaten[first, second] = significant & (gain > 0)
        beaten[second, first] = significant & (gain < 0)
    return beaten
