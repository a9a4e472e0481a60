"""PFM, the portable float map: a header of three lines, then rows of 4-byte floats, the lowest one first.

Paul Debevec's format as Middlebury's stereo data use it. The third line is a scale: negative where the floats are
little-endian. Its size is a unit that writers do not agree on (Middlebury writes 0.003922 and means 1), so it is
told and not applied.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError, UnreadableFrame

HEADER = re.compile(rb"(PF|Pf)\s+(\d{1,6})\s+(\d{1,6})\s+([-+]?[0-9.]+(?:[eE][-+]?\d+)?)\s")
MOST_NUMBERS = 1 << 28


def read_pfm(content: bytes, path: Path) -> NDArray[np.float32]:
    """Return the numbers of a PFM file's `content`, float32 (h, w); `path` is named where it cannot be read."""
    header = HEADER.match(content[:128])
    if header is None:
        raise UnreadableFrame(f"{path}: does not decode (no header of a PFM)")
    if header[1] == b"PF":
        raise ScopeDepthError(f"{path} holds three channels; export the depth as one channel (Pf).")
    width, height, scale = int(header[2]), int(header[3]), float(header[4])
    stored = len(content) - header.end()
    if not 0 < width * height <= MOST_NUMBERS or stored != 4 * width * height or scale == 0:
        raise UnreadableFrame(
            f"{path}: does not decode ({stored} bytes for {width}x{height} floats, scale {scale:g})"
        )
    rows = np.frombuffer(content, "<f4" if scale < 0 else ">f4", offset=header.end()).reshape(height, width)
    return np.ascontiguousarray(rows[::-1], np.float32)


def pfm_scale(content: bytes) -> float | None:
    """Return the size of a PFM file's scale where it is another than 1; None for 1 and for other files."""
    header = HEADER.match(content[:128])
    size = abs(float(header[4])) if header is not None else 1.0
    return None if math.isclose(size, 1.0) else size
