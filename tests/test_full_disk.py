"""A disk that fills while the workflow runs: one clear error, nothing half-made under a final name, and on it goes."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from project import Project
from scopedepth.job.run import Made, job


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here ({mounted.stderr.strip()})")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, left: int) -> Path:
    """Write a file that leaves `left` bytes free."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        file.write(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - left))
    return filler


@pytest.mark.workflow
def test_a_full_disk_is_one_error_and_the_same_command_goes_on(
    finished: Project, tmp_path: Path, small_disk: Path
) -> None:
    project = finished.copy(tmp_path / "project")
    results = project.folder / "results"
    # The results lie on the small disk, without one prediction, which is to be made there.
    subprocess.run(["mount", "--bind", str(small_disk), str(results)], check=True)
    try:
        subprocess.run(["cp", "-r", f"{finished.folder}/results/.", str(results)], check=True)
        store = results / "predictions" / "one" / "brightness.zarr"
        expected = {p.relative_to(store): p.read_bytes() for p in store.rglob("*") if p.is_file()}
        subprocess.run(["rm", "-r", store, store.with_suffix(".json")], check=True)
        filler = fill(small_disk, left=12_000)
        command = ("results/predictions/one/brightness.zarr", "all")
        failed = project.snakemake(*command, check=False)
        said = failed.stdout + failed.stderr
        assert failed.returncode != 0
        assert "No space left on the disk of results/predictions/one" in said
        assert "Make room and run the same command again" in said
        assert "Traceback" not in said
        assert "failed: brightness on one" in failed.stderr
        assert not store.exists()
        assert not store.with_suffix(".json").exists()
        filler.unlink()
        project.snakemake(*command)
        made = {p.relative_to(store): p.read_bytes() for p in store.rglob("*") if p.is_file()}
        del made[Path(".snakemake_timestamp")], expected[Path(".snakemake_timestamp")]
        assert made == expected
        assert project.jobs() == set()
    finally:
        subprocess.run(["umount", "-l", str(results)], check=True)


@pytest.mark.parametrize("named", [None, "results/x.parquet"])
def test_a_job_names_the_full_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], named: str | None
) -> None:
    record = tmp_path / "tables" / "x.run.json"
    with pytest.raises(SystemExit), job(tmp_path / "x.log", [Made(record)]):
        raise OSError(errno.ENOSPC, "No space left on device", *([named] if named else []))
    said = capsys.readouterr().err
    assert f"No space left on the disk of {named or tmp_path / 'tables'}." in said
    assert "Traceback" not in said
    assert not record.exists()
    assert said == (tmp_path / "x.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.EFBIG, "File too large", "results/x.zarr"),
            r"may not be so large \(results/x\.zarr\).*ulimit",
        ),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "No space left on the disk of"),
        (MemoryError(), r"Memory does not suffice \(MemoryError\)"),
        (MemoryError("Unable to allocate 15.9 GiB\x1b[2J"), r"Unable to allocate 15\.9 GiB\\x1b"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"), "Memory does not suffice"),
        (
            cv2.error("OpenCV(5) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate"),
            "Memory does not",
        ),
        (OSError(errno.ENOSPC, "No space", "results/\x1b[31mred"), r"results/\\x1b\[31mred"),
    ],
)
def test_what_the_machine_is_to_blame_for_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception, words: str
) -> None:
    with pytest.raises(SystemExit), job(tmp_path / "x.log", [Made(tmp_path / "x.run.json")]):
        raise error
    said = capsys.readouterr().err
    assert re.search(words, said)
    assert said.count("\n") == 1
    assert "\x1b" not in said
    assert "Traceback" not in (tmp_path / "x.log").read_text(encoding="utf-8")


def test_a_file_over_the_sessions_limit_is_one_line(tmp_path: Path) -> None:
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom scopedepth.job.run import job\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with job():\n    Path(sys.argv[1]).write_bytes(bytes(9999))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "large")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("scopedepth: error: A file may not be so large")
    assert done.stderr.count("\n") == 1


def test_a_full_log_disk_does_not_hide_the_error(
    small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = small_disk / "x.log"
    log.touch()
    fill(small_disk, left=0)
    with pytest.raises(SystemExit), job(log, [Made(small_disk / "x.run.json")]):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert f"No space left on the disk of {small_disk}." in capsys.readouterr().err


def test_other_errors_keep_their_traceback(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), job(tmp_path / "x.log"):
        raise PermissionError(errno.EACCES, "no")
    assert "Traceback" in (tmp_path / "x.log").read_text(encoding="utf-8")
