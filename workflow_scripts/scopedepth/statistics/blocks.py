"""How strongly neighbouring frames are correlated, and what that makes of the mean's variance.

The block length follows Politis and White, "Automatic Block-Length Selection for the Dependent Bootstrap",
Econometric Reviews 23 (2004), with the correction of Patton, Politis and White, Econometric Reviews 28 (2009).
It is doubled: their length is best for the variance's mean squared error, while an interval's coverage asks
for longer blocks (Sun, Phillips and Jin, "Optimal Bandwidth Selection in Heteroskedasticity-Autocorrelation
Robust Testing", Econometrica 76, 2008), which the degrees of freedom then pay for.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

# A sequence shorter than this says nothing about its own correlation.
MIN_FRAMES = 8
# A block covers a quarter of a sequence at most, so that the variance has three degrees of freedom or more.
MIN_BLOCKS = 4
LENGTHENING = 2.0
# Above it a sequence of any length seen here is one drifting curve, and its correlation cannot be estimated.
MAX_CORRELATION = 0.99


def autocovariances(series: np.ndarray, lags: int) -> np.ndarray:
    """Return the autocovariances (series, lags + 1) of `series` (series, frame), each divided by the frames."""
    n = series.shape[1]
    centred = series - series.mean(axis=1, keepdims=True)
    size = 1 << int(n + lags).bit_length()
    spectrum = np.fft.rfft(centred, size, axis=1)
    return np.fft.irfft(np.abs(spectrum) ** 2, size, axis=1)[:, : lags + 1] / n


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


def lag_one(series: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the correlation of neighbouring frames, one number for each of `series` (series, frame).

    The mean over the sequences, weighted by their frames: one short sequence tells too little. The estimate r
    from n frames is too small by about (1 + 4 r) / n (Marriott and Pope, Biometrika 41, 1954), which is put
    right. Kept to [0, `MAX_CORRELATION`]; 0 where every sequence is shorter than `MIN_FRAMES`.
    """
    total, frames = np.zeros(len(series)), 0
    for start, stop in pairwise(starts):
        n = int(stop - start)
        if n >= MIN_FRAMES:
            covariance = autocovariances(series[:, start:stop], 1)
            varies = covariance[:, 0] > 0
            r = np.divide(covariance[:, 1], covariance[:, 0], out=np.zeros(len(series)), where=varies)
            total += n * (n * r + 1) / (n - 4)
            frames += n
    return np.clip(total / max(1, frames), 0.0, MAX_CORRELATION)


def shortfall(n: int, lengths: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """Return by how much circular blocks understate the variance of the mean of `n` frames, at least 1.

    Blocks cut the correlation at their ends. For a first-order autoregressive series both the variance of the
    mean and the expectation of the block estimate are sums of its autocovariances; this is their ratio.
    """
    rho = np.asarray(correlation, np.float64)
    length = np.asarray(lengths, np.float64)
    of_mean = _variance_of_sum(float(n), rho) / n**2
    inside = (n - length + 1) * _variance_of_sum(length, rho)
    # Blocks around the end are a tail and a head, far apart.
    around = 2 * _variances_of_shorter_sums(length, rho) + 2 * _tails_with_heads(n, length, rho)
    of_block = (inside + around) / n / length**2
    blocks = n / length
    expected = (of_block - of_mean) / (blocks - 1)
    return np.maximum(1.0, of_mean / np.maximum(expected, 1e-300))


def _variance_of_sum(m: np.ndarray | float, rho: np.ndarray) -> np.ndarray:
    """Return the variance of the sum of m successive values of a unit-variance AR(1) series."""
    return m * (1 + rho) / (1 - rho) - 2 * rho * (1 - rho**m) / (1 - rho) ** 2


def _variances_of_shorter_sums(m: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Return the sum over j = 1 ... m - 1 of the variances of the sum of j values."""
    powers = (m - 1) - rho * (1 - rho ** (m - 1)) / (1 - rho)
    return (1 + rho) / (1 - rho) * m * (m - 1) / 2 - 2 * rho / (1 - rho) ** 2 * powers


def _tails_with_heads(n: int, m: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Return the sum over a = 1 ... m - 1 of the covariance of the last a of n values with the first m - a."""
    products = (m - 1) * (1 + rho**m) - 2 * rho * (1 - rho ** (m - 1)) / (1 - rho)
    return rho ** (n - m + 1) * products / (1 - rho) ** 2
