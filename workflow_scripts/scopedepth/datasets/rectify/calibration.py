"""Stereo calibrations as published: one reader, which tells the formats apart by what the files hold.

OpenCV          one YAML, XML or JSON file, or several (intrinsics.yml and extrinsics.yml): camera matrices and
                distortions of both cameras by any of their usual names, with R and T (stereoCalibrate) or R1 R2
                P1 P2 (stereoRectify); P1 and P2 alone are those of a pair that is rectified already
ROS             camera_info, a YAML file a camera; its unit is the metre
da Vinci        StereoCalibration.ini with [StereoLeft] and [StereoRight] (StereoMIS)
EndoVis         camera_calibration.txt with lines Camera-0-F to Extrinsic-T (EndoVis 2017, 2018)
text            a matrix a camera, its lens behind it or in a file of its own, and an extrinsic: Left_Camera_-
                Calibration_Intrinsic.txt and camera_extrinsic.txt (Hamlyn); calib.left.intrinsic.txt or
                .intrinsics.txt, calib.left.distortion.txt and calib.l2r.4x4, calib.l2r.txt or calib.r2l.txt
                (scikit-surgery, NifTK)
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.cameras import (
    CAMERA_NAMES,
    LENS_NAMES,
    NUMBER,
    Camera,
    bare,
    is_fisheye,
    read_numbers,
    read_whole_camera,
    size_in,
)
from scopedepth.datasets.reading.listing import files_in
from scopedepth.datasets.reading.opencv_file import MOST_BYTES, Named, read_named
from scopedepth.datasets.reading.text import read_text
from scopedepth.datasets.rectify.stereo import StereoCamera
from scopedepth.errors import ScopeDepthError

Size = tuple[int, int]
FORMATS = (
    "OpenCV's YAML, XML or JSON (M1 D1 M2 D2 R T, or R1 R2 P1 P2), ROS's two camera_info files, a da Vinci's "
    "StereoCalibration.ini, EndoVis's camera_calibration.txt, Hamlyn's Left_Camera_Calibration_Intrinsic.txt with "
    "camera_extrinsic.txt, and calib.left.intrinsic(s).txt with calib.l2r.4x4, calib.l2r.txt or calib.r2l.txt"
)
MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
INTRINSIC = ("calib.{}.intrinsic.txt", "calib.{}.intrinsics.txt", "{}_Camera_Calibration_Intrinsic.txt")
EXTRINSIC = ("calib.l2r.4x4", "calib.l2r.txt", "calib.r2l.txt", "calib.r2l.4x4", "camera_extrinsic.txt")
RIGHT_TO_LEFT = "calib.r2l"
# As comments are written in EndoVis's files.
COMMENT = re.compile(r"//|#")
SIDE = re.compile(r"left|right", re.IGNORECASE)
SECTIONS = ("StereoLeft", "StereoRight")


def read_calibration(places: list[Path], size: Size, unit: str | None = None) -> StereoCamera:
    """Return the calibration found in the first of `places` (files or folders) that has one; `size` is (w, h).

    `unit` is that of its T where the format's own is not meant: the millimetre, and ROS's metre.

    Raises a `ScopeDepthError` where two files of a place differ, where a calibration is for images of another size,
    and where there is none: it says which formats are read, and what the files there hold.
    """
    seen: list[str] = []
    for place in places:
        cameras, others = _read_place(place, size, unit)
        if cameras:
            return _the_one(cameras)
        seen += others
    found = f" There: {'; '.join(dict.fromkeys(seen))}." if seen else ""
    raise ScopeDepthError(f"No stereo calibration was found in {places[0]}.{found} Read are {FORMATS}.")


def read_opencv(path: Path, size: Size) -> StereoCamera | None:
    """Read one file of OpenCV's matrices; None where it is no complete calibration of a pair."""
    found = camera_from(read_named(path), size, path)
    return found if isinstance(found, StereoCamera) else None


def _read_place(place: Path, size: Size, unit: str | None) -> tuple[dict[Path, StereoCamera], list[str]]:
    """Return the calibrations in a file or folder by their file, and what is said of files that are none."""
    files = files_in(place, "*.yaml", "*.yml", "*.xml", "*.json", "*.ini", "*.txt") if place.is_dir() else []
    files = files or ([place] if place.is_file() else [])
    cameras: dict[Path, StereoCamera] = {}
    seen: list[str] = []
    named: dict[Path, Named] = {}
    for file in files:
        found: StereoCamera | str | None
        if file.suffix.lower() in (".ini", ".txt"):
            found = _read_lines(file, size)
        else:
            named[file] = read_named(file)
            found = camera_from(named[file], size, file)
        if isinstance(found, StereoCamera):
            cameras[file] = _in_mm(found, unit or "mm")
        elif found:
            seen.append(f"{file.name} {found}")
    # ROS counts in metres (REP 103).
    of_several = (_ros_pair(named, size), "m"), (_joined(named, size), "mm"), (_read_texts(place, size), "mm")
    for several, own_unit in of_several:
        if isinstance(several, str):
            seen.append(several)
        elif several is not None and not cameras:
            cameras[several[0]] = _in_mm(several[1], unit or own_unit)
    return cameras, seen


def _in_mm(camera: StereoCamera, unit: str) -> StereoCamera:
    return replace(camera, translation=camera.translation * MILLIMETRES[unit])


def _the_one(cameras: Mapping[Path, StereoCamera]) -> StereoCamera:
    """Return the calibration that all files of a place hold; two that differ are a `ScopeDepthError`."""
    first, *others = cameras
    for other in others:
        if not all(
            np.array_equal(getattr(cameras[first], part.name), getattr(cameras[other], part.name))
            for part in fields(StereoCamera)
        ):
            raise ScopeDepthError(
                f"{first} and {other.name} hold different calibrations. Name the right one in options.calibration."
            )
    return cameras[first]


def _check_size(stated: Size | None, size: Size, path: Path) -> None:
    """Raise a `ScopeDepthError` where a file is for images of another size than those it is for."""
    if stated is not None and stated != size:
        raise ScopeDepthError(
            f"The calibration {path} is for images of {stated[0]}x{stated[1]}, the images have {size[0]}x{size[1]}. "
            "Resize or crop them alike, or name the right one in options.calibration."
        )


# OpenCV's matrices by name.


def camera_from(found: Named, size: Size, path: Path) -> StereoCamera | str | None:
    """Return the pair that a file's matrices make; what it holds and lacks where they do not; None without any."""
    if not found.matrices:
        return None
    if is_fisheye(found.words):
        return "states fisheye lenses, and pairs of those are not rectified"
    by_name = {_name_of(name): matrix for name, matrix in found.matrices.items()}
    part = {
        name: next((by_name[one] for one in names if one in by_name), None) for name, names in _NAMES.items()
    }
    camera = _from_parts(part, size)
    if camera is None:
        wanted = [name for name in ("M1", "D1", "M2", "D2", "R", "T") if part[name] is None]
        return f"holds {', '.join(list(found.matrices)[:10])} and lacks {', '.join(wanted)}"
    _check_size(size_in(found), size, path)
    return camera


def _name_of(name: str) -> str:
    """Return a matrix's name as it is compared: its side is a 1 or a 2 at the end."""
    side = SIDE.search(name)
    number = "" if side is None else "1" if side[0].lower() == "left" else "2"
    return bare(SIDE.sub("", name)) + number


def _sided(names: Iterable[str], side: int) -> tuple[str, ...]:
    return tuple(f"{name}{side}" for name in names)


_NAMES = {
    "M1": _sided(CAMERA_NAMES, 1),
    "M2": _sided(CAMERA_NAMES, 2),
    "D1": _sided(LENS_NAMES, 1),
    "D2": _sided(LENS_NAMES, 2),
    "R": ("r", "rotation", "rotationmatrix", "rot", "rmat"),
    "T": ("t", "translation", "translationvector", "trans", "tvec"),
    "R1": ("r1", "rectification1", "rectificationmatrix1"),
    "R2": ("r2", "rectification2", "rectificationmatrix2"),
    "P1": ("p1", "projection1", "projectionmatrix1"),
    "P2": ("p2", "projection2", "projectionmatrix2"),
}
Part = Mapping[str, NDArray[np.float64] | None]


def _from_parts(part: Part, size: Size) -> StereoCamera | None:
    """Return the pair that OpenCV's matrices make, None where one lacks.

    stereoRectify turns x1 by R1 and x2 by R2 and then has x2 = x1 + (P2[0, 3] / P2[0, 0], 0, 0), so that
    R = R2^T R1 and T = R2^T (P2[0, 3] / P2[0, 0], 0, 0). P1 and P2 without lenses are of rectified images.
    """
    m1, m2, d1, d2 = (part[name] for name in ("M1", "M2", "D1", "D2"))
    turn, moved = part["R"], part["T"]
    p1, p2, r1, r2 = (part[name] for name in ("P1", "P2", "R1", "R2"))
    projected = p1 is not None and p2 is not None and p1.shape == p2.shape == (3, 4) and p2[0, 0] > 0
    if turn is not None and turn.size == 3:
        turn = cv2.Rodrigues(turn.ravel())[0]
    if projected and (turn is None or moved is None):
        assert p1 is not None
        assert p2 is not None
        along = np.array([p2[0, 3] / p2[0, 0], 0.0, 0.0])
        if m1 is None and m2 is None:
            return _pair((p1[:, :3], p2[:, :3]), (np.zeros(5), np.zeros(5)), np.eye(3), along, size)
        if r1 is not None and r2 is not None:
            turn, moved = r2.T @ r1, r2.T @ along
    if m1 is None or m2 is None or d1 is None or d2 is None or turn is None or moved is None:
        return None
    return _pair((m1, m2), (d1, d2), turn, moved, size)


def _pair(
    matrices: Sequence[NDArray[np.float64]],
    lenses: Sequence[NDArray[np.float64]],
    rotation: Any,
    translation: Any,
    size: Size,
) -> StereoCamera:
    (left, right), (left_lens, right_lens) = matrices, lenses
    turn, moved = (np.asarray(one, np.float64) for one in (rotation, translation))
    return StereoCamera(left, right, left_lens.ravel(), right_lens.ravel(), turn, moved.ravel(), size)


def _joined(named: Mapping[Path, Named], size: Size) -> tuple[Path, StereoCamera] | None:
    """Return the pair that several files make together, as OpenCV's own sample writes intrinsics and extrinsics."""
    matrices: dict[str, NDArray[np.float64]] = {}
    words: dict[str, Any] = {}
    files = [file for file, found in named.items() if found.matrices]
    for file in files:
        for name, matrix in named[file].matrices.items():
            if not np.array_equal(matrices.setdefault(name, matrix), matrix):
                return None
        words |= named[file].words
    if len(files) < 2:
        return None
    camera = camera_from(Named(matrices, words), size, files[0])
    return (files[0], camera) if isinstance(camera, StereoCamera) else None


# ROS's camera_info.


def _ros_pair(named: Mapping[Path, Named], size: Size) -> tuple[Path, StereoCamera] | str | None:
    """Return the pair of two camera_info files: the right camera's projection has the baseline, f times T."""
    infos = {
        file: found
        for file, found in named.items()
        if {"camera_matrix", "projection_matrix"} <= found.matrices.keys()
        and found.matrices["projection_matrix"].shape == (3, 4)
    }
    if not infos:
        return None
    names = " and ".join(file.name for file in infos)
    if len(infos) != 2:
        return f"{names}: camera_info files, and a pair has two"
    (first, second) = sorted(
        infos, key=lambda file: abs(float(infos[file].matrices["projection_matrix"][0, 3]))
    )
    if infos[second].matrices["projection_matrix"][0, 3] == 0:
        return f"{names}: camera_info files of single cameras, without a baseline in projection_matrix"
    if any(is_fisheye(found.words) for found in infos.values()):
        return f"{names}: camera_info files of fisheye lenses, and pairs of those are not rectified"
    part: dict[str, NDArray[np.float64] | None] = dict.fromkeys(_NAMES)
    for side, file in (("1", first), ("2", second)):
        _check_size(size_in(infos[file]), size, file)
        matrices = infos[file].matrices
        part["M" + side] = matrices["camera_matrix"]
        # The second is how old versions spelled it.
        lenses = ("distortion_coefficients", "distortion_coefficents")
        part["D" + side] = next((matrices[name] for name in lenses if name in matrices), np.zeros((1, 5)))
        part["R" + side] = matrices.get("rectification_matrix", np.eye(3))
        part["P" + side] = matrices["projection_matrix"]
    camera = _from_parts(part, size)
    return None if camera is None else (first, camera)


# Lines of names and numbers: a da Vinci's ini, EndoVis's text.


def _read_lines(path: Path, size: Size) -> StereoCamera | str | None:
    if path.stat().st_size > MOST_BYTES:
        return None
    try:
        text = read_text(path, "calibration")
    except ScopeDepthError:
        return None  # no text, so no calibration
    if all(f"[{section}]" in text for section in SECTIONS):
        return _from_da_vinci(text, size, path)
    return _from_endovis(text, size, path) if "Camera-0-" in text or "Extrinsic-" in text else None


def _from_da_vinci(text: str, size: Size, path: Path) -> StereoCamera:
    """Read a da Vinci's calibration. Both sections may hold R and T; the right one's turn the left camera's points."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
        sides = [{name: float(one) for name, one in _numbers_of(parser[part])} for part in SECTIONS]
        matrices = [
            _matrix((side["fc_x"], side["fc_y"]), (side["cc_x"], side["cc_y"]), side.get("alpha_c", 0.0))
            for side in sides
        ]
        lenses = [np.array(_numbered(side, "kc_")) for side in sides]
        rotation = np.array(_numbered(sides[1], "r_"))
        translation = np.array(_numbered(sides[1], "t_"))
        if rotation.size != 9 or translation.size != 3:
            raise KeyError("R_0 to R_8 and T_0 to T_2 in [StereoRight]")
    except (configparser.Error, KeyError, ValueError) as error:
        raise ScopeDepthError(f"The calibration {path} is damaged, or lacks {error}. Correct it.") from error
    if {"res_x", "res_y"} <= sides[0].keys():
        _check_size((int(sides[0]["res_x"]), int(sides[0]["res_y"])), size, path)
    return _pair(matrices, lenses, rotation.reshape(3, 3), translation, size)


def _matrix(focal: Sequence[float], centre: Sequence[float], alpha: float) -> NDArray[np.float64]:
    """Return a camera matrix from Bouguet's fc, cc and alpha_c, the skew as a share of the horizontal focal length."""
    return np.array([[focal[0], alpha * focal[0], centre[0]], [0, focal[1], centre[1]], [0, 0, 1.0]])


def _numbers_of(section: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Yield the entries of a section that are one number."""
    return ((name, one) for name, one in section.items() if one is not None and NUMBER.fullmatch(one.strip()))


def _numbered(side: Mapping[str, float], name: str) -> list[float]:
    """Return name0, name1, ... as far as they go."""
    numbers: list[float] = []
    while (place := f"{name}{len(numbers)}") in side:
        numbers.append(side[place])
    return numbers


def _from_endovis(text: str, size: Size, path: Path) -> StereoCamera | str:
    """Read EndoVis's text: F C K (and Alpha, the skew) of both cameras, Omega a rotation vector, T in mm."""
    lines = (COMMENT.split(line, maxsplit=1)[0].partition(":") for line in text.splitlines())
    found = {
        name.strip(): [float(one) for one in NUMBER.findall(rest)] for name, colon, rest in lines if colon
    }
    wanted = {f"Camera-{side}-{part}": count for side in (0, 1) for part, count in (("F", 2), ("C", 2))}
    wanted |= {"Extrinsic-Omega": 3, "Extrinsic-T": 3}
    lacks = [name for name, count in wanted.items() if len(found.get(name, ())) != count]
    if lacks:
        return f"has lines as EndoVis's and lacks {', '.join(lacks)}"
    matrices, lenses = [], []
    for side in (0, 1):
        skew = found.get(f"Camera-{side}-Alpha") or [0.0]
        matrices.append(_matrix(found[f"Camera-{side}-F"], found[f"Camera-{side}-C"], skew[0]))
        lenses.append(np.array(found.get(f"Camera-{side}-K", [0.0] * 5)))
    if found.get("Width") and found.get("Height"):
        _check_size((int(found["Width"][0]), int(found["Height"][0])), size, path)
    rotation = cv2.Rodrigues(np.array(found["Extrinsic-Omega"]))[0]
    return _pair(matrices, lenses, rotation, np.array(found["Extrinsic-T"]), size)


# A text file a matrix: Hamlyn, scikit-surgery, NifTK.


def _read_texts(folder: Path, size: Size) -> tuple[Path, StereoCamera] | str | None:
    """Return the pair of a folder of text files; what is there and lacks where they are not complete."""
    if not folder.is_dir():
        return None
    here = {file.name.lower(): file for file in files_in(folder, "*.txt", "*.4x4")}
    sides = [
        next((here[one] for name in INTRINSIC if (one := name.format(side).lower()) in here), None)
        for side in ("left", "right")
    ]
    extrinsic = next((here[name.lower()] for name in EXTRINSIC if name.lower() in here), None)
    there = [file for file in (*sides, extrinsic) if file is not None]
    if not there:
        return None
    left, right = sides
    if left is None or right is None or extrinsic is None:
        pair = ("the left camera's matrix", left), ("the right one's", right), ("an extrinsic", extrinsic)
        lacks = ", ".join(word for word, file in pair if file is None)
        return f"{', '.join(file.name for file in there)} without {lacks}"
    cameras = [read_whole_camera(file) for file in (left, right)]
    lenses = [
        _lens_of(camera, file, here.get(f"calib.{side}.distortion.txt"))
        for camera, file, side in zip(cameras, (left, right), ("left", "right"), strict=True)
    ]
    rotation, translation = read_extrinsic(extrinsic)
    if extrinsic.name.lower().startswith(RIGHT_TO_LEFT):
        rotation, translation = inverted(rotation, translation)
    return extrinsic, _pair([one.matrix for one in cameras], lenses, rotation, translation, size)


def _lens_of(camera: Camera, file: Path, beside: Path | None) -> NDArray[np.float64]:
    """Return a camera's lens: behind its matrix, or in a file of its own; none is one that does not distort."""
    own = None if camera.lens is None else np.array(camera.lens)
    stated = None if beside is None else np.array(read_numbers(beside))
    if own is not None and stated is not None and not np.array_equal(own, stated):
        raise ScopeDepthError(f"{file} and {beside} hold different lenses. Keep one of them.")
    lens = own if stated is None else stated
    return np.zeros(5) if lens is None else lens


def read_extrinsic(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read R (3, 3) and T (3,): a 4x4 or 3x4 matrix, or three rows of R and a row of T."""
    lines = (line.split("#")[0] for line in read_text(path, "calibration").splitlines())
    rows = [row for line in lines if (row := [float(one) for one in NUMBER.findall(line)])]
    numbers = np.array([one for row in rows for one in row])
    if [len(row) for row in rows] == [3, 3, 3, 3]:
        matrix = numbers.reshape(4, 3)
        return matrix[:3], matrix[3]
    if numbers.size not in (12, 16):
        raise ScopeDepthError(
            f"{path} holds {numbers.size} numbers; a 4x4 matrix has 16, three rows of R and one of T have 12."
        )
    matrix = numbers.reshape(-1, 4)
    if len(matrix) == 4 and np.abs(matrix[3] - (0, 0, 0, 1)).max() > 1e-6:
        raise ScopeDepthError(
            f"{path} has a last row other than 0 0 0 1. Is it written column by column? Transpose it."
        )
    return matrix[:3, :3], matrix[:3, 3]


def inverted(
    rotation: NDArray[np.float64], translation: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the extrinsic of the other direction: R^T, -R^T T."""
    return rotation.T.copy(), -rotation.T @ translation
