"""The hierarchical bootstrap of a mean over video: sequences, then blocks of their frames.

A replicate draws as many sequences as there are, with replacement, and for each draw blocks of successive
frames (circular: a block may run over the end into the beginning). Drawn at full strength, the two stages
count the frames' noise twice, for the sequences' means already vary by it; and both are too timid with few
things to draw from. So the stages are rescaled until the replicates have the variance of `new_variance`
(Rao and Wu, "Resampling Inference With Complex Survey Data", JASA 83, 1988), and their quantiles are widened
from the normal's to Student's (Hesterberg, "What Teachers Should Know About the Bootstrap", The American
Statistician 69, 2015). docs/statistics.md has the derivation and the coverage.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import numpy as np
from scipy.special import stdtrit  # scipy.stats takes a second to import

from scopedepth.job.compiled import njit
from scopedepth.job.draws import generator
from scopedepth.statistics.average import sequence_weights
from scopedepth.statistics.blocks import MIN_FRAMES, block_lengths, circular_block_means
from scopedepth.statistics.correlation import fit, shortfall
from scopedepth.vocabulary.intervals import (
    FEW_FRAMES_CAUTION,
    FEW_SEQUENCES_CAUTION,
    NEW_SEQUENCES,
    NO_CAUTION,
    NO_INTERVAL,
    THESE_SEQUENCES,
)

CONFIDENCE = 0.95
# Fewer sequences say next to nothing of how sequences differ: Student's factor is 3.2 at four, 12.7 at two.
MIN_SEQUENCES = 5

# Fewer independent frames in a sequence, and it is one drifting curve, which does not tell how far another
# would drift: intervals for these sequences are then too narrow (benchmarks/bootstrap_coverage.py).
FEW_FRAMES = 3

# Where the weights are as unlike as those of fewer equal sequences, the interval stands on the assumption that
# a long sequence's mean varies as a short one's: the few long ones do not show it.
FEW_SEQUENCES = MIN_SEQUENCES

# Blocks drawn in a replicate, over all its sequences. The factor on the deviations makes up for the number.
_DRAWS = 256
# Series worked on together.
_BATCH = 16


@dataclass(frozen=True)
class Draws:
    """What the replicates of one dataset draw: the same for all its models, protocols and metrics.

    picks: (replicate, slot) the sequence drawn. places: (replicate, slot, block) in [0, 1), where in the
    sequence each block begins, so that series with different block lengths and frames share them.
    """

    picks: np.ndarray
    places: np.ndarray

    @property
    def replicates(self) -> int:
        return len(self.picks)


@dataclass(frozen=True)
class Estimates:
    """Means of series with their intervals, an entry a series; NaN where there is no interval."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    error: np.ndarray  # standard error
    df: np.ndarray  # degrees of freedom of the standard error
    block: np.ndarray  # frames in a block, mean over the sequences
    effective: np.ndarray  # independent frames that would tell as much about these sequences
    scope: str
    n_sequences: int
    effective_sequences: float  # equal sequences of so even a weight, see `effective_number`

    def cautions(self) -> list[str]:
        """Return for each series why its interval is to be taken with care, `NO_CAUTION` where it is not."""
        if self.scope == NEW_SEQUENCES and self.effective_sequences < FEW_SEQUENCES:
            return [FEW_SEQUENCES_CAUTION] * len(self.value)
        few = (self.effective < FEW_FRAMES * self.n_sequences) & (self.scope == THESE_SEQUENCES)
        return [FEW_FRAMES_CAUTION if one else NO_CAUTION for one in few]

    def take(self, which: slice) -> Estimates:
        """Return the estimates of some of the series."""
        return replace(self, **{name: getattr(self, name)[which] for name in _COLUMNS})


_COLUMNS = ("value", "low", "high", "error", "df", "block", "effective")


def draw(dataset: str, n_sequences: int, replicates: int, seed: int) -> Draws:
    """Return the draws for a dataset of `n_sequences`. They follow from the arguments, and from no order."""
    random = generator(seed, dataset)
    blocks = max(1, _DRAWS // n_sequences)
    if n_sequences < MIN_SEQUENCES:
        picks = np.tile(np.arange(n_sequences), (replicates, 1))
    else:
        picks = random.integers(0, n_sequences, (replicates, n_sequences))
    places = random.random((replicates, n_sequences, blocks), dtype=np.float32)
    return Draws(picks, places)


def bootstrap(series: np.ndarray, starts: np.ndarray, averaging: str, draws: Draws) -> Estimates:
    """Return the means of `series` (series, frame) and their 95 % intervals.

    Every series has a number on every frame; sequence s is ``slice(starts[s], starts[s + 1])``, never empty.
    `averaging` is ``sequences`` or ``frames``, see `average`. What comes out for a series does not depend on
    the other series, to the last bit: they are worked on in batches of one size.
    """
    parts = []
    for first in range(0, len(series), _BATCH):
        batch = series[first : first + _BATCH]
        padded = np.zeros((_BATCH, series.shape[1]))
        padded[: len(batch)] = batch
        parts.append((_bootstrap(padded, starts, averaging, draws), len(batch)))
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name)[:count] for part, count in parts]) for name in _COLUMNS
    }
    return replace(parts[0][0], **columns)


def effective_number(weights: np.ndarray) -> float:
    """Return how many equal weights are as even as `weights` (sequence,) with sum 1: 1 / sum of squares.

    Kish, Survey Sampling, 1965.
    """
    return float(1 / (weights**2).sum())


def new_variance(means: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the variance of sum(weights * means) over sequences taken anew, (series,).

    means: (series, sequence), two or more. weights: (sequence,), with sum 1. The larger of two estimates. One is
    the usual one of a ratio over clusters, from each sequence's own distance to the weighted mean. A sequence
    that outweighs the others draws that mean to itself and seems to lie close to it. The other takes the
    sequences' means for equally variable, whatever their lengths, and has their plain variance. Where the weights
    are equal the two are the same.
    """
    n = means.shape[1]
    value = (means * weights).sum(axis=1)
    own = (weights**2 * (means - value[:, None]) ** 2).sum(axis=1) * n / (n - 1)
    alike = means.var(axis=1, ddof=1) * (weights**2).sum()
    return np.maximum(own, alike)


def _bootstrap(series: np.ndarray, starts: np.ndarray, averaging: str, draws: Draws) -> Estimates:
    counts = np.diff(starts).astype(np.float64)
    weights = sequence_weights(counts, averaging)
    means = np.add.reduceat(series, starts[:-1], axis=1) / counts
    value = (means * weights).sum(axis=1)
    # Unweighted, so that the shape of the replicates' distribution is not that of the few longest sequences.
    gaps = means - means.mean(axis=1, keepdims=True)
    noise = _frame_noise(series - np.repeat(means, np.diff(starts), axis=1), starts)
    within = (noise.variance * weights**2).sum(axis=1)
    if len(counts) >= MIN_SEQUENCES:
        scope = NEW_SEQUENCES
        variance = new_variance(means, weights)
        df = np.full(len(series), len(counts) - 1.0)
        frame_factor = np.sqrt(np.minimum(1.0, _ratio(variance, within, otherwise=1.0)))
        left = np.maximum(0.0, variance - frame_factor**2 * within)
        gap_factor = np.sqrt(_ratio(left * len(counts), (gaps**2).mean(axis=1), otherwise=0.0))
    elif counts.min() >= MIN_FRAMES:
        scope = THESE_SEQUENCES
        variance = within
        # Satterthwaite's degrees of freedom of a sum of variances.
        squares = (noise.variance**2 / noise.df * weights**4).sum(axis=1)
        df = np.maximum(1.0, _ratio(within**2, squares, otherwise=1.0))
        frame_factor, gap_factor = np.ones(len(series)), np.zeros(len(series))
    else:
        nothing = np.full(len(series), np.nan)
        return Estimates(
            value, nothing, nothing, nothing, nothing, nothing, nothing,
            NO_INTERVAL, len(counts), effective_number(weights),
        )  # fmt: skip
    deviations = _replicate(noise, gaps, weights, starts, draws, frame_factor, gap_factor)
    tail = (1 - CONFIDENCE) / 2
    widening = stdtrit(df, 1 - tail) / NormalDist().inv_cdf(1 - tail)
    # As far on both sides: the replicates lean towards a sequence that lies apart, and the truth may lie opposite.
    half = widening * np.quantile(np.abs(deviations), CONFIDENCE, axis=0)
    return Estimates(
        value, value - half, value + half, np.sqrt(variance), df, noise.block, noise.effective,
        scope, len(counts), effective_number(weights),
    )  # fmt: skip


@dataclass(frozen=True)
class _Noise:
    """What the frames of each sequence say of the noise of their mean."""

    variance: np.ndarray  # of the sequence's mean, (series, sequence)
    df: np.ndarray  # its degrees of freedom, (series, sequence)
    blocks: np.ndarray  # deviations of the circular blocks, scaled to that variance, (frame, series)
    block: np.ndarray  # frames in a block, (series,)
    effective: np.ndarray  # independent frames, (series,)


def _frame_noise(centred: np.ndarray, starts: np.ndarray) -> _Noise:
    """Return the noise of `centred` (series, frame), from which the sequences' means have been taken."""
    shape = len(centred), len(starts) - 1
    variance, df = np.zeros(shape), np.ones(shape)
    lengths, effective = np.ones(shape), np.ones(shape)
    blocks = np.zeros(centred.T.shape)
    long = [centred[:, start:stop] for start, stop in pairwise(starts) if stop - start >= MIN_FRAMES]
    model = fit(long, len(centred))
    for s, (start, stop) in enumerate(pairwise(starts)):
        n = int(stop - start)
        if n < MIN_FRAMES:
            continue
        frames = centred[:, start:stop]
        length = block_lengths(frames)
        deviations = circular_block_means(frames, length)
        spread = (deviations**2).mean(axis=1)
        lengths[:, s], df[:, s] = length, n / length - 1
        variance[:, s] = spread / df[:, s] * shortfall(n, length, model)
        effective[:, s] = np.clip(_ratio(frames.var(axis=1, ddof=1), variance[:, s], otherwise=n), 1, n)
        factor = np.sqrt(_ratio(variance[:, s], spread, otherwise=0.0))
        blocks[start:stop] = (deviations * factor[:, None]).T
    return _Noise(variance, df, blocks, lengths.mean(axis=1), effective.sum(axis=1))


def _replicate(
    noise: _Noise,
    gaps: np.ndarray,
    weights: np.ndarray,
    starts: np.ndarray,
    draws: Draws,
    frame_factor: np.ndarray,
    gap_factor: np.ndarray,
) -> np.ndarray:
    """Return the deviations of the replicates from the mean, (replicate, series)."""
    # The mean of so many blocks, brought back to the variance of one sequence's mean.
    shares = weights / np.sqrt(draws.places.shape[2])
    weighted = noise.blocks * np.repeat(shares, np.diff(starts))[:, None]
    levels = np.ascontiguousarray(gaps.T) / len(weights)
    frames, sequences = _sums(weighted, levels, starts, draws.picks, draws.places)
    return frame_factor * frames + gap_factor * sequences


@njit(cache=True, nogil=True)
def _sums(
    blocks: np.ndarray, levels: np.ndarray, starts: np.ndarray, picks: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return for each replicate the sums of the blocks and of the sequences' levels that it draws.

    blocks: (frame, series) float64. levels: (sequence, series) float64. starts: (sequence + 1,) int64. picks,
    places: as in `Draws`. Both sums: (replicate, series) float64, added in the order of the draws.
    """
    n_series = blocks.shape[1]
    replicates, slots, draws = places.shape
    frames = np.zeros((replicates, n_series))
    sequences = np.zeros((replicates, n_series))
    for r in range(replicates):
        for slot in range(slots):
            s = picks[r, slot]
            count = np.float64(starts[s + 1] - starts[s])
            for series in range(n_series):
                sequences[r, series] += levels[s, series]
            for k in range(draws):
                frame = starts[s] + int(np.float64(places[r, slot, k]) * count)
                for series in range(n_series):
                    frames[r, series] += blocks[frame, series]
    return frames, sequences


def _ratio(numerator: np.ndarray, denominator: np.ndarray, otherwise: float) -> np.ndarray:
    """Return numerator / denominator, and `otherwise` where the denominator is 0."""
    return np.divide(
        numerator, denominator, out=np.full(denominator.shape, float(otherwise)), where=denominator > 0
    )
