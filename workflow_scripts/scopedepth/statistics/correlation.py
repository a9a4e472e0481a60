"""The correlation of a sequence's frames, and by how much blocks of frames understate the noise of the mean.

Blocks cut the correlation at their ends, and in a video of a few dozen frames that is much of it. So the frames
are taken for the sum of a part that fades by a constant factor from frame to frame (a first-order
autoregression) and of noise of each frame's own. This model has known autocovariances, which give both the
variance of the mean and what the blocks are expected to say of it; their ratio puts the blocks right. In long
sequences it tends to 1, so that no more is believed of the model than short ones require.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# Persistences tried: from 0 to 0.99, closer together towards 1.
_PERSISTENCES = 1 - np.geomspace(1.0, 0.01, 48)
# Lags that the model is fitted to.
_SHARE_OF_LAGS = 4
_MOST_LAGS = 1000


@dataclass(frozen=True)
class Correlation:
    """The model's variances for each series: `slow` fades by `persistence` a frame, `own` is each frame's own."""

    persistence: np.ndarray
    slow: np.ndarray
    own: np.ndarray


def autocovariances(series: np.ndarray, lags: int) -> np.ndarray:
    """Return the autocovariances (series, lags + 1) of `series` (series, frame), each divided by the frames."""
    n = series.shape[1]
    centred = series - series.mean(axis=1, keepdims=True)
    size = 1 << int(n + lags).bit_length()
    spectrum = np.fft.rfft(centred, size, axis=1)
    return np.fft.irfft(np.abs(spectrum) ** 2, size, axis=1)[:, : lags + 1] / n


def fit(sequences: list[np.ndarray], n_series: int) -> Correlation:
    """Return the model that fits the autocovariances of the sequences, each (series, frame), best.

    One model a series for all its sequences, each weighted by its frames: a short one tells too little. The
    expectations that are fitted are those of autocovariances about the sequence's own mean, so that the bias
    of short sequences is part of the fit. Least squares in the two variances, none negative, for each
    persistence tried.
    """
    if not sequences:
        nothing = np.zeros(n_series)
        return Correlation(nothing, nothing, nothing)
    found, slow, own = [], [], []
    for frames in sequences:
        n = frames.shape[1]
        expected_slow, expected_own = _expectations(n)
        weight = np.sqrt(n)
        found.append(weight * autocovariances(frames, len(expected_own) - 1))
        slow.append(weight * expected_slow)
        own.append(weight * expected_own)
    y, a, b = np.concatenate(found, axis=1), np.concatenate(slow, axis=1), np.concatenate(own)
    # Not a matrix product: its rounding would depend on where in the batch a series stands.
    ay, by = np.einsum("sl,gl->sg", y, a), np.einsum("sl,l->s", y, b)[:, None]
    aa, ab, bb = (a**2).sum(axis=1), (a * b).sum(axis=1), (b**2).sum()
    # The best pair of variances, and the best of each alone, for where one of the pair is negative.
    determinant = aa * bb - ab**2
    solvable = determinant > 1e-12 * aa * bb
    inverse = np.where(solvable, 1 / np.where(solvable, determinant, 1.0), 0.0)
    both = np.stack([(bb * ay - ab * by) * inverse, (aa * by - ab * ay) * inverse])
    alone = np.stack([np.maximum(0.0, ay / aa), np.zeros_like(ay)])
    noise = np.stack([np.zeros_like(ay), np.broadcast_to(np.maximum(0.0, by / bb), ay.shape)])
    choices = np.stack([alone, noise, both])
    x_slow, x_own = choices[:, 0], choices[:, 1]
    misfit = x_slow**2 * aa + x_own**2 * bb + 2 * x_slow * x_own * ab - 2 * (x_slow * ay + x_own * by)
    misfit[2] = np.where(solvable & (both >= 0).all(axis=0), misfit[2], np.inf)
    flat = np.moveaxis(misfit, 1, 0).reshape(n_series, -1).argmin(axis=1)
    kind, grid = np.divmod(flat, len(_PERSISTENCES))
    row = np.arange(n_series)
    return Correlation(_PERSISTENCES[grid], x_slow[kind, row, grid], x_own[kind, row, grid])


@lru_cache(maxsize=64)
def _expectations(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the expected autocovariances of n frames for unit variances: (persistence, lag) and (lag,)."""
    lag = np.arange(min(max(3, n // _SHARE_OF_LAGS), _MOST_LAGS) + 1)
    of_mean = _variance_of_sum(float(n), _PERSISTENCES) / n**2
    slow = (1 - lag / n) * _PERSISTENCES[:, None] ** lag - of_mean[:, None]
    return slow, np.where(lag == 0, 1.0, 0.0) - 1 / n


def shortfall(n: int, lengths: np.ndarray, model: Correlation) -> np.ndarray:
    """Return by how much circular blocks of `lengths` understate the variance of the mean of `n` frames.

    At least 1, and 1 where nothing varies.
    """
    rho, length = model.persistence, np.asarray(lengths, np.float64)
    of_mean = _variance_of_sum(float(n), rho) / n**2
    inside = (n - length + 1) * _variance_of_sum(length, rho)
    # Blocks around the end are a tail and a head, far apart.
    around = 2 * _variances_of_shorter_sums(length, rho) + 2 * _tails_with_heads(n, length, rho)
    of_block = (inside + around) / n / length**2
    # What the blocks give, 1 / (blocks - 1) of their variance about the mean; of noise alone they give the truth.
    expected = (of_block - of_mean) / (n / length - 1)
    truth = model.slow * of_mean + model.own / n
    said = model.slow * expected + model.own / n
    return np.maximum(1.0, np.divide(truth, said, out=np.ones_like(truth), where=said > 0))


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
