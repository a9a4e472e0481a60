"""Entries of config.yaml, each on a small tree in the layout that is published, written from known depth."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import tifffile
import yaml

import dataset_trees as trees
from http_site import serve
from scopedepth.config.load import check, dataset_spec
from scopedepth.datasets import Chosen, choose, choose_counted
from scopedepth.datasets.check import check_dataset
from scopedepth.datasets.loaders.stereo import StereoSequence
from scopedepth.datasets.place import point_to
from scopedepth.errors import ScopeDepthError
from scopedepth.fetch import fetch_dataset
from test_calibrations import SIZE, da_vinci, hamlyn
from test_fetch_archives import zip_of

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

CONFIG = Path(__file__).parents[1] / "config.yaml"


def entry(name: str, **fields: Any) -> specs.Dataset:
    """Return the spec of an entry, some of its fields changed."""
    content = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    content["datasets"][name] |= fields
    return dataset_spec(name, check(content))


def depth_of(chosen: Chosen, index: int = 0) -> np.ndarray:
    """Return a frame's depth in mm."""
    depth = chosen.sequence.read(chosen.indices[index]).depth
    assert depth is not None
    return chosen.sequence.encoding.decode(depth)


def test_endosynth(tmp_path: Path) -> None:
    metres = (trees.depth_mm(27, 48, 20, 200) / 1000).astype(np.float16)
    for number in range(2):
        place = tmp_path / "EndoSynth/samples" / f"{number:06d}.npz"
        place.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            place, rgb=trees.picture(27, 48, number), depth=metres, seg=np.zeros((27, 48), np.uint8)
        )
    (tmp_path / "EndoSynth/LICENSE.txt").write_text("terms")
    (chosen,) = choose(entry("endosynth"), tmp_path)
    assert chosen.frame_ids == ["000000", "000001"]
    assert np.array_equal(chosen.sequence.read(1).rgb, trees.picture(27, 48, 1))
    assert np.allclose(depth_of(chosen), metres.astype(np.float32) * 1000, rtol=1e-6)


def test_endomapper_simulated(tmp_path: Path) -> None:
    import OpenEXR

    decimetres = (trees.depth_mm(24, 32, 5, 90) / 100).astype(np.float32)
    place = tmp_path / "Simulated Sequences/Seq_1"
    for number in (0, 1):
        trees.write_image(place / f"rgb/image_{number:04d}.png", trees.picture(24, 32, number))
        (place / "depth").mkdir(exist_ok=True)
        nothing, one = np.zeros_like(decimetres), np.ones_like(decimetres)
        channels = {"R": decimetres, "G": nothing, "B": nothing, "A": one}
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        with OpenEXR.File(header, channels) as file:
            file.write(str(place / f"depth/aov_image_{number:04d}.exr"))
    (place / "calibration.txt").write_text(
        "fx: 472.6\nfy: 472.6\ncx: 479.5\ncy: 359.5\n\ncols: 960\nrows: 720\n"
    )
    (chosen,) = choose(entry("endomapper_simulated"), tmp_path)
    assert len(chosen.indices) == 2
    assert np.allclose(depth_of(chosen), decimetres * 100, rtol=1e-6)


def test_an_exr_has_no_such_channel(tmp_path: Path) -> None:
    test_endomapper_simulated(tmp_path)
    depth = {"unit": "mm", "scale": 100, "key": "V", "origin": "rendered"}
    with pytest.raises(ScopeDepthError, match=r"has no channel 'V'; it has A, B, G, R\. Correct depth\.key"):
        choose(entry("endomapper_simulated", depth=depth), tmp_path)


def video(path: Path, pictures: list[np.ndarray], codec: str) -> None:
    """Write a video."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 25, (width, height))
    for picture in pictures:
        writer.write(picture[..., ::-1].copy())
    writer.release()


def test_stereomis(tmp_path: Path) -> None:
    left, right = trees.picture(SIZE[1], SIZE[0], 1), trees.picture(SIZE[1], SIZE[0], 99)
    video(tmp_path / "P1/IFBS_ENDOSCOPE-part0001.mp4", [np.vstack([left, right])] * 2, "mp4v")
    da_vinci(tmp_path / "P1")
    trees.write_image(tmp_path / "P1/masks/000001l.png", np.zeros((8, 8), np.uint8))
    (chosen,) = choose(entry("stereomis"), tmp_path)
    assert isinstance(chosen.sequence, StereoSequence)
    assert len(chosen.indices) == 2
    for side, picture in zip(chosen.sequence.sides, (left, right), strict=True):
        assert np.abs(side(0).astype(float) - picture).mean() < 12  # the codec is lossy


def test_hamlyn_original(tmp_path: Path) -> None:
    for side, number in (("left", 1), ("right", 99)):
        video(tmp_path / f"Dataset1/{side}.avi", [trees.picture(SIZE[1], SIZE[0], number)] * 2, "MJPG")
    hamlyn(tmp_path / "Dataset1")
    (chosen,) = choose(entry("hamlyn_original"), tmp_path)
    assert isinstance(chosen.sequence, StereoSequence)
    assert chosen.sequence.rectifier.camera.translation[0] == -4.3499


def packed(path: Path, files: dict[str, bytes]) -> None:
    """Write a .tar.gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def png(picture: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", picture[..., ::-1])[1])


def tiff(numbers: np.ndarray) -> bytes:
    content = io.BytesIO()
    tifffile.imwrite(content, numbers, photometric="rgb")
    return content.getvalue()


# Frames of a video that could be placed: 3 and 40 could not.
PLACED = (1, 2, 4, 39, 41, 90)


@pytest.mark.parametrize("unpacked", [False, True])
def test_scared_c(unpacked: bool, tmp_path: Path) -> None:
    place = tmp_path / "dataset_2/keyframe_3"
    place.mkdir(parents=True)
    (place / "intrinsics_colmap.yaml").write_text(
        "%YAML:1.0\n---\nK: !!opencv-matrix\n   rows: 3\n   cols: 3\n   dt: d\n"
        "   data: [ 1035., 0., 596., 0., 1035., 520., 0., 0., 1. ]\nimage_width: 48\nimage_height: 32\n"
    )
    truth = {number: trees.depth_mm(32, 48, 40, 90) + number for number in PLACED}
    truth[4][:, :5] = 0
    frames = {f"frame{number:06d}.png": png(trees.picture(32, 48, number)) for number in PLACED}
    maps = {f"scene_points{number:06d}.tiff": tiff(trees.points(truth[number])) for number in PLACED}
    if unpacked:
        (place / "data").mkdir()
        for name, content in {**frames, **maps}.items():
            (place / "data" / name).write_bytes(content)
    else:
        packed(place / "data/rgb_frames.tar.gz", frames)
        packed(place / "data/scene_points.tar.gz", maps)
    (tmp_path / "dataset_2/keyframe_4").mkdir()
    (tmp_path / "dataset_2/keyframe_4/intrinsics_colmap.yaml").write_text("no video is here")
    (chosen,) = choose(entry("scared_c"), tmp_path)
    assert chosen.sequence.name == "dataset_2_keyframe_3"
    assert chosen.frame_ids == [f"{number:06d}" for number in PLACED]
    assert chosen.sequence.intrinsics is not None
    assert chosen.sequence.intrinsics[0].tolist() == [1035.0, 0.0, 596.0]
    for index in (0, 5, 2, 1):  # backwards, too
        known = truth[PLACED[index]]
        expected = np.where(known > 0, known, np.nan).astype(np.float32)
        assert np.array_equal(depth_of(chosen, index), expected, equal_nan=True)
        assert np.array_equal(chosen.sequence.read(index).rgb, trees.picture(32, 48, PLACED[index]))


def test_scared_c_is_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(ScopeDepthError, match=r"No dataset_X/keyframe_Y/intrinsics_colmap.yaml with data/"):
        choose(entry("scared_c"), tmp_path)


def test_endoabs(tmp_path: Path) -> None:
    """Two images of the left camera share a map."""
    place = tmp_path / "Liver/D5/P1"
    depth = trees.depth_mm(24, 32, 40, 120).astype(np.float32)
    for name in ("imgL1", "imgL2", "imgR1"):
        trees.write_image(place / f"{name}.png", trees.picture(24, 32, len(name)))
    cv2.imwrite(str(place / "DepthMapLeft.pfm"), depth)
    cv2.imwrite(str(place / "DepthMapRight.pfm"), depth + 1)
    (chosen,) = choose(entry("endoabs"), tmp_path)
    assert chosen.frame_ids == ["imgL1", "imgL2"]
    for index in (0, 1):
        assert np.array_equal(depth_of(chosen, index), depth)


def test_a_map_that_all_images_share_is_missing_in_one_folder(tmp_path: Path) -> None:
    for pose in ("P1", "P2"):
        trees.write_image(tmp_path / f"Liver/D5/{pose}/imgL1.png", trees.picture(24, 32))
    cv2.imwrite(str(tmp_path / "Liver/D5/P1/DepthMapLeft.pfm"), np.full((24, 32), 50, np.float32))
    with_map, without = choose(entry("endoabs"), tmp_path)
    assert depth_of(with_map).mean() == 50
    assert without.sequence.read(0).depth is None
    assert without.sequence.notes == ["P2 has no DepthMapLeft.pfm"]


def test_realsyncol(tmp_path: Path) -> None:
    import OpenEXR

    share = (trees.depth_mm(24, 32, 5, 190) / 200).astype(np.float32)
    for video in ("Colon_9_backward", "Colon_9_forward"):
        for number in (0, 1):
            trees.write_image(
                tmp_path / f"Data/{video}/Frame/Frame_{number:04d}.png", trees.picture(24, 32, number)
            )
            path = tmp_path / f"Data/{video}/Depth/Depth_{number:04d}.exr"
            path.parent.mkdir(exist_ok=True)
            header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
            with OpenEXR.File(header, dict.fromkeys("RGB", share)) as file:
                file.write(str(path))
    spec = entry("realsyncol")
    forth, back = sorted(choose(spec, tmp_path), key=lambda one: one.sequence.name, reverse=True)
    assert len(forth.indices) == len(back.indices) == 2
    assert np.allclose(depth_of(forth), share * 200, rtol=1e-6)


def test_kidney3d_ct(tmp_path: Path) -> None:
    import OpenEXR

    depth = trees.depth_mm(24, 32, 1, 9).astype(np.float32)
    place = tmp_path / "case1/withLaser"
    trees.write_image(place / "image/Image0001.png", trees.picture(24, 32))
    trees.write_image(place / "mask/Image0001.png", np.zeros((24, 32), np.uint8))
    (place / "depth").mkdir()
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {"V": depth}) as file:
        file.write(str(place / "depth/Image0001.exr"))
    (chosen,) = choose(entry("kidney3d_ct"), tmp_path)
    assert np.array_equal(depth_of(chosen), depth)


def test_d4d(tmp_path: Path) -> None:
    place = tmp_path / "specimen_1/2025_03_06-16_49_40"
    metres = (trees.depth_mm(24, 32, 60, 190) / 1000).astype(np.float32)
    for number in (0, 1):
        for side in ("left", "right"):
            trees.write_image(
                place / f"clips/Clip_1/{side}_images_rect/{number:06d}.png", trees.picture(24, 32)
            )
            trees.write_image(place / f"{side}_images/{number:06d}.png", trees.picture(24, 32))
        (place / "clips/Clip_1/stereo_depth").mkdir(exist_ok=True)
        np.save(place / f"clips/Clip_1/stereo_depth/{number:06d}.npy", metres)
    (place / "clips/Clip_1/intrinsics.txt").write_text(
        "image_width: 32\nimage_height: 24\ncamera_matrix:\n  rows: 3\n  cols: 3\n"
        "  data: [30.0, 0.0, 16.0, 0.0, 31.0, 12.0, 0.0, 0.0, 1.0]\n"
    )
    (chosen,) = choose(entry("d4d"), tmp_path)
    assert len(chosen.indices) == 2
    assert np.allclose(depth_of(chosen), metres * 1000, rtol=1e-6)
    assert chosen.sequence.intrinsics is not None
    assert chosen.sequence.intrinsics[1, 1] == 31.0


def test_endomapper_sparse(tmp_path: Path) -> None:
    """A model of one image that sees two points, at 2 and 4 of the model's own units."""
    place = tmp_path / "Seq_001"
    trees.write_image(place / "images/out7199.png", trees.picture(24, 32))
    (place / "cameras.txt").write_text("1 OPENCV_FISHEYE 32 24 30 30 16 12 0 0 0 0\n")
    (place / "images.txt").write_text("1 1 0 0 0 0 0 0 1 out7199.png\n10.5 8.5 1 20.5 9.5 2\n")
    (place / "points3D.txt").write_text("1 0 0 2 9 9 9 0.5 1 0\n2 0 0 4 9 9 9 0.5 1 1\n")
    (chosen,) = choose(entry("endomapper_sparse"), tmp_path)
    depth = chosen.sequence.read(0).depth
    assert depth is not None
    values = chosen.sequence.encoding.decode(depth)
    assert sorted(values[np.isfinite(values)].tolist()) == [2.0, 4.0]


def test_a_video_of_the_record_of_c3vd(tmp_path: Path) -> None:
    """What the entry names is fetched from a server that speaks as the Dataverse does, and read."""
    steps = np.full((12, 16), 6553, np.uint16)
    trees.write_image(tmp_path / "made/rgb/0000.png", trees.picture(12, 16))
    trees.write_tiff(tmp_path / "made/depth/0000_depth.tiff", steps)
    packed = zip_of(
        {
            path.relative_to(tmp_path / "made").as_posix(): path.read_bytes()
            for path in (tmp_path / "made").rglob("*.*")
        }
    )
    names = ("c0_cecum_t1_v1", "c1_cecum_t1_v1", "c2_sigmoid_t1_v2", "c1_cecum_t1_v3", "c1_cecum_mold")
    with serve() as site:
        site.add_dataverse({f"{name}.zip": packed for name in names})
        for name, expected in (("c3vd_record", names[:1]), ("c3vdv2", names[1:3])):
            spec: Any = entry(name)
            spec["source"]["server"] = site.url
            fetch_dataset(spec, tmp_path / name, tmp_path / f"{name}.json", 1)
            chosen = choose(spec, tmp_path / name / "data")
            assert [one.sequence.name for one in chosen] == list(expected)
            assert np.allclose(depth_of(chosen[0]), 10, atol=1e-3)


def test_what_is_passed_over_is_said(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        trees.write_image(tmp_path / name / "rgb/1.png", trees.picture(12, 16))
        trees.write_image(tmp_path / name / "depth/1.png", np.ones((12, 16), np.uint16))
    spec = trees.spec_of("mine", "folder", tmp_path, sequences=["b"])
    said = "2 sequences are there and not chosen by `sequences`: a, c"
    assert choose_counted(spec, tmp_path)[1].sentences() == [said]
    assert said in list(check_dataset(spec, in_place(tmp_path)))


def in_place(data: Path) -> Path:
    """Return a folder as fetch leaves it, which points to `data`."""
    raw = data / "raw"
    raw.mkdir()
    point_to(raw, data, None)
    return raw


def test_a_test_set_of_scared_says_that_it_is_one(tmp_path: Path) -> None:
    trees.scared(tmp_path, 8, 0, trees.depth_mm(1024, 1280, 50, 120), [])
    (eighth,) = choose(entry("scared", sequences=["dataset_8"]), tmp_path)
    assert eighth.sequence.notes == ["it is one of the challenge's two test sets"]
