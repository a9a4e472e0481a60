"""Reading camera files: intrinsics and distortion in the forms that datasets publish, told apart by what they hold.

K               9 numbers, 12 (a fourth column), 16, or fx fy cx cy, as text, NPY or JSON
K and a lens    three rows and a fourth of 4, 5 or 8 coefficients (NifTK, the original Hamlyn data)
names           lines or JSON with fx, fy, cx, cy and k1, k2, p1, p2, k3
OpenCV, ROS     YAML, XML or JSON: a camera matrix and distortion coefficients, by any of their usual names
Calibu          <camera_model type="calibu_fu_fv_u0_v0_kb4">: EndoMapper's Kannala-Brandt lenses
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.opencv_file import MOST_BYTES, Named, read_named
from scopedepth.datasets.reading.text import read_text
from scopedepth.errors import ScopeDepthError

# A number, not the digit of a name such as k1.
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])")
# A line such as `fx: 156.04` or `k1 = -0.25`, and one such as `model: fisheye`.
NAMED = re.compile(rf"\s*([A-Za-z]\w*)\s*[:=]\s*({NUMBER.pattern})\s*[,;]?\s*")
SAID = re.compile(r"\s*(\w*model)\s*[:=]\s*[\"']?(\w[\w-]*)[\"']?\s*", re.IGNORECASE)
# OpenCV's order of a lens's coefficients.
LENS = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
FISHEYE_LENS = ("k1", "k2", "k3", "k4")
# How many there may be behind a matrix of 9 numbers.
WITH_LENS = (4, 5, 8)
# Words for the model of Kannala and Brandt, in a file's own statement of its model.
FISHEYE = ("fisheye", "kannala", "kb4", "equidistant", "equi")
NPY = b"\x93NUMPY"
CAMERA_NAMES = ("cameramatrix", "k", "m", "intrinsics", "intrinsic", "intrinsicmatrix", "mtx")
LENS_NAMES = ("distortioncoefficients", "distcoeffs", "distcoeff", "distortion", "dist", "d", "kc")
FORMS = (
    "a 3x3 matrix (9 numbers), a 3x4 one (12), one with 4, 5 or 8 lens coefficients behind it, fx fy cx cy, lines "
    "`fx: ...`, NPY, JSON, OpenCV's YAML or XML, ROS's camera_info and Calibu's XML (EndoMapper)"
)


class FisheyeLens(tuple[float, ...]):
    """Coefficients k1 k2 k3 k4 of a lens of Kannala and Brandt (PAMI 28(8), 2006), as cv2.fisheye has them.

    A ray at the angle t to the axis is imaged at the radius f (t + k1 t^3 + k2 t^5 + k3 t^7 + k4 t^9).
    """

    __slots__ = ()


Lens = tuple[float, ...]


class Camera(NamedTuple):
    """A camera as a file states it: 3x3 matrix in pixels; lens, None where it names none; (width, height) if said."""

    matrix: NDArray[np.float64]
    lens: Lens | None = None
    size: tuple[int, int] | None = None


def read_numbers(path: Path) -> list[float]:
    """Return all numbers in a text file, in order; # starts a comment."""
    text = read_text(path, "camera file")
    return [float(word) for line in text.splitlines() for word in NUMBER.findall(line.split("#")[0])]


def read_intrinsics(path: Path) -> NDArray[np.float64]:
    """Read a 3x3 camera matrix in pixels, as `read_camera` does, and leave the lens alone."""
    return read_camera(path)[0]


def read_camera(path: Path) -> tuple[NDArray[np.float64], Lens | None]:
    """Read a 3x3 camera matrix in pixels, and the lens's coefficients where the file has them, as OpenCV orders them.

    The lens is a `FisheyeLens` where the file says so. Raises `ScopeDepthError` for a file in none of the forms
    above and for numbers that are no camera.
    """
    camera = read_whole_camera(path)
    return camera.matrix, camera.lens


def read_whole_camera(path: Path) -> Camera:
    """Read a camera as `read_camera` does, with the size of its images where the file states it."""
    camera = _read(path)
    matrix = camera.matrix
    if not np.isfinite(matrix).all() or not np.isfinite(camera.lens or 0).all():
        raise ScopeDepthError(f"The camera file {path} holds numbers too large to be a camera's.")
    if not (matrix[0, 0] > 0 and matrix[1, 1] > 0 and abs(matrix[2, 2] - 1) < 1e-6):
        raise ScopeDepthError(
            f"The camera file {path} is no camera matrix: its focal lengths must be above 0 and its corner 1."
        )
    if np.abs(matrix[[1, 2, 2], [0, 0, 1]]).max() > 1e-6:
        raise ScopeDepthError(
            f"The camera file {path} is no camera matrix: what stands below the diagonal must be 0. Is it written "
            "column by column? Transpose it."
        )
    return camera


def _read(path: Path) -> Camera:
    try:
        with path.open("rb") as file:
            start = file.read(MOST_BYTES)
    except OSError as error:
        raise ScopeDepthError(f"The camera file {path} cannot be read ({error.strerror}).") from error
    if start.startswith(NPY):
        return _from_npy(start, path)
    first = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first == b"[":
        return _from_list(start, path)
    if first == b"<" and b"<camera_model" in start:
        return _from_calibu(start, path)
    found = read_named(path)
    if found.matrices or found.words:
        return camera_of(found, path)
    named, words = _named_numbers(path)
    if named:
        return _from_names(named, words, path)
    return _from_numbers(read_numbers(path), path)


def _from_npy(content: bytes, path: Path) -> Camera:
    try:
        numbers = np.asarray(np.load(io.BytesIO(content), allow_pickle=False), np.float64)
    except (ValueError, TypeError, EOFError, OSError) as error:
        raise ScopeDepthError(f"The camera file {path} is no array of numbers ({error}).") from error
    return _from_numbers([float(one) for one in numbers.ravel()], path)


def _from_list(content: bytes, path: Path) -> Camera:
    """Read numbers in brackets, as JSON or as NumPy prints them; all count, in order."""
    try:
        numbers = np.asarray(json.loads(content), np.float64)
    except (ValueError, TypeError, RecursionError):
        return _from_numbers(read_numbers(path), path)
    return _from_numbers([float(one) for one in numbers.ravel()], path)


def _from_calibu(content: bytes, path: Path) -> Camera:
    """Read the one camera of a Calibu rig: what vicalib writes, and EndoMapper's files of an endoscope's geometry."""
    text = content.decode("utf-8-sig", errors="replace")
    try:
        if "<!" in re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL):
            raise ValueError("entities are not read")
        models = list(ElementTree.fromstring(text).iter("camera_model"))
        if len(models) != 1:
            raise ValueError(f"it holds {len(models)} cameras, and one is read")
        kind, (model,) = models[0].get("type", ""), models
        numbers = [float(one) for one in NUMBER.findall(model.findtext("params") or "")]
        size = tuple(int(float(model.findtext(word) or "")) for word in ("width", "height"))
    except (ElementTree.ParseError, ValueError, OverflowError) as error:
        raise ScopeDepthError(f"The camera file {path} is damaged ({error}). Correct it.") from error
    order = {"kb4": 8, "k1_k2": 6, "k1_k2_k3": 7, "": 4}
    name = kind.removeprefix("calibu_fu_fv_u0_v0").removeprefix("_")
    if not kind.startswith("calibu_fu_fv_u0_v0") or name not in order:
        raise ScopeDepthError(
            f"The camera file {path} has the model {kind!r}; of Calibu's models calibu_fu_fv_u0_v0 alone and with kb4, "
            "k1_k2 or k1_k2_k3 are read."
        )
    if len(numbers) != order[name]:
        raise ScopeDepthError(f"The camera file {path} has {len(numbers)} params; {kind} has {order[name]}.")
    radial = numbers[4:]
    lens: Lens | None = (*radial[:2], 0.0, 0.0, *radial[2:]) if radial else None
    return Camera(_pinhole(*numbers[:4]), FisheyeLens(radial) if name == "kb4" else lens, (size[0], size[1]))


def bare(name: str) -> str:
    """Return a name as it is compared: cameraMatrix, camera_matrix and Camera_Matrix are one."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def camera_of(found: Named, path: Path) -> Camera:
    """Return the one camera that a file names; `path` stands in the `ScopeDepthError` where it names none."""
    words = {bare(name): one for name, one in found.words.items()}
    matrices = {bare(name): one for name, one in found.matrices.items()}
    matrix = next((matrices[name] for name in CAMERA_NAMES if name in matrices), None)
    if matrix is None and {"fx", "fy", "cx", "cy"} <= words.keys():
        numbers = {name: float(one) for name, one in words.items() if isinstance(one, int | float)}
        return _from_names(numbers, words, path)._replace(size=size_in(found))
    if matrix is None:
        names = ", ".join([*found.matrices, *found.words][:12]) or "nothing"
        raise ScopeDepthError(
            f"The camera file {path} names {names}, and no camera matrix; read are {FORMS}."
        )
    if matrix.size == 9 and "intrinsicmatrix" in matrices and matrix.shape == (1, 9):
        matrix = matrix.reshape(3, 3).T  # Open3D writes it column by column
    camera = _from_numbers([float(one) for one in matrix.ravel()], path)
    lens = next((matrices[name] for name in LENS_NAMES if name in matrices), None)
    if lens is not None:
        camera = camera._replace(lens=lens_of([float(one) for one in lens.ravel()], is_fisheye(words), path))
    return camera._replace(size=size_in(found))


def size_in(found: Named) -> tuple[int, int] | None:
    """Return the images' (width, height) that a file states, None where it does not."""
    words = {bare(name): one for name, one in found.words.items()}
    for width, height in (("imagewidth", "imageheight"), ("width", "height"), ("resx", "resy")):
        try:
            return int(float(words[width])), int(float(words[height]))
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    return None


def is_fisheye(words: Mapping[str, Any]) -> bool:
    """Return whether a file says that its lens is one of Kannala and Brandt."""
    said = (str(one).lower() for name, one in words.items() if bare(name).endswith("model"))
    return any(word in one for one in said for word in FISHEYE)


def lens_of(numbers: list[float], fisheye: bool, path: Path) -> Lens:
    """Return a lens's coefficients in OpenCV's order; a fisheye's four as a `FisheyeLens`."""
    if not fisheye:
        return tuple(numbers)
    if len(numbers) != len(FISHEYE_LENS):
        raise ScopeDepthError(
            f"The camera file {path} has {len(numbers)} coefficients for a fisheye lens; it has 4, k1 to k4."
        )
    return FisheyeLens(numbers)


def _named_numbers(path: Path) -> tuple[dict[str, float], dict[str, str]]:
    """Return the numbers of lines `name: number`, and what lines `model: ...` say; none where it has another form."""
    lines = [line.split("#")[0] for line in read_text(path, "camera file").splitlines()]
    found = [match for line in lines if (match := NAMED.fullmatch(line))]
    named = {match[1].lower(): float(match[2]) for match in found}
    if len(named) < len(found):
        raise ScopeDepthError(f"The camera file {path} names a number twice; keep one of them.")
    said = [match for line in lines if (match := SAID.fullmatch(line))]
    return named, {match[1]: match[2] for match in said}


def _from_names(named: Mapping[str, float], words: Mapping[str, Any], path: Path) -> Camera:
    missing = [name for name in ("fx", "fy", "cx", "cy") if name not in named]
    if missing:
        raise ScopeDepthError(
            f"The camera file {path} names {', '.join(named)} and lacks {', '.join(missing)}; fx, fy, cx and cy are "
            "needed."
        )
    matrix = _pinhole(named["fx"], named["fy"], named["cx"], named["cy"])
    matrix[0, 1] = named.get("skew", 0.0)
    if is_fisheye(words):
        return Camera(matrix, FisheyeLens(named.get(name, 0.0) for name in FISHEYE_LENS))
    if not any(name in named for name in LENS):
        return Camera(matrix)
    further = [name for name in LENS[5:] if name in named]
    if further and len(further) < 3:
        raise ScopeDepthError(
            f"The camera file {path} names {', '.join(further)}, and which model that is it does not say: a line "
            "`model: fisheye` for Kannala and Brandt's k1 to k4, or k4, k5 and k6 for OpenCV's rational one."
        )
    count = 8 if further else 5 if "k3" in named else 4
    return Camera(matrix, tuple(named.get(name, 0.0) for name in LENS[:count]))


def _pinhole(fx: float, fy: float, cx: float, cy: float) -> NDArray[np.float64]:
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])


def _from_numbers(numbers: list[float], path: Path) -> Camera:
    count = len(numbers)
    if count - 9 in WITH_LENS:
        return Camera(np.array(numbers[:9]).reshape(3, 3), tuple(numbers[9:]))
    if count == 12:
        return Camera(np.array(numbers).reshape(3, 4)[:, :3])
    if count == 16:
        return Camera(np.array(numbers).reshape(4, 4)[:3, :3])
    if count == 9:
        return Camera(np.array(numbers).reshape(3, 3))
    if count == 4:
        return Camera(_pinhole(*numbers))
    raise ScopeDepthError(f"The camera file {path} holds {count} numbers; read are {FORMS}.")


def intrinsics_from(values: list[float] | list[list[float]] | None) -> NDArray[np.float64] | None:
    """Return a camera matrix from a spec: fx fy cx cy, or three rows of three; None stays None."""
    if values is None:
        return None
    flat = np.asarray(values, np.float64)
    if flat.shape == (4,):
        fx, fy, cx, cy = flat
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    if flat.shape == (3, 3):
        return flat
    raise ScopeDepthError(f"intrinsics are [fx, fy, cx, cy] or three rows of three numbers, not {values}.")
