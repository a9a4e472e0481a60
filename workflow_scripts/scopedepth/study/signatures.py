"""Functions that say at once which arguments they take.

Snakemake asks that of every function of a rule several times for every job. Python works it out anew each time,
which for ten thousand jobs takes longer than all that the functions do.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Any])


def signed(cls: type[T]) -> type[T]:
    """Write down the signature of each method of a class. What the methods do stays the same."""
    for function in vars(cls).values():
        if isinstance(function, FunctionType):
            with_signature(function)
    return cls


def with_signature(function: C) -> C:
    """Write down the signature of a function."""
    function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return function
