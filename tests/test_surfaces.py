"""Meshes and clouds of points as depth, against closed forms and as files are written."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

import dataset_trees as trees
from scopedepth.datasets import choose
from scopedepth.datasets.reading import rasterise as z_buffer
from scopedepth.datasets.reading.rasterise import rasterise
from scopedepth.datasets.reading.surfaces import read_surface
from scopedepth.errors import ScopeDepthError, UnreadableFrame

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

H, W = 48, 64
CAMERA = np.array([[60.0, 0, 30.3], [0, 55.0, 22.6], [0, 0, 1]])
QUAD = np.array([[0, 1, 2], [0, 2, 3]])
NO_FACES = np.zeros((0, 3), np.int64)


def rays() -> np.ndarray:
    """The ray of each pixel, (h, w, 3) with z = 1."""
    row, column = np.mgrid[:H, :W]
    x, y = (column - CAMERA[0, 2]) / CAMERA[0, 0], (row - CAMERA[1, 2]) / CAMERA[1, 1]
    return np.stack([x, y, np.ones((H, W))], axis=-1)


def tube(sides: int, start: float, stop: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """A cylinder around the optical axis."""
    angle = 2 * np.pi * np.arange(sides) / sides
    ring = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    points = np.concatenate([np.column_stack([ring, np.full(sides, z)]) for z in (start, stop)])
    k = np.arange(sides)
    after = (k + 1) % sides
    faces = [np.stack([k, after, k + sides], 1), np.stack([after, after + sides, k + sides], 1)]
    return points, np.concatenate(faces)


def ball(centre: np.ndarray, radius: float, cells: int = 90) -> tuple[np.ndarray, np.ndarray]:
    polar, around = np.linspace(0, np.pi, cells + 1), np.linspace(0, 2 * np.pi, 2 * cells + 1)
    a, b = np.meshgrid(polar, around, indexing="ij")
    points = centre + radius * np.stack(
        [np.sin(a) * np.cos(b), np.sin(a) * np.sin(b), np.cos(a)], -1
    ).reshape(-1, 3)
    at = (np.arange(cells)[:, None] * (2 * cells + 1) + np.arange(2 * cells)).reshape(-1)
    below = at + 2 * cells + 1
    return points, np.concatenate([np.stack([at, at + 1, below], 1), np.stack([at + 1, below + 1, below], 1)])


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("most", [2**18, 50])
def test_a_slanting_plane_has_the_depth_of_its_equation_from_both_sides(
    turned: bool, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(z_buffer, "AT_ONCE", most)
    normal, distance = np.array([0.3, -0.2, 1.0]), 40.0
    corners = np.array([[-90, -90], [90, -90], [90, 90], [-90, 90.0]])
    points = np.column_stack([corners, distance - corners @ normal[:2]])
    found = rasterise(points, QUAD[:, ::-1] if turned else QUAD, CAMERA, (H, W))
    np.testing.assert_allclose(found, distance / (rays() @ normal), rtol=1e-6)


def test_a_plane_that_passes_beneath_the_camera_is_seen_up_to_the_horizon() -> None:
    points = np.array([[-1e4, 5, -1e4], [1e4, 5, -1e4], [1e4, 5, 1e4], [-1e4, 5, 1e4]])
    y = rays()[..., 1]
    with np.errstate(divide="ignore"):
        z = 5 / y
    np.testing.assert_allclose(
        rasterise(points, QUAD, CAMERA, (H, W)), np.where((z > 0) & (z < 1e4), z, np.nan), rtol=1e-6
    )


def test_a_tube_around_the_camera_lies_between_its_inner_and_outer_circle() -> None:
    """The cylinder of the phantom: z is the radius over the slope of the ray."""
    sides, radius, length = 48, 12.0, 60.0
    found = rasterise(*tube(sides, -20, length, radius), CAMERA, (H, W))
    outer = radius / np.hypot(*rays()[..., :2].transpose(2, 0, 1))
    inner = outer * np.cos(np.pi / sides)
    assert np.isnan(found[inner > length]).all()
    wall = outer < length
    assert wall.mean() > 0.5
    assert (found[wall] <= outer[wall] * (1 + 1e-6)).all()
    assert (found[wall] >= inner[wall] * (1 - 1e-6)).all()


@pytest.mark.parametrize("around", [False, True])
def test_a_sphere_before_or_around_the_camera(around: bool) -> None:
    """The nearer side of a sphere before the camera, the inner side of one around it."""
    centre, radius, cells = np.array([1.0, -2.0, 3.0 if around else 50.0]), 20.0, 90
    found = rasterise(*ball(centre, radius, cells), CAMERA, (H, W))
    ray = rays()
    square, middle = (ray**2).sum(-1), ray @ centre
    # Facets lie between the sphere and one that is smaller by the sagitta of a cell's diagonal.
    bounds = []
    for size in (radius, radius * np.cos(np.pi / cells)):
        root = middle**2 - square * (centre @ centre - size**2)
        with np.errstate(invalid="ignore"):
            bounds.append((middle + np.sqrt(root) * (1 if around else -1)) / square)
    low, high = (bounds[1], bounds[0]) if around else (bounds[0], bounds[1])
    assert np.isnan(found[np.isnan(bounds[0])]).all()
    sure = np.isfinite(bounds[1])
    assert sure.mean() > (0.99 if around else 0.2)
    assert (found[sure] >= low[sure] * (1 - 1e-6)).all()
    assert (found[sure] <= high[sure] * (1 + 1e-6)).all()


def test_points_are_one_pixel_and_the_nearest_counts() -> None:
    x, y, z = (10.4 - CAMERA[0, 2]) / 60, (7.6 - CAMERA[1, 2]) / 55, 1.0
    point = np.array([x, y, z])
    points = np.array([point * 30, point * 20, point * -5, [1e9, 0, 1], [0, 0, 0]])
    found = rasterise(points, NO_FACES, CAMERA, (H, W))
    assert found[8, 10] == 20
    assert np.isfinite(found).sum() == 1


def ply(kind: str, points: np.ndarray, faces: list[list[int]], extra: bool = False) -> bytes:
    """Write a PLY; `extra`: colours, an element that nobody reads, and flags of faces."""
    order = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}[kind]
    head = f"ply\nformat {kind} 1.0\ncomment made here\nelement vertex {len(points)}\n"
    head += "property float x\nproperty float y\nproperty float z\n" + "property uchar red\n" * extra
    head += "element other 2\nproperty short a\nproperty list uchar float b\n" * extra
    head += (
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\n" + "property uchar f\n" * extra
    )
    rows: list[tuple[str, list[Any]]] = [
        ("fff" + "B" * extra, [*map(float, point), *([7] * extra)]) for point in points
    ]
    rows += [("hBff", [1, 2, 0.5, 0.25]), ("hB", [2, 0])] * extra
    rows += [("B" + "i" * len(face) + "B" * extra, [len(face), *face, *([1] * extra)]) for face in faces]
    if order:
        body = b"".join(struct.pack(order + kinds, *row) for kinds, row in rows)
    else:
        body = "".join(" ".join(map(str, row)) + "\n" for _, row in rows).encode()
    return head.encode() + b"end_header\n" + body


POINTS = np.array([[0, 0, 5], [1, 0, 5], [1, 1.5, 5], [0, 1, 6], [2, 2, 7.0]])


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian", "binary_big_endian"])
@pytest.mark.parametrize("extra", [False, True])
@pytest.mark.parametrize(
    ("faces", "triangles"),
    [
        ([], []),
        ([[0, 1, 2], [2, 3, 4]], [[0, 1, 2], [2, 3, 4]]),
        ([[0, 1, 2, 3], [2, 3, 4]], [[0, 1, 2], [0, 2, 3], [2, 3, 4]]),
    ],
)
def test_ply_is_read_in_its_three_forms(
    kind: str, extra: bool, faces: list[list[int]], triangles: list[list[int]], tmp_path: Path
) -> None:
    (tmp_path / "a.ply").write_bytes(ply(kind, POINTS, faces, extra))
    points, found = read_surface(tmp_path / "a.ply")
    np.testing.assert_array_equal(points, POINTS)
    assert sorted(found.tolist()) == sorted(triangles)


def test_obj_counts_from_one_or_from_the_end(tmp_path: Path) -> None:
    text = "# made here\no thing\n" + "".join(f"v {x} {y} {z} 1 0 0\n" for x, y, z in POINTS[:4])
    (tmp_path / "a.obj").write_text(f"{text}vn 0 0 1\nf 1/1/1 2//1 3 4\nf -3 -2 -1 # last\n")
    points, found = read_surface(tmp_path / "a.obj")
    np.testing.assert_array_equal(points, POINTS[:4])
    assert sorted(found.tolist()) == [[0, 1, 2], [0, 2, 3], [1, 2, 3]]


WHOLE = ply("binary_little_endian", POINTS, [[0, 1, 2], [2, 3, 4]])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.ply", b"solid\n", "no header"),
        ("a.ply", WHOLE[:-1], "cut"),
        ("a.ply", WHOLE.replace(b"vertex 5", b"vertex 999999999"), "claims more"),
        ("a.ply", ply("ascii", POINTS, [[0, 1, 2]])[:-6], "cut"),
        ("a.ply", ply("ascii", POINTS, [[0, 1, 9]]), "no vertex"),
        ("a.ply", ply("ascii", POINTS, [[0, 1]]), "2 corners"),
        ("a.ply", ply("ascii", POINTS * np.nan, []), "finite"),
        ("a.ply", ply("ascii", POINTS[:0], []), "no vertices"),
        ("a.ply", WHOLE.replace(b"float y", b"real8 y"), "real8"),
        ("a.ply", WHOLE.replace(b"float y", b"float q"), "y"),
        ("a.obj", b"v 1 2\n", "three numbers"),
        ("a.obj", b"v 1 2 3\nf 1 2 3\n", "no vertex"),
        ("a.obj", b"v 1 2 3\nf 0 1 1\n", "corner 0"),
        ("a.obj", b"v 1 2 x\n", "float"),
        ("a.obj", b"\x00\xff\n", "no vertices"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_one_line_that_names_it(
    name: str, content: bytes, said: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableFrame, match=rf"{name}: does not decode .*{said}") as caught:
        read_surface(tmp_path / name)
    assert "\n" not in str(caught.value)


def made(folder: Path, suffix: str = ".ply", **depth: Any) -> tuple[Path, specs.Dataset]:
    """A folder of one image and its surface, a wall 4 cm ahead."""
    for name in ("rgb", "depth"):
        (folder / "one" / name).mkdir(parents=True)
    cv2.imwrite(str(folder / "one" / "rgb" / "0001.png"), np.full((H, W, 3), 90, np.uint8))
    wall = np.array([[-9, -9, 4], [9, -9, 4], [9, 9, 4], [-9, 9, 4.0]])
    (folder / "one" / "depth" / f"0001{suffix}").write_bytes(ply("binary_big_endian", wall, QUAD.tolist()))
    np.savetxt(folder / "one" / "intrinsics.txt", CAMERA)
    return folder, trees.spec_of("own", "folder", folder, depth={"unit": "cm", **depth})


def test_the_loader_of_folders_sees_surfaces_in_the_units_of_the_entry(tmp_path: Path) -> None:
    (sequence,) = choose((found := made(tmp_path))[1], found[0])
    depth = sequence.sequence.read(0).depth
    assert depth is not None
    np.testing.assert_allclose(sequence.sequence.encoding.decode(depth), np.full((H, W), 40.0), rtol=1e-6)


def test_surfaces_want_a_camera_depth_itself_and_no_maps_beside(tmp_path: Path) -> None:
    raw, spec = made(tmp_path / "a", kind="inverse")
    with pytest.raises(ScopeDepthError, match=r"depth\.kind must be depth"):
        choose(spec, raw)
    (raw / "one" / "intrinsics.txt").unlink()
    with pytest.raises(ScopeDepthError, match=r"set options\.intrinsics"):
        choose(spec, raw)
    raw, spec = made(tmp_path / "b")
    for place in ("rgb", "depth"):
        cv2.imwrite(str(raw / "one" / place / "0002.png"), np.full((H, W), 90, np.uint8))
    with pytest.raises(ScopeDepthError, match="depth of one kind"):
        choose(spec, raw)
