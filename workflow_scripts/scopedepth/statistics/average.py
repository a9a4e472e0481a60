"""Averages over the frames of a dataset, as a protocol wants them."""

from __future__ import annotations

import numpy as np

AVERAGINGS = ("sequences", "frames")


def sequence_sums(values: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum and the count of the numbers in each sequence, (..., sequence); NaN is no number."""
    has = ~np.isnan(values)
    sums = np.add.reduceat(np.where(has, values, 0.0), starts[:-1], axis=-1)
    return sums, np.add.reduceat(has.astype(np.float64), starts[:-1], axis=-1)


def sequence_weights(counts: np.ndarray, averaging: str) -> np.ndarray:
    """Return the weight of each sequence's mean in the average, (..., sequence), with sum 1 (or all 0).

    ``sequences``: each sequence counts alike. ``frames``: each frame, so that a long sequence counts for more.
    """
    if averaging not in AVERAGINGS:
        raise ValueError(f"averaging must be one of {AVERAGINGS}, not {averaging!r}")
    weights = (counts > 0).astype(np.float64) if averaging == "sequences" else counts
    total = weights.sum(axis=-1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
