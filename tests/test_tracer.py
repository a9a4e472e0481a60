"""Jobs open only files that their identity knows: an audit hook watches every `open` of Python.

Videos, HDF5, Parquet and OpenEXR's own reading are not seen by it: those open files in C. EXR files are read by
Python first, too.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

import dataset_trees as trees
import operations
from operations import Study, make_study
from project import ROOT
from scopedepth.datasets import choose
from scopedepth.job.identity import declared
from scopedepth.job.leaves import is_read
from scopedepth.study.layout import Job
from scopedepth.study.plan import Plan

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

_watching: list[set[Path]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        mode, flags = arguments[1], arguments[2]
        reads = "r" in mode if isinstance(mode, str) else not flags & (os.O_WRONLY | os.O_CREAT)
        if reads:
            _watching[-1].add(Path(os.fsdecode(arguments[0])).absolute())


sys.addaudithook(_hook)  # cannot be taken out again; it does nothing while nobody watches


@contextmanager
def opened() -> Iterator[set[Path]]:
    """Yield the set of files that are opened for reading meanwhile."""
    _watching.append(set())
    try:
        yield _watching[-1]
    finally:
        _watching.pop()


def known_to(job: Job, plan: Plan, folder: Path) -> list[Path]:
    """Return the files and folders that a job's identity covers, and what it makes itself."""
    parts = plan.parts(job.rule, job.wildcards)
    known = [path for part in parts for needed in plan.needed_by(part) for path in needed.outputs().values()]
    made = [path for part in parts for path in part.outputs().values()]
    known += [*made, job.log()]
    known += [path.with_name(path.name + ".partial") for path in made]
    leaves = plan.leaves(job)
    # What a fetched dataset or fetched weights point to is in their manifests.
    for needed in plan.needed_by(job):
        leaves += plan.leaves(needed)
    known += [path for leaf in leaves for path in leaf.files().values()]
    return [folder / path for path in [*known, Path("results/.leaves")]]


def installed() -> list[Path]:
    """Return where code and its data lie, and the system's own files."""
    places = [*sysconfig.get_paths().values(), site.getusersitepackages(), sys.prefix, sys.base_prefix]
    places += ["/proc", "/sys", "/dev", "/etc", "/usr", "/lib", "/opt", str(ROOT)]
    places += [os.environ.get("NUMBA_CACHE_DIR", str(Path.home() / ".cache"))]
    return [Path(place).absolute() for place in places]


def test_each_job_of_a_study_reads_what_its_identity_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(tmp_path / "study")
    make_study(study.folder)
    (study.folder / "data/one/readme.txt").write_text("not read")
    run_job: Callable[..., bool] = operations.run_job
    unknown: dict[str, list[str]] = {}
    seen: set[str] = set()

    def watched(job: Job, plan: Plan, trouble: str | None) -> bool:
        with opened() as files:
            well = run_job(job, plan, trouble)
        # Folders are opened, too, so that what is written in them is on the disk.
        files = {path for path in files if path.is_file()}
        known = [*known_to(job, plan, study.folder), *installed()]
        strange = [str(f) for f in files if not any(f.is_relative_to(place) for place in known)]
        seen.update(
            f"{job.rule} {f.relative_to(study.folder)}" for f in files if f.is_relative_to(study.folder)
        )
        if strange:
            unknown[str(job)] = strange
        return well

    monkeypatch.setattr(operations, "run_job", watched)
    assert study.run()
    assert unknown == {}
    # The hook does see what is read.
    assert "prepare data/one/left/rgb/0000.png" in seen
    assert "prepare lists/two.txt" in seen
    assert "predict results/weights/net/power.txt" in seen


def test_the_hook_names_a_file_that_no_identity_knows(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("x")
    with opened() as files:
        (tmp_path / "secret.txt").read_text()
    assert tmp_path / "secret.txt" in files


def hamlyn(root: Path) -> specs.Dataset:
    trees.hamlyn(
        root,
        "04",
        {0: trees.depth_mm(36, 48, 20, 90).astype(np.uint16)},
        "383.19 0 155.97\n0 383.19 124.33\n0 0 1",
    )
    return trees.spec_of("x", "hamlyn_rectified", root)


def simcol(root: Path) -> specs.Dataset:
    trees.simcol(root / "SyntheticColon_I/Frames_S1", {0: trees.depth_mm(47, 47, 5, 95)})
    return trees.spec_of("x", "simcol3d", root)


def c3vd(root: Path) -> specs.Dataset:
    trees.c3vd(root / "trans_t1_a", {1: trees.depth_mm(54, 68, 5, 95)})
    return trees.spec_of("x", "c3vd", root)


def serv_ct(root: Path) -> specs.Dataset:
    trees.serv_ct(root, 1, {1: trees.depth_mm(57, 72, 20, 90)})
    return trees.spec_of("x", "serv_ct", root)


def scared(root: Path) -> specs.Dataset:
    depth = trees.depth_mm(1024, 1280, 20, 90)
    trees.scared(root, 1, 1, depth, [])
    return trees.spec_of("x", "scared", root)


def folder(root: Path) -> specs.Dataset:
    for name in ("0000.png", "0001.JPG", "0002.bmp"):
        trees.write_image(root / "left" / "rgb" / name.lower(), trees.picture(24, 32))
    np.save(_made(root / "left" / "depth" / "0000.npy"), np.ones((24, 32), np.float32))
    trees.write_tiff(root / "left" / "depth" / "0001.tiff", np.ones((24, 32), np.float32))
    (root / "intrinsics.txt").write_text("30 0 16\n0 30 12\n0 0 1\n")
    return trees.spec_of("x", "folder", root)


def own_kinds(root: Path) -> specs.Dataset:
    """One folder with image and depth, a mask, poses."""
    trees.write_image(root / "a_color.png", trees.picture(24, 32))
    trees.write_image(root / "tools" / "a.bmp", np.zeros((24, 32), np.uint8))
    np.savez(root / "a_depth.npz", depth=np.ones((24, 32), np.float32))
    (root / "poses.txt").write_text("0 0 0 0 0 0 0 1")
    options = {
        "images": "*_color.png", "depths": "*_depth.npz", "masks": [{"files": "tools", "marks": "tool"}],
        "poses": {"file": "poses.txt", "unit": "m"},
    }  # fmt: skip
    return trees.spec_of("x", "folder", root, options=options)


def video(root: Path) -> specs.Dataset:
    trees.write_image(root / "a" / "depth" / "0.png", np.ones((24, 32), np.uint8))
    writer = cv2.VideoWriter(str(root / "a.MKV"), cv2.VideoWriter.fourcc(*"FFV1"), 25, (32, 24))
    writer.write(trees.picture(24, 32))
    writer.release()
    return trees.spec_of("x", "video", root)


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.mark.parametrize("write", [hamlyn, simcol, c3vd, serv_ct, scared, folder, own_kinds, video])
def test_a_loader_declares_what_it_reads(tmp_path: Path, write: Callable[[Path], specs.Dataset]) -> None:
    spec = write(tmp_path / "data")
    reads = declared(f"scopedepth.datasets.loaders.{spec['loader']}", "READS")
    assert reads is not None
    with opened() as files:
        for chosen in choose(spec, tmp_path / "data"):
            for index in chosen.indices:
                chosen.sequence.read(index)
    inside = [path for path in files if path.is_relative_to(tmp_path)]
    assert inside
    assert [path.name for path in inside if not is_read(path.name, reads)] == []
