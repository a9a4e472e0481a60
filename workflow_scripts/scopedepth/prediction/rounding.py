"""Rounding predictions before they are stored: the last bits of a network's output are noise that does not compress.

Every kind of output is rounded to MANTISSA_BITS. Of a disparity or a depth that is known up to a shift, the shift may
be large beside what the frame says, and bits of the value would be the shift's: it is rounded no more coarsely than a
step that follows from the frame's spread, whatever is added to it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# Of float32's 23. The error is at most 2^-13 = 0.00012 of a value, far below what any metric shows.
MANTISSA_BITS = 12
# The step is 2^-11 of the power of two at or below the frame's mean deviation, so the error is at most 2^-12 of that.
# With one bit more the store of the demonstration's networks grows by 7 %, with one less a perfect prediction's AbsRel
# passes 1e-4 at large shifts.
SPREAD_BITS = 11
# A value's own bits are at least as fine as the step where it is less than this many steps.
FINE = 2 << MANTISSA_BITS
# Beyond this, the product in `_split` could overflow.
LARGE = 1e30
LARGEST = float(np.finfo(np.float32).max)


def round_frames(frames: NDArray[np.float32], shifted: bool = False) -> NDArray[np.bool_]:
    """Round float32 (n, v, u) in place, and return for each frame whether all of it is finite, (n,).

    `shifted`: the values are known up to a shift. One frame after the other, which stays in the processor's cache: ten
    times as fast as all at once.
    """
    finite = np.empty(len(frames), bool)
    spare = np.empty((3, *frames.shape[1:]), np.float32)
    for number, frame in enumerate(frames):
        # NaN passes through both.
        most = max(float(frame.max()), -float(frame.min()))
        finite[number] = math.isfinite(most)
        step = spread_step(frame, bool(finite[number])) if shifted else None
        # A value below this size is as fine in its own bits as in steps.
        if step is None or most < step * FINE:
            _round_bits(frame, most, spare)
            continue
        steps, large = spare[2], np.abs(frame) >= np.float32(step * FINE)
        if not most < LARGE * step:
            # So far off that it cannot be counted in steps: rounded in its own bits.
            large &= np.abs(frame) < np.float32(min(LARGE * step, LARGEST))
        # A power of two: only the rounding in the middle changes a number.
        with np.errstate(over="ignore"):
            np.multiply(frame, np.float32(1 / step), out=steps)
        np.rint(steps, out=steps)
        np.multiply(steps, np.float32(step), out=steps)
        _round_bits(frame, most, spare)
        np.copyto(frame, steps, where=large)
    return finite


def spread_step(frame: NDArray[np.float32], finite: bool = True) -> float | None:
    """Return the step for a frame that is known up to a shift, a power of two; None where its spread says nothing.

    `finite`: whether all of the frame is; else what is not is left out. The mean deviation from the mean is taken,
    which single pixels far off hardly move and which no constant part makes zero.
    """
    # A quarter of the pixels say it as well.
    values = frame[::2, ::2].ravel()
    if not finite:
        values = values[np.isfinite(values)]
    if not values.size:
        return None
    with np.errstate(over="ignore"):
        spread = float(np.abs(values - values.mean()).mean())
    # Beyond these, steps or their inverses would leave float32's range.
    if not 2.0**-80 < spread < 2.0**80:
        return None
    return math.ldexp(1.0, math.frexp(spread)[1] - 1 - SPREAD_BITS)


def _round_bits(frame: NDArray[np.float32], most: float, spare: NDArray[np.float32]) -> None:
    """Round to MANTISSA_BITS; `most`: the largest absolute value."""
    if most < LARGE:
        _split(frame, spare)
    else:
        round_mantissa(frame)


def _split(frame: NDArray[np.float32], spare: NDArray[np.float32]) -> None:
    """Keep the upper MANTISSA_BITS of each value: Dekker's splitting (Numerische Mathematik 18, 1971, 5.7)."""
    product, rest = spare[:2]
    np.multiply(frame, np.float32((1 << (23 - MANTISSA_BITS)) + 1), out=product)
    np.subtract(product, frame, out=rest)
    np.subtract(product, rest, out=frame)


def round_mantissa(values: NDArray[np.float32], bits: int = MANTISSA_BITS) -> NDArray[np.float32]:
    """Round float32 `values` in place to `bits` bits of mantissa, ties to even; what is not finite stays so.

    The relative error is at most 2^-(bits + 1).
    """
    if values.dtype != np.float32 or not values.flags.c_contiguous:
        raise ValueError("round_mantissa works in place on contiguous float32")
    drop = 23 - bits
    finite = np.isfinite(values)
    raw = values.view(np.uint32)
    odd = (raw >> np.uint32(drop)) & np.uint32(1)
    odd += np.uint32((1 << (drop - 1)) - 1)
    np.add(raw, odd, out=raw, where=finite)
    np.bitwise_and(raw, np.uint32(0xFFFFFFFF << drop & 0xFFFFFFFF), out=raw, where=finite)
    return values
