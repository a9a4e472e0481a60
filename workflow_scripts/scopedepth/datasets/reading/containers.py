"""Arrays of files that hold several under names: NPZ, HDF5, MAT. Nothing in a file is run, and none leads elsewhere.

A file with one array of numbers needs no name (`key`). With several, which one is meant is stated and never guessed.
HDF5 needs the package h5py, and so do MAT files of version 7.3, which are HDF5.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError, UnreadableFrame

HDF5 = b"\x89HDF\r\n\x1a\n"
# MATLAB writes its own words before an HDF5 file.
USERBLOCK = 512
# No frame has more numbers; a damaged or hostile header can claim any.
MOST_NUMBERS = 1 << 28
SHOWN = 12

# The shape of each array of numbers by its name, and what reads one.
Listing = Mapping[str, tuple[int, ...]]
Reader = Callable[[str], NDArray[Any]]


def read_array(path: Path, key: str | None = None) -> NDArray[Any]:
    """Return the array `key` of a container, as it is; with None the only one that the file holds.

    Raises `UnreadableFrame` for a file that does not read, `ScopeDepthError` for a name that is not there, for several
    arrays and no name, and for what leads outside of the file.
    """
    try:
        with path.open("rb") as file:
            head = file.read(USERBLOCK + len(HDF5))
    except OSError as error:
        raise UnreadableFrame(f"{path}: {error.strerror}") from error
    if not head:
        raise UnreadableFrame(f"{path}: the file is empty")
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _of_npz(path, key)
    if head.startswith(HDF5) or head[USERBLOCK:] == HDF5:
        return _of_hdf5(path, key)
    if suffix == ".mat":
        return _of_mat(path, key)
    raise UnreadableFrame(f"{path}: does not decode (no HDF5)")


def _chosen(path: Path, key: str | None, there: Listing) -> str:
    """Return the name of the array that is meant; an error says which ones are there."""
    held = ", ".join(f"{name} {list(shape)}" for name, shape in list(there.items())[:SHOWN])
    held += ", ..." if len(there) > SHOWN else ""
    if not there:
        raise ScopeDepthError(f"{path} holds no array of numbers.")
    if key is None and len(there) > 1:
        raise ScopeDepthError(f"{path} holds several arrays, {held}: name the one that is meant as `key`.")
    name = next(iter(there)) if key is None else key
    if name not in there:
        raise ScopeDepthError(f"{path} has no array {name!r}; it holds {held}. Correct `key`.")
    if math.prod(there[name]) > MOST_NUMBERS:
        raise UnreadableFrame(f"{path}: {name} claims the shape {list(there[name])}, more than a frame has")
    return name


def _of_npz(path: Path, key: str | None) -> NDArray[Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            there = dict(_members(archive))
    except Exception as error:  # as in reading an NPY: headers are parsed, and fail in many ways
        raise UnreadableFrame(f"{path}: does not decode ({error})") from error
    name = _chosen(path, key, there)
    try:
        with np.load(path, allow_pickle=False) as content:
            array = np.asarray(content[name])
    except Exception as error:
        raise UnreadableFrame(f"{path}: {name} does not decode ({error})") from error
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _members(archive: zipfile.ZipFile) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield name and shape of an NPZ's arrays of numbers; arrays of objects, which would be run, are left out."""
    for member in archive.infolist():
        if not member.filename.endswith(".npy"):
            continue
        with archive.open(member) as file:
            version = np.lib.format.read_magic(file)
            header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = header(file)
        if dtype.kind in "buif" and shape:
            yield member.filename.removesuffix(".npy"), shape


def _of_mat(path: Path, key: str | None) -> NDArray[Any]:
    from scipy.io import loadmat, whosmat

    numbers = (
        "double",
        "single",
        "int8",
        "uint8",
        "int16",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "logical",
    )
    try:
        there = {name: tuple(shape) for name, shape, kind in whosmat(str(path)) if kind in numbers}
    except Exception as error:  # its parser fails in many ways
        raise UnreadableFrame(f"{path}: does not decode ({error})") from error
    name = _chosen(path, key, there)
    try:
        array = np.asarray(loadmat(str(path), variable_names=[name])[name])
    except Exception as error:
        raise UnreadableFrame(f"{path}: {name} does not decode ({error})") from error
    if array.dtype.kind not in "buif":
        raise ScopeDepthError(f"{path}: {name} holds complex numbers, which are no depth and no picture.")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _of_hdf5(path: Path, key: str | None) -> NDArray[Any]:
    try:
        import h5py  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        raise ScopeDepthError(
            f"{path}: reading HDF5 needs the package h5py (pip install '.[hdf5]')."
        ) from error

    try:
        file = h5py.File(path, "r")
    except Exception as error:
        raise UnreadableFrame(f"{path}: does not decode ({error})") from error
    with file:
        try:
            there = dict(_datasets(file, h5py))
        except Exception as error:
            raise UnreadableFrame(f"{path}: does not decode ({error})") from error
        # MATLAB lays out by columns and writes so: the axes come the other way round.
        turned = path.suffix.lower() == ".mat"
        there = {name: shape[::-1] if turned else shape for name, shape in there.items()}
        name = _chosen(path, None if key is None else key.strip("/"), there)
        found = file[name]
        if found.is_virtual or found.external:
            raise ScopeDepthError(f"{path}: {name} lies in another file; write its numbers into this one.")
        try:
            array = np.asarray(found[()])
        except Exception as error:
            raise UnreadableFrame(f"{path}: {name} does not decode ({error})") from error
        return array.T if turned else array


def _datasets(group: Any, h5py: Any, above: str = "") -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield name and shape of a file's arrays of numbers. Links, which may lead to other files, are not followed."""
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink) or name.startswith("#"):
            continue
        here = group[name]
        if isinstance(here, h5py.Group):
            if above.count("/") < 16:  # a group may hold itself
                yield from _datasets(here, h5py, f"{above}{name}/")
        elif isinstance(here, h5py.Dataset) and here.dtype.kind in "buif" and here.shape:
            yield f"{above}{name}", here.shape
