"""The numbers that stand for a series of timed calls."""

from __future__ import annotations

import math

import numpy as np

# MLPerf's values for single-stream latency: the 90th percentile, with a confidence of 99 % and no tolerance.
PERCENTILE = 0.9
CONFIDENCE = 0.99
# A turn counts where the yardstick just before and just after it took at most so many times its undisturbed time, which
# is the fastest tenth of its calls: what else runs on a machine only ever adds time. Over four minutes on a virtual
# machine, ratios from 20 s each differed by 2 to 5 % so, and by 6 to 17 % with all turns.
CALM = 1.1
UNDISTURBED = 0.1
CALM_TURNS = 3


def early_stopping_percentile(
    durations: np.ndarray, percentile: float = PERCENTILE, confidence: float = CONFIDENCE
) -> float | None:
    """Return an upper bound of the calls' percentile (same unit as `durations`), or None for too few calls.

    MLPerf inference rules, appendix "Early Stopping Criterion", single-stream
    (mlcommons/inference_policies, inference_rules.adoc). Of n calls, t is the largest number of calls over a
    limit that a system which only just fails (a share `percentile` of its calls within the limit) shows with a
    probability of at most 1 - `confidence`: F(t; n, 1 - percentile) <= 1 - confidence, with F the cumulative
    binomial distribution. The t - 1 longest calls are put aside; the longest of the others is the estimate.
    It needs t >= 1, which is 64 calls for the 90th percentile.
    """
    allowed = allowed_overlatency(len(durations), percentile, confidence)
    if allowed < 1:
        return None
    return float(np.sort(durations)[len(durations) - allowed])


def allowed_overlatency(calls: int, percentile: float = PERCENTILE, confidence: float = CONFIDENCE) -> int:
    """Return the largest t with F(t; calls, 1 - percentile) <= 1 - confidence, or -1 where t = 0 fails already."""
    log_over, log_within = math.log(1 - percentile), math.log(percentile)
    log_choose, total = 0.0, 0.0
    for t in range(calls + 1):
        total += math.exp(log_choose + t * log_over + (calls - t) * log_within)
        if total > 1 - confidence:
            return t - 1
        log_choose += math.log(calls - t) - math.log(t + 1) if t < calls else 0.0
    return calls


def median_interval(
    durations: np.ndarray, rounds: np.ndarray, replicates: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the median (low, high).

    durations (n,) float and rounds (n,) int: whole rounds are drawn, because calls of one round share what
    disturbs them. Calls of a single round are drawn one by one. Percentile bootstrap (Efron 1979), seeded.
    """
    numbers, member = np.unique(rounds, return_inverse=True)
    generator = np.random.default_rng(seed)
    if len(numbers) == 1:
        draws = (generator.integers(0, len(durations), len(durations)) for _ in range(replicates))
        medians = np.array([np.median(durations[drawn]) for drawn in draws])
    else:
        drawn = generator.integers(0, len(numbers), (replicates, len(numbers)))
        times = (drawn[:, :, None] == np.arange(len(numbers))).sum(axis=1)
        medians = _medians_of_repeated(durations, member, times)
    low, high = np.quantile(medians, (0.025, 0.975))
    return float(low), float(high)


def _medians_of_repeated(values: np.ndarray, member: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the median of each replicate, float64 (replicates,).

    values (n,) belong to the groups `member` (n,) int; times (replicates, groups) int says how often each group
    is in a replicate. Nothing is put together or sorted again: `below` counts each group's values among the
    smallest i, so a replicate's count of them is a product, and the middle is found by bisection.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    groups = times.shape[1]
    below = np.zeros((len(values) + 1, groups), np.int32)
    np.cumsum(member[order, None] == np.arange(groups), axis=0, out=below[1:])
    total = times @ below[-1]
    middles = []
    for rank in ((total - 1) // 2, total // 2):
        low, high = np.zeros(len(times), int), np.full(len(times), len(values) - 1)
        while (low < high).any():
            middle = (low + high) // 2
            enough = (times * below[middle + 1]).sum(axis=1) > rank
            low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
        middles.append(ordered[low])
    return (middles[0] + middles[1]) / 2


def ratio_to_yardstick(
    durations: np.ndarray, rounds: np.ndarray, yardstick: np.ndarray, yardstick_rounds: np.ndarray
) -> tuple[float, float, float]:
    """Return the model's time as a multiple of the yardstick's (median, low, high of a 95 % interval).

    durations (n,) and rounds (n,): the model's calls, in turns with the yardstick's, in order; yardstick
    (n + number of rounds,): one before each of them, and one more at each round's end. Times in one unit. Each call
    is divided by the geometric mean of the yardstick's before and after it, so drift cancels. Turns in which the
    machine was disturbed do not count: the choice looks at the yardstick alone. The interval: `median_interval`.
    """
    numbers = np.unique(rounds)
    before = np.concatenate([yardstick[yardstick_rounds == number][:-1] for number in numbers])
    after = np.concatenate([yardstick[yardstick_rounds == number][1:] for number in numbers])
    in_order = np.argsort(rounds, kind="stable")
    durations, rounds = durations[in_order], rounds[in_order]
    calm = np.maximum(before, after) <= CALM * np.quantile(yardstick, UNDISTURBED)
    if calm.sum() < CALM_TURNS:
        calm[:] = True
    ratios = durations[calm] / np.sqrt(before[calm] * after[calm])
    low, high = median_interval(ratios, rounds[calm])
    return float(np.median(ratios)), low, high
