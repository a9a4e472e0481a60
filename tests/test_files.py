"""Which files belong together, which count at all, which numbers are depth: what is not certain is said or refused."""

from __future__ import annotations

import copy
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import yaml
from pydantic import ValidationError

import dataset_trees as trees
from project import CONFIG
from scopedepth.config.datasets import Depth
from scopedepth.config.load import ConfigError, select_study
from scopedepth.datasets import Chosen, choose
from scopedepth.datasets.check import check_dataset
from scopedepth.datasets.loaders.stereo import StereoSequence
from scopedepth.datasets.prepare import prepare_unit
from scopedepth.datasets.reading.cameras import read_camera, read_intrinsics
from scopedepth.datasets.reading.pairing import pair_by_name
from scopedepth.errors import ScopeDepthError
from scopedepth.fetch import fetch_dataset

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

CAMERA = "600 0 320\n0 600 240\n0 0 1\n"


def paired(images: str, depths: str) -> dict[str, str]:
    """Return the pairs of two lists of names."""
    found = pair_by_name(
        [Path("rgb", f"{name}.png") for name in images.split()],
        [Path("depth", f"{name}.npy") for name in depths.split()],
    )
    return {image.stem: depth.stem for image, depth in found.items()}


@pytest.mark.parametrize(
    ("images", "depths", "pairs"),
    [
        ("video1_frame11 video11_frame1", "video11_frame1 video1_frame11", "11 11|1 1"),
        ("video1_frame11", "video11_frame1", ""),
        ("video1_frame11", "video2_frame11", ""),
        ("cam1_1 cam1_2", "cam2_1 cam2_2", ""),
        ("scene_7", "z_7", "scene_7 z_7"),
        ("video1_frame1 video2_frame2", "video1_frame1 video3_frame2", "video1_frame1 video1_frame1"),
        ("rgb_01 rgb_1", "depth_1 depth_01", "rgb_01 depth_01|rgb_1 depth_1"),
        ("frame-000012.color frame-000013.color", "frame-000013.depth frame-000012.depth",
         "frame-000012.color frame-000012.depth|frame-000013.color frame-000013.depth"),
        ("scene7_left_0001 scene7_left_0002", "z_0001 z_0002", "scene7_left_0001 z_0001|scene7_left_0002 z_0002"),
        ("image_0001 image_10000", "aov_image_0001 aov_image_10000",
         "image_0001 aov_image_0001|image_10000 aov_image_10000"),
        ("Frame_3 frame_4", "FRAME_3 DEPTH_4", "Frame_3 FRAME_3|frame_4 DEPTH_4"),
        ("1 rgb_1", "1", "1 1"),
        ("a b", "c", ""),
    ],
)  # fmt: skip
def test_pairs_by_name(images: str, depths: str, pairs: str) -> None:
    found = paired(images, depths)
    if pairs == "11 11|1 1":
        assert found == {"video1_frame11": "video1_frame11", "video11_frame1": "video11_frame1"}
    else:
        assert found == dict(pair.split() for pair in pairs.split("|") if pair)


@pytest.mark.parametrize(
    ("images", "depths", "said"),
    [
        (
            "rgb_1 color_1",
            "depth_1",
            "rgb_1.png and color_1.png both belong to depth/depth_1.npy by name without",
        ),
        ("frame_1", "depth_1 1", "depth_1.npy and 1.npy both belong to rgb/frame_1.png by name without"),
        ("left_1 right_1", "z_1", "left_1.png and right_1.png both belong to depth/z_1.npy by the numbers"),
        (
            "scene_1 scene_2",
            "a_1 b_1 c_2",
            "a_1.npy and b_1.npy both belong to rgb/scene_1.png by the numbers",
        ),
    ],
)
def test_what_two_files_could_claim_is_an_error(images: str, depths: str, said: str) -> None:
    with pytest.raises(ScopeDepthError) as caught:
        paired(images, depths)
    assert said in str(caught.value)


def test_two_files_of_one_number_in_other_loaders(tmp_path: Path) -> None:
    trees.endonerf(tmp_path / "endonerf", {0: np.full((8, 8), 40, np.uint8)})
    trees.write_image(tmp_path / "endonerf/depth/other-0.png", np.full((8, 8), 41, np.uint8))
    with pytest.raises(ScopeDepthError, match="are both 0; keep one"):
        choose(trees.spec_of("clip", "endonerf", tmp_path / "endonerf"), tmp_path / "endonerf")
    trees.c3vd(tmp_path / "c3vd", {1: np.full((8, 8), 9.0)})
    shutil.copy(tmp_path / "c3vd/0001_depth.tiff", tmp_path / "c3vd/01_depth.tif")
    with pytest.raises(ScopeDepthError, match="are both 1; keep one"):
        choose(trees.spec_of("c3vd", "c3vd", tmp_path / "c3vd"), tmp_path / "c3vd")


def depth_of(chosen: Chosen, index: int = 0) -> np.ndarray:
    """Return a frame's depth decoded, NaN missing."""
    stored = chosen.sequence.read(index).depth
    assert stored is not None
    return chosen.sequence.encoding.decode(stored)


def mine(folder: Path, stored: np.ndarray, **fields: Any) -> specs.Dataset:
    """Write a dataset of two frames and return its spec."""
    for number in (1, 2):
        trees.write_image(folder / f"rgb/{number}.png", trees.picture_like(stored, number))
        trees.write_tiff(folder / f"depth/{number}.tiff", stored)
    return trees.spec_of("mine", "folder", folder, **fields)


@pytest.mark.parametrize(
    ("unit", "scale", "factor"),
    [
        ("mm", None, 1),
        ("cm", None, 10),
        ("m", None, 1000),
        ("m", 0.001, 1),
        ("cm", 2, 20),
        ("relative", 3, 3),
    ],
)
def test_units_of_depth(tmp_path: Path, unit: str, scale: float | None, factor: float) -> None:
    stored = trees.depth_mm(20, 30, 0.02, 0.15).astype(np.float32)
    chosen = choose(mine(tmp_path, stored, depth={"unit": unit, "scale": scale}), tmp_path)[0]
    np.testing.assert_array_equal(depth_of(chosen), stored * np.float32(factor))
    assert chosen.sequence.encoding.unit == ("relative" if unit == "relative" else "mm")


def test_a_unit_is_turned_into_millimetres_where_it_is_read() -> None:
    in_metres = Depth(unit="m", scale=0.001, range=[0.001, 0.3]).model_dump()
    assert in_metres == {**Depth().model_dump(), "scale": 1.0, "range": [1.0, 300.0]}


@pytest.mark.parametrize(
    ("background", "dtype"),
    [
        (1e10, np.float32),
        (65504, np.float32),
        (65504, np.float16),
        (65535, np.uint16),
        (255, np.uint8),
        (1, np.uint16),
        (1e-3, np.float64),
    ],
)
def test_a_background_is_offered_and_taken_when_said(
    tmp_path: Path, background: float, dtype: type[np.generic]
) -> None:
    stored = np.round(trees.depth_mm(40, 50, 20, 120)).astype(dtype)
    stored[:8] = background
    data = tmp_path / "data"
    spec = mine(data, stored)
    assert depth_of(choose(spec, data)[0])[0, 0] == pytest.approx(background)
    fetch_dataset(spec, tmp_path / "raw", tmp_path / "raw.json", 1)
    said = "\n".join(check_dataset(spec, tmp_path / "raw"))
    offered = re.search(r"set depth\.invalid to (\[.*\])", said)
    assert offered
    assert yaml.safe_load(offered[1]) == [background]
    told = trees.spec_of("mine", "folder", data, depth={"invalid": [0.5, background]})
    cleared = depth_of(choose(told, data)[0])
    assert np.isnan(cleared[:8]).all()
    np.testing.assert_array_equal(cleared[8:], stored[8:].astype(np.float32))
    assert "depth.invalid" not in "\n".join(check_dataset(told, tmp_path / "raw"))
    ranged = trees.spec_of("mine", "folder", data, depth={"range": [21, 200]})
    kept = depth_of(choose(ranged, data)[0])
    assert np.isnan(kept[:8]).all()
    assert np.array_equal(np.isnan(kept[8:]), stored[8:] < 21)


def test_depth_without_a_background_is_not_doubted(tmp_path: Path) -> None:
    """Coarse depth, depth of one value, and one with a far wall."""
    coarse = np.arange(1, 73, dtype=np.uint8).reshape(8, 9)
    wall = np.round(trees.depth_mm(40, 50, 20, 120)).astype(np.uint16)
    wall[:8] = 180
    depths: list[np.ndarray] = [coarse, np.full((8, 9), 60, np.uint16), wall]
    for number, stored in enumerate(depths):
        data = tmp_path / f"data{number}"
        spec = mine(data, stored)
        fetch_dataset(spec, tmp_path / f"raw{number}", tmp_path / f"raw{number}.json", 1)
        assert "doubt:" not in "\n".join(check_dataset(spec, tmp_path / f"raw{number}"))


def test_other_loaders_take_missing_numbers_too(tmp_path: Path) -> None:
    depth = np.full((480, 640), 80, np.uint16)
    depth[:10], depth[10:20] = 65535, 400
    trees.hamlyn(tmp_path / "h", "06", {0: depth}, CAMERA)
    spec = trees.spec_of(
        "h", "hamlyn_rectified", tmp_path / "h", depth={"invalid": [65535], "range": [1, 300]}
    )
    found = depth_of(choose(spec, tmp_path / "h")[0])
    assert np.isnan(found[:20]).all()
    assert (found[20:] == 80).all()
    grey = np.full((8, 8), 7, np.uint8)
    grey[0] = 255
    trees.endoslam(tmp_path / "e", {"Colon": {1: grey}})
    unity = {"unit": "relative", "invalid": [255]}
    spec = trees.spec_of("e", "endoslam_unity", tmp_path / "e", depth=unity)
    assert np.isnan(depth_of(choose(spec, tmp_path / "e")[0])[0]).all()
    with pytest.raises(ScopeDepthError, match=r"knows its depth's unit.*remove depth\.invalid"):
        choose(trees.spec_of("c3vd", "c3vd", tmp_path, depth={"invalid": [65535]}), tmp_path)


def test_a_file_that_declares_its_missing_number(tmp_path: Path) -> None:
    stored = np.full((20, 30), 90, np.uint16)
    stored[:5] = 9999
    spec = mine(tmp_path, stored)
    for number in (1, 2):
        tifffile.imwrite(tmp_path / f"depth/{number}.tiff", stored, extratags=[(42113, 2, 5, "9999", True)])
    chosen = choose(spec, tmp_path)[0]
    assert np.isnan(depth_of(chosen)[:5]).all()
    assert (depth_of(chosen)[5:] == 90).all()
    assert "the depth files declare 9999 to be no depth" in chosen.sequence.notes


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (0.001, "the median depth is 0.07 mm, which no body has: depth.unit: m would make it 70 mm"),
        (0.0002, "the median depth is 0.014 mm, which no body has: depth.unit: m would make it 14 mm"),
        (0.01, "the median depth is 0.7 mm, which no body has: depth.unit: cm would make it 7 mm"),
        (
            256,
            "the median depth is 1.79e+04 mm, which no body has: correct depth.unit, depth.scale or depth.invalid",
        ),
        (
            1e8,
            "the median depth is 7e+09 mm, which no body has: correct depth.unit, depth.scale or depth.invalid",
        ),
        (1, None),
    ],
)
def test_a_median_that_no_body_has(tmp_path: Path, factor: float, said: str | None) -> None:
    data = tmp_path / "data"
    spec = mine(data, np.linspace(40, 100, 625, dtype=np.float32).reshape(25, 25) * np.float32(factor))
    fetch_dataset(spec, tmp_path / "raw", tmp_path / "raw.json", 1)
    checked = "\n".join(check_dataset(spec, tmp_path / "raw"))
    assert ("which no body has" in checked) == (said is not None)
    assert said is None or said in checked


def test_doubts_and_notes_reach_prepare_and_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    spec = mine(data, np.full((20, 30), 0.014, np.float32))
    (data / "depth/3.xyz").write_bytes(b"Pf")
    (data / "depth/._1.tiff").write_bytes(b"\0\5\26\7")
    fetch_dataset(spec, tmp_path / "raw", tmp_path / "raw.json", 1)
    prepare_unit(spec, tmp_path / "raw", tmp_path / "u.zarr", tmp_path / "u.json", 1)
    said = capsys.readouterr().err
    assert "mine: the median depth is 0.014 mm, which no body has: depth.unit: m would make it 14 mm" in said
    assert (
        "depth/ holds files of kinds that are not read: 1 .xyz (read are .png, .npy, .tif, .tiff, .exr"
        in said
    )
    assert "._1" not in said
    page = json.loads((tmp_path / "u.page.json").read_text())
    assert "no body has" in page["sequences"][0]["doubts"][0]


@pytest.mark.parametrize("kind", ["xyz", "other names", "zeros"])
def test_no_depth_at_all_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    data = tmp_path / "data"
    spec = mine(data, np.zeros((20, 30), np.uint16))
    if kind != "zeros":
        for number, other in ((1, "first"), (2, "second")):
            name = f"{number}.xyz" if kind == "xyz" else f"{other}.tiff"
            (data / f"depth/{number}.tiff").rename(data / "depth" / name)
    fetch_dataset(spec, tmp_path / "raw", tmp_path / "raw.json", 1)
    checked = "\n".join(check_dataset(spec, tmp_path / "raw"))
    prepare_unit(spec, tmp_path / "raw", tmp_path / "u.zarr", tmp_path / "u.json", 1)
    said = capsys.readouterr().err
    assert "no frame looked at has depth, so nothing can be scored" in checked
    assert "mine: none of 2 frames has depth, so nothing can be scored" in said
    reason = {
        "xyz": "2 .xyz (read are",
        "other names": "2 depth files have no image and are left out, the first one first.tiff",
        "zeros": "frame 1 has no depth",
    }[kind]
    assert reason in checked
    if kind != "zeros":
        assert reason in said
        assert "2 of 2 images have no depth file, the first one 1" in said


LITTER = (
    "._{name}",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    "__MACOSX/{name}",
    ".Spotlight-V100/{name}",
    "@eaDir/{name}",
)


def with_litter(root: Path) -> None:
    """Put an operating system's litter beside each file below `root`, in upper case suffixes for the files' own."""
    for path in [path for path in root.rglob("*") if path.is_file()]:
        for pattern in LITTER:
            place = path.parent / pattern.format(name=path.name)
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(b"\0\5\26\7 no data of ours")


def trees_of(root: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """Write one small tree for each loader below `root`; return loader and fields of the spec by folder."""
    depth = trees.depth_mm(48, 64, 40, 95)
    grey = np.round(depth).astype(np.uint8)
    trees.endoslam(root / "endoslam", {"Colon": {1: grey}})
    trees.hamlyn(root / "hamlyn", "06", {0: depth.astype(np.uint16)}, CAMERA)
    trees.simcol(root / "simcol/Frames_S1", {0: depth, 1: depth})
    trees.c3vd(root / "c3vd/trans_t1_a", {1: depth})
    trees.c3vd(root / "c3vd2/c1_t1", {1: depth}, True)
    trees.serv_ct(root / "serv_ct", 1, {1: depth})
    trees.scared(root / "scared", 1, 1, trees.depth_mm(1024, 1280, 50, 120), [])
    trees.endonerf(root / "endonerf/pulling", {0: grey})
    mine(root / "folder", depth.astype(np.float32))
    for side in ("left", "right"):
        trees.write_image(root / f"stereo/pulling/{side}/0001.png", trees.picture(48, 64, len(side)))
    (root / "stereo/pulling/calib.yaml").write_text(trees.SCARED_CALIBRATION)
    relative = {"depth": {"unit": "relative"}}
    return {
        "endoslam": ("endoslam_unity", relative), "hamlyn": ("hamlyn_rectified", {}), "simcol": ("simcol3d", {}),
        "c3vd": ("c3vd", {}), "c3vd2": ("c3vd", {}), "serv_ct": ("serv_ct", {}), "scared": ("scared", {}),
        "endonerf": ("endonerf", {}), "folder": ("folder", {}), "stereo": ("stereo", {}),
    }  # fmt: skip


def read_all(root: Path) -> dict[tuple[str, str], Any]:
    """Return what every loader finds below `root`: frames and a digest of the first one."""
    found: dict[tuple[str, str], Any] = {}
    for name, (loader, fields) in trees_of(root / "data").items():
        if (root / "litter").exists():
            with_litter(root / "data" / name)
        place = root / "data" / name
        for chosen in choose(trees.spec_of(name, loader, place, **fields), place):
            frame = chosen.sequence.read(0)
            assert frame.depth is not None
            notes = [note for note in chosen.sequence.notes if "._" in note]
            camera = chosen.sequence.intrinsics
            found[name, chosen.sequence.name] = (
                chosen.frame_ids, frame.rgb.tobytes(), frame.depth.tobytes(), notes,
                None if camera is None else camera.tobytes(),
            )  # fmt: skip
    return found


def test_an_operating_systems_litter_is_no_data(tmp_path: Path) -> None:
    for part in ("clean", "littered"):
        (tmp_path / part).mkdir()
    (tmp_path / "littered/litter").touch()
    assert read_all(tmp_path / "littered") == read_all(tmp_path / "clean")


def test_suffixes_in_upper_case(tmp_path: Path) -> None:
    (tmp_path / "lower").mkdir()
    expected = read_all(tmp_path / "lower")
    for name, (loader, fields) in trees_of(tmp_path / "upper").items():
        place = tmp_path / "upper" / name
        fixed = {"cam.txt", "intrinsics.txt", "poses_bounds.npy", "Left_Image.png", "left_depth_map.tiff"}
        for path in [path for path in place.rglob("*") if path.is_file() and path.name not in fixed]:
            if path.suffix in (".png", ".jpg", ".tiff"):
                path.rename(path.with_suffix(path.suffix.upper()))
        for chosen in choose(trees.spec_of(name, loader, place, **fields), place):
            frame = chosen.sequence.read(0)
            assert frame.depth is not None
            ids, rgb, depth, *_ = expected[name, chosen.sequence.name]
            assert (chosen.frame_ids, frame.rgb.tobytes(), frame.depth.tobytes()) == (ids, rgb, depth), name


UNITY = "156.0418, 0, 178.5604, 0, 155.7529, 181.8043, 0, 0, 1"
PUBLISHED = (-0.2486, 0.0614, 0, 0)
LINES = "fx: 156.5\nfy: 155.5\ncx: 178.5\ncy: 181.5\nskew: 0\nk1: -0.25\nk2: 0.0625\n"


@pytest.mark.parametrize(
    ("text", "fx", "lens"),
    [(UNITY, 156.0418, PUBLISHED), (LINES, 156.5, (-0.25, 0.0625, 0, 0)), (None, 156.0418, PUBLISHED)],
)
@pytest.mark.parametrize("named", [True, False])
def test_only_unity_cams_camera_counts(
    tmp_path: Path, text: str | None, fx: float, lens: tuple[float, ...], named: bool
) -> None:
    grey = np.full((8, 8), 7, np.uint8)
    trees.endoslam(tmp_path, {"Colon": {1: grey}})
    root = tmp_path / "EndoSLAM"
    for camera in ("HighCam", "MiroCam"):
        (root / f"Cameras/{camera}/Calibration").mkdir(parents=True)
        (root / f"Cameras/{camera}/Calibration/cam.txt").write_text(LINES.replace("156.5", "957.4"))
        trees.write_image(root / f"Cameras/{camera}/Colon/Frames/image_0001.png", trees.picture(8, 8, 99))
    if text is not None:
        (root / "UnityCam/Calibration").mkdir()
        (root / "UnityCam/Calibration/cam.txt").write_text(text)
    raw = tmp_path if named else root / "UnityCam"
    sequence = choose(trees.spec_of("e", "endoslam_unity", raw, depth={"unit": "relative"}), raw)[0].sequence
    assert sequence.intrinsics is not None
    assert sequence.intrinsics[0, 0] == fx
    assert sequence.distortion == lens
    assert np.array_equal(sequence.read(0).rgb, trees.picture(8, 8, 1))  # and not the real camera's
    assert ("published numbers" in " ".join(sequence.notes)) == (text is None)


def test_real_cameras_beside_an_unnamed_unity_cam(tmp_path: Path) -> None:
    trees.endoslam(tmp_path, {"Colon": {1: np.full((8, 8), 7, np.uint8)}})
    (tmp_path / "EndoSLAM/UnityCam").rename(tmp_path / "EndoSLAM/frames")
    (tmp_path / "EndoSLAM/HighCam/Calibration").mkdir(parents=True)
    (tmp_path / "EndoSLAM/HighCam/Calibration/cam.txt").write_text(LINES)
    trees.write_image(tmp_path / "EndoSLAM/Cameras/PillCam/Colon/image_0001.png", trees.picture(8, 8, 99))
    sequence = choose(trees.spec_of("e", "endoslam_unity", tmp_path, depth={"unit": "relative"}), tmp_path)[
        0
    ].sequence
    assert sequence.intrinsics is not None
    assert sequence.intrinsics[0, 0] == 156.0418
    assert np.array_equal(sequence.read(0).rgb, trees.picture(8, 8, 1))


def test_two_calibrations_that_differ(tmp_path: Path) -> None:
    depth = np.full((48, 64), 80, np.uint16)
    trees.hamlyn(tmp_path / "h", "06", {0: depth}, CAMERA)
    other = tmp_path / "h/old/calibration/06/intrinsics.txt"
    other.parent.mkdir(parents=True)
    other.write_text(CAMERA.replace(" 0\n", "\n"))
    spec = trees.spec_of("h", "hamlyn_rectified", tmp_path / "h")
    assert choose(spec, tmp_path / "h")
    other.write_text(CAMERA.replace("600", "601"))
    with pytest.raises(ScopeDepthError, match="hold different cameras"):
        choose(spec, tmp_path / "h")
    for side in ("left", "right"):
        trees.write_image(tmp_path / f"s/{side}/1.png", trees.picture(24, 32))
    (tmp_path / "s/a.yaml").write_text(trees.SCARED_CALIBRATION)
    (tmp_path / "s/b.YAML").write_text(trees.SCARED_CALIBRATION)
    assert choose(trees.spec_of("s", "stereo", tmp_path / "s"), tmp_path / "s")
    (tmp_path / "s/b.YAML").write_text(trees.SCARED_CALIBRATION.replace("-4.35", "-5.35"))
    with pytest.raises(ScopeDepthError, match=r"a\.yaml and b\.YAML hold different calibrations"):
        choose(trees.spec_of("s", "stereo", tmp_path / "s"), tmp_path / "s")
    named = trees.spec_of("s", "stereo", tmp_path / "s", options={"calibration": "b.YAML"})
    sequence = choose(named, tmp_path / "s")[0].sequence
    assert isinstance(sequence, StereoSequence)
    assert sequence.rectifier.baseline == pytest.approx(5.35)


def test_forms_of_a_camera_file(tmp_path: Path) -> None:
    path = tmp_path / "cam.txt"
    path.write_text("# a camera\nfx = 100\nfy = 101\ncx = 20\ncy = 15\n")
    assert np.array_equal(read_intrinsics(path), [[100, 0, 20], [0, 101, 15], [0, 0, 1]])
    assert read_camera(path)[1] is None
    for text, said in (
        ("fx: 100\nfy: 100\nk1: 0.1\nk2: 0.2", "lacks cx, cy"),
        ("fx: 100\nfx: 101\nfy: 1\ncx: 2\ncy: 3", "names a number twice"),
        ("100 0 0\n0 100 0\n20 15 1", "column by column"),
        ("640 480 100 100 20 15", "holds 6 numbers"),
        ("100 nan 20 15", "holds 3 numbers"),
    ):
        path.write_text(text)
        with pytest.raises(ScopeDepthError, match=said):
            read_camera(path)


def test_frames_that_are_all_black_are_refused(tmp_path: Path) -> None:
    for number in range(3):
        name = f"trans_t1_a/{number:04d}"
        trees.write_image(tmp_path / "data" / f"{name}_color.png", np.full((48, 64, 3), 4095, np.uint16))
        trees.write_tiff(tmp_path / "data" / f"{name}_depth.tiff", np.full((48, 64), 9000, np.uint16))
    spec = trees.spec_of("c3vd", "c3vd", tmp_path / "data")
    fetch_dataset(spec, tmp_path / "raw", tmp_path / "raw.json", 1)
    with pytest.raises(
        ScopeDepthError, match=r"3 frames looked at are black \(the greatest number is 15 of 255\)"
    ):
        prepare_unit(spec, tmp_path / "raw", tmp_path / "u.zarr", tmp_path / "u.json", 1)


@pytest.mark.parametrize("name", ["c3vd", "simcol", "serv_ct", "hamlyn", "endoslam"])
def test_depth_that_was_converted_is_refused(tmp_path: Path, name: str) -> None:
    loader, fields = trees_of(tmp_path)[name]
    place = tmp_path / name
    for path in [path for path in place.rglob("*") if path.is_file()]:
        if "epth" in "/".join(path.relative_to(place).parts) and path.suffix in (".png", ".tiff"):
            other = np.full((48, 64), 9, np.uint16 if name == "endoslam" else np.uint8)
            (trees.write_tiff if path.suffix == ".tiff" else trees.write_image)(path, other)
    chosen = choose(trees.spec_of(name, loader, place, **fields), place)[0]
    with pytest.raises(ScopeDepthError, match=r"holds uint\d+, .* as published uint\d+: it was converted"):
        chosen.sequence.read(0)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("depth", {"unit": "um"}, "unit is mm, cm, m, or relative where it is unknown, not 'um'"),
        ("depth", {"unit": "Metres"}, "not 'Metres'; for another one write mm"),
        ("depth", {"range": [5, 1]}, "range is [least, greatest] from 0 on"),
        ("depth", {"unit": "m", "scale": "x"}, "'x' is not allowed"),
        ("depth", {"invalid": [float("inf")]}, "inf"),
        ("sequences", [], "sequences is empty"),
        ("source", {"kind": "hub", "repo": "a/b", "unpack": "*.zip"}, "true, false or a list of patterns"),
    ],
)
def test_what_a_dataset_may_not_say(field: str, value: Any, said: str) -> None:
    config = copy.deepcopy(CONFIG)
    config["datasets"]["one"][field] = value
    with pytest.raises(ConfigError) as caught:
        select_study(config)
    assert said in str(caught.value)
    assert "Did you mean" not in str(caught.value)


def test_a_scale_in_quotes_is_in_the_unit_too() -> None:
    assert Depth(unit="cm", scale="0.5", range=["1", 30]).model_dump()["scale"] == 5.0
    assert Depth(unit="cm", scale="0.5", range=["1", 30]).model_dump()["range"] == [10.0, 300.0]


@pytest.mark.parametrize("field", ["datasets", "models", "protocols"])
def test_a_name_with_capitals_is_told_the_rule(field: str) -> None:
    config = copy.deepcopy(CONFIG)
    config["studies"]["small"][field] = ["MyData"]
    with pytest.raises(ConfigError, match="'MyData' is no name; a name holds small letters"):
        select_study(config)


def test_a_text_file_that_windows_wrote(tmp_path: Path) -> None:
    path = tmp_path / "cam.txt"
    path.write_bytes(b"\xef\xbb\xbf" + LINES.replace("\n", "\r\n").encode())
    assert read_intrinsics(path)[0, 0] == 156.5
    path.write_bytes(LINES.encode("utf-16"))
    with pytest.raises(ScopeDepthError, match="is no text"):
        read_intrinsics(path)


@pytest.mark.parametrize("bits", ["12", 7, 17, 12.0, True, [12]])
def test_bits_that_are_none(tmp_path: Path, bits: Any) -> None:
    with pytest.raises(ValidationError, match=r"options\.bits: Input should be"):
        mine(tmp_path, np.full((8, 8), 9, np.uint16), options={"bits": bits})
    # The loader checks it as well: whoever calls it need not have read a configuration.
    spec = mine(tmp_path, np.full((8, 8), 9, np.uint16))
    with pytest.raises(ScopeDepthError, match=r"options\.bits is a whole number from 8 to 16"):
        choose({**spec, "options": {**spec["options"], "bits": bits}}, tmp_path)
