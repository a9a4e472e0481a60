"""Blocks of frames: how long they must be, and their means.

The block length follows Politis and White, "Automatic Block-Length Selection for the Dependent Bootstrap",
Econometric Reviews 23 (2004), with the correction of Patton, Politis and White, Econometric Reviews 28 (2009).
It is doubled: their length is best for the variance's mean squared error, while an interval's coverage asks
for longer blocks (Sun, Phillips and Jin, "Optimal Bandwidth Selection in Heteroskedasticity-Autocorrelation
Robust Testing", Econometrica 76, 2008), which the degrees of freedom then pay for.
"""

from __future__ import annotations

import numpy as np

from scopedepth.statistics.correlation import autocovariances

# A sequence shorter than this says nothing about its own correlation.
MIN_FRAMES = 8
# A block covers a quarter of a sequence at most, so that the variance has three degrees of freedom or more.
MIN_BLOCKS = 4
LENGTHENING = 2.0


def block_lengths(series: np.ndarray) -> np.ndarray:
    """Return the block length in frames for each of `series` (series, frame) of `MIN_FRAMES` frames or more."""
    n = series.shape[1]
    lengths = np.ceil(LENGTHENING * politis_white(series))
    return np.clip(lengths, 1, max(1, n // MIN_BLOCKS)).astype(np.int64)


def politis_white(series: np.ndarray) -> np.ndarray:
    """Return the optimal length for the circular block bootstrap, (series,), 1 where nothing is correlated.

    (2 G^2 / D)^(1/3) n^(1/3) with G = sum lambda(k / M) |k| R(k), D = (4 / 3) g^2, g = sum lambda(k / M) R(k),
    the flat-top window lambda and M = 2 m, where after lag m the next few correlations are all insignificant.
    """
    n = series.shape[1]
    consecutive = max(5, int(np.ceil(np.sqrt(np.log10(n)))))
    longest = min(int(np.ceil(np.sqrt(n))) + consecutive, n - 1)
    lags = min(longest + consecutive, n - 1)
    covariance = autocovariances(series, lags)
    varies = covariance[:, 0] > 1e-24 * np.maximum(1e-300, (series**2).mean(axis=1))
    correlation = covariance / np.where(varies, covariance[:, 0], 1.0)[:, None]
    large = np.abs(correlation[:, 1:]) >= 2 * np.sqrt(np.log10(n) / n)
    window = 2 * _last_large_lag(large, consecutive, longest)
    window = np.clip(window, 1, longest)[:, None]
    lag = np.arange(1, lags + 1)
    weighted = np.clip(2 * (1 - lag / window), 0, 1) * covariance[:, 1:]
    slope = 2 * (weighted * lag).sum(axis=1)
    density = covariance[:, 0] + 2 * weighted.sum(axis=1)
    usable = varies & (density > 0)
    ratio = np.divide(slope, density, out=np.zeros(len(series)), where=usable)
    longest_block = min(3 * np.sqrt(n), n / 3)
    return np.clip((1.5 * ratio**2 * n) ** (1 / 3), 1.0, longest_block)


def _last_large_lag(large: np.ndarray, consecutive: int, longest: int) -> np.ndarray:
    """Return for each series the smallest lag after which `consecutive` correlations are insignificant.

    Where there is no such lag up to `longest`, it is the last significant one.
    """
    counts = np.cumsum(np.pad(large, ((0, 0), (1, 0))), axis=1)
    upto = large.shape[1] - consecutive + 1
    if upto <= 0:
        quiet = np.zeros((len(large), 1), bool)
    else:
        quiet = counts[:, consecutive : consecutive + upto] == counts[:, :upto]
    last = np.where(large.any(axis=1), large.shape[1] - np.argmax(large[:, ::-1], axis=1), 0)
    return np.where(quiet.any(axis=1), np.argmax(quiet, axis=1), np.minimum(last, longest))


def circular_block_means(series: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the means of the blocks that begin at each frame, (series, frame); `lengths` is one a series.

    A block that reaches the end goes on at the beginning, so that every frame is in equally many blocks.
    """
    n = series.shape[1]
    means = np.empty_like(series)
    for row, length in enumerate(lengths.tolist()):
        sums = np.cumsum(np.concatenate([[0.0], series[row], series[row, :length]]))
        means[row] = (sums[length : length + n] - sums[:n]) / length
    return means
