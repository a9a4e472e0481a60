"""The exact median of more float32 values than fit into memory: two passes, one histogram each.

A float32's bits, turned so that they order as the values do, are counted by their upper half in the first
pass; the second counts the lower half of those that share the wanted upper half. 1 MB, whatever the length.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation.kernels import STRICT
from scopedepth.job.compiled import njit

_HALF = 1 << 16


class StreamingMiddle:
    """The two middle values of a stream of float32 values that is shown twice.

    >>> middle = StreamingMiddle()
    >>> for values in stream: middle.first(values)
    >>> middle.turn()
    >>> for values in stream: middle.second(values)
    >>> low, high = middle.result()

    inverted: the values stand in the order of their inverses, so that the middle ones are those of 1 / value:
    negative values first, those nearest to zero at the two ends.
    """

    def __init__(self, inverted: bool = False) -> None:
        self.mask = np.uint32(0x7FFFFFFF if inverted else 0)
        self.upper = np.zeros(_HALF, np.int64)
        self.lower = np.zeros((2, _HALF), np.int64)
        self.wanted = np.zeros(2, np.int64)
        self.rank = np.zeros(2, np.int64)

    def first(self, values: NDArray[np.float32]) -> None:
        """Count `values`, finite float32 (n,)."""
        _count_upper(values.view(np.uint32), self.mask, self.upper)

    def turn(self) -> None:
        """End the first pass."""
        below = np.cumsum(self.upper)
        count = int(below[-1])
        for i, rank in enumerate(((count - 1) // 2, count // 2)):
            self.wanted[i] = np.searchsorted(below, rank, side="right")
            self.rank[i] = rank - (below[self.wanted[i] - 1] if self.wanted[i] else 0)

    def second(self, values: NDArray[np.float32]) -> None:
        """Count the same values again, in any order."""
        _count_lower(values.view(np.uint32), self.mask, self.wanted, self.lower)

    def add(self, other: StreamingMiddle) -> None:
        """Add what another one has counted in the present pass."""
        self.upper += other.upper
        self.lower += other.lower

    def result(self) -> tuple[float, float]:
        """Return the two middle values (twice the same for an odd number of values)."""
        found = []
        for i in range(2):
            lower = np.searchsorted(np.cumsum(self.lower[i]), self.rank[i], side="right")
            found.append(_value((int(self.wanted[i]) << 16 | int(lower)) ^ int(self.mask)))
        return found[0], found[1]


def _value(key: int) -> float:
    bits = key ^ 0x80000000 if key & 0x80000000 else key ^ 0xFFFFFFFF
    return float(np.uint32(bits).view(np.float32))


@njit(**STRICT)
def _key(bits):  # type: ignore[no-untyped-def]
    """Bits in the order of the values: negative values turned over, positive ones put above them."""
    if bits & np.uint32(0x80000000):
        return ~bits
    return bits | np.uint32(0x80000000)


@njit(**STRICT)
def _count_upper(bits, mask, upper):  # type: ignore[no-untyped-def]
    for i in range(bits.size):
        upper[(_key(bits[i]) ^ mask) >> np.uint32(16)] += 1


@njit(**STRICT)
def _count_lower(bits, mask, wanted, lower):  # type: ignore[no-untyped-def]
    for i in range(bits.size):
        key = _key(bits[i]) ^ mask
        high = np.int64(key >> np.uint32(16))
        if high == wanted[0]:
            lower[0, key & np.uint32(0xFFFF)] += 1
        if high == wanted[1]:
            lower[1, key & np.uint32(0xFFFF)] += 1
