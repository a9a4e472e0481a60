"""Poses are held against depth before anything is computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dataset_trees as trees
from scopedepth.datasets import Chosen, choose
from scopedepth.datasets.check import check_sequence
from scopedepth.datasets.way import poses_against_depth


def backwards(root: Path, back: float = -1.0) -> Chosen:
    """A camera that moves away from a wall, a millimetre a frame; `back` is what its poses say."""
    for number in range(8):
        trees.write_image(root / f"rgb/{number}.png", trees.picture(24, 32, number))
        trees.write_image(root / f"depth/{number}.png", np.full((24, 32), 80 + number, np.uint16))
    (root / "intrinsics.txt").write_text("30 30 15.5 11.5")
    lines = [f"1 0 0 0 0 1 0 0 0 0 1 {back * number}" for number in range(8)]
    (root / "poses.txt").write_text("\n".join(lines))
    options = {"poses": {"file": "poses.txt", "unit": "mm"}}
    return choose(trees.spec_of("d", "folder", root, options=options, depth={"scale": 1.0}), root)[0]


def test_poses_that_agree_with_depth(tmp_path: Path) -> None:
    chosen = backwards(tmp_path)
    said = "by the poses a frame predicts the depth 5 frames later to 0.0% (median), by a camera that stands still to "
    assert poses_against_depth(chosen) == said + "5.8%"
    looked = check_sequence(chosen, False)
    assert looked.facts["findings"] == [said + "5.8%"]
    assert any(said in line for line in looked.lines)


@pytest.mark.parametrize(
    ("back", "stated", "inverse"), [(1.0, "11.6%", "0.0%"), (-1000.0, "5808.7%", "100.0%")]
)
def test_poses_that_contradict_depth(tmp_path: Path, back: float, stated: str, inverse: str) -> None:
    """They lead the other way; or they are micrometres, taken for millimetres."""
    said = poses_against_depth(backwards(tmp_path, back))
    assert said is not None
    assert f"later to {stated} (median)" in said
    assert f"inverse to {inverse}" in said
    assert "do they lead from the camera to the world" in said


def test_nothing_is_said_without_poses_or_a_camera(tmp_path: Path) -> None:
    chosen = backwards(tmp_path)
    chosen.sequence.intrinsics = None
    assert poses_against_depth(chosen) is None
    again = backwards(tmp_path)
    assert again.sequence.poses is not None
    again.sequence.poses[:] = np.nan
    assert poses_against_depth(again) is None
    assert poses_against_depth(Chosen(backwards(tmp_path).sequence, [3])) is None
