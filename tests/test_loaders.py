"""Every loader reads a tree in its dataset's published layout back to within the encoding's own step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import dataset_trees as trees
from scopedepth.datasets import Chosen, choose, find_sequences
from scopedepth.datasets.loaders.scared import ScaredVideo
from scopedepth.errors import ScopeDepthError, UnreadableFrame
from scopedepth.metrics import Kept
from scopedepth.metrics.consistency import moved
from scopedepth.vocabulary.flags import OCCLUDED, TOOL


def read_depth(chosen: Chosen, index: int) -> np.ndarray:
    """Return a frame's depth decoded, NaN missing."""
    stored = chosen.sequence.read(index).depth
    assert stored is not None
    return chosen.sequence.encoding.decode(stored)


def test_endoslam_unity_with_its_oddities(tmp_path: Path) -> None:
    grey = np.linspace(1, 72, 320 * 320).astype(np.uint8).reshape(320, 320)
    grey[:10] = 0
    trees.endoslam(
        tmp_path,
        {
            "Colon": {9998: grey, 9999: grey, 10000: grey},
            "Small Intestine": {1: grey},
            "Stomach": {0: grey, 1: grey},
        },
    )
    organ = tmp_path / "EndoSLAM/UnityCam/Stomach"
    trees.write_image(organ / "Frames/Frames/image_0002.png", trees.picture(320, 320))  # no depth
    trees.write_image(
        organ / "Pixelwise Depths/aov_image_0007.png", np.repeat(grey[..., None], 4, axis=2)
    )  # no frame
    (organ / "Poses").mkdir()
    (organ / "Poses/stomach_position_rotation.csv").write_text(
        "tX,tY,tZ,rX,rY,rZ,rW,time\n1,2,3,0,0,0,1,0.1\n2,2,3,0,0,0,1,0.2\n3,2,nan\n"
    )
    real = tmp_path / "EndoSLAM/Cameras/HighCam/Colon-IV/TumorfreeTrajectory_1/Frames"
    trees.write_image(real / "image_0000.png", trees.picture(72, 128))
    spec = trees.spec_of("endoslam", "endoslam_unity", tmp_path, depth={"unit": "relative"})
    found = {one.sequence.name: one for one in choose(spec, tmp_path)}
    assert list(found) == ["colon", "small_intestine", "stomach"]
    assert found["colon"].frame_ids == ["image_9998", "image_9999", "image_10000"]
    depth = read_depth(found["colon"], 2)
    assert np.array_equal(np.isnan(depth), grey == 0)
    assert np.array_equal(depth[10:], grey[10:].astype(np.float32))
    assert found["stomach"].sequence.read(2).depth is None
    notes = " ".join(found["stomach"].sequence.notes)
    for part in (
        "1 of 3 images have no depth file, the first one image_0002",
        "1 depth files have no image and are left out, the first one aov_image_0007.png",
        "1 truncated",
        "2 poses for 3 frames",
        "rotations are identical",
    ):
        assert part in notes
    assert found["colon"].sequence.intrinsics is not None
    assert found["colon"].sequence.intrinsics[0, 0] == pytest.approx(156.0418)


def test_endoslam_needs_its_unit_said(tmp_path: Path) -> None:
    with pytest.raises(ScopeDepthError, match="unit of EndoSLAM's depth is not known"):
        find_sequences(trees.spec_of("endoslam", "endoslam_unity", tmp_path), tmp_path)
    grey = np.full((8, 8), 7, np.uint8)
    trees.endoslam(tmp_path, {"Colon": {1: grey}}, nest=False)
    spec = trees.spec_of("endoslam", "endoslam_unity", tmp_path, depth={"unit": "mm", "scale": 10})
    assert np.all(read_depth(choose(spec, tmp_path)[0], 0) == 70)


CAMERA_06 = "765.82 0 276.47 0\n0 765.82 253.68 0\n0 0 1 0\n"  # with the fourth column
CAMERA_01 = "383.19 0 155.97\n0 383.19 124.33\n0 0 1\n"


def test_hamlyn_rectified(tmp_path: Path) -> None:
    depth = np.round(trees.depth_mm(480, 640, 30, 290)).astype(np.uint16)
    depth[:, :40] = 0
    trees.hamlyn(tmp_path, "01", {0: depth, 3: depth + 1}, CAMERA_01, nest=True)
    trees.hamlyn(tmp_path, "06", {0: depth}, CAMERA_06)
    wide = np.full((288, 720), 85, np.uint16)
    trees.hamlyn(tmp_path, "14", {7: wide}, "417.90 0 373.21\n0 417.90 158.14\n0 0 1")
    spec = trees.spec_of("hamlyn", "hamlyn_rectified", tmp_path, sequences=["rectified*"])
    first, sixth, wide_one = choose(spec, tmp_path)
    assert [one.sequence.name for one in (first, sixth, wide_one)] == [
        "rectified01",
        "rectified06",
        "rectified14",
    ]
    assert first.frame_ids == ["0000000000", "0000000003"]
    assert np.array_equal(np.isnan(read_depth(first, 0)), depth == 0)
    assert np.array_equal(read_depth(first, 0)[:, 40:], depth[:, 40:].astype(np.float32))
    assert sixth.sequence.intrinsics is not None
    wanted = np.array([[765.82, 0, 276.47], [0, 765.82, 253.68], [0, 0, 1]])
    assert np.allclose(sixth.sequence.intrinsics, wanted)
    assert first.sequence.intrinsics is not None
    assert np.allclose(first.sequence.intrinsics, sixth.sequence.intrinsics)
    assert "half the resolution" in first.sequence.notes[0]
    (tmp_path / "calibration/06/intrinsics.txt").unlink()
    alone = choose(spec, tmp_path)[0].sequence
    assert alone.intrinsics is not None
    assert np.allclose(alone.intrinsics[:2, :2], [[766.38, 0], [0, 766.38]])


def test_hamlyn_with_foundation_stereo_depth(tmp_path: Path) -> None:
    depth = np.full((288, 360), 41, np.uint16)
    trees.hamlyn(tmp_path, "04", {0: depth}, CAMERA_06)
    trees.write_image(tmp_path / "rectified04/depth01_fs/0000000000.png", depth + 5)
    spec = trees.spec_of("hamlyn", "hamlyn_rectified", tmp_path, options={"depths": "depth01_fs"})
    assert np.all(read_depth(choose(spec, tmp_path)[0], 0) == 46)


def test_simcol3d(tmp_path: Path) -> None:
    truth = {number: trees.depth_mm(475, 475, 2, 195, number) for number in (0, 1, 2)}
    trees.simcol(tmp_path / "SyntheticColon_I/Frames_S1", truth)
    (tmp_path / "SyntheticColon_I/Frames_S1/Depth_0002.png").unlink()
    chosen = choose(trees.spec_of("simcol", "simcol3d", tmp_path), tmp_path)[0]
    assert chosen.sequence.name == "Frames_S1"
    assert np.abs(read_depth(chosen, 1) - truth[1]).max() <= 200 / 65280 / 2 + 1e-4
    assert np.array_equal(chosen.sequence.read(0).rgb, trees.picture(475, 475, 0))
    assert chosen.sequence.notes == ["1 of 3 images have no depth file, the first one 0002"]
    (tmp_path / "SyntheticColon_I/Frames_S1/FrameBuffer_0001.png").unlink()
    chosen = choose(trees.spec_of("simcol", "simcol3d", tmp_path), tmp_path)[0]
    assert (
        chosen.sequence.notes[1]
        == "1 depth files have no image and are left out, the first one Depth_0001.png"
    )


def test_simcol3d_has_the_cameras_way(tmp_path: Path) -> None:
    """In left-handed centimetres; frames have the lines of their own numbers."""
    folder = tmp_path / "SyntheticColon_I"
    trees.simcol(folder / "Frames_S1", {number: trees.depth_mm(475, 475, 2, 195) for number in (0, 2)})
    half = np.sqrt(0.5)
    turns = ["0 0 0 1", "0 0 0 1", f"0 0 {half} {half}"]  # a quarter about z
    (folder / "SavedPosition_S1.txt").write_text("0 0 0\n9 9 9\n1 2 3\n")
    (folder / "SavedRotationQuaternion_S1.txt").write_text("\n".join(turns))
    spec = trees.spec_of("simcol", "simcol3d", tmp_path)
    poses = choose(spec, tmp_path)[0].sequence.poses
    assert poses is not None
    assert np.allclose(poses[0], np.eye(4))
    assert np.allclose(poses[1], [[0, 1, 0, 10], [-1, 0, 0, -20], [0, 0, 1, 30], [0, 0, 0, 1]])
    (folder / "SavedPosition_S1.txt").write_text("0 0 0\n9 9 9\n")
    sequence = choose(spec, tmp_path)[0].sequence
    assert sequence.poses is None
    assert any("poses of 2 frames" in note for note in sequence.notes)


@pytest.mark.parametrize("second_version", [False, True])
def test_c3vd(tmp_path: Path, second_version: bool) -> None:
    truth = trees.depth_mm(54, 68, 5, 95)
    truth[0], truth[1] = 0, 200  # nothing there; beyond the range
    trees.c3vd(tmp_path / "trans_t1_a", {1: truth, 4: truth}, second_version)
    chosen = choose(trees.spec_of("c3vd", "c3vd", tmp_path), tmp_path)[0]
    assert chosen.sequence.name == "trans_t1_a"
    assert chosen.frame_ids == ["0001", "0004"]
    depth = read_depth(chosen, 1)
    assert np.isnan(depth[:2]).all()
    assert np.abs(depth[2:] - truth[2:]).max() <= 100 / 65535 / 2 + 1e-4
    assert chosen.sequence.intrinsics is None


def turned(degrees: float, *position: float) -> NDArray[np.float64]:
    """A turn about an axis that is none of the camera's, and a position."""
    pose = np.eye(4)
    pose[:3, :3] = cv2.Rodrigues(np.deg2rad(degrees) * np.array([0.48, 0.6, 0.64]))[0]
    pose[:3, 3] = position
    return pose


def test_c3vd_has_the_cameras_way(tmp_path: Path) -> None:
    """As its makers' example takes rows of points to the world: from the right, with the numbers row by row."""
    poses = [turned(5.0 * number, number, 2.5, -110.0) for number in range(5)]
    folder, spec = tmp_path / "trans_t1_a", trees.spec_of("c3vd", "c3vd", tmp_path)
    trees.c3vd(folder, {number: trees.depth_mm(54, 68, 5, 95) for number in (1, 4)})
    trees.c3vd_poses(folder, poses)
    sequence = choose(spec, tmp_path)[0].sequence
    assert sequence.poses is not None
    lines = np.loadtxt(folder / "pose.txt", delimiter=",")
    point = np.array([3.0, -2.0, 40.0, 1.0])
    for number, pose in zip((1, 4), sequence.poses, strict=True):
        assert np.allclose(pose @ point, point @ lines[number].reshape(4, 4))
        assert np.allclose(pose, poses[number], atol=1e-4)
    trees.c3vd_poses(folder, poses[:4])
    sequence = choose(spec, tmp_path)[0].sequence
    assert sequence.poses is None
    assert sequence.notes[-1] == "pose.txt has 4 lines, and frames lie beyond them: no poses are taken"
    trees.c3vd_poses(folder, [pose.T for pose in poses])
    with pytest.raises(ScopeDepthError, match=r"pose\.txt, line 1 is no pose: its last row is not 0 0 0 1"):
        choose(spec, tmp_path)
    (folder / "pose.txt").write_text("0,1,2,3,4,5,6,7,8,9,10,11\n" * 5)
    with pytest.raises(ScopeDepthError, match=r"12 numbers; 16 finite ones \(4x4, column by column\)"):
        choose(spec, tmp_path)


def test_serv_ct(tmp_path: Path) -> None:
    truth = trees.depth_mm(58, 72, 40, 120)
    truth[5] = 0
    trees.serv_ct(tmp_path, 1, {1: truth, 2: truth})
    trees.serv_ct(tmp_path, 2, {9: truth}, "Reference_CT")
    trees.serv_ct(tmp_path, 2, {9: truth + 10}, "Ground_truth_RGB")
    first, second = choose(trees.spec_of("serv_ct", "serv_ct", tmp_path), tmp_path)
    frame = first.sequence.read(0)
    assert frame.flags is not None
    assert np.all(frame.flags[0] & OCCLUDED)
    assert np.all(frame.flags[2] & OCCLUDED)
    assert not np.any(frame.flags[3:] & OCCLUDED)
    depth = read_depth(first, 0)
    assert np.isnan(depth[[1, 5]]).all()
    assert np.abs(depth[6:] - truth[6:]).max() <= 1 / 512 + 1e-5
    assert first.sequence.intrinsics is not None
    assert first.sequence.intrinsics[0, 0] == 1000
    assert second.frame_ids == ["009"]
    spec = trees.spec_of("serv_ct", "serv_ct", tmp_path, options={"reference": "RGB"})
    assert read_depth(choose(spec, tmp_path)[0], 0)[6, 6] == pytest.approx(truth[6, 6] + 10, abs=0.01)


def test_scared_key_frames_and_video(tmp_path: Path) -> None:
    key = trees.depth_mm(1024, 1280, 50, 120)
    key[:100] = np.nan
    moved = [np.nan_to_num(key) + number for number in range(3)]
    for frame in moved:
        frame[:200] = 0
    trees.scared(tmp_path, 1, 1, key, moved)
    trees.scared(tmp_path, 4, 1, key, [])
    first, fourth = choose(trees.spec_of("scared", "scared", tmp_path), tmp_path)
    assert first.frame_ids == ["keyframe_1"]
    depth = read_depth(first, 0)
    assert np.isnan(depth[:100]).all()
    assert np.array_equal(depth[100:], key[100:].astype(np.float32))
    assert "calibration is known to be bad" in fourth.sequence.notes[0]

    video = choose(trees.spec_of("scared", "scared", tmp_path, options={"frames": "video"}), tmp_path)[0]
    assert video.sequence.name == "dataset_1_keyframe_1"
    assert len(video.indices) == 3
    for index in (1, 2, 0):  # forward, and back again
        depth = read_depth(video, index)
        assert depth.shape == (1024, 1280)
        assert np.isnan(depth[:200]).all()
        assert np.array_equal(depth[200:], moved[index][200:].astype(np.float32))
    image = video.sequence.image(2).astype(float)
    assert np.abs(image - trees.picture(1024, 1280, 2)).mean() < 12  # the codec is lossy

    rectified = choose(trees.spec_of("scared", "scared", tmp_path, options={"rectify": True}), tmp_path)[0]
    depth = read_depth(rectified, 0)  # a pair that is rectified already: the same depth, perhaps zoomed
    assert np.nanmedian(depth) == pytest.approx(np.nanmedian(key), rel=0.02)


def scared_video(root: Path, **options: Any) -> Chosen:
    """The only video below a folder."""
    spec = trees.spec_of("scared", "scared", root, options={"frames": "video", **options})
    return choose(spec, root)[0]


@pytest.mark.parametrize("packed", [True, False])
def test_scared_has_the_cameras_way(tmp_path: Path, packed: bool) -> None:
    """A wall's depth is that of the key frame's points, moved as SCARED's makers move them; one frame has no pose."""
    key = np.full((32, 48), 80.0)
    trees.scared(tmp_path, 1, 1, key, [key, key + 5, key + 9])
    moves = {0: np.eye(4), 2: np.eye(4)}
    moves[2][2, 3] = 9
    trees.scared_poses(tmp_path / "dataset_1/keyframe_1/data", moves, packed)
    video = scared_video(tmp_path)
    sequence = video.sequence
    assert sequence.poses is not None
    assert np.isnan(sequence.poses[1]).all()
    assert sequence.notes[-1] == "1 of 3 frames have no camera-pose"
    first, last = (read_depth(video, number) for number in (0, 2))
    way = np.linalg.inv(sequence.poses[2]) @ sequence.poses[0]
    camera = np.array([[30.0, 0, 24], [0, 30, 16], [0, 0, 1]])
    seen = moved(Kept(0, first.astype(np.float64), first, first > 0, None), camera, way, nearest=False)
    assert np.abs(seen - last)[np.isfinite(seen)].max() < 1e-4


def test_scareds_way_of_the_rectified_camera(tmp_path: Path) -> None:
    trees.scared(tmp_path, 1, 1, np.full((32, 48), 80.0), [np.full((32, 48), 80.0)] * 2)
    folder = tmp_path / "dataset_1/keyframe_1"
    between = ", ".join(map(str, turned(2.0, 0, 0, 0)[:3, :3].ravel()))
    text = trees.SCARED_CALIBRATION.replace("1., 0., 0., 0., 1., 0., 0., 0., 1. ]\nT", f"{between} ]\nT")
    assert between in text
    (folder / "endoscope_calibration.yaml").write_text(text)
    move = turned(20.0, 3.0, -4.0, 12.0)
    trees.scared_poses(folder / "data", {0: np.eye(4), 1: move})
    raw, rectified = (scared_video(tmp_path, rectify=wanted).sequence for wanted in (False, True))
    assert isinstance(rectified, ScaredVideo)
    assert rectified.rectifiers is not None
    lens = np.eye(4)
    lens[:3, :3] = rectified.rectifiers[0].R1
    assert np.abs(lens - np.eye(4)).max() > 1e-3
    assert raw.poses is not None
    assert rectified.poses is not None
    point = np.array([3.0, -2.0, 80.0, 1.0])  # of the key frame's raw camera
    for number, there in ((0, point), (1, move @ point)):
        assert np.allclose(raw.poses[number] @ there, point)
        assert np.allclose(rectified.poses[number] @ lens @ there, point)


@pytest.mark.parametrize("place", ["image_02/data", "data"])
def test_poses_of_scareds_extracted_frames(tmp_path: Path, place: str) -> None:
    """Image n + 1 is frame n, whose pose is frame_data n."""
    for number in (1, 4):
        image = tmp_path / f"dataset3/keyframe4/image_02/data/{number:010d}.png"
        trees.write_image(image, trees.picture(32, 48))
    moves = {number: turned(0.0, 0.0, 0.0, number) for number in range(5)}
    trees.scared_poses(tmp_path / "dataset3/keyframe4" / place, moves, packed=False)
    poses = scared_video(tmp_path, frames="extracted").sequence.poses
    assert poses is not None
    assert poses[:, 2, 3].tolist() == [0.0, -3.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "holds no camera-pose of numbers"),
        ('{"camera-pose": [[1, 0], [0, 1]]}', "is not 4x4 finite numbers"),
        ('{"camera-pose": [[2,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]}', "3x3 numbers are no rotation"),
        ("", "the file is empty. Unpack frame_data.tar.gz anew"),
    ],
)
def test_a_pose_of_scared_that_is_none(tmp_path: Path, content: str, message: str) -> None:
    trees.scared(tmp_path, 1, 1, np.full((32, 48), 80.0), [np.full((32, 48), 80.0)])
    file = tmp_path / "dataset_1/keyframe_1/data/frame_data/frame_data000000.json"
    file.parent.mkdir()
    file.write_text(content)
    with pytest.raises(ScopeDepthError, match=rf"frame_data000000\.json.*{message}"):
        scared_video(tmp_path)


def test_endonerf(tmp_path: Path) -> None:
    truth = {number: np.full((51, 64), 40 + number, np.uint8) for number in (0, 1)}
    truth[0][:4] = 0
    trees.endonerf(tmp_path / "pulling", truth)
    chosen = choose(trees.spec_of("endonerf", "endonerf", tmp_path), tmp_path)[0]
    depth = read_depth(chosen, 0)
    assert np.isnan(depth[:4]).all()
    assert np.all(depth[4:] == 40)
    flags = chosen.sequence.read(0).flags
    assert flags is not None
    assert np.all(flags[:25, :32] == TOOL)
    assert not flags[30:].any()
    assert chosen.sequence.intrinsics is not None
    assert np.allclose(chosen.sequence.intrinsics[[0, 0, 1], [0, 2, 2]], [569.4682, 320, 256])


def write_exr(path: Path, depth: np.ndarray) -> None:
    """Write a one-channel EXR."""
    import OpenEXR

    with OpenEXR.File(
        {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, {"Z": depth}
    ) as file:
        file.write(str(path))


@pytest.mark.parametrize("form", ["png8", "png16", "npy", "tiff16", "tiff32", "exr"])
def test_folder_in_every_format(tmp_path: Path, form: str) -> None:
    truth = trees.depth_mm(30, 40, 2, 24)
    trees.write_image(tmp_path / "a/rgb/frame_01.jpg", trees.picture(30, 40))
    folder = tmp_path / "a/depth"
    folder.mkdir()
    integers = {"png8": (np.uint8, 0.1), "png16": (np.uint16, 0.001), "tiff16": (np.uint16, 0.001)}
    scale, step = None, 0.0
    if form in integers:
        dtype, step = integers[form]
        scale = step
        stored = np.round(truth / step).astype(dtype)
        stored[0] = 0
        (trees.write_tiff if form == "tiff16" else trees.write_image)(
            folder / f"depth_01.{'tiff' if form == 'tiff16' else 'png'}", stored
        )
    else:
        known = truth.astype(np.float32)
        known[0] = [np.nan, 0, -1, np.inf] * 10
        if form == "npy":
            np.save(folder / "depth_01.npy", known)
        elif form == "tiff32":
            trees.write_tiff(folder / "depth_01.tiff", known)
        else:
            write_exr(folder / "depth_01.exr", known)
    (tmp_path / "intrinsics.txt").write_text("100 101 20 15")
    spec = trees.spec_of("mine", "folder", tmp_path, depth={"scale": scale})
    chosen = choose(spec, tmp_path)[0]
    depth = read_depth(chosen, 0)
    assert np.isnan(depth[0]).all()
    assert np.abs(depth[1:] - truth[1:]).max() <= step / 2 + 1e-5
    assert chosen.sequence.intrinsics is not None
    assert chosen.sequence.intrinsics[1, 1] == 101


def test_folder_reports_what_does_not_pair(tmp_path: Path) -> None:
    depth = np.full((8, 8), 9, np.uint16)
    for number in (1, 2, 3):
        trees.write_image(tmp_path / f"rgb/{number}.png", trees.picture(8, 8))
    for number in (2, 3, 4):
        trees.write_image(tmp_path / f"depth/{number}.png", depth)
    chosen = choose(trees.spec_of("mine", "folder", tmp_path), tmp_path)[0]
    assert chosen.sequence.name == "mine"
    assert chosen.sequence.notes == [
        "1 of 3 images have no depth file, the first one 1",
        "1 depth files have no image and are left out, the first one 4.png",
        "depth.scale is not set: the stored numbers are taken for millimetres",
    ]
    assert chosen.sequence.read(0).depth is None


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_bytes(b"no picture at all"), "does not decode"),
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), "does not decode"),
        (lambda path: path.unlink(), "No such file"),
    ],
)
def test_a_broken_file_is_an_unreadable_frame(tmp_path: Path, write: Any, message: str) -> None:
    trees.write_image(tmp_path / "rgb/1.png", trees.picture(32, 32))
    trees.write_image(tmp_path / "depth/1.png", np.full((32, 32), 9, np.uint16))
    sequence = choose(trees.spec_of("mine", "folder", tmp_path), tmp_path)[0].sequence
    write(tmp_path / "depth/1.png")
    with pytest.raises(UnreadableFrame, match=message) as caught:
        sequence.read(0)
    assert str(tmp_path / "depth/1.png") in str(caught.value)


def test_image_and_depth_of_different_sizes(tmp_path: Path) -> None:
    trees.write_image(tmp_path / "rgb/1.png", trees.picture(32, 40))
    trees.write_image(tmp_path / "depth/1.png", np.full((30, 40), 9, np.uint16))
    sequence = choose(trees.spec_of("mine", "folder", tmp_path), tmp_path)[0].sequence
    with pytest.raises(ScopeDepthError, match=r"rgb/1\.png is 40x32, .*depth/1\.png is 40x30"):
        sequence.read(0)


def test_a_colour_picture_of_depth_is_refused(tmp_path: Path) -> None:
    trees.write_image(tmp_path / "rgb/1.png", trees.picture(32, 40))
    trees.write_image(tmp_path / "depth/1.png", trees.picture(32, 40))
    with pytest.raises(ScopeDepthError, match="channels that differ"):
        choose(trees.spec_of("mine", "folder", tmp_path), tmp_path)


def test_sequences_and_frames_are_chosen(tmp_path: Path) -> None:
    for sequence in ("a1", "a2", "b1"):
        for number in range(12):
            trees.write_image(tmp_path / f"{sequence}/rgb/{number:06d}.png", trees.picture(8, 8))
    spec = trees.spec_of(
        "mine", "folder", tmp_path, sequences=["a*"], frames={"start": 1, "stop": 10, "step": 4}
    )
    chosen = choose(spec, tmp_path)
    assert [(one.sequence.name, one.frame_ids) for one in chosen] == [
        ("a1", ["000001", "000005", "000009"]),
        ("a2", ["000001", "000005", "000009"]),
    ]
    assert [one.sequence.name for one in choose({**spec, "sequences": ["a2"]}, tmp_path)] == ["a2"]
    split = tmp_path / "split.txt"
    split.write_text("# published split\na2 3 l\na2 000011\nb1/rgb/5.png\n")
    listed = trees.spec_of("mine", "folder", tmp_path, frames={"list": str(split)})
    assert [(one.sequence.name, one.frame_ids) for one in choose(listed, tmp_path)] == [
        ("a2", ["000003", "000011"]),
        ("b1", ["000005"]),
    ]
    split.write_text("a1 77\n")
    with pytest.raises(ScopeDepthError, match=r"line 1 \('a1 77'\): sequence a1 has no frame 77"):
        choose(listed, tmp_path)
    with pytest.raises(ScopeDepthError, match=r"no sequence a3 \(nearest: a[12]\)"):
        choose(trees.spec_of("mine", "folder", tmp_path, sequences=["a3"]), tmp_path)


@pytest.mark.parametrize(
    "loader",
    [
        "c3vd",
        "endonerf",
        "endoslam_unity",
        "folder",
        "hamlyn_rectified",
        "scared",
        "serv_ct",
        "simcol3d",
        "stereo",
    ],
)
def test_a_folder_of_something_else_says_what_was_looked_for(tmp_path: Path, loader: str) -> None:
    (tmp_path / "readme.txt").write_text("nothing")
    depth = {"unit": "relative"} if loader == "endoslam_unity" else {}
    with pytest.raises(ScopeDepthError, match=str(tmp_path)):
        choose(trees.spec_of("mine", loader, tmp_path, depth=depth), tmp_path)


def test_samples_of_simcol3d(samples: Path) -> None:
    folder = samples / "simcol3d"
    chosen = choose(trees.spec_of("simcol", "simcol3d", folder), folder)[0]
    assert len(chosen.indices) == 10
    stored: Any = chosen.sequence.read(0).depth
    assert stored is not None
    assert (stored % 256 == 0).all()
    depth = read_depth(chosen, 0)
    assert np.allclose(depth / 10, stored / 65280 * 20, rtol=1e-6)
    assert np.isfinite(depth).all()
    steps = np.unique(np.diff(np.unique(depth))) / 10
    assert steps.min() == pytest.approx(0.0784, abs=0.001)


def test_samples_of_c3vd(samples: Path) -> None:
    folder = samples / "c3vd"
    chosen = choose(trees.spec_of("c3vd", "c3vd", folder), folder)[0]
    assert chosen.frame_ids == ["0001", "0004"]
    frame = chosen.sequence.read(0)
    assert frame.rgb.shape == (1080, 1350, 3)
    from scopedepth.datasets.reading.images import read_raw_depth

    raw = read_raw_depth(folder / "0001_depth.tiff")
    depth = read_depth(chosen, 0)
    assert np.array_equal(np.isnan(depth), (raw == 0) | (raw == 65535))
    good = np.isfinite(depth)
    assert np.allclose(depth[good], raw[good] / 65535 * 100, rtol=1e-6)


def test_options_that_a_loader_does_not_have(tmp_path: Path) -> None:
    """The configuration refuses them before; a loader of one's own may not stand there."""
    spec = trees.spec_of("mine", "folder", tmp_path)
    with pytest.raises(ScopeDepthError, match=r"loader folder has no option image \(nearest: images\)"):
        find_sequences({**spec, "options": {"image": "color"}}, tmp_path)
    spec = trees.spec_of("mine", "c3vd", tmp_path)
    with pytest.raises(ScopeDepthError, match=r"loader c3vd has no option rectify \(it has none\)"):
        find_sequences({**spec, "options": {"rectify": True}}, tmp_path)


def test_a_scale_that_a_loader_would_not_follow(tmp_path: Path) -> None:
    spec = trees.spec_of("simcol", "simcol3d", tmp_path, depth={"scale": 2})
    with pytest.raises(ScopeDepthError, match=r"knows its depth's unit, .*; remove depth\.scale"):
        find_sequences(spec, tmp_path)
