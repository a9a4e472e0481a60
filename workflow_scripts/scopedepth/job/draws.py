"""Random numbers that follow from what they are for: the same in each process, for each model, in any order."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np


def generator(*key: Any) -> np.random.Generator:
    """Return the generator of a key (PCG64), such as a purpose, a sequence and a frame."""
    digest = hashlib.sha256("\0".join(map(str, key)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))
