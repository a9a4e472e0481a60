"""COLMAP's sparse models, written in both of its published formats from known points and poses."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dataset_trees as trees
from scopedepth.datasets import choose
from scopedepth.datasets.reading.colmap import read_model
from scopedepth.errors import ScopeDepthError

H, W = 30, 40
FX, FY, CX, CY = 50.0, 52.0, 20.5, 15.5
# World to camera, quaternions w x y z: as it is, and a quarter turn around the optical axis.
POSES = (((1.0, 0, 0, 0), (0.0, 0, 5)), ((0.5**0.5, 0, 0, 0.5**0.5), (1.0, -2, 3)))
POINTS = {7: (0.5, -0.5, 20.0), 9: (-2.0, 1.0, 30.0), 1 << 40: (0.51, -0.5, 25.0), 12: (0.0, 0.0, -50.0)}


def seen(pose: tuple[Any, ...]) -> list[tuple[float, float, int]]:
    """Return where the points fall in an image, COLMAP's corner of the picture at 0."""
    w, z = pose[0][0], pose[0][3]
    turn = np.array([[1 - 2 * z * z, -2 * z * w, 0], [2 * z * w, 1 - 2 * z * z, 0], [0, 0, 1]])
    found = []
    for number, point in POINTS.items():
        x, y, depth = turn @ point + pose[1]
        found.append((FX * x / depth + CX, FY * y / depth + CY, number))
    return [*found, (3.25, 4.75, -1)]  # a keypoint without a point


def write_text(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "cameras.txt").write_text(f"# Camera list\n3 PINHOLE {W} {H} {FX} {FY} {CX} {CY}\n")
    lines = ["# Image list"]
    for number, pose in enumerate(POSES, 1):
        lines.append(f"{number} {' '.join(map(str, (*pose[0], *pose[1])))} 3 view_{number}.png")
        lines.append(" ".join(f"{float(x)!r} {float(y)!r} {point}" for x, y, point in seen(pose)))
    lines += ["3 1 0 0 0 0 0 0 3 lost.png", ""]
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    rows = [f"{n} {x} {y} {z} 10 20 30 0.5 1 {i} 2 {i}" for i, (n, (x, y, z)) in enumerate(POINTS.items())]
    (folder / "points3D.txt").write_text("# points\n" + "\n".join(rows) + "\n")


def write_binary(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "cameras.bin").write_bytes(struct.pack("<QiiQQ4d", 1, 3, 1, W, H, FX, FY, CX, CY))
    images = struct.pack("<Q", 3)
    for number, pose in enumerate(POSES, 1):
        images += struct.pack("<i7di", number, *pose[0], *pose[1], 3) + f"view_{number}.png".encode() + b"\0"
        images += struct.pack("<Q", 5) + b"".join(struct.pack("<ddq", *one) for one in seen(pose))
    images += struct.pack("<i7di", 3, 1, 0, 0, 0, 0, 0, 0, 3) + b"lost.png\0" + struct.pack("<Q", 0)
    (folder / "images.bin").write_bytes(images)
    points = struct.pack("<Q", len(POINTS))
    for at, (number, point) in enumerate(POINTS.items()):
        points += struct.pack("<Q3d3BdQiiii", number, *point, 10, 20, 30, 0.5, 2, 1, at, 2, at)
    (folder / "points3D.bin").write_bytes(points)


def write_images(root: Path) -> None:
    for number in (1, 2):
        trees.write_image(root / f"images/view_{number}.png", trees.picture(H, W, number))


@pytest.mark.parametrize("write", [write_text, write_binary])
def test_a_sparse_model(tmp_path: Path, write) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / "sparse/0")
    write_images(tmp_path)
    spec = trees.spec_of("x", "colmap", tmp_path, depth={"unit": "cm", "scale": 0.2})
    sequence = choose(spec, tmp_path)[0].sequence
    assert sequence.name == "sparse_0"
    assert sequence.frame_ids == ["view_1", "view_2"]
    assert sequence.intrinsics is not None
    assert np.array_equal(sequence.intrinsics[:2], [[FX, 0, CX - 0.5], [0, FY, CY - 0.5]])
    for index, pose in enumerate(POSES):
        depth = sequence.read(index).depth
        assert depth is not None
        want = np.full((H, W), np.nan, np.float32)
        for x, y, number in seen(pose):
            z = POINTS[number][2] + pose[1][2] if number >= 0 else -1.0
            if z > 0:
                want[int(y), int(x)] = np.nanmin([want[int(y), int(x)], 2 * z])
        assert np.isfinite(want).sum() >= 2
        assert np.allclose(depth, want, rtol=1e-6, equal_nan=True)
    assert sequence.poses is not None
    # The camera stands where the world's point is the camera's origin.
    assert np.allclose(sequence.poses[0], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -10], [0, 0, 0, 1]])
    assert np.allclose(sequence.poses[1][:3, 3], 2 * np.array([2, 1, -3]), atol=1e-6)
    assert "1 images of the model are not there, the first one lost.png" in sequence.notes
    relative = choose(trees.spec_of("x", "colmap", tmp_path, depth={"unit": "relative"}), tmp_path)[
        0
    ].sequence
    assert relative.poses is None
    assert relative.encoding.unit == "relative"


def test_a_model_has_no_unit(tmp_path: Path) -> None:
    with pytest.raises(ScopeDepthError, match="a COLMAP model has no unit"):
        choose(trees.spec_of("x", "colmap", tmp_path), tmp_path)


@pytest.mark.parametrize("kind", ["cameras", "images", "points3D"])
@pytest.mark.parametrize(("write", "end"), [(write_text, "txt"), (write_binary, "bin")])
def test_a_damaged_model_is_one_line(tmp_path: Path, write, end: str, kind: str) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / "m")
    path = tmp_path / f"m/{kind}.{end}"
    content = path.read_bytes()
    half, words = content[: len(content) * 2 // 3], content.replace(b"0.5", b"half").replace(b"50.0", b"x")
    for bad in (b"\xff" * 40, half if end == "bin" else words, b"1 2 x\n"):
        path.write_bytes(bad)
        with pytest.raises(ScopeDepthError, match=kind):
            read_model(tmp_path / "m")


def test_names_that_lead_out_are_no_images(tmp_path: Path) -> None:
    write_text(tmp_path / "data/m")
    trees.write_image(tmp_path / "secret.png", trees.picture(H, W))
    text = (tmp_path / "data/m/images.txt").read_text().replace("view_1.png", "../../secret.png")
    (tmp_path / "data/m/images.txt").write_text(text)
    (tmp_path / "data/images").mkdir()
    with pytest.raises(ScopeDepthError, match=r"None of the 3 images of .* lies in"):
        choose(trees.spec_of("x", "colmap", tmp_path / "data", depth={"unit": "relative"}), tmp_path / "data")


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("points3D", "7 1 2\n"),
        ("points3D", f"{1 << 70} 1 2 3\n"),
        ("points3D", "7 nan 2 3 0 0 0 0\n"),
        ("images", "1 1 0 0 0 0 0\n"),
        ("images", "1 1 0 0 0 inf 0 0 3 a.png\n\n"),
        ("images", "1 1 0 0 0 0 0 0 4 a.png\n\n"),
        ("cameras", f"3 PINHOLE {W} {H} 50\n"),
        ("cameras", f"3 LENS {W} {H} 50\n"),
    ],
)
def test_numbers_that_cannot_be(tmp_path: Path, kind: str, content: str) -> None:
    write_text(tmp_path / "m")
    (tmp_path / f"m/{kind}.txt").write_text(content)
    with pytest.raises(ScopeDepthError, match=kind if "0 4 a.png" not in content else "has no camera"):
        read_model(tmp_path / "m")
