"""Progress of long work: a bar on a terminal, a plain line every few seconds in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

# A log line this often at most: readable afterwards, and still a sign of life.
SECONDS_BETWEEN_LINES = 10.0


class Advance(Protocol):
    """Called with the number of items just finished."""

    def __call__(self, count: int = 1) -> None: ...


@contextmanager
def progress(label: str, total: int, unit: str = "frames") -> Iterator[Advance]:
    """Show how far `total` items of `unit` have come; yields a function to call as they finish.

    >>> with progress("predict", 120) as advance:
    ...     advance(8)
    """
    bar = _bar if sys.stderr.isatty() else _lines
    with bar(label, total, unit) as advance:
        yield advance


@contextmanager
def _bar(label: str, total: int, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{unit}, {{task.fields[rate]}}"),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task(label, total=total, rate="")

        def advance(count: int = 1) -> None:
            done = shown.tasks[0].completed + count
            rate = done / max(time.monotonic() - began, 1e-9)
            shown.update(task, advance=count, rate=f"{rate:.1f}/s")

        yield advance


@contextmanager
def _lines(label: str, total: int, unit: str) -> Iterator[Advance]:
    began = said = time.monotonic()
    done = 0

    def advance(count: int = 1) -> None:
        nonlocal done, said
        done += count
        now = time.monotonic()
        if now - said >= SECONDS_BETWEEN_LINES and done < total:
            said = now
            rate = done / (now - began)
            left = (total - done) / rate if rate else float("nan")
            print(
                f"{label}: {done}/{total} {unit}, {rate:.1f}/s, {left:.0f} s left",
                file=sys.stderr,
                flush=True,
            )

    yield advance
    seconds = time.monotonic() - began
    print(f"{label}: {done}/{total} {unit} in {seconds:.1f} s", file=sys.stderr, flush=True)
