"""The ranking of models by their values, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ranking:
    """Ranks of the models, an entry a model, 1 is best; 0 where a model is not ranked."""

    rank: np.ndarray
    low: np.ndarray
    high: np.ndarray
    tied: np.ndarray  # (model, model) whether the two are ranked and do not differ significantly


def rank(values: np.ndarray, ranked: np.ndarray, beaten: np.ndarray, higher_is_better: bool) -> Ranking:
    """Rank the models where `ranked`; equal values share the better rank.

    beaten: (model, model), whether the row's model is significantly better than the column's, adjusted for all
    pairs. The interval of a rank leaves room only to those that are significantly better or worse: from 1 + the
    number of better ones to the number ranked less the number of worse ones (Mogstad, Romano, Shaikh and
    Wilhelm, "Inference for Ranks", Review of Economic Studies 91, 2024, who also show that the bootstrap of
    the ranks themselves does not cover where models are close).
    """
    order = -values if higher_is_better else values
    both = ranked[:, None] & ranked[None, :]
    # Row a, column b: b is better than a.
    better = both & (np.where(ranked, order, 0.0)[None, :] < np.where(ranked, order, 0.0)[:, None])
    beaten = beaten & both
    tied = both & ~beaten & ~beaten.T
    np.fill_diagonal(tied, False)
    return Ranking(
        rank=np.where(ranked, 1 + better.sum(axis=1), 0),
        low=np.where(ranked, 1 + beaten.sum(axis=0), 0),
        high=np.where(ranked, ranked.sum() - beaten.sum(axis=1), 0),
        tied=tied,
    )
