"""COLMAP's sparse models: cameras, images and points, as text or binary.

The formats are those of COLMAP's documentation (Output Format). An image's pose takes a point of the world into the
camera; image points are counted from the picture's corner, so that the first pixel's centre is (0.5, 0.5).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.poses import rotation_of
from scopedepth.datasets.reading.text import read_text
from scopedepth.errors import ScopeDepthError

# Models of cameras by their number: name, how many parameters, how many focal lengths.
MODELS = (
    ("SIMPLE_PINHOLE", 3, 1), ("PINHOLE", 4, 2), ("SIMPLE_RADIAL", 4, 1), ("RADIAL", 5, 1), ("OPENCV", 8, 2),
    ("OPENCV_FISHEYE", 8, 2), ("FULL_OPENCV", 12, 2), ("FOV", 5, 2), ("SIMPLE_RADIAL_FISHEYE", 4, 1),
    ("RADIAL_FISHEYE", 5, 1), ("THIN_PRISM_FISHEYE", 12, 2),
)  # fmt: skip
T = TypeVar("T")
KINDS = ("cameras", "images", "points3D")


@dataclass(frozen=True)
class Camera:
    """A camera: its model's name, its size in pixels and its parameters."""

    model: str
    width: int
    height: int
    parameters: tuple[float, ...]

    def matrix(self) -> NDArray[np.float64]:
        """Return the 3x3 matrix, with pixel centres at whole numbers as everywhere in this project."""
        focals = next(count for name, _, count in MODELS if name == self.model)
        fx, fy = self.parameters[0], self.parameters[focals - 1]
        cx, cy = self.parameters[focals : focals + 2]
        return np.array([[fx, 0, cx - 0.5], [0, fy, cy - 0.5], [0, 0, 1.0]])


@dataclass(frozen=True)
class View:
    """An image: its camera, its name, the world-to-camera pose, and the points seen: x, y (n, 2), their ids (n,)."""

    camera: int
    name: str
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    places: NDArray[np.float64]
    points: NDArray[np.int64]


@dataclass(frozen=True)
class Model:
    """Cameras by number, images in order of their names, points (n, 3) and their ids (n,), growing."""

    cameras: dict[int, Camera]
    views: list[View]
    ids: NDArray[np.int64]
    positions: NDArray[np.float64]

    def depths(self, view: View) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the places (n, 2) of the points that an image sees, and their z in its camera (n,)."""
        at = np.searchsorted(self.ids, view.points)
        known = (view.points >= 0) & (at < len(self.ids))
        known[known] = self.ids[at[known]] == view.points[known]
        z = self.positions[at[known]] @ view.rotation[2] + view.translation[2]
        return view.places[known], z


def read_model(folder: Path) -> Model:
    """Return the model in a folder: cameras, images and points3D, all .bin or all .txt."""
    if all((folder / f"{kind}.bin").is_file() for kind in KINDS):
        cameras = _whole(_binary_cameras, folder / "cameras.bin")
        views = _whole(_binary_views, folder / "images.bin")
        points = _whole(_binary_points, folder / "points3D.bin")
    else:
        cameras = _whole(_cameras, folder / "cameras.txt")
        views = _whole(_views, folder / "images.txt")
        points = _whole(_points, folder / "points3D.txt")
    ids = np.array(sorted(points), np.int64)
    positions = np.array([points[one] for one in ids.tolist()], np.float64).reshape(-1, 3)
    for view in views:
        if view.camera not in cameras:
            raise ScopeDepthError(
                f"{folder}: the image {view.name} has no camera: {view.camera} is not there."
            )
    if not np.isfinite(positions).all():
        raise ScopeDepthError(f"{folder}: points3D holds points that are no finite numbers.")
    return Model(cameras, sorted(views, key=lambda view: view.name), ids, positions)


def _whole(read: Callable[[Path], T], path: Path) -> T:
    """Return what a file holds; whatever its parser stumbles over is a `ScopeDepthError` that names it."""
    try:
        return read(path)
    except (struct.error, ValueError, IndexError, OSError) as error:
        raise ScopeDepthError(f"{path} does not read as COLMAP writes it ({error}).") from error


def _rotation(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix of a quaternion w, x, y, z."""
    length = np.linalg.norm(quaternion)
    if not 0.5 < length < 2:
        raise ValueError(f"a quaternion of length {length:g}")
    w, x, y, z = quaternion
    return rotation_of(x, y, z, w)


def _camera(model: str, width: int, height: int, parameters: tuple[float, ...]) -> Camera:
    wanted = {name: count for name, count, _ in MODELS}.get(model)
    if wanted is None:
        raise ValueError(f"the camera model {model[:40]!r} is not known")
    if len(parameters) != wanted or not np.isfinite(parameters).all() or min(width, height) < 1:
        raise ValueError(f"a camera {model} has {wanted} parameters and a size")
    return Camera(model, width, height, parameters)


def _lines(path: Path) -> Iterator[str]:
    for line in read_text(path, "COLMAP file").splitlines():
        if not line.startswith("#"):
            yield line


def _cameras(path: Path) -> dict[int, Camera]:
    rows = [line.split() for line in _lines(path) if line.strip()]
    return {
        int(row[0]): _camera(row[1], int(row[2]), int(row[3]), tuple(map(float, row[4:]))) for row in rows
    }


def _views(path: Path) -> list[View]:
    found, lines = [], _lines(path)
    for line in lines:
        if not line.strip():
            continue
        row = line.split(maxsplit=9)
        seen = np.array(next(lines, "").split(), np.float64).reshape(-1, 3)
        pose = np.array(row[1:8], np.float64)
        if len(row) < 10 or not np.isfinite(pose).all():
            raise ValueError("an image has a number, seven finite ones, a camera and a name")
        found.append(
            View(
                int(row[8]),
                row[9].strip(),
                _rotation(pose[:4]),
                pose[4:],
                seen[:, :2],
                seen[:, 2].astype(np.int64),
            )
        )
    return found


def _points(path: Path) -> dict[int, tuple[float, ...]]:
    found: dict[int, tuple[float, ...]] = {}
    for line in _lines(path):
        if line.strip():
            number, x, y, z, *_ = line.split(maxsplit=4)
            found[_number(number)] = (float(x), float(y), float(z))
    return found


def _number(word: str | float) -> int:
    number = int(word)
    if not 0 <= number < 1 << 63:
        raise ValueError(f"a point's number {number}")
    return number


class _Bytes:
    """Numbers of a binary file, one after the other, little-endian; a file that ends before is a `struct.error`."""

    def __init__(self, path: Path) -> None:
        self.content, self.at = path.read_bytes(), 0

    def take(self, form: str) -> tuple[float, ...]:
        found = struct.unpack_from(f"<{form}", self.content, self.at)
        self.at += struct.calcsize(f"<{form}")
        return found

    def count(self, least: int) -> int:
        """Return a number of things of at least so many bytes: a damaged one may claim any."""
        number = int(self.take("Q")[0])
        if number * least > len(self.content) - self.at:
            raise ValueError(f"{number} entries are more than the file has bytes for")
        return number


def _binary_cameras(path: Path) -> dict[int, Camera]:
    file, found = _Bytes(path), {}
    for _ in range(file.count(24)):
        number, kind, width, height = map(int, file.take("iiQQ"))
        if not 0 <= kind < len(MODELS):
            raise ValueError(f"the camera model {kind} is not known")
        name, count, _ = MODELS[kind]
        found[number] = _camera(name, width, height, file.take(f"{count}d"))
    return found


def _binary_views(path: Path) -> list[View]:
    file, found = _Bytes(path), []
    kind = np.dtype([("place", "<f8", 2), ("point", "<i8")])
    for _ in range(file.count(64)):
        _, *pose, camera = file.take("i7di")
        end = file.content.index(b"\0", file.at)
        name = file.content[file.at : end].decode("utf-8")
        file.at = end + 1
        count = file.count(kind.itemsize)
        seen = np.frombuffer(file.content, kind, count, file.at)
        file.at += count * kind.itemsize
        numbers = np.array(pose)
        found.append(
            View(
                int(camera),
                name,
                _rotation(numbers[:4]),
                numbers[4:],
                seen["place"],
                seen["point"].astype(np.int64),
            )
        )
    return found


def _binary_points(path: Path) -> dict[int, tuple[float, ...]]:
    file = _Bytes(path)
    found: dict[int, tuple[float, ...]] = {}
    for _ in range(file.count(51)):
        number, x, y, z, *_ = file.take("Qddd3Bd")
        found[_number(number)] = (x, y, z)
        track = file.count(8)
        file.at += 8 * track
    return found
