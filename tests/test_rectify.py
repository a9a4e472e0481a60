"""Rectification, matching and undistortion against known geometry."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import dataset_trees as trees
from scopedepth.datasets import Chosen, choose
from scopedepth.datasets.check import check_dataset
from scopedepth.datasets.loaders.stereo import StereoSequence
from scopedepth.datasets.prepare import prepare_unit
from scopedepth.datasets.reading.images import read_raw_depth
from scopedepth.datasets.rectify.readings import calibration_problem, moves
from scopedepth.datasets.rectify.stereo import Rectifier, StereoCamera, noise_level
from scopedepth.datasets.rectify.undistort import undistorted
from scopedepth.errors import ScopeDepthError
from scopedepth.fetch import fetch_dataset
from scopedepth.vocabulary.flags import NO_DEPTH, TOOL

EXACT_STEP = 0.01  # mm for one step of the phantom's exact depth


@pytest.fixture(scope="module")
def phantom_stereo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Chosen]]:
    """Two frames of each sequence of the rendered stereo pair."""
    from scopedepth.phantom import render

    raw = tmp_path_factory.mktemp("phantom_stereo")
    source: Any = {"kind": "phantom", "preset": "stereo", "frames": 2, "size": [288, 360], "seed": 0}
    render(source, raw, 2)
    return raw, choose(trees.spec_of("phantom_stereo", "stereo", source), raw)


def test_rows_of_the_phantom_align(phantom_stereo: tuple[Path, list[Chosen]]) -> None:
    for chosen in phantom_stereo[1]:
        sequence = chosen.sequence
        assert isinstance(sequence, StereoSequence)
        moved = np.concatenate([moves(*sequence.pair(index)) for index in chosen.indices])
        offsets = moved[(moved[:, 0] > 0) & (moved[:, 0] < sequence.limit), 1]
        assert len(offsets) > 200
        assert np.median(np.abs(offsets)) < 0.3
        assert abs(np.median(offsets)) < 0.05


def test_matched_depth_agrees_with_the_exact_one(phantom_stereo: tuple[Path, list[Chosen]]) -> None:
    raw, chosen_sequences = phantom_stereo
    for chosen in chosen_sequences:
        sequence = chosen.sequence
        assert isinstance(sequence, StereoSequence)
        for index in chosen.indices:
            depth: Any = sequence.read(index).depth
            stored = read_raw_depth(raw / sequence.name / "exact_depth" / f"{sequence.frame_ids[index]}.png")
            exact = sequence.rectifier.depth(np.where(stored > 0, stored * np.float32(EXACT_STEP), np.nan))
            assert depth is not None
            error = np.abs(depth - exact) / exact
            error = error[np.isfinite(error)]
            assert error.size > 0.5 * exact.size
            assert np.median(error) < 0.02
            assert np.mean(error < 0.1) > 0.95


def test_hamlyn_sample(samples: Path) -> None:
    folder = samples / "hamlyn_f7"
    chosen = choose(trees.spec_of("f7", "stereo", folder), folder)
    assert len(chosen) == 1
    assert len(chosen[0].indices) == 1
    depth: Any = chosen[0].sequence.read(0).depth
    assert depth is not None
    assert np.isfinite(depth).mean() == pytest.approx(0.68, abs=0.05)
    assert np.nanmedian(depth) == pytest.approx(63, abs=1.5)


def made_up_camera(turn: float = 0.02, k1: float = -0.2) -> StereoCamera:
    """Return a pair with distortion and a turned right camera."""
    matrix = np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]])
    lens = np.array([k1, 0.03, 0.001, -0.001, 0])
    rotation = cv2.Rodrigues(np.array([turn, -turn, turn / 2]))[0]
    return StereoCamera(
        matrix, matrix.copy(), lens, lens.copy(), rotation, np.array([-5.0, 0.1, 0.05]), (320, 240)
    )


def test_depth_follows_the_rectifying_rotation() -> None:
    """A plane square to the raw camera has, after turning, the closed form z = d / (n . ray)."""
    rectifier = Rectifier(made_up_camera())
    depth = rectifier.depth(np.full((240, 320), 100, np.float32))
    rows, columns = np.indices(depth.shape)
    rays = np.linalg.inv(rectifier.intrinsics) @ np.stack([columns, rows, np.ones_like(rows)]).reshape(3, -1)
    normal = rectifier.R1 @ np.array([0, 0, 1.0])
    exact = (100 / (normal @ rays)).reshape(depth.shape)
    seen = np.isfinite(depth)
    assert seen.mean() > 0.95
    # The nearest raw pixel is at most half a pixel off.
    assert np.abs(depth - exact)[seen].max() < 0.02
    assert np.abs(depth - 100)[seen].max() > 0.5


def test_calibrations_that_cannot_be_meant() -> None:
    camera = made_up_camera()
    swapped = StereoCamera(**{**camera.__dict__, "translation": np.array([5.0, 0, 0])})
    with pytest.raises(ScopeDepthError, match="Exchange left and right"):
        Rectifier(swapped)
    vertical = StereoCamera(**{**camera.__dict__, "translation": np.array([0.1, -5.0, 0])})
    with pytest.raises(ScopeDepthError, match="vertical"):
        Rectifier(vertical)


def test_a_pair_of_two_sizes(tmp_path: Path) -> None:
    trees.write_image(tmp_path / "left/1.png", trees.picture(24, 32))
    trees.write_image(tmp_path / "right/1.png", trees.picture(24, 30))
    (tmp_path / "calib.yaml").write_text(trees.SCARED_CALIBRATION)
    sequence = choose(trees.spec_of("pair", "stereo", tmp_path), tmp_path)[0].sequence
    with pytest.raises(ScopeDepthError, match="right image is 30x24, the sequence 32x24"):
        sequence.read(0)
    (tmp_path / "calib.yaml").unlink()
    with pytest.raises(ScopeDepthError, match="No stereo calibration"):
        choose(trees.spec_of("pair", "stereo", tmp_path), tmp_path)


@pytest.mark.parametrize(
    ("left", "right"),
    [("left/7.png", "right/7.png"), ("f7_L_0007.png", "f7_R_0007.png"), ("v/000007l.png", "v/000007r.png")],
)
def test_pairs_by_any_of_the_usual_names(tmp_path: Path, left: str, right: str) -> None:
    trees.write_image(tmp_path / left, trees.picture(24, 32))
    trees.write_image(tmp_path / right, trees.picture(24, 32))
    trees.write_image((tmp_path / left).with_name("notes_8.png"), trees.picture(24, 32))
    (tmp_path / "calib.yaml").write_text(trees.SCARED_CALIBRATION)
    (chosen,) = choose(trees.spec_of("pair", "stereo", tmp_path), tmp_path)
    assert chosen.frame_ids == [Path(left).stem]


def test_stereo_videos(tmp_path: Path) -> None:
    for side, shift in (("L", 6), ("R", 0)):
        writer = cv2.VideoWriter(
            str(tmp_path / f"f7_{side}.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (128, 96)
        )
        for number in range(4):
            wide = cv2.resize(trees.picture(48, 80, number), (160, 96))
            writer.write(np.ascontiguousarray(wide[:, 16 - shift : 144 - shift, ::-1]))
        writer.release()
    text = trees.SCARED_CALIBRATION.replace(
        "1035., 0., 640., 0., 1035., 512.", "100., 0., 64., 0., 100., 48."
    )
    (tmp_path / "calib.yaml").write_text(text)
    chosen = choose(trees.spec_of("video", "stereo", tmp_path, stereo={"min_depth": 30}), tmp_path)[0]
    assert chosen.frame_ids == ["000000", "000001", "000002", "000003"]
    depth: Any = chosen.sequence.read(2).depth
    assert depth is not None
    assert np.nanmedian(depth) == pytest.approx(100 * 4.35 / 6, rel=0.1)


def test_noise_level() -> None:
    noise = np.random.default_rng(0).normal(128, 4, (200, 200))
    assert noise_level(np.clip(noise, 0, 255).astype(np.uint8)) == pytest.approx(4, rel=0.05)


def test_undistortion_puts_points_where_the_pinhole_has_them(tmp_path: Path) -> None:
    """Dots drawn where the distorted lens sees a grid come back onto the pinhole's grid, within half a pixel."""
    camera, lens = np.array([[156.0, 0, 160], [0, 156, 160], [0, 0, 1]]), (-0.2486, 0.0614, 0.0, 0.0)
    grid = np.stack(np.meshgrid(np.arange(80, 260, 40.0), np.arange(80, 260, 40.0)), -1).reshape(-1, 2)
    rays = np.column_stack([(grid - 160) / 156, np.ones(len(grid))])
    seen, _ = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), camera, np.array(lens))
    rows, columns = np.indices((320, 320))
    image = np.zeros((320, 320), np.float64)
    for x, y in seen.reshape(-1, 2):
        image += 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    trees.write_image(
        tmp_path / "rgb/1.png", np.repeat(np.clip(image, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    )
    trees.write_image(tmp_path / "depth/1.png", np.full((320, 320), 9, np.uint16))
    options = {"intrinsics": [156, 156, 160, 160], "distortion": list(lens)}
    spec = trees.spec_of("mine", "folder", tmp_path, options=options, undistort=True)
    frame = undistorted(choose(spec, tmp_path)[0].sequence).read(0)
    for x, y in grid:
        window = frame.rgb[int(y) - 8 : int(y) + 9, int(x) - 8 : int(x) + 9, 0].astype(float)
        at = np.indices(window.shape).reshape(2, -1) @ window.ravel() / window.sum() - 8
        assert np.abs(at).max() < 0.5
    with pytest.raises(ScopeDepthError, match="its lens is not known"):
        undistorted(choose(trees.spec_of("mine", "folder", tmp_path), tmp_path)[0].sequence)


def test_masks_of_the_image_are_undistorted_and_masks_of_the_depth_are_not(tmp_path: Path) -> None:
    """A disc in the image and a mask of it go the same way; the same mask of the depth stays where the depth is."""
    disc = np.zeros((320, 320), np.uint8)
    cv2.circle(disc, (90, 80), 25, 255, -1)
    trees.write_image(tmp_path / "rgb/1.png", np.repeat(disc[..., None], 3, axis=2))
    trees.write_image(tmp_path / "depth/1.png", np.full((320, 320), 9, np.uint16))
    for name in ("tools", "holes"):
        trees.write_image(tmp_path / name / "1.png", disc)
    options = {
        "intrinsics": [156, 156, 160, 160],
        "distortion": [-0.2486, 0.0614, 0, 0],
        "masks": [
            {"files": "tools", "marks": "tool"},
            {"files": "holes", "marks": "no_depth"},
            {"files": "tools", "marks": "doubtful", "above": 9, "inverted": True, "full": 255},
        ],
    }
    spec = trees.spec_of("mine", "folder", tmp_path, options=options, undistort=True)
    frame = undistorted(choose(spec, tmp_path)[0].sequence).read(0)
    assert frame.flags is not None
    assert frame.depth is not None
    tool, shown = (frame.flags & TOOL) > 0, frame.rgb[..., 0] > 127
    np.testing.assert_array_equal(frame.confidence, np.where(tool, 255, 0))
    assert (tool & shown).sum() > 0.97 * (tool | shown).sum()
    assert (tool & (disc > 0)).sum() < 0.8 * tool.sum()  # the lens moves it
    np.testing.assert_array_equal(frame.depth == 0, disc > 0)
    np.testing.assert_array_equal((frame.flags & NO_DEPTH) > 0, disc > 0)


def rewritten(raw: Path, out: Path, **changes: Any) -> list[Chosen]:
    """Return the phantom's pairs in `raw` beside a calibration with some matrices changed."""
    shutil.copytree(raw, out)
    for file in out.rglob("calib.l2r.4x4"):
        matrix = np.loadtxt(file)
        matrix = changes["matrix"](matrix) if "matrix" in changes else matrix
        np.savetxt(file, matrix)
    if changes.get("exchange"):
        for folder in list(out.rglob("left")):
            folder.rename(folder.with_name("x"))
            folder.with_name("right").rename(folder)
            folder.with_name("x").rename(folder.with_name("right"))
    if changes.get("cameras"):
        for file in list(out.rglob("calib.left.*")):
            other = file.with_name(file.name.replace("left", "right"))
            left, right = file.read_text(), other.read_text()
            file.write_text(right)
            other.write_text(left)
    fields = {name: changes[name] for name in ("stereo", "options") if name in changes}
    return choose(trees.spec_of("phantom_stereo", "stereo", out, **fields), out)


def transposed(matrix: np.ndarray) -> np.ndarray:
    """Return a 4x4 extrinsic with its rotation of the other convention."""
    turned = matrix.copy()
    turned[:3, :3] = matrix[:3, :3].T
    return turned


def inverted(matrix: np.ndarray) -> np.ndarray:
    """Return a 4x4 extrinsic from right to left."""
    return np.linalg.inv(matrix)


def position(matrix: np.ndarray) -> np.ndarray:
    """Return a 4x4 extrinsic with the place of the right camera for its translation."""
    placed = matrix.copy()
    placed[:3, 3] = -matrix[:3, :3].T @ matrix[:3, 3]
    return placed


def in_metres(matrix: np.ndarray) -> np.ndarray:
    """Return a 4x4 extrinsic with its translation in metres."""
    metres = matrix.copy()
    metres[:3, 3] /= 1000
    return metres


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        (
            {"matrix": transposed},
            r"rows miss each other by 4\.\d px in the median, and by 0\.\d px with R transposed",
        ),
        ({"exchange": True}, r"and by 0\.\d px with left and right exchanged"),
        ({"matrix": in_metres}, r"at 0\.\d+ mm in the median: is T in metres"),
        ({"matrix": in_metres, "options": {"unit": "m"}}, None),
        ({"options": {"unit": "cm"}}, r"is T 10 times too long, in mm where cm was taken"),
        ({"matrix": transposed, "options": {"extrinsics": "R_transposed"}}, None),
        ({"matrix": inverted, "options": {"extrinsics": "right_to_left"}}, None),
        ({"matrix": position, "options": {"extrinsics": "position"}}, None),
        ({"matrix": inverted, "cameras": True, "options": {"exchanged": True}}, None),
        (
            {"stereo": {"min_depth": 1, "max_depth": 10}},
            r"outside of stereo\.min_depth to max_depth \(1 to 10 mm\)",
        ),
    ],
)
def test_what_the_images_say_of_a_calibration(
    phantom_stereo: tuple[Path, list[Chosen]], tmp_path: Path, changes: dict[str, Any], said: str | None
) -> None:
    for chosen in rewritten(phantom_stereo[0], tmp_path / "changed", **changes):
        problems = chosen.sequence.problems(chosen.indices)
        assert len(problems) == (said is not None)
        assert said is None or re.search(said, problems[0])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"matrix": inverted}, r"miss each other by 0\.\d px with R and T inverted.*right_to_left"),
        ({"matrix": position}, r"by 0\.\d px with T as the place of the right camera.*position"),
        ({"matrix": inverted, "cameras": True}, r"by 0\.\d px with the calibration's two cameras exchanged"),
        (
            {"matrix": inverted, "cameras": True, "exchange": True},
            r"by 0\.\d px with left and right exchanged, images and cameras both",
        ),
    ],
)
def test_a_right_camera_left_of_the_left_one(
    phantom_stereo: tuple[Path, list[Chosen]], tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ScopeDepthError, match=r"puts the right camera to the left of .*" + said) as error:
        rewritten(phantom_stereo[0], tmp_path / "changed", **changes)
    assert "do not tell" not in str(error.value)


def test_what_fits_is_said(phantom_stereo: tuple[Path, list[Chosen]]) -> None:
    for chosen in phantom_stereo[1]:
        (said,) = chosen.sequence.findings(chosen.indices)
        assert re.search(
            r"rectified, rows miss each other by 0\.\d\d px in the median \(\d+ points\), and 100%", said
        )


def test_a_window_of_larger_images(phantom_stereo: tuple[Path, list[Chosen]], tmp_path: Path) -> None:
    raw, (first, _) = phantom_stereo
    place = raw / first.sequence.name
    shutil.copytree(place, tmp_path / "padded")
    for side in ("left", "right"):
        for file in (tmp_path / "padded" / side).iterdir():
            image = cv2.imread(str(file))
            assert image is not None
            cv2.imwrite(str(file), cv2.copyMakeBorder(image, 7, 5, 30, 10, cv2.BORDER_CONSTANT))
    options = {"window": [30, 7, 360, 288]}
    (cut,) = choose(trees.spec_of("x", "stereo", tmp_path, options=options), tmp_path)
    assert np.array_equal(cut.sequence.image(0), first.sequence.image(0))
    with pytest.raises(
        ScopeDepthError, match=r"options.window \(360x288 at 50, 7\) leaves the images of 400x300"
    ):
        choose(trees.spec_of("x", "stereo", tmp_path, options={"window": [50, 7, 360, 288]}), tmp_path)


@pytest.mark.parametrize(
    ("turn", "zoom", "said"), [(0.04, 1, "rows miss .* nor with left"), (0.08, 3, "points can be")]
)
def test_a_calibration_that_no_reading_mends(
    phantom_stereo: tuple[Path, list[Chosen]], turn: float, zoom: float, said: str
) -> None:
    sequence = phantom_stereo[1][0].sequence
    assert isinstance(sequence, StereoSequence)
    camera = sequence.rectifier.camera
    left = np.diag([zoom, zoom, 1.0]) @ camera.left
    rotation = cv2.Rodrigues(np.array([turn, 0.0, 0.0]))[0] @ camera.rotation
    pairs = [(sequence.sides[0](index), sequence.sides[1](index)) for index in (0, 1)]
    problem = calibration_problem(replace(camera, left=left, rotation=rotation), pairs, sequence.settings)
    assert problem is not None
    assert re.search(said, problem)


def test_prepare_refuses_a_calibration_of_the_other_convention(
    phantom_stereo: tuple[Path, list[Chosen]], tmp_path: Path
) -> None:
    rewritten(phantom_stereo[0], tmp_path / "data", matrix=transposed)
    spec = trees.spec_of("pair", "stereo", tmp_path / "data")
    fetch_dataset(spec, tmp_path / "raw", tmp_path / "raw.json", 1)
    with pytest.raises(
        ScopeDepthError, match=r"Sequence cavity: the calibration does not fit .*R transposed"
    ):
        prepare_unit(spec, tmp_path / "raw", tmp_path / "u.zarr", tmp_path / "u.json", 1)
    unchecked = {"check_calibration": False}
    (first, _) = choose(
        trees.spec_of("pair", "stereo", tmp_path / "data", stereo=unchecked), tmp_path / "data"
    )
    assert first.sequence.problems(first.indices) == []
    checked = "\n".join(check_dataset(spec, tmp_path / "raw"))
    assert "  problem: the calibration does not fit the images" in checked
    assert "  rectified, rows miss each other by 4." in checked


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda matrix: matrix.T, "written column by column"),
        (lambda matrix: matrix * np.array([[2, 2, 2, 1]] * 3 + [[1, 1, 1, 1]]), "R is no rotation"),
        (lambda matrix: matrix * np.array([[1, 1, -1, 1]] * 3 + [[1, 1, 1, 1]]), "R is no rotation"),
    ],
)
def test_extrinsics_that_are_none(
    phantom_stereo: tuple[Path, list[Chosen]], tmp_path: Path, change: Any, said: str
) -> None:
    with pytest.raises(ScopeDepthError, match=said):
        rewritten(phantom_stereo[0], tmp_path / "changed", matrix=change)


def test_pairs_that_two_files_could_make(tmp_path: Path) -> None:
    for name in ("left/a_1.png", "left/a-1.png", "right/b.png", "right/a.1.png"):
        trees.write_image(tmp_path / name, trees.picture(24, 32))
    (tmp_path / "calib.yaml").write_text(trees.SCARED_CALIBRATION)
    with pytest.raises(ScopeDepthError, match="are both a_1; keep one"):
        choose(trees.spec_of("pair", "stereo", tmp_path), tmp_path)
    trees.write_image(tmp_path / "right/a_1.png", trees.picture(24, 32))
    trees.write_image(tmp_path / "right/a-1.png", trees.picture(24, 32))
    (tmp_path / "right/a.1.png").unlink()
    (chosen,) = choose(trees.spec_of("pair", "stereo", tmp_path), tmp_path)
    assert chosen.frame_ids == ["a-1", "a_1"]
