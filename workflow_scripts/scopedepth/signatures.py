"""Functions that say at once which arguments they take.

Snakemake asks that of every function of a rule several times for every job. Python works it out anew each time,
which for ten thousand jobs takes longer than all that the functions do.
"""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import TypeVar

T = TypeVar("T")


def signed(cls: type[T]) -> type[T]:
    """Write down the signature of each method of a class. What the methods do stays the same."""
    for function in vars(cls).values():
        if isinstance(function, FunctionType):
            function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return cls
