"""Signatures written down beforehand are those that Python would find."""

from __future__ import annotations

import inspect
from types import FunctionType

import pytest

from scopedepth.study.needs import Needs
from scopedepth.study.plan import Plan
from scopedepth.study.signatures import signed


@pytest.mark.parametrize("cls", [Plan, Needs])
def test_the_signature_written_down_is_the_right_one(cls: type) -> None:
    methods = [function for function in vars(cls).values() if isinstance(function, FunctionType)]
    assert len(methods) > 10
    for method in methods:
        written = inspect.signature(method)
        assert "__signature__" in vars(method)
        del method.__signature__  # type: ignore[attr-defined]
        found = inspect.signature(method)
        method.__signature__ = written  # type: ignore[attr-defined]
        assert written == found


def test_a_bound_method_has_no_self() -> None:
    @signed
    class Rules:
        def runtime(self, wildcards: object, attempt: int) -> int:
            return attempt

    assert list(inspect.signature(Rules().runtime).parameters) == ["wildcards", "attempt"]
    assert Rules().runtime(None, attempt=2) == 2
