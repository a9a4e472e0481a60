"""`scopedepth verify` names whatever changed in a results tree: flipped bits, deleted, swapped and foreign files."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from project import Project
from scopedepth.cli import main
from scopedepth.commands.verify import check_job, check_tree
from scopedepth.study.layout import job_at

pytestmark = pytest.mark.workflow

# What says nothing of a result.
NO_RESULTS = ("logs/", ".leaves/")
MARKER = ".snakemake_timestamp"


@pytest.fixture
def tree(settled: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project = settled.copy(tmp_path / "project")
    monkeypatch.chdir(project.folder)
    return Path("results")


def files(tree: Path) -> list[Path]:
    """Return every file of a results tree that is a result or speaks of one, links left out."""
    found = [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink()]
    inside = {path: path.relative_to(tree).as_posix() for path in found}
    return sorted(p for p in found if not inside[p].startswith(NO_RESULTS) and p.name != MARKER)


def kinds(paths: list[Path]) -> Iterator[list[Path]]:
    """Yield the files of each kind: of one rule, of one ending."""
    groups: dict[tuple[str, str], list[Path]] = {}
    for path in paths:
        job = job_at(path.relative_to("results").as_posix())
        assert job is not None, path
        groups.setdefault((job.rule, "".join(path.suffixes) or path.name), []).append(path)
    yield from groups.values()


def problems(path: Path) -> list[str]:
    """Return what `verify` says of the job behind a file."""
    job = job_at(path.relative_to("results").as_posix())
    assert job is not None
    return [problem for _, problem in check_job(job, Path("results")) if problem]


def test_a_finished_tree_is_whole(tree: Path) -> None:
    assert [(path, problem) for path, _, problem in check_tree(tree) if problem] == []


def test_every_flipped_bit_is_named(tree: Path) -> None:
    chance = random.Random(0)
    groups = list(kinds(files(tree)))
    assert len(groups) > 20
    for place in range(500):
        path = chance.choice(groups[place % len(groups)])
        content = path.read_bytes()
        flipped = bytearray(content)
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        assert problems(path), f"{path} was changed, and nothing says so"
        path.write_bytes(content)
    assert [problem for _, _, problem in check_tree(tree) if problem] == []


def test_every_deleted_and_swapped_file_is_named(tree: Path) -> None:
    chance = random.Random(1)
    groups = list(kinds(files(tree)))
    for place in range(100):
        group = groups[place % len(groups)]
        path = chance.choice(group)
        content = path.read_bytes()
        others = [other for other in group if other.read_bytes() != content]
        if others and chance.random() < 0.5:
            shutil.copyfile(chance.choice(others), path)
        else:
            path.unlink()
        assert problems(path), f"{path} was swapped or deleted, and nothing says so"
        path.write_bytes(content)
    assert [problem for _, _, problem in check_tree(tree) if problem] == []


def test_what_repairs_it_is_said(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(tree / "predictions/one/net.zarr")
    (tree / "predictions/one/net.json").unlink()
    (tree / "studies/small/summary.parquet").unlink()
    shutil.rmtree(tree / "studies/small/paper")
    (tree / "scores/one/net/mine.txt").write_text("notes")
    assert main(["verify"]) == 1
    said = capsys.readouterr().out
    assert "damaged: results/predictions/one/net.zarr: " in said
    assert "damaged: results/predictions/one/net.json: missing" in said
    assert "damaged: results/studies/small/summary.parquet: missing" in said
    assert "damaged: results/studies/small/paper: missing" in said
    assert "unknown: results/scores/one/net/mine.txt: no rule makes such a file" in said
    assert "3 jobs with damaged results, 1 files that no job made" in said
    assert "--forcerun 'results/predictions/one/net.zarr'" in said


def test_weights_and_data_in_place_are_read_to_the_last_byte(tree: Path) -> None:
    for changed, result in (
        ("weights/net/net.py", "results/weights/net.json"),
        ("data/one/left/rgb/0000.png", "results/raw/one.json"),
    ):
        path = Path(changed)
        content, before = path.read_bytes(), path.stat()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert problems(Path(result)) == ["its content is not what its manifest says"]
        path.write_bytes(content)
