"""Reading image and depth files. What does not decode is an `UnreadableFrame` that names the file."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from scopedepth.datasets.reading.containers import read_array
from scopedepth.datasets.reading.headers import TIFF, objection
from scopedepth.datasets.reading.pfm import read_pfm
from scopedepth.errors import ScopeDepthError, UnreadableFrame

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
# Files of arrays under names, of images as well as of depth.
CONTAINERS = (".npz", ".h5", ".hdf5", ".mat")
DEPTH_SUFFIXES = (".png", ".npy", ".tif", ".tiff", ".exr", ".pfm", ".bmp", *CONTAINERS)

# Channels of an EXR that hold depth and nothing else, by name.
EXR_DEPTH = ("z", "depth")
# A picture of 16 bits a channel whose numbers all stay below this is one of 10, 12 or 14 bits, or nearly black.
DIM = 1 << 14
LOOKED_AT = 8
# No frame has more; OpenCV has such a limit of its own.
MOST_NUMBERS = 1 << 28

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


def decode(path: Path, depth: bool = False) -> NDArray[Any]:
    """Decode an image file as it is: any depth, any number of channels, in OpenCV's order (BGR).

    What the file says of itself may keep its numbers from being a picture, or `depth`: a `ScopeDepthError`.
    """
    return decoded(read_bytes(path), path, depth)


def decoded(content: bytes, path: Path, depth: bool = False) -> NDArray[Any]:
    """Decode an image file's `content` as `decode` does; `path` is named where it cannot be read."""
    reason = objection(content, depth)
    if reason is not None:
        raise ScopeDepthError(f"{path} {reason}.")
    try:
        array = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise UnreadableFrame(f"{path}: does not decode ({error.err})") from error
    if array is None and depth and content[:4] in TIFF:
        array = _half_floats(content)  # OpenCV reads all that we do but these
    if array is None or (content[:4] in TIFF and array.dtype.itemsize == 1 and _is_cut(content)):
        raise UnreadableFrame(f"{path}: does not decode (truncated, damaged, not an image or of a rare kind)")
    if content[:4] in TIFF and array.ndim == 3 and array.shape[2] == 4 and not _is_opaque(array):
        # Whether a TIFF's colours were multiplied by alpha differs by file, and decoders do it themselves.
        raise ScopeDepthError(
            f"{path} is a TIFF that is partly transparent; save it without the alpha channel."
        )
    return array


def _is_opaque(array: NDArray[Any]) -> bool:
    most = np.iinfo(array.dtype).max if array.dtype.kind in "iu" else 1
    return bool((array[:, :, 3] == most).all())


def _is_cut(content: bytes) -> bool:
    """Whether a strip of a TIFF of 8 bits does not decode: OpenCV leaves it black, Pillow raises.

    What Pillow does not read at all is taken where nothing is compressed, so that counting bytes was enough.
    """
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            plain = file.pages[0].compression == 1
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content)) as image:
            image.load()
    except UnidentifiedImageError:
        return not plain
    except Exception:  # what the parsers stumble over has many types
        return True
    return False


def _half_floats(content: bytes) -> NDArray[Any] | None:
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            page = file.pages[0]
            if page.dtype != np.float16 or page.size > MOST_NUMBERS:  # a damaged header can claim any size
                return None
            if not {279, 325} & {
                tag.code for tag in page.tags
            }:  # it would guess how long strips and tiles are
                return None
            page.nodata = np.nan  # what a strip or tile lacks is filled up with this
            return np.asarray(page.asarray())
    except Exception:  # what its parser stumbles over has many types
        return None


def to_rgb8(array: NDArray[Any], path: Path, bits: int | None = None) -> NDArray[np.uint8]:
    """Return a decoded BGR(A) or grey image as uint8 RGB (h, w, 3): of its `bits` the upper 8, as Pillow does.

    `bits`: how many of 16 the numbers use (12 where a camera's 12 bits were written into 16); None takes all.
    """
    if array.dtype == np.uint16:
        used = bits or 16
        if array.max(initial=0) >> used:
            raise ScopeDepthError(
                f"{path} holds the number {array.max()}, which takes more than {used} bits. Correct options.bits."
            )
        array = (array >> max(used - 8, 0)).astype(np.uint8)
    if array.dtype != np.uint8:
        raise UnreadableFrame(f"{path}: an image of {array.dtype}; 8 or 16 bits a channel are read")
    if array.ndim == 2:
        return np.repeat(array[:, :, None], 3, axis=2)
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    turned = cv2.COLOR_BGR2RGB if array.shape[2] == 3 else cv2.COLOR_BGRA2RGB
    return np.asarray(cv2.cvtColor(array, turned))  # NumPy takes ten times as long


def read_image(path: Path, bits: int | None = None, key: str | None = None) -> NDArray[np.uint8]:
    """Read a colour image as uint8 RGB (h, w, 3). An alpha channel is dropped, grey is repeated.

    An array of a container, named by `key`, is (h, w) or (h, w, 3), red first.
    """
    if path.suffix.lower() not in CONTAINERS:
        return to_rgb8(decode(path), path, bits)
    array = read_array(path, key)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3)):
        raise ScopeDepthError(
            f"{path} holds an image of shape {array.shape}; (height, width) or (height, width, 3) is read."
        )
    return to_rgb8(array[:, :, ::-1] if array.ndim == 3 else array, path, bits)


def picture_size(path: Path) -> tuple[int, int] | None:
    """Return width and height of an image as its header says; None where it says none (a container, a broken file)."""
    if path.suffix.lower() in CONTAINERS:
        return None
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            return image.size
    except Exception:  # what the parsers stumble over has many types
        return None


def check_bits(paths: Sequence[Path], stated: int | None, key: str | None = None) -> None:
    """Raise a `ScopeDepthError` where pictures of 16 bits a channel hold numbers of fewer bits and none are `stated`.

    Taken for 16 bits, such frames would be black or nearly so.
    """
    if stated is not None and not (type(stated) is int and 8 <= stated <= 16):
        raise ScopeDepthError(f"options.bits is a whole number from 8 to 16, not {stated!r}.")
    if stated is not None or not paths:
        return
    most = 0
    for place in np.linspace(0, len(paths) - 1, min(LOOKED_AT, len(paths))):
        try:
            path = paths[int(place)]
            array = read_array(path, key) if path.suffix.lower() in CONTAINERS else decode(path)
        except UnreadableFrame:
            continue
        if array.dtype != np.uint16:
            return
        most = max(most, int(array[..., :3].max(initial=0) if array.ndim == 3 else array.max(initial=0)))
    if 0 < most < DIM:
        likely = next(bits for bits in (8, 10, 12, 14) if most < 1 << bits)
        raise ScopeDepthError(
            f"The images beside {paths[0]} have 16 bits a channel, and none of those looked at holds a number above "
            f"{most}. Set options.bits to {likely} if that is what the camera gave, or to 16 if they are so dark."
        )


def read_raw_depth(path: Path, key: str | None = None) -> NDArray[Any]:
    """Read a depth file's numbers as they are, (h, w): one of `DEPTH_SUFFIXES`. `key` names an array of a container.

    A colour file is taken only where all its colour channels are equal (an export of grey as RGB); otherwise
    which channel holds the depth would be a guess, and that is an error.
    """
    suffix = path.suffix.lower()
    arrays = (".npy", *CONTAINERS)
    if suffix in arrays:
        array = read_npy(path) if suffix == ".npy" else read_array(path, key)
        if array.dtype == np.bool_:
            raise ScopeDepthError(f"{path} holds true and false, which is a mask and no depth.")
    elif suffix == ".exr":
        array = _read_exr(path, key)
    elif suffix == ".pfm":
        array = read_pfm(read_bytes(path), path)
    else:
        array = decode(path, depth=True)
    return one_channel(array, path, suffix in arrays)


def one_channel(array: NDArray[Any], path: Path, counted: bool = False) -> NDArray[Any]:
    """Return decoded numbers as (h, w); `counted`: a first axis of one frame may stand before them."""
    if array.ndim == 3 and array.shape[2] == 1:
        return array[:, :, 0]
    if array.ndim == 3 and array.shape[0] == 1 and counted:
        return array[0]
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


def read_depth_of(path: Path, dtype: type[np.generic], dataset: str) -> NDArray[Any]:
    """Read a depth file whose dataset publishes one type; another one was converted, and its numbers mean less."""
    stored = read_raw_depth(path)
    if stored.dtype != dtype:
        raise ScopeDepthError(
            f"{path} holds {stored.dtype}, {dataset} as published {np.dtype(dtype)}: it was converted. Fetch the "
            "published files, or use loader folder with the depth.scale of the conversion."
        )
    return stored


def read_npy(path: Path) -> NDArray[Any]:
    """Return an NPY file's array of numbers. Nothing in the file is run: arrays of objects are refused."""
    try:
        with path.open("rb") as file:
            array = np.load(file, allow_pickle=False)
            more = file.read(1)
    except FileNotFoundError as error:
        raise UnreadableFrame(f"{path}: {error.strerror}") from error
    except Exception as error:  # the header is parsed as Python's literals, and fails in as many ways
        raise UnreadableFrame(f"{path}: does not decode ({error})") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "buif":
        raise UnreadableFrame(f"{path}: does not decode (no array of numbers)")
    if more:
        raise ScopeDepthError(
            f"{path} holds more than the array that its header names; save one array a file."
        )
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _read_exr(path: Path, key: str | None = None) -> NDArray[Any]:
    try:
        import OpenEXR  # OpenCV's wheels are built without EXR
    except ImportError as error:
        raise ScopeDepthError(
            f"{path}: reading EXR needs the package OpenEXR (pip install OpenEXR)."
        ) from error

    read_bytes(path)
    try:
        with OpenEXR.File(str(path), header_only=True) as file:
            parts = len(file.parts)  # with the pixels come those parts only that could be read
        with OpenEXR.File(str(path), separate_channels=True) as file:
            header = dict(file.header())
            given = file.channels()
            channels = {name: np.asarray(channel.pixels) for name, channel in given.items()}
            coarse = any((channel.xSampling, channel.ySampling) != (1, 1) for channel in given.values())
    except Exception as error:
        raise UnreadableFrame(f"{path}: does not decode ({error})") from error
    if parts > 1:
        raise ScopeDepthError(f"{path} holds {parts} parts; export the depth alone.")
    if coarse or any(pixels.ndim != 2 or pixels.dtype == object for pixels in channels.values()):
        raise ScopeDepthError(
            f"{path} has deep or sub-sampled channels; export flat ones, one number a pixel."
        )
    if not _fills_its_window(header):
        raise ScopeDepthError(
            f"{path} holds a part of its picture only (dataWindow is not displayWindow); export the whole of it."
        )
    if key is not None:
        if key not in channels:
            raise ScopeDepthError(
                f"{path} has no channel {key!r}; it has {', '.join(sorted(channels))}. Correct depth.key."
            )
        return channels[key]
    depths = [name for name in channels if name.lower().rsplit(".", 1)[-1] in EXR_DEPTH]
    chosen = depths or [name for name in channels if name != "A"] or list(channels)
    first = channels[chosen[0]]
    if all(np.array_equal(channels[name], first, equal_nan=True) for name in chosen):
        return first
    raise ScopeDepthError(
        f"{path} has the channels {', '.join(sorted(channels))}, which differ, so which one is depth is unknown. "
        "Name the one in depth.key."
    )


def _fills_its_window(header: Any) -> bool:
    return bool(np.array_equal(np.array(header["dataWindow"]), np.array(header["displayWindow"])))
