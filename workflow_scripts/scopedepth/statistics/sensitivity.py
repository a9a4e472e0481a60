"""What a change of protocol does to a ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scopedepth.statistics.comparisons import pairs


@dataclass(frozen=True)
class Change:
    """How the ranking under one protocol becomes that under another; tau is NaN where it is undefined."""

    tau: float
    n_models: int
    flips: list[tuple[int, int]]  # (better, worse) under the first protocol
    significant_flips: list[tuple[int, int]]


def kendall_tau_b(x: np.ndarray, y: np.ndarray) -> float:
    """Return Kendall's tau-b of two rankings, NaN where one of them puts all things level.

    (concordant - discordant) / sqrt((pairs untied in x) (pairs untied in y)); Kendall, "The Treatment of Ties
    in Ranking Problems", Biometrika 33, 1945. By hand: `scipy.stats` would take longer to import (0.8 s) than
    everything else that the summary imports (0.5 s).
    """
    first, second = pairs(len(x)).T
    in_x, in_y = np.sign(x[first] - x[second]), np.sign(y[first] - y[second])
    untied = np.sqrt(float((in_x != 0).sum()) * float((in_y != 0).sum()))
    return float((in_x * in_y).sum() / untied) if untied else float("nan")


def change(ranks_a: np.ndarray, ranks_b: np.ndarray, beaten_a: np.ndarray, beaten_b: np.ndarray) -> Change:
    """Compare two rankings of the same models; rank 0 means not ranked, and only models ranked in both count.

    beaten: (model, model), whether the row's model is significantly better than the column's. A flip is a pair
    that the two protocols put in opposite order; a tie is no flip. It is significant if both orders are.
    """
    common = np.flatnonzero((ranks_a > 0) & (ranks_b > 0))
    flips = []
    for i, j in pairs(len(common)).tolist():
        one, other = int(common[i]), int(common[j])
        in_a, in_b = ranks_a[one] - ranks_a[other], ranks_b[one] - ranks_b[other]
        if in_a * in_b < 0:
            flips.append((one, other) if in_a < 0 else (other, one))
    significant = [(a, b) for a, b in flips if beaten_a[a, b] and beaten_b[b, a]]
    tau = kendall_tau_b(ranks_a[common].astype(float), ranks_b[common].astype(float))
    return Change(tau, len(common), flips, significant)


def shares_won(rankings: Sequence[np.ndarray]) -> np.ndarray:
    """Return for each model the share of the rankings in which it is first, NaN where there is no ranking.

    A ranking counts if it has two models or more. Models that share the first rank have both won.
    """
    contests = [ranks for ranks in rankings if (ranks > 0).sum() >= 2]
    if not contests:
        return np.full(len(rankings[0]) if rankings else 0, np.nan)
    return np.mean([ranks == 1 for ranks in contests], axis=0)
