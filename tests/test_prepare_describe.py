"""What is said of a dataset: its page for the report, the check before use, the agreement of image and depth."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import dataset_trees as trees
from scopedepth.datasets.check import check_dataset
from scopedepth.datasets.describe import describe_depth, describe_unit
from scopedepth.datasets.prepare import prepare_unit
from scopedepth.datasets.rectify.agreement import edge_agreement
from scopedepth.datasets.rectify.undistort import Undistorter
from scopedepth.fetch import fetch_dataset

LENS = (-0.2486, 0.0614, 0.0, 0.0)
CAMERA = np.array([[160.0, 0, 160], [0, 160, 160], [0, 0, 1]])


def blocks(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return a picture and depth of boxes at different distances: every depth edge is an image edge."""
    rng = np.random.default_rng(seed)
    depth = np.full((320, 320), 100, np.float32)
    rgb = np.full((320, 320, 3), 90, np.uint8)
    for _ in range(25):
        x, y, size = (int(number) for number in rng.integers((0, 0, 20), (300, 300, 70)))
        near = float(rng.uniform(20, 90))
        depth[y : y + size, x : x + size] = near
        rgb[y : y + size, x : x + size] = int(250 - 2 * near)
    return rgb, depth


def distorted(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a pinhole picture as the lens would show it."""
    rows, columns = np.indices(rgb.shape[:2])
    pixels = np.stack([columns, rows], -1).reshape(-1, 1, 2).astype(np.float64)
    seen = cv2.undistortPoints(pixels, CAMERA, np.array(LENS)).reshape(*rgb.shape[:2], 2)
    at = (seen * 160 + 160).astype(np.float32)
    return np.asarray(cv2.remap(rgb, at[..., 0], at[..., 1], cv2.INTER_LINEAR))


def test_a_shift_between_image_and_depth_is_found() -> None:
    pairs = [blocks(seed) for seed in range(4)]
    aligned = edge_agreement(pairs)
    assert aligned.is_clear
    assert aligned.shift is not None
    assert np.abs(aligned.shift).max() < 0.3
    moved = edge_agreement((np.roll(rgb, (-2, 5), (0, 1)), depth) for rgb, depth in pairs)
    assert moved.shift is not None
    assert moved.shift == pytest.approx((5, -2), abs=0.3)
    assert moved.best is not None
    assert moved.at_zero is not None
    assert moved.best > moved.at_zero + 0.2


def test_a_distortion_of_the_image_alone_is_found_and_undone() -> None:
    pairs = [(distorted(rgb), depth) for rgb, depth in (blocks(seed) for seed in range(4))]
    before = edge_agreement(pairs)
    lens = Undistorter(CAMERA, LENS, (320, 320))
    after = edge_agreement((lens.image(rgb), depth) for rgb, depth in pairs)
    assert before.radial is not None
    assert after.radial is not None
    assert before.radial == pytest.approx(-0.21, abs=0.06)
    assert after.radial == pytest.approx(0, abs=0.06)
    assert before.at_zero is not None
    assert after.at_zero is not None
    assert after.at_zero > 2 * before.at_zero


def test_no_depth_no_verdict() -> None:
    rgb, depth = blocks(0)
    assert edge_agreement([]).facts()["at_zero"] is None
    assert edge_agreement([(rgb, np.full_like(depth, np.nan))]).frames == 0
    assert edge_agreement([(rgb, np.full_like(depth, 7))]).frames == 0


def test_quantisation_and_histogram() -> None:
    stored = np.repeat(np.arange(0, 256 * 40, 256, dtype=np.uint16), 5).reshape(10, 20)
    facts = describe_depth([stored, stored], 0.01)
    assert facts is not None
    assert facts["quantisation"] == {"step": 2.56, "levels": 39, "levels_a_frame": 39}
    assert facts["min"] == 2.56
    assert facts["percentiles"]["50"] == pytest.approx(51.2)
    assert sum(facts["histogram"]["counts"]) == 2 * (200 - 5)
    assert describe_depth([np.zeros((2, 2), np.uint8)], 1.0) is None


def test_the_page_of_an_undistorted_dataset(tmp_path: Path) -> None:
    for seed in range(3):
        rgb, depth = blocks(seed)
        trees.write_image(tmp_path / f"mine/rgb/{seed}.png", distorted(rgb))
        trees.write_image(tmp_path / f"mine/depth/{seed}.png", np.round(depth * 10).astype(np.uint16))
    trees.write_image(tmp_path / "mine/depth/1.png", np.zeros((320, 320), np.uint16))
    options = {"intrinsics": [160, 160, 160, 160], "distortion": list(LENS)}
    spec = trees.spec_of(
        "mine", "folder", tmp_path / "mine", depth={"scale": 0.1}, options=options, undistort=True
    )
    fetch_dataset(spec, tmp_path / "raw", tmp_path / "raw.json", 1)
    prepare_unit(spec, tmp_path / "raw", tmp_path / "u.zarr", tmp_path / "u.json", 1)
    page = json.loads((tmp_path / "u.page.json").read_text())
    assert page == json.loads(json.dumps(describe_unit(tmp_path / "u.zarr")))
    assert (page["frames"], page["frame_sizes"], page["frames_without_depth"]) == (3, "320x320", 1)
    one = page["sequences"][0]
    assert one["registration"]["at_zero"] > 2 * one["registration_before_undistortion"]["at_zero"]
    assert one["valid_share"] == pytest.approx(2 / 3, abs=1e-3)
    picture = base64.b64decode(one["pictures"][0]["flags"].partition(",")[2])
    read: Any = cv2.imdecode(np.frombuffer(picture, np.uint8), -1)
    assert read.shape == (256, 256, 3)


def test_check_dataset_lists_what_is_wrong(tmp_path: Path) -> None:
    for number in range(6):
        trees.write_image(tmp_path / f"mine/a/rgb/{number}.png", trees.picture(48, 64, number))
        trees.write_image(tmp_path / f"mine/a/depth/{number}.png", np.full((48, 64), 500 + number, np.uint16))
    (tmp_path / "mine/a/rgb/2.png").write_bytes(b"broken")
    trees.write_image(tmp_path / "mine/a/depth/3.png", np.full((47, 64), 5, np.uint16))
    trees.write_image(tmp_path / "mine/a/depth/4.png", np.zeros((48, 64), np.uint16))
    (tmp_path / "mine/a/depth/5.png").unlink()
    spec = trees.spec_of("mine", "folder", tmp_path / "mine", depth={"scale": 0.1})
    fetch_dataset(spec, tmp_path / "raw", tmp_path / "raw.json", 1)
    said = "\n".join(check_dataset(spec, tmp_path / "raw", tmp_path / "sheet.png"))
    for part in (
        "mine: 1 sequences, 6 frames",
        "a: 6 frames of 64x48",
        "depth 50 to 50.1",
        "2.png: does not decode",
        "3.png is 64x47",
        "frame 4 has no depth",
        "frame 5 has no depth",
        "note: 1 of 6 images have no depth file",
    ):
        assert part in said
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert sheet.shape[1] == 9 * 200


def test_check_dataset_on_the_samples(samples: Path, tmp_path: Path) -> None:
    spec = trees.spec_of("simcol3d", "simcol3d", samples / "simcol3d")
    fetch_dataset(spec, tmp_path / "raw", tmp_path / "raw.json", 1)
    said = "\n".join(check_dataset(spec, tmp_path / "raw", None))
    assert "in steps of 0.784314" in said
    assert "100.0% of pixels have depth" in said
