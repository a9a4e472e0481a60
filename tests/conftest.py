"""What all tests share."""

from __future__ import annotations

import copy
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow_scripts"))

# The SLURM plugin asks a cluster that is configured on this machine whenever Snakemake starts; one that does not answer
# takes ten seconds each time. The tests that need a cluster start their own.
os.environ["SLURM_CONF"] = os.devnull
# Compiled code for all of the tests' processes and projects.
os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / ".pytest_cache" / "numba"))
# What a shell starts in the background ignores an interrupt, and so would all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
# What `make test` starts knows that it runs under make; a `make` in it would say which folders it enters.
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(name, None)
# The Hub's client decides once, when it is imported, whether it may use the network. The machine may forbid it, and so
# does loading a network; the tests that fetch from their own server may share a process with that.
for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT"):
    os.environ.pop(name, None)
import huggingface_hub.constants  # noqa: E402, F401

import operations  # noqa: E402
from project import Project  # noqa: E402


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """What a test, or what it calls, sets in the environment ends with the test."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of real sample frames, which belong to others and are not part of the project."""
    folder = ROOT.parent / "shared" / "samples"
    if not folder.is_dir():
        pytest.skip(
            f"the sample frames are not on this machine ({folder.name}/ beside the repository's parent)"
        )
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no process is left with one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("workflow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Project:
    """A small project whose study is done. Copy it before changing it."""
    return _made_once("finished", tmp_path_factory, worker_id, Project.create)


@pytest.fixture(scope="session")
def settled(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Project:
    """The tiny study of `operations`, done: data in place, a list of frames, a network with weights. Copy it, too."""

    def create(folder: Path) -> Project:
        project = Project.create(folder, copy.deepcopy(operations.CONFIG))
        operations.make_study(folder)
        return project

    return _made_once("settled", tmp_path_factory, worker_id, create)


def _made_once(
    name: str, factory: pytest.TempPathFactory, worker_id: str, create: Callable[[Path], Project]
) -> Project:
    """Make a project and run its study: one for all of pytest-xdist's processes, which have folders side by side."""
    base = factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.with_suffix(".done").exists():
            create(folder).snakemake()
            folder.with_suffix(".done").touch()
    return Project(folder)
