"""Progress of long work: a bar on a terminal, a plain line every few seconds in a log.

A job of the workflow shares its terminal with other jobs and with Snakemake. Where `scopedepth.job.display` shows bars
there, a job says how far it is in a small file, and its lines go to its log alone.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol

from scopedepth.errors import one_line

# A log line this often at most: readable afterwards, and still a sign of life.
SECONDS_BETWEEN_LINES = 10.0
# The folder in which running jobs say how far they are; set by the process that shows it.
DISPLAYED_FROM = "SCOPEDEPTH_DISPLAYED_FROM"
SECONDS_BETWEEN_REPORTS = 0.4


class Advance(Protocol):
    """Called with the number of items just finished."""

    def __call__(self, count: int = 1) -> None: ...


@contextmanager
def progress(label: str, total: int, unit: str = "frames") -> Iterator[Advance]:
    """Show how far `total` items of `unit` have come; yields a function to call as they finish.

    >>> with progress("predict", 120) as advance:
    ...     advance(8)
    """
    label = one_line(label)  # it may hold a stranger's file name
    bar = _bar if sys.stderr.isatty() else _lines
    with bar(label, total, unit) as advance:
        yield advance


@contextmanager
def announced(label: str) -> Iterator[None]:
    """Say that this process works on `label`, for a display of all running jobs, if there is one."""
    folder = os.environ.get(DISPLAYED_FROM)
    if not folder:
        yield
        return
    _REPORT.begin(Path(folder), label)
    try:
        yield
    finally:
        _REPORT.end()


class _Report:
    """What this process says of itself to a display. Saying it may fail; the work goes on."""

    def __init__(self) -> None:
        self.file: Path | None = None
        self.facts: dict[str, Any] = {}
        self.said = 0.0

    def begin(self, folder: Path, label: str) -> None:
        self.file = folder / f"{socket.gethostname()}-{os.getpid()}.json"
        self.facts = {"label": label, "host": socket.gethostname(), "process": os.getpid()}
        self.say()

    def say(self, **facts: Any) -> None:
        self.facts.update(facts)
        self.said = time.monotonic()
        if self.file is None:
            return
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text(json.dumps(self.facts), encoding="utf-8")

    def end(self) -> None:
        if self.file is not None:
            with suppress(OSError):
                self.file.unlink(missing_ok=True)
        self.file = None


_REPORT = _Report()


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
    _REPORT.say(done=0, total=total, unit=unit, seconds=0.0)

    def advance(count: int = 1) -> None:
        nonlocal done, said
        done += count
        now = time.monotonic()
        if _REPORT.file and now - _REPORT.said >= SECONDS_BETWEEN_REPORTS:
            _REPORT.say(done=done, seconds=now - began)
        if now - said >= SECONDS_BETWEEN_LINES and done < total:
            said = now
            rate = done / (now - began)
            left = (total - done) / rate if rate else float("nan")
            print(
                f"{label}: {done}/{total} {unit}, {rate:.1f}/s, {left:.0f} s left",
                file=_log() if _REPORT.file else sys.stderr,
                flush=True,
            )

    yield advance
    seconds = time.monotonic() - began
    _REPORT.say(done=0, total=0)
    print(f"{label}: {done}/{total} {unit} in {seconds:.1f} s", file=sys.stderr, flush=True)


def _log() -> IO[str]:
    """Return the log alone, where messages are copied to one."""
    return getattr(sys.stderr, "file", sys.stderr)
