"""What all tests share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from project import Project

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow_scripts"))


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


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small project whose study is done. Copy it before changing it."""
    project = Project.create(tmp_path_factory.mktemp("finished") / "project")
    project.snakemake()
    return project
