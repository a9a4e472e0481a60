"""A store built on a node's own disk arrives whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

import dataset_trees as trees
from project import write_frames
from scopedepth.datasets.place import point_to
from scopedepth.datasets.prepare import prepare_unit
from scopedepth.errors import ScopeDepthError
from scopedepth.job.scratch import built_in


def build(store: Path, content: str = "1") -> None:
    (store / "group" / "c").mkdir(parents=True)
    (store / "zarr.json").write_text("{}")
    (store / "group" / "c" / "0").write_text(content)


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def fail_half_way(scratch: str, final: Path) -> Path:
    """Build one file and fail; return where."""
    try:
        with built_in(scratch, final) as place:
            build(place, "half")
            raise RuntimeError("the disk of the node broke")
    except RuntimeError:
        return place


def test_without_scratch_a_store_is_built_in_its_place(tmp_path: Path) -> None:
    with built_in(None, tmp_path / "a.zarr") as place:
        assert place == tmp_path / "a.zarr"


def test_a_finished_store_replaces_the_old_one_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_DISK", str(tmp_path / "node"))
    final = tmp_path / "results" / "a.zarr"
    build(final, "old")
    with built_in("$NODE_DISK/us", final) as place:
        assert place.name == final.name
        assert place.is_relative_to(tmp_path / "node" / "us")
        build(place, "new")
    assert files(tmp_path / "results") == {"a.zarr/zarr.json": "{}", "a.zarr/group/c/0": "new"}
    assert files(tmp_path / "node") == {}


def test_a_failed_job_leaves_the_old_store_and_its_own_part_where_the_next_run_finds_it(
    tmp_path: Path,
) -> None:
    final = tmp_path / "a.zarr"
    build(final, "old")
    scratch = str(tmp_path / "node")
    place = fail_half_way(scratch, final)
    assert files(final)["group/c/0"] == "old"
    with built_in(scratch, final) as again:
        assert again == place
        assert files(again)["group/c/0"] == "half"


def test_a_part_of_a_copy_is_replaced(tmp_path: Path) -> None:
    final = tmp_path / "a.zarr"
    (tmp_path / "a.zarr.copying").mkdir()
    (tmp_path / "a.zarr.copying" / "stray").write_text("from a killed job")
    with built_in(str(tmp_path / "node"), final) as place:
        build(place)
    assert set(files(final)) == {"zarr.json", "group/c/0"}


def test_a_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_DISK", raising=False)
    with pytest.raises(ScopeDepthError, match=r"\$NO_SUCH_DISK"), built_in("$NO_SUCH_DISK", tmp_path / "a"):
        pass


def test_the_page_of_a_store_built_elsewhere_lies_beside_its_manifest(tmp_path: Path) -> None:
    write_frames(tmp_path / "data", ("left",))
    (tmp_path / "raw").mkdir()
    point_to(tmp_path / "raw", tmp_path / "data", None)
    spec = trees.spec_of("mine", "folder", tmp_path / "data")
    manifest = tmp_path / "results" / "mine.json"
    with built_in(str(tmp_path / "node"), manifest.with_suffix(".zarr")) as store:
        prepare_unit(spec, tmp_path / "raw", store, manifest, 1)
    assert sorted(path.name for path in manifest.parent.iterdir()) == [
        "mine.json",
        "mine.page.json",
        "mine.zarr",
    ]
