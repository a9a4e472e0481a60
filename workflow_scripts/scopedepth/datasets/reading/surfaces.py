"""Meshes and clouds of points in files: PLY (ASCII and binary) and Wavefront's OBJ.

PLY as Greg Turk described it: a header that names elements and their properties, then their numbers. Of a file,
the vertices' x, y, z and the faces' corners are read; a polygon becomes a fan of triangles. A file without faces is a
cloud.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.images import read_bytes
from scopedepth.errors import UnreadableFrame

SURFACE_SUFFIXES = (".ply", ".obj")
TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
CORNERS = ("vertex_indices", "vertex_index")

Surface = tuple[NDArray[np.float64], NDArray[np.int64]]


def read_surface(path: Path) -> Surface:
    """Return the points (n, 3) and triangles (m, 3), places in them, of a file; m is 0 for a cloud.

    A file that is not what its kind says is an `UnreadableFrame` that names it.
    """
    content = read_bytes(path)
    try:
        points, polygons = _obj(content) if path.suffix.lower() == ".obj" else _ply(content)
        triangles = _fans(polygons)
        if not len(points):
            raise ValueError("it has no vertices")
        if not np.isfinite(points).all():
            raise ValueError("vertices that are no finite numbers")
        if triangles.size and not (triangles.min() >= 0 and triangles.max() < len(points)):
            raise ValueError("a face has a corner that is no vertex")
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        raise UnreadableFrame(f"{path}: does not decode ({error})") from error
    return points, triangles


def _fans(polygons: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the triangles of polygons, given as arrays (n, corners) of some of one size each."""
    fans = [np.zeros((0, 3), np.int64)]
    for some in polygons:
        if some.shape[1] < 3:
            raise ValueError(f"a face of {some.shape[1]} corners")
        fans += [some[:, [0, k, k + 1]] for k in range(1, some.shape[1] - 1)]
    return np.concatenate(fans)


def _by_size(faces: list[list[int]]) -> list[NDArray[np.int64]]:
    sizes: dict[int, list[list[int]]] = {}
    for face in faces:
        sizes.setdefault(len(face), []).append(face)
    return [np.array(some, np.int64) for some in sizes.values()]


def _obj(content: bytes) -> tuple[NDArray[np.float64], list[NDArray[np.int64]]]:
    points: list[list[float]] = []
    faces: list[list[int]] = []
    for line in content.decode("utf-8", "replace").replace("\\\n", " ").splitlines():
        kind, *words = line.split("#")[0].split() or [""]
        if kind == "v":
            if len(words) < 3:
                raise ValueError("a vertex of less than three numbers")
            points.append([float(word) for word in words[:3]])
        elif kind == "f":
            corners = [int(word.split("/")[0]) for word in words]
            if 0 in corners or not corners:
                raise ValueError("a face with a corner 0, or none")
            faces.append([one - 1 if one > 0 else len(points) + one for one in corners])
    return np.array(points, np.float64).reshape(-1, 3), _by_size(faces)


@dataclass
class _Element:
    """An element of a PLY: name, how many, properties (name, type, type of a list's length or None)."""

    name: str
    count: int
    properties: list[tuple[str, str, str | None]]


def _ply(content: bytes) -> tuple[NDArray[np.float64], list[NDArray[np.int64]]]:
    order, elements, body = _header(content)
    points, polygons = np.zeros((0, 3)), list[NDArray[np.int64]]()
    words = None if order else body.split()
    for element in elements:
        names = [name for name, *_ in element.properties]
        if words is not None:
            columns, words = _ascii(words, element)
        else:
            columns, body = _binary(body, element, order)
        if element.name == "vertex":
            points = np.stack([np.asarray(columns[names.index(axis)], np.float64) for axis in "xyz"], axis=1)
        elif element.name == "face" and element.count:
            corners = next((name for name in CORNERS if name in names), None)
            if corners is None:
                raise ValueError(f"faces without {CORNERS[0]}")
            found = columns[names.index(corners)]
            polygons = [found.astype(np.int64)] if isinstance(found, np.ndarray) else _by_size(found)
    return points, polygons


def _header(content: bytes) -> tuple[str, list[_Element], bytes]:
    """Return the byte order ("" for text), the elements and what follows the header."""
    end = content.find(b"end_header")
    line_end = content.find(b"\n", end)
    if not content.startswith(b"ply") or end < 0 or line_end < 0:
        raise ValueError("no header of a PLY")
    order: str | None = None
    elements: list[_Element] = []
    for line in content[:end].decode("latin-1").splitlines():
        match line.split():
            case ["format", kind, *_]:
                order = ORDERS[kind]
            case ["element", name, count]:
                elements.append(_Element(name, int(count), []))
            case ["property", "list", length, kind, name]:
                elements[-1].properties.append((name, TYPES[kind], TYPES[length]))
            case ["property", kind, name]:
                elements[-1].properties.append((name, TYPES[kind], None))
    if order is None:
        raise ValueError("the header names no format")
    # An element takes a byte at least: a damaged header can claim any number.
    if any(not 0 <= one.count <= len(content) or not one.properties for one in elements):
        raise ValueError(
            "the header claims more elements than the file has bytes, or some without properties"
        )
    return order, elements, content[line_end + 1 :]


def _ascii(words: list[bytes], element: _Element) -> tuple[list[Any], list[bytes]]:
    """Return an element's columns, arrays of numbers or lists of lists, and the words after it."""
    properties = element.properties
    if not any(length for *_, length in properties):
        size = element.count * len(properties)
        if len(words) < size:
            raise ValueError("it is cut")
        table = np.array(words[:size], np.float64).reshape(element.count, len(properties))
        return list(table.T), words[size:]
    columns: list[list[Any]] = [[] for _ in properties]
    at = 0
    for _ in range(element.count):
        for column, (*_, length) in zip(columns, properties, strict=True):
            if length is None:
                column.append(float(words[at]))
                at += 1
                continue
            count = int(words[at])
            column.append([int(float(word)) for word in words[at + 1 : at + 1 + count]])
            at += 1 + count
    if at > len(words):
        raise ValueError("it is cut")
    return columns, words[at:]


def _binary(body: bytes, element: _Element, order: str) -> tuple[list[Any], bytes]:
    """Return an element's columns, arrays (n,) or (n, corners) or lists of lists, and the bytes after it."""
    if not element.count:
        return [[] for _ in element.properties], body
    # As if the lists of all were as long as the first one's, which is so in nearly all files.
    first = _one(body, 0, element, order)[0]
    fields: list[tuple[Any, ...]] = []
    for number, ((_, kind, length), values) in enumerate(zip(element.properties, first, strict=True)):
        if length is not None:
            fields.append((f"n{number}", order + length))
        fields.append((f"v{number}", order + kind, (len(values),) if length is not None else ()))
    layout = np.dtype(fields)
    size = layout.itemsize * element.count
    if len(body) >= size:
        table = np.frombuffer(body, layout, element.count)
        lists = [k for k, (*_, length) in enumerate(element.properties) if length is not None]
        if all((table[f"n{k}"] == len(first[k])).all() for k in lists):
            return [table[f"v{k}"] for k in range(len(first))], body[size:]
    elif not any(length for *_, length in element.properties):
        raise ValueError("it is cut")
    columns: list[list[Any]] = [[] for _ in element.properties]
    at = 0
    for _ in range(element.count):
        values, at = _one(body, at, element, order)
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    return columns, body[at:]


def _one(body: bytes, at: int, element: _Element, order: str) -> tuple[list[Any], int]:
    """Return the values of the element at a place, lists among them, and the place after it."""
    values: list[Any] = []
    for _, kind, length in element.properties:
        count = 1
        if length is not None:
            count = int(np.frombuffer(body, order + length, 1, at)[0])
            at += int(length[1])
        if count < 0 or at + count * int(kind[1]) > len(body):
            raise ValueError("it is cut")
        found = np.frombuffer(body, order + kind, count, at).tolist() if count else []
        at += count * int(kind[1])
        values.append(found if length is not None else found[0])
    return values, at
