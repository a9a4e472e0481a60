"""Predictions that are interrupted, and which shards are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scopedepth.prediction.engine import Engine


def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which the number of each shard is added from now on, when it is written."""
    write, numbers = Engine._write, list[int]()

    def note(self: Engine, out: Any, shard: Any) -> int:
        numbers.append(shard.number)
        return write(self, out, shard)

    monkeypatch.setattr(Engine, "_write", note)
    return numbers


def interrupted(monkeypatch: pytest.MonkeyPatch, after: int, predict: Callable[[], object]) -> list[int]:
    """Interrupt a prediction once it has written so many shards; returns their numbers."""
    with monkeypatch.context() as broken:
        numbers = written(broken)
        write = Engine._write

        def stop(self: Engine, out: Any, shard: Any) -> int:
            if len(numbers) == after:
                raise KeyboardInterrupt
            return write(self, out, shard)

        broken.setattr(Engine, "_write", stop)
        with pytest.raises(KeyboardInterrupt):
            predict()
    return numbers
