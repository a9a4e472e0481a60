"""Calibrations as they are published, each written here in its own form, and read back to the same cameras."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from scopedepth.datasets.reading.cameras import FisheyeLens, read_camera, read_whole_camera
from scopedepth.datasets.rectify.calibration import read_calibration
from scopedepth.datasets.rectify.readings import read_as
from scopedepth.datasets.rectify.stereo import Rectifier, StereoCamera
from scopedepth.datasets.rectify.undistort import Undistorter
from scopedepth.errors import ScopeDepthError

SIZE = (1280, 1024)
K1 = np.array([[1084.21, 0, 580.02], [0, 1084.05, 506.79], [0, 0, 1]])
K2 = np.array([[1083.43, 0, 680.91], [0, 1083.22, 505.81], [0, 0, 1]])
D1 = np.array([-0.00069, 0.00195, 0.00018, 0.0, 0.0])
D2 = np.array([-0.00085, 0.00245, 0.00004, 0.0, 0.0])
OMEGA = np.array([-0.002, -0.011, 0.004])
R = cv2.Rodrigues(OMEGA)[0]
T = np.array([-4.3499, 0.0333, -0.0369])
KNOWN = StereoCamera(K1, K2, D1, D2, R, T, SIZE)


def rows(matrix: NDArray[np.float64]) -> str:
    """Return a matrix as text, a row a line, with all of its digits."""
    return "".join(" ".join(map(repr, map(float, row))) + "\n" for row in np.atleast_2d(matrix))


def opencv_file(path: Path, **matrices: NDArray[np.float64]) -> None:
    """Write matrices with OpenCV itself, which chooses YAML, XML or JSON by the file's name."""
    file = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for name, matrix in matrices.items():
        file.write(name, np.atleast_2d(matrix))
    file.release()


def rectified() -> dict[str, NDArray[np.float64]]:
    """Return what stereoRectify makes of the pair."""
    lens = Rectifier(KNOWN)
    return {"R1": lens.R1, "R2": lens.R2, "P1": lens.P1, "P2": lens.P2}


def opencv(name: str, *names: str) -> Callable[[Path], None]:
    """Return what writes the pair with OpenCV under some names."""
    return lambda folder: opencv_file(folder / name, **dict(zip(names, (K1, D1, K2, D2, R, T), strict=True)))


def opencv_of_stereo_rectify(folder: Path) -> None:
    opencv_file(folder / "calib.yml", M1=K1, D1=D1, M2=K2, D2=D2, **rectified())


def opencv_in_two_files(folder: Path) -> None:
    opencv_file(folder / "intrinsics.yml", M1=K1, D1=D1, M2=K2, D2=D2)
    opencv_file(folder / "extrinsics.yml", R=R, T=T.reshape(3, 1), **rectified())


def json_of_rows(folder: Path) -> None:
    named = {"K_left": K1, "dist_left": D1, "K_right": K2, "dist_right": D2, "R": R, "T": T}
    content = {name: matrix.tolist() for name, matrix in named.items()} | {
        "image_width": 1280,
        "image_height": 1024,
    }
    (folder / "stereo.json").write_text(json.dumps(content))


def da_vinci(folder: Path) -> None:
    """Write StereoMIS's StereoCalibration.ini."""
    lines = []
    for section, matrix, lens, turn, moved in (
        ("StereoLeft", K1, D1, np.eye(3), np.zeros(3)),
        ("StereoRight", K2, D2, R, T),
    ):
        lines += [f"[{section}]", "res_x=1280", "res_y=1024", f"fc_x={matrix[0, 0]}", f"fc_y={matrix[1, 1]}"]
        lines += [f"cc_x={matrix[0, 2]}", f"cc_y={matrix[1, 2]}"]
        lines += [f"kc_{number}={value}" for number, value in enumerate(lens)]
        lines += [f"R_{number}={float(value)!r}" for number, value in enumerate(turn.ravel())]
        lines += [f"T_{number}={value}" for number, value in enumerate(moved)]
    (folder / "StereoCalibration.ini").write_text("\n".join(lines) + "\n")


def endovis(folder: Path) -> None:
    """Write the camera_calibration.txt of EndoVis 2017 and 2018."""
    (folder / "camera_calibration.txt").write_text(
        "// camera calibration\n"
        "Width: 1280\nHeight: 1024\n"
        "Camera-0-F: 1084.21 1084.05                     // left camera x,y focal dist in pixels\n"
        "Camera-0-C: 580.02 506.79                       // left camera x,y center in pixels\n"
        "Camera-0-Alpha: 0.0\n"
        "Camera-0-K: -0.00069 0.00195 0.00018 0.0 0.0    // left camera radial distortion\n"
        "Camera-1-F: 1083.43 1083.22\nCamera-1-C: 680.91 505.81\nCamera-1-Alpha: 0.0\n"
        "Camera-1-K: -0.00085 0.00245 0.00004 0.0 0.0\n"
        "Extrinsic-Omega: -0.002 -0.011 0.004            // left to right camera rotation\n"
        "Extrinsic-T: -4.3499 0.0333 -0.0369             // left to right camera position\n"
    )


def hamlyn(folder: Path) -> None:
    """Write the original Hamlyn videos' files: a lens behind its matrix, T behind R."""
    (folder / "Left_Camera_Calibration_Intrinsic.txt").write_text(rows(K1) + rows(D1))
    (folder / "Right_Camera_Calibration_Intrinsic.txt").write_text(rows(K2) + rows(D2))
    (folder / "camera_extrinsic.txt").write_text(rows(R) + rows(T))


def scikit_surgery(folder: Path) -> None:
    """Write scikit-surgery's names: calib.l2r.txt has R and below it T."""
    (folder / "calib.left.intrinsics.txt").write_text(rows(K1))
    (folder / "calib.left.distortion.txt").write_text(rows(D1))
    (folder / "calib.right.intrinsics.txt").write_text(rows(K2))
    (folder / "calib.right.distortion.txt").write_text(rows(D2))
    (folder / "calib.l2r.txt").write_text(rows(R) + rows(T))


def nifty_cal(folder: Path) -> None:
    """Write NifTK's form: a lens behind its matrix, and the extrinsic from right to left."""
    (folder / "calib.left.intrinsics.txt").write_text(rows(K1) + rows(D1))
    (folder / "calib.right.intrinsics.txt").write_text(rows(K2) + rows(D2))
    (folder / "calib.r2l.txt").write_text(rows(R.T) + rows(-R.T @ T))


def ros(folder: Path) -> None:
    """Write two camera_info files as camera_calibration saves them; T is in metres."""
    made = rectified()
    for side, matrix, lens, turn, projection in (
        ("left", K1, D1, made["R1"], made["P1"]),
        ("right", K2, D2, made["R2"], made["P2"]),
    ):
        metres = projection * np.array([1, 1, 1, 0.001])
        parts = {
            "camera_matrix": matrix,
            "distortion_coefficients": np.atleast_2d(lens),
            "rectification_matrix": turn,
            "projection_matrix": metres,
        }
        text = f"image_width: 1280\nimage_height: 1024\ncamera_name: narrow_stereo/{side}\n"
        text += "distortion_model: plumb_bob\n"
        for name, part in parts.items():
            text += f"{name}:\n  rows: {part.shape[0]}\n  cols: {part.shape[1]}\n  data: {part.ravel().tolist()}\n"
        (folder / f"{side}.yaml").write_text(text)


WRITTEN = {
    "OpenCV's YAML, M1": opencv("a.yaml", "M1", "D1", "M2", "D2", "R", "T"),
    "OpenCV's YAML, K1": opencv("a.yml", "K1", "D1", "K2", "D2", "R", "T"),
    "OpenCV's XML": opencv("a.xml", "M1", "D1", "M2", "D2", "R", "T"),
    "OpenCV's JSON": opencv("a.json", "M1", "D1", "M2", "D2", "R", "T"),
    "cameraMatrix1": opencv(
        "a.xml", "cameraMatrix1", "distCoeffs1", "cameraMatrix2", "distCoeffs2", "R", "T"
    ),
    "camera_matrix_left": opencv(
        "a.yaml",
        "camera_matrix_left",
        "dist_coeffs_left",
        "camera_matrix_right",
        "dist_coeffs_right",
        "R",
        "T",
    ),
    "leftCameraMatrix": opencv(
        "a.yaml",
        "leftCameraMatrix",
        "leftDistortion",
        "rightCameraMatrix",
        "rightDistortion",
        "rotationMatrix",
        "translationVector",
    ),
    "stereoRectify": opencv_of_stereo_rectify,
    "two files": opencv_in_two_files,
    "JSON": json_of_rows,
    "StereoMIS": da_vinci,
    "EndoVis": endovis,
    "Hamlyn": hamlyn,
    "scikit-surgery": scikit_surgery,
    "NifTK": nifty_cal,
    "ROS": ros,
}


@pytest.mark.parametrize("form", WRITTEN)
def test_each_published_form_gives_the_same_pair(tmp_path: Path, form: str) -> None:
    WRITTEN[form](tmp_path)
    camera = read_calibration([tmp_path / "empty", tmp_path], SIZE)
    for name, value in vars(KNOWN).items():
        found = getattr(camera, name)
        assert np.allclose(found, value, rtol=0, atol=1e-9), name


def test_projections_alone_are_of_a_pair_that_is_rectified(tmp_path: Path) -> None:
    made = rectified()
    opencv_file(tmp_path / "calib.json", P1=made["P1"], P2=made["P2"], Q=np.eye(4))
    camera = read_calibration([tmp_path], SIZE)
    assert np.allclose(camera.rotation, np.eye(3))
    assert not camera.left_distortion.any()
    assert Rectifier(camera).baseline == pytest.approx(Rectifier(KNOWN).baseline)
    assert camera.left[0, 0] == pytest.approx(made["P1"][0, 0])


@pytest.mark.parametrize("form", ["StereoMIS", "EndoVis", "JSON", "ROS"])
def test_a_calibration_of_another_size_is_refused(tmp_path: Path, form: str) -> None:
    WRITTEN[form](tmp_path)
    with pytest.raises(ScopeDepthError, match="is for images of 1280x1024, the images have 1920x1080"):
        read_calibration([tmp_path], (1920, 1080))


def test_ros_in_millimetres(tmp_path: Path) -> None:
    ros(tmp_path)
    assert read_calibration([tmp_path], SIZE, "mm").translation[0] == pytest.approx(T[0] / 1000)
    endovis(tmp_path)
    for file in tmp_path.glob("*.yaml"):
        file.unlink()
    assert read_calibration([tmp_path], SIZE, "m").translation[0] == pytest.approx(T[0] * 1000)


def without(folder: Path, write: Callable[[Path], None], name: str) -> None:
    """Write a calibration, and take one of its files away."""
    write(folder)
    (folder / name).unlink()


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda folder: None, "No stereo calibration was found in .*Read are OpenCV's"),
        (
            lambda folder: opencv_file(folder / "a.yaml", M1=K1, D1=D1),
            "a.yaml holds M1, D1 and lacks M2, D2, R, T",
        ),
        (lambda folder: without(folder, hamlyn, "camera_extrinsic.txt"), "without an extrinsic"),
        (lambda folder: (folder / "c.txt").write_text("Camera-0-F: 1 2\n"), "lacks Camera-0-C, Camera-1-F"),
        (
            lambda folder: without(folder, ros, "right.yaml"),
            "camera_info files, and a pair has two",
        ),
        (
            lambda folder: (folder / "c.ini").write_text("[StereoLeft]\nfc_x=1\n[StereoRight]\nfc_x=1\n"),
            "c.ini is damaged, or lacks 'fc_y'",
        ),
    ],
)
def test_what_is_there_and_lacks(tmp_path: Path, write: Callable[[Path], None], said: str) -> None:
    write(tmp_path)
    with pytest.raises(ScopeDepthError, match=said) as error:
        read_calibration([tmp_path], SIZE)
    assert "\n" not in str(error.value)


def test_two_calibrations_that_differ(tmp_path: Path) -> None:
    endovis(tmp_path)
    opencv_file(tmp_path / "b.yaml", M1=K1, D1=D1, M2=K2, D2=D2, R=R.T, T=T)
    with pytest.raises(ScopeDepthError, match="hold different calibrations"):
        read_calibration([tmp_path], SIZE)
    nifty_cal(tmp_path)
    (tmp_path / "calib.left.distortion.txt").write_text("0 0 0 0 0\n")
    with pytest.raises(ScopeDepthError, match="hold different lenses"):
        read_calibration([tmp_path], SIZE)


def test_every_convention_leads_back_to_the_same_pair() -> None:
    inverse = StereoCamera(K1, K2, D1, D2, R.T, -R.T @ T, SIZE)
    transposed = StereoCamera(K1, K2, D1, D2, R.T, T, SIZE)
    place = StereoCamera(K1, K2, D1, D2, R, -R.T @ T, SIZE)
    exchanged = StereoCamera(K2, K1, D2, D1, R.T, -R.T @ T, SIZE)
    for camera, extrinsics, is_exchanged in (
        (inverse, "right_to_left", False),
        (transposed, "R_transposed", False),
        (place, "position", False),
        (exchanged, "left_to_right", True),
        (KNOWN, "left_to_right", False),
    ):
        read = read_as(camera, extrinsics, is_exchanged)
        for name, value in vars(KNOWN).items():
            assert np.allclose(getattr(read, name), value, rtol=0, atol=1e-12), (extrinsics, name)


# One camera.

CALIBU = """<rig>
    <camera>
        <camera_model name="" index="0" serialno="0" type="{}" version="8">
            <width> 1440 </width>
            <height> 1080 </height>
            <!-- Use RDF matrix, [right down forward], to define the coordinate frame convention -->
            <right> [ 1; 0; 0 ] </right>
            <down> [ 0; 1; 0 ] </down>
            <forward> [ 0; 0; 1 ] </forward>
            <!-- Camera parameters ordered as per type name. -->
            <params> [ {} ] </params>
        </camera_model>
        <pose>
            <T_wc> [ 1, 0, 0, 0; 0, 1, 0, 0; 0, 0, 1, 0 ] </T_wc>
        </pose>
    </camera>
</rig>
"""
FISHEYE = (-0.1396589, -0.0003139987, 0.001505504, -0.0001316715)


@pytest.mark.parametrize(
    ("name", "content", "lens"),
    [
        ("K.txt", rows(K1), None),
        ("K.txt", rows(np.hstack([K1, np.zeros((3, 1))])), None),
        ("K.txt", rows(K1) + rows(D1), tuple(D1)),
        ("K.txt", "fx: 1084.21\nfy: 1084.05\ncx: 580.02\ncy: 506.79\nk1: 0.5\n", (0.5, 0, 0, 0)),
        ("K.json", json.dumps(K1.tolist()), None),
        ("K.json", json.dumps({"K": K1.tolist()}), None),
        ("K.json", json.dumps({"camera_matrix": K1.tolist(), "dist_coeffs": [D1.tolist()]}), tuple(D1)),
        ("K.json", json.dumps({"fx": 1084.21, "fy": 1084.05, "cx": 580.02, "cy": 506.79}), None),
        (
            "open3d.json",
            json.dumps({"width": 9, "height": 9, "intrinsic_matrix": K1.T.ravel().tolist()}),
            None,
        ),
        (
            "endomapper.json",
            json.dumps(
                {"model": "Kannala-Brandt", "fx": 1084.21, "fy": 1084.05, "cx": 580.02, "cy": 506.79}
                | {f"k{number + 1}": value for number, value in enumerate(FISHEYE)}
            ),
            FisheyeLens(FISHEYE),
        ),
        (
            "Endoscope_01_geometrical.xml",
            CALIBU.format(
                "calibu_fu_fv_u0_v0_kb4", "; ".join(map(str, (1084.21, 1084.05, 580.02, 506.79, *FISHEYE)))
            ),
            FisheyeLens(FISHEYE),
        ),
        (
            "pinhole.xml",
            CALIBU.format("calibu_fu_fv_u0_v0_k1_k2", "1084.21; 1084.05; 580.02; 506.79; 0.1; 0.2"),
            (0.1, 0.2, 0.0, 0.0),
        ),
    ],
)
def test_one_camera_in_each_form(
    tmp_path: Path, name: str, content: str, lens: tuple[float, ...] | None
) -> None:
    (tmp_path / name).write_text(content)
    matrix, found = read_camera(tmp_path / name)
    assert np.array_equal(matrix, K1)
    assert found == lens
    assert type(found) is type(lens)


def test_one_camera_in_the_forms_of_libraries(tmp_path: Path) -> None:
    np.save(tmp_path / "K.npy", K1)
    assert np.array_equal(read_camera(tmp_path / "K.npy")[0], K1)
    np.save(tmp_path / "pickle.npy", np.array([{}], dtype=object))
    with pytest.raises(ScopeDepthError, match="no array of numbers"):
        read_camera(tmp_path / "pickle.npy")
    for name in ("c.yaml", "c.xml"):
        opencv_file(tmp_path / name, Camera_Matrix=K1, Distortion_Coefficients=D1)
        matrix, lens = read_camera(tmp_path / name)
        assert np.array_equal(matrix, K1)
        assert lens == tuple(D1)
    ros(tmp_path)
    camera = read_whole_camera(tmp_path / "right.yaml")
    assert np.array_equal(camera.matrix, K2)
    assert camera.lens == tuple(D2)
    assert camera.size == SIZE


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("1 2 3 4 5\n", "holds 5 numbers; read are a 3x3 matrix"),
        ('{"pose": [1, 2, 3]}', "names pose, and no camera matrix; read are"),
        ("fx: 1\nfy: 1\ncx: 1\ncy: 1\nk1: 1\nk4: 1\n", "names k4, and which model that is"),
        (CALIBU.format("calibu_fu_fv_u0_v0_w", "1; 1; 1; 1; 1"), "has the model 'calibu_fu_fv_u0_v0_w'"),
        (CALIBU.format("calibu_fu_fv_u0_v0_kb4", "1; 1; 1; 1; 1"), "has 5 params; .* has 8"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><camera_model/>", "entities are not read"),
    ],
)
def test_what_is_no_camera_says_what_it_is(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "camera").write_text(content)
    with pytest.raises(ScopeDepthError, match=said) as error:
        read_camera(tmp_path / "camera")
    assert "\n" not in str(error.value)


def test_a_fisheye_is_undistorted_as_its_formula_says() -> None:
    """A pinhole's pixel at the angle t to the axis comes from the radius f (t + k1 t^3 + k2 t^5 + k3 t^7 + k4 t^9)."""
    camera = np.array([[700.0, 0, 719.5], [0, 700, 539.5], [0, 0, 1]])
    maps = Undistorter(camera, FisheyeLens(FISHEYE), (1440, 1080))._maps
    for x, y in ((719, 539), (100, 200), (1300, 900)):
        ray = np.array([(x - 719.5) / 700, (y - 539.5) / 700])
        angle = np.arctan(np.linalg.norm(ray))
        radius = angle + sum(k * angle ** (3 + 2 * power) for power, k in enumerate(FISHEYE))
        expected = ray / np.linalg.norm(ray) * radius * 700 + (719.5, 539.5)
        assert np.allclose([maps[0][y, x], maps[1][y, x]], expected, atol=1e-3)
