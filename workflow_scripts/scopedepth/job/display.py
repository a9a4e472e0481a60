"""Bars for all running jobs, in the last rows of the terminal in which Snakemake was started.

Jobs and Snakemake print into one terminal, each as it likes. So the last rows are taken out of the terminal's
scrolling, as package managers do, and everything printed passes above them. Only escape codes of every terminal since
the VT100 are used. Where there is no terminal nothing is done: jobs then print lines.

By hand, and not by snakemake-logger-plugin-rich (0.5.1): its bars count the finished jobs of each rule. None says how
many frames a job has done, how fast, or how long it still takes: a prediction of hours is a bar at 0 %. And the lines
that jobs print tear its panel.
"""

from __future__ import annotations

import atexit
import io
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scopedepth.job.progress import DISPLAYED_FROM

SECONDS = 0.5
# A terminal of fewer rows has none to spare.
LEAST_ROWS = 15
# What a job on another machine said so long ago is taken for its last word.
SECONDS_OF_SILENCE = 600.0

SAVE, RESTORE, CLEAR_LINE, CLEAR_BELOW, WHOLE_SCREEN = "\x1b7", "\x1b8", "\x1b[2K", "\x1b[0J", "\x1b[r"


class Display:
    """Shows what running jobs say in `folder`, in `jobs` rows, and `counts()`: the jobs done and all jobs."""

    def __init__(
        self, folder: Path, counts: Callable[[], tuple[int, int]], jobs: int = 4, terminal: int = 2
    ) -> None:
        self.folder, self.counts, self.terminal = folder, counts, terminal
        self.jobs = max(1, min(jobs, 6))
        self.height = self.jobs + 1
        self.size: os.terminal_size | None = None
        self.painted = ""
        self.began = time.monotonic()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin, if there is a terminal and it is ours."""
        if not self._is_ours() or os.get_terminal_size(self.terminal).lines < LEAST_ROWS:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        os.environ[DISPLAYED_FROM] = str(self.folder.resolve())
        atexit.register(self.stop)
        self._paint()
        self.thread.start()

    def stop(self) -> None:
        """Give the terminal back as it was. Called a second time, it does nothing."""
        self.ended.set()
        if self.thread.is_alive():
            self.thread.join()
        self._leave()
        if os.environ.pop(DISPLAYED_FROM, None):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self) -> None:
        while not self.ended.wait(SECONDS):
            try:
                self._paint()
            except (OSError, ValueError):
                return

    def _is_ours(self) -> bool:
        """Say whether this is a terminal and we run in its foreground."""
        if os.environ.get("TERM", "dumb") == "dumb" or not os.isatty(self.terminal):
            return False
        try:
            return os.tcgetpgrp(self.terminal) == os.getpgrp()
        except OSError:
            return False

    def _paint(self) -> None:
        if not self._is_ours():
            self._leave()
            return
        size = os.get_terminal_size(self.terminal)
        if size != self.size:
            self._leave()
            if size.lines < LEAST_ROWS:
                return
            self._enter(size)
        lines = self._lines(size.columns - 1)
        top = size.lines - self.height + 1
        text = "".join(f"\x1b[{top + row};1H{CLEAR_LINE}{line}" for row, line in enumerate(lines))
        if text != self.painted:
            self.painted = text
            self._write(f"{SAVE}{text}{RESTORE}")

    def _enter(self, size: os.terminal_size) -> None:
        """Scroll what is there up, and keep the last rows out of all further scrolling."""
        room = "\n" * self.height
        self._write(f"{room}{SAVE}\x1b[1;{size.lines - self.height}r{RESTORE}\x1b[{self.height}A")
        self.size, self.painted = size, ""

    def _leave(self) -> None:
        if self.size is not None:
            self.size = None
            self._write(f"{SAVE}{WHOLE_SCREEN}{RESTORE}{CLEAR_BELOW}")

    def _write(self, text: str) -> None:
        # In one piece, so that no other process's text comes between.
        os.write(self.terminal, text.encode())

    def _lines(self, width: int) -> list[str]:
        from rich.console import Console
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 1))
        # One width for all names, or the bars would jump as jobs come and go.
        table.add_column(no_wrap=True, width=max(20, min(44, width - 64)), overflow="ellipsis")
        for _ in range(4):
            table.add_column(no_wrap=True)
        running = running_jobs(self.folder)
        for job in running[: self.jobs]:
            done, total = job.get("done", 0), job.get("total", 0)
            rate = done / job["seconds"] if job.get("seconds") else 0.0
            bar = ProgressBar(total, done, width=24) if total else Text("")
            table.add_row(
                Text(str(job.get("label", ""))),
                bar,
                f"{done}/{total} {job.get('unit', '')}" if total else "",
                f"{rate:.1f}/s" if total and rate else "",
                f"{_clock((total - done) / rate)} left" if total and rate else "",
            )
        for _ in range(self.jobs - len(running)):
            table.add_row()
        done, total = self.counts()
        more = len(running) - self.jobs
        table.add_row(
            Text("all jobs" + (f", {more} more of them running" if more > 0 else ""), style="bold"),
            ProgressBar(total or None, done, width=24, pulse=False),
            f"{done}/{total} jobs",
            "",
            f"{_clock(time.monotonic() - self.began)} so far",
        )
        console = Console(file=io.StringIO(), force_terminal=True, width=max(width, 20))
        with console.capture() as captured:
            console.print(table)
        return captured.get().splitlines()[: self.height]


def running_jobs(folder: Path) -> list[dict[str, Any]]:
    """Return what the jobs that still run have said in `folder`, the longest known first."""
    found = []
    for file in folder.glob("*.json"):
        try:
            said, facts = file.stat().st_mtime, json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):  # just now written or taken away
            continue
        if facts.get("host") == socket.gethostname():
            alive = Path("/proc", str(facts.get("process"))).exists() or not Path("/proc/self").exists()
        else:
            alive = time.time() - said < SECONDS_OF_SILENCE
        if alive:
            found.append(facts)
    return sorted(found, key=lambda facts: str(facts.get("label")))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
