"""Reading image and depth files. What does not decode is an `UnreadableFrame` that names the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.base import UnreadableFrame
from scopedepth.errors import ScopeDepthError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
DEPTH_SUFFIXES = (".png", ".npy", ".tif", ".tiff", ".exr")

# Errors come back as None and are reported by us with the file's name; OpenCV's own lines name none.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
# Frames are decoded by a pool of threads already.
cv2.setNumThreads(1)


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes; a missing or empty file is an `UnreadableFrame`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableFrame(f"{path}: {error.strerror}") from error
    if not data:
        raise UnreadableFrame(f"{path}: the file is empty")
    return data


def decode(path: Path) -> NDArray[Any]:
    """Decode an image file as it is: any depth, any number of channels, in OpenCV's order (BGR)."""
    data = np.frombuffer(read_bytes(path), np.uint8)
    try:
        array = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise UnreadableFrame(f"{path}: does not decode ({error.err})") from error
    if array is None:
        raise UnreadableFrame(f"{path}: does not decode (truncated, damaged or not an image)")
    return array


def to_rgb8(array: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    """Return a decoded BGR(A) or grey image as uint8 RGB (h, w, 3); of 16 bits the high byte, as Pillow does."""
    if array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    if array.dtype != np.uint8:
        raise UnreadableFrame(f"{path}: an image of {array.dtype}; 8 or 16 bits a channel are read")
    if array.ndim == 2:
        return np.repeat(array[:, :, None], 3, axis=2)
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(array[:, :, 2::-1])


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read a colour image as uint8 RGB (h, w, 3). An alpha channel is dropped, grey is repeated."""
    return to_rgb8(decode(path), path)


def read_raw_depth(path: Path) -> NDArray[Any]:
    """Read a depth file's numbers as they are, (h, w): PNG, TIFF, NPY or EXR.

    A colour file is taken only where all its colour channels are equal (an export of grey as RGB); otherwise
    which channel holds the depth would be a guess, and that is an error.
    """
    suffix = path.suffix.lower()
    if suffix == ".npy":
        array = read_npy(path)
    elif suffix == ".exr":
        array = _read_exr(path)
    else:
        array = decode(path)
    array = np.squeeze(array) if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]) else array
    if array.ndim == 2:
        return array
    if array.ndim == 3 and array.shape[2] in (2, 3, 4):
        colours = array[:, :, : 3 if array.shape[2] > 2 else 1]
        if (colours == colours[:, :, :1]).all():
            return np.ascontiguousarray(colours[:, :, 0])
        raise ScopeDepthError(
            f"{path} holds {array.shape[2]} channels that differ, so which one is depth is unknown. "
            "Is it a colour picture of depth? Export the depth as one channel."
        )
    raise ScopeDepthError(f"{path} holds an array of shape {array.shape}; depth is (height, width).")


def read_npy(path: Path) -> NDArray[Any]:
    """Return an NPY file's array of numbers. Nothing in the file is run: arrays of objects are refused."""
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise UnreadableFrame(f"{path}: {error.strerror}") from error
    except Exception as error:  # the header is parsed as Python's literals, and fails in as many ways
        raise UnreadableFrame(f"{path}: does not decode ({error})") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "buif":
        raise UnreadableFrame(f"{path}: does not decode (no array of numbers)")
    return array


def _read_exr(path: Path) -> NDArray[Any]:
    try:
        import OpenEXR  # type: ignore[import-not-found]  # OpenCV's wheels are built without EXR
    except ImportError as error:
        raise ScopeDepthError(
            f"{path}: reading EXR needs the package OpenEXR (pip install OpenEXR)."
        ) from error

    read_bytes(path)
    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = {name: channel.pixels for name, channel in file.channels().items()}
    except Exception as error:
        raise UnreadableFrame(f"{path}: does not decode ({error})") from error
    for name in ("Z", "depth", "Y", "V", "R"):
        if name in channels:
            return np.asarray(channels[name])
    if len(channels) == 1:
        return np.asarray(next(iter(channels.values())))
    names = ", ".join(sorted(channels))
    raise ScopeDepthError(f"{path} has the channels {names}; depth is looked for in Z, Y, V or R.")
