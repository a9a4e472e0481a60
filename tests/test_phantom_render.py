"""The phantom's files: what is written, that it is deterministic, and that calibration says what was rendered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from scopedepth.job.manifest import digest_tree
from scopedepth.phantom import render
from scopedepth.phantom.files import DEPTH_SCALE

MONO: Any = {"preset": "mono", "frames": 2, "size": [64, 72], "seed": 3}
STEREO: Any = {"preset": "stereo", "frames": 1, "size": [72, 90], "seed": 3}


@pytest.mark.parametrize("source", [MONO, STEREO], ids=["mono", "stereo"])
def test_same_bytes_on_any_number_of_workers(source: Any, tmp_path: Path) -> None:
    render(source, tmp_path / "one", 1)
    render(source, tmp_path / "three", 3)
    assert digest_tree(tmp_path / "one") == digest_tree(tmp_path / "three")


def test_mono_layout(tmp_path: Path) -> None:
    render(MONO, tmp_path, 2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["colon", "jejunum", "stomach"]
    for folder in tmp_path.iterdir():
        rgb: Any = cv2.imread(str(folder / "rgb" / "0001.png"), cv2.IMREAD_UNCHANGED)
        depth: Any = cv2.imread(str(folder / "depth" / "0001.png"), cv2.IMREAD_UNCHANGED)
        assert rgb.shape == (64, 72, 3)
        assert rgb.dtype == np.uint8
        assert depth.shape == (64, 72)
        assert depth.dtype == np.uint16
        assert (rgb[depth == 0] < 8).all()  # outside the border: black, no depth
        assert depth[0, 0] == 0
        millimetres = depth[depth > 0] * DEPTH_SCALE
        assert 2 < millimetres.min() < millimetres.max() < 400
        assert np.loadtxt(folder / "intrinsics.txt").shape == (3, 3)


def test_stereo_layout(tmp_path: Path) -> None:
    render(STEREO, tmp_path, 2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cavity", "passage"]
    for folder in tmp_path.iterdir():
        for part in ("left", "right", "exact_depth"):
            assert (folder / part / "0000.png").is_file()
        extrinsic = np.loadtxt(folder / "calib.l2r.4x4")
        assert np.allclose(extrinsic[:3, :3] @ extrinsic[:3, :3].T, np.eye(3), atol=1e-7)
        assert np.isclose(np.linalg.norm(extrinsic[:3, 3]), 5.0, atol=0.05)
        assert np.loadtxt(folder / "calib.left.distortion.txt").shape == (5,)
