"""Progress: bars below what is printed in a terminal, plain lines in a log, the ranking last."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import select
import socket
import struct
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from operations import Named
from project import Project
from scopedepth.job import display, progress
from scopedepth.job import run as jobs
from scopedepth.job.display import Display, running_jobs

ROWS, COLUMNS = 30, 100
REGION_SET, REGION_RESET = "\x1b[1;27r", "\x1b[r"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Two ends of a terminal: the one that is read, and the one that is written to."""
    read, write = os.openpty()
    fcntl.ioctl(write, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(Display, "_is_ours", lambda self: os.isatty(self.terminal))
    yield read, write
    os.close(read)
    os.close(write)


def shown(end: int) -> str:
    text = b""
    while select.select([end], [], [], 0.1)[0]:
        text += os.read(end, 65536)
    return text.decode()


def plain(text: str) -> str:
    return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[78])", "", text)


def test_bars_of_running_jobs_stand_below_the_scrolling_rows(
    terminal: tuple[int, int], tmp_path: Path
) -> None:
    read, write = terminal
    seen = Display(tmp_path / "running", lambda: (3, 12), jobs=2, terminal=write)
    seen.start()
    assert os.environ[progress.DISPLAYED_FROM] == str(tmp_path / "running")
    assert REGION_SET in shown(read)
    with progress.announced("predict one/tiny"):
        progress._REPORT.say(done=5, total=20, unit="frames", seconds=2.5)
        seen._paint()
        text = shown(read)
    assert "\x1b[28;1H" in text  # the first row below the others
    assert "predict one/tiny" in plain(text)
    assert "5/20 frames 2.0/s 0:08 left" in re.sub(" +", " ", plain(text))
    assert "3/12 jobs" in plain(text)
    seen.stop()
    after = shown(read)
    assert REGION_RESET in after
    assert progress.DISPLAYED_FROM not in os.environ
    assert not (tmp_path / "running").exists()
    seen.stop()
    assert shown(read) == ""


def test_every_row_fits_a_narrow_terminal(tmp_path: Path) -> None:
    seen = Display(tmp_path, lambda: (0, 0), jobs=3)
    for number in range(5):
        facts = {"label": f"{number} " + "long " * 30, "host": socket.gethostname(), "process": os.getpid()}
        (tmp_path / f"{number}.json").write_text(json.dumps({**facts, "done": 1, "total": 9, "seconds": 1}))
    for width in (40, 79, 200):
        lines = seen._lines(width)
        assert len(lines) == 4
        assert max(len(plain(line)) for line in lines) <= width
    assert "2 more of them running" in plain(lines[-1])


def test_without_a_terminal_nothing_is_shown(tmp_path: Path) -> None:
    read, write = os.pipe()
    Display(tmp_path, lambda: (0, 1), terminal=write).start()
    os.close(write)
    assert os.read(read, 100) == b""
    assert progress.DISPLAYED_FROM not in os.environ


def test_a_job_that_was_killed_is_not_shown_as_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = socket.gethostname()
    for name, facts in {
        "alive": {"label": "alive", "host": here, "process": os.getpid()},
        "killed": {"label": "killed", "host": here, "process": 2**22 + 1},
        "elsewhere": {"label": "elsewhere", "host": "node7", "process": 1},
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(facts))
    (tmp_path / "torn.json").write_text('{"label"')
    assert [facts["label"] for facts in running_jobs(tmp_path)] == ["alive", "elsewhere"]
    later = time.time() + display.SECONDS_OF_SILENCE + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert [facts["label"] for facts in running_jobs(tmp_path)] == ["alive"]


@pytest.mark.parametrize("displayed", [True, False])
def test_lines_go_to_the_log_and_not_under_the_bars(
    displayed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if displayed:
        monkeypatch.setenv(progress.DISPLAYED_FROM, str(tmp_path / "running"))
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    printed = io.StringIO()
    monkeypatch.setattr(sys, "stderr", printed)
    log = tmp_path / "logs" / "predict" / "one" / "tiny.log"
    given = SimpleNamespace(
        rule="predict",
        wildcards=Named({"unit": "one", "model": "tiny"}),
        log=[str(log)],
        input=Named({}),
        output=Named({"record": str(tmp_path / "tiny.run.json")}),
        params=SimpleNamespace(made_from=""),
    )
    with jobs.rule_job(given), progress.progress("predict tiny", 2) as advance:
        said = [json.loads(path.read_text()) for path in (tmp_path / "running").glob("*")]
        assert [facts["label"] for facts in said] == (["predict one/tiny"] if displayed else [])
        advance()
        advance()
    assert not list((tmp_path / "running").glob("*"))
    assert "predict tiny: 1/2 frames" in log.read_text()
    assert ("predict tiny: 1/2 frames" in printed.getvalue()) is not displayed
    assert "predict tiny: 2/2 frames in" in printed.getvalue()  # the last word is for both
    assert "\x1b" not in log.read_text()


@pytest.mark.workflow
def test_a_run_in_a_terminal_ends_with_the_ranking_alone(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    config = project.read_config()
    config["studies"]["small"]["title"] = "Another"
    project.write_config(config)
    process, end = pty.fork()
    if process == 0:
        os.chdir(project.folder)
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", "rules", "progress"]
        os.execve(sys.executable, command, {**project.environment(), "TERM": "xterm"})
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    text = b""
    while True:
        try:
            text += os.read(end, 65536)
        except OSError:  # the terminal's other end is closed
            break
    os.close(end)
    said = text.decode()
    assert os.waitpid(process, 0)[1] == 0, said
    bars, _, after = said.rpartition(REGION_RESET)
    assert REGION_SET in bars
    assert "report small" in plain(bars)
    assert re.search(r"\d/2 jobs", plain(bars))
    assert "one: AbsRel under median_depth" in after
    assert "The report: results/studies/small/report.html" in after
    assert "\x1b7" not in after  # nothing is painted over it
    assert not (project.folder / "results/logs/running").exists()
    # Plain lines, and no bar, in what is kept.
    assert "\x1b" not in (project.folder / "results/logs/report/small.log").read_text()
    # What Snakemake says for every choice of jobs is neither shown nor kept.
    kept = "".join(log.read_text() for log in (project.folder / ".snakemake" / "log").glob("*.log"))
    assert "report.html" in kept
    assert not re.search(r"Select jobs to execute|Execute \d+ jobs", said + kept)
