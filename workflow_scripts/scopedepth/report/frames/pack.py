"""Maps as text: half precision, what a plane through three neighbours leaves, compressed.

A browser unpacks them without a canvas: some canvases give other numbers back than were drawn, to hide who looks.
"""

from __future__ import annotations

import base64
import math
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Half precision keeps 11 significant bits: a value is within this share of what it was.
ROUNDING = 2.0**-11
# Of the largest value of a map: below it, values are within ROUNDING of that instead.
LEAST = 2.0**-29
# A hundredth larger than what takes thrice as long.
_QUICK = 4


def packed(values: NDArray[np.floating]) -> dict[str, Any]:
    """Return a map (h, w) as JSON: size, the power of two that it was multiplied with, and its data.

    Infinities and NaN stay what they are.
    """
    values = np.asarray(values, np.float64)
    finite = np.abs(values[np.isfinite(values)])
    largest = float(finite.max()) if finite.size else 0.0
    power = 15 - math.frexp(largest)[1] if largest else 0
    with np.errstate(over="ignore"):
        half = np.ldexp(values, power).astype(np.float16)
    half[np.isnan(half)] = np.nan  # one of the many
    return {
        "size": list(values.shape),
        "power": power,
        "data": _text(_split(_residuals(half.view(np.uint16)))),
    }


def packed_mask(mask: NDArray[np.bool_]) -> str:
    """Return a mask as text: a bit a pixel, row by row."""
    return _text(np.packbits(mask))


def unpacked(content: dict[str, Any]) -> NDArray[np.float64]:
    """Return the map in what `packed` returned."""
    height, width = content["size"]
    raw = np.frombuffer(zlib.decompress(base64.b64decode(content["data"])), np.uint8)
    high, low = raw.reshape(2, height, width).astype(np.uint16)
    folded = (high << 8 | low).astype(np.int32)
    residuals = ((folded >> 1) ^ -(folded & 1)).astype(np.uint16)
    bits = residuals.cumsum(axis=0, dtype=np.uint16).cumsum(axis=1, dtype=np.uint16)
    return np.ldexp(bits.view(np.float16).astype(np.float64), -content["power"])


def _residuals(bits: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return left + up - left and up taken from each value, modulo 2^16, the sign folded into the last bit."""
    rest = bits.copy()
    rest[1:] -= bits[:-1]
    rest[:, 1:] -= rest[:, :-1].copy()
    signed = rest.view(np.int16)
    folded: NDArray[np.uint16] = ((signed << 1) ^ (signed >> 15)).view(np.uint16)
    return folded


def _split(values: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Return the upper bytes of all values, then the lower ones: the upper ones are nearly all zero."""
    return np.concatenate([(values >> 8).astype(np.uint8).ravel(), (values & 255).astype(np.uint8).ravel()])


def _text(content: NDArray[np.uint8]) -> str:
    return base64.b64encode(zlib.compress(content.tobytes(), _QUICK)).decode("ascii")
