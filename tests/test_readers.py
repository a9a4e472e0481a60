"""Depth files, masks, poses and folders as people have them, written by the libraries that write such files."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from scipy.io import savemat

import dataset_trees as trees
from scopedepth.config.datasets import Depth
from scopedepth.datasets import Chosen, choose
from scopedepth.datasets.place import point_to
from scopedepth.datasets.prepare import prepare_unit
from scopedepth.datasets.reading.containers import read_array
from scopedepth.datasets.reading.images import read_raw_depth
from scopedepth.datasets.reading.mask_files import read_mask
from scopedepth.datasets.reading.poses import read_poses
from scopedepth.errors import ScopeDepthError, UnreadableFrame
from scopedepth.stores.dataset import DatasetStore
from scopedepth.views.crop import Crop
from scopedepth.vocabulary.flags import DOUBTFUL, FRAME_NO_DEPTH, FRAME_OK, NO_DEPTH, OCCLUDED, TOOL

H, W = 30, 40
TRUTH = trees.depth_mm(H, W, 20, 90).astype(np.float32)


def decoded(chosen: Chosen, index: int) -> np.ndarray:
    depth = chosen.sequence.read(index).depth
    assert depth is not None
    return chosen.sequence.encoding.decode(depth)


def write_hdf5(path: Path, arrays: dict[str, np.ndarray], userblock: int = 0) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed: pip install '.[hdf5]'")
    with h5py.File(path, "w", userblock_size=userblock) as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, compression="gzip")


def write_mat73(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write what MATLAB's save -v7.3 does: its words, then HDF5 with the axes the other way round."""
    write_hdf5(path, {name: array.T for name, array in arrays.items()}, userblock=512)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")


WRITERS: dict[str, Callable[[Path, dict[str, np.ndarray]], None]] = {
    ".npz": lambda path, arrays: np.savez_compressed(path, allow_pickle=True, **arrays),
    ".mat": lambda path, arrays: savemat(path, arrays, do_compression=True),
    ".h5": write_hdf5,
    "7.3.mat": write_mat73,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_an_array_of_a_container(tmp_path: Path, kind: str) -> None:
    path, write = tmp_path / f"frame_1{kind}", WRITERS[kind]
    write(path, {"depth": TRUTH})
    assert np.array_equal(read_raw_depth(path), TRUTH)
    write(path, {"depth": TRUTH, "other": TRUTH + 1, "words": np.array([1, 2, 3], np.uint16)})
    assert np.array_equal(read_raw_depth(path, "other"), TRUTH + 1)
    with pytest.raises(ScopeDepthError, match=rf"frame_1{kind} holds several arrays, .*depth \[30, 40\]"):
        read_raw_depth(path)
    with pytest.raises(ScopeDepthError, match=r"has no array 'Depth'; it holds .*other \[30, 40\]"):
        read_raw_depth(path, "Depth")
    write(path, {"points": np.zeros((4, H, W, 3), np.float32)})
    with pytest.raises(ScopeDepthError, match=r"depth is \(height, width\)"):
        read_raw_depth(path)
    content = path.read_bytes()
    for cut in (0, 3, len(content) // 2):
        path.write_bytes(content[:cut])
        with pytest.raises(UnreadableFrame, match=f"frame_1{kind}: "):
            read_raw_depth(path)


def test_nothing_in_a_container_is_run_and_nothing_leads_out(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", depth=np.array([{"x": 1}], object))
    with pytest.raises(ScopeDepthError, match="holds no array of numbers"):
        read_array(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }".ljust(117) + b"\n"
        archive.writestr("depth.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header)
    with pytest.raises(UnreadableFrame, match="claims the shape"):
        read_array(tmp_path / "b.npz")
    h5py = pytest.importorskip("h5py", reason="h5py is not installed: pip install '.[hdf5]'")
    write_hdf5(tmp_path / "secret.h5", {"depth": TRUTH})
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["linked"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/depth")
        file["loop"] = h5py.SoftLink("/")
    with pytest.raises(ScopeDepthError, match="holds no array of numbers"):
        read_array(tmp_path / "c.h5")
    with h5py.File(tmp_path / "d.h5", "w") as file:
        layout = h5py.VirtualLayout((H, W), np.float32)
        layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "depth", shape=(H, W))
        file.create_virtual_dataset("depth", layout)
        file.create_dataset("raw", (2, 2), "u1", external=[(str(tmp_path / "secret.h5"), 0, 4)])
    for name in ("depth", "raw"):
        with pytest.raises(ScopeDepthError, match="lies in another file"):
            read_array(tmp_path / "d.h5", name)


def test_hdf5_without_its_package_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(600))
    with pytest.raises(
        ScopeDepthError, match=r"a\.h5: reading HDF5 needs the package h5py \(pip install '\.\[hdf5\]'\)"
    ):
        read_array(tmp_path / "a.h5")


def test_pfm(tmp_path: Path) -> None:
    path = tmp_path / "depth.pfm"
    assert cv2.imwrite(str(path), TRUTH)
    assert np.array_equal(read_raw_depth(path), TRUTH)
    # Big-endian, as Debevec's own files are, and Middlebury's words.
    path.write_bytes(b"Pf\n40 30\n1.0\n" + TRUTH[::-1].astype(">f4").tobytes())
    assert np.array_equal(read_raw_depth(path), TRUTH)
    good = b"Pf\n40 30\n-0.003922\n" + TRUTH[::-1].astype("<f4").tobytes()
    for content, said in (
        (good[:-1], "bytes for 40x30 floats"),
        (good + b"\0", "bytes for 40x30 floats"),
        (good[:20], "bytes for 40x30 floats"),
        (b"P5\n4 3\n255\n" + bytes(12), "no header of a PFM"),
        (b"Pf\n40 30\n0\n" + good[-4800:], "scale 0"),
    ):
        path.write_bytes(content)
        with pytest.raises(UnreadableFrame, match=rf"depth\.pfm: does not decode \(.*{said}"):
            read_raw_depth(path)
    path.write_bytes(b"PF\n40 30\n-1\n" + bytes(4800 * 3))
    with pytest.raises(ScopeDepthError, match="three channels"):
        read_raw_depth(path)


def test_a_pfm_scale_is_told_and_not_applied(tmp_path: Path) -> None:
    trees.write_image(tmp_path / "rgb/1.png", trees.picture(H, W))
    (tmp_path / "depth").mkdir()
    (tmp_path / "depth/1.pfm").write_bytes(b"Pf\n40 30\n-0.003922\n" + TRUTH[::-1].astype("<f4").tobytes())
    chosen = choose(trees.spec_of("mine", "folder", tmp_path), tmp_path)[0]
    assert np.array_equal(decoded(chosen, 0), TRUTH)
    assert "declare a scale of 0.003922, which is not applied" in chosen.sequence.notes[0]


def test_bmp_as_depth(tmp_path: Path) -> None:
    from PIL import Image

    path, levels = tmp_path / "depth.bmp", np.round(TRUTH).astype(np.uint8)
    Image.fromarray(levels).save(path)
    assert np.array_equal(read_raw_depth(path), levels)
    Image.fromarray(np.dstack([levels] * 3)).save(path)
    assert np.array_equal(read_raw_depth(path), levels)
    Image.fromarray(levels > 50).save(path)
    with pytest.raises(ScopeDepthError, match="numbers of 1 bits"):
        read_raw_depth(path)
    inverted = Image.fromarray(levels, "P")
    inverted.putpalette([255 - level for level in range(256) for _ in range(3)])
    inverted.save(path)
    with pytest.raises(ScopeDepthError, match="has a palette"):
        read_raw_depth(path)


@pytest.mark.parametrize(
    ("fields", "stored"),
    [
        ({"kind": "disparity", "focal": 400.0, "baseline": 4.5}, 400 * 4.5 / TRUTH),
        ({"kind": "disparity", "focal": 400.0, "baseline": 0.0045, "unit": "m"}, 400 * 4.5 / TRUTH),
        ({"kind": "disparity", "baseline": 4.5, "scale": 1 / 256}, np.round(256 * 500 * 4.5 / TRUTH)),
        ({"kind": "inverse"}, 1 / TRUTH),
        ({"kind": "inverse", "unit": "m"}, 1000 / TRUTH),
        ({"kind": "inverse", "unit": "cm", "scale": 0.1}, 100 / TRUTH),
    ],
)
def test_disparity_and_inverse_depth(tmp_path: Path, fields: dict[str, Any], stored: np.ndarray) -> None:
    trees.write_image(tmp_path / "rgb/1.png", trees.picture(H, W))
    (tmp_path / "intrinsics.txt").write_text("500 500 20 15")
    numbers = stored.astype(
        np.uint16
        if "scale" in fields and "focal" not in fields and fields["kind"] == "disparity"
        else np.float32
    )
    if numbers.dtype == np.uint16:
        numbers[0] = 0
        trees.write_image(tmp_path / "depth/1.png", numbers)
    else:
        numbers[0] = [0, -1, np.nan, np.inf] * 10
        (tmp_path / "depth").mkdir()
        np.save(tmp_path / "depth/1.npy", numbers)
    chosen = choose(trees.spec_of("mine", "folder", tmp_path, depth={**fields, "range": None}), tmp_path)[0]
    depth = decoded(chosen, 0)
    assert np.isnan(depth[0]).all()
    step = 90**2 / (256 * 500 * 4.5) if numbers.dtype == np.uint16 else 1e-5 * 90
    assert np.abs(depth[1:] - TRUTH[1:]).max() <= step
    fields["range"] = [0.0, 50.0 if "unit" not in fields else {"m": 0.05, "cm": 5}[fields["unit"]]]
    near = decoded(choose(trees.spec_of("mine", "folder", tmp_path, depth=fields), tmp_path)[0], 0)
    clear = np.abs(TRUTH - 50) > 2 * step
    assert np.array_equal(np.isfinite(near[1:])[clear[1:]], (TRUTH <= 50)[1:][clear[1:]])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "disparity", "focal": 400}, "needs the `baseline`"),
        ({"kind": "disparity", "baseline": 4, "unit": "relative"}, "unit: relative does not fit"),
        ({"baseline": 4}, "baseline is for kind: disparity alone"),
        ({"kind": "inverse", "focal": 400}, "focal is for kind: disparity alone"),
        ({"kind": "disparity", "baseline": -4}, "greater than 0"),
    ],
)
def test_what_disparity_needs(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Depth(**fields)


def test_disparity_without_a_focal_length(tmp_path: Path) -> None:
    trees.write_image(tmp_path / "rgb/1.png", trees.picture(H, W))
    spec = trees.spec_of("mine", "folder", tmp_path, depth={"kind": "disparity", "baseline": 4})
    with pytest.raises(ScopeDepthError, match=r"set depth\.focal, or options\.intrinsics"):
        choose(spec, tmp_path)


def test_a_loader_that_knows_its_depth_takes_no_other_kind(tmp_path: Path) -> None:
    trees.c3vd(tmp_path / "a", {1: TRUTH.astype(np.float64)})
    with pytest.raises(ScopeDepthError, match=r"remove depth\.kind"):
        choose(trees.spec_of("x", "c3vd", tmp_path, depth={"kind": "inverse"}), tmp_path)
    spec = trees.spec_of("x", "c3vd", tmp_path, depth={"kind": "none"})
    assert choose(spec, tmp_path)[0].sequence.read(0).depth is None


# Image and depth in one folder, by pattern.
def test_one_folder_with_both(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        trees.write_image(tmp_path / f"scene/{number}_color.png", trees.picture(H, W, number))
        if number != 2:
            np.save(tmp_path / f"scene/{number}_depth.npy", TRUTH + number)
    spec = trees.spec_of(
        "mine", "folder", tmp_path, options={"images": "*_color.png", "depths": "*_depth.npy"}
    )
    chosen = choose(spec, tmp_path)[0]
    assert (chosen.sequence.name, chosen.frame_ids) == ("scene", ["1_color", "2_color", "10_color"])
    assert np.array_equal(decoded(chosen, 2), TRUTH + 10)
    assert chosen.sequence.read(1).depth is None
    # A pattern that means both: what the other one means is depth.
    trees.write_image(tmp_path / "scene/2_depth.png", np.full((H, W), 7, np.uint16))
    options = {"images": "*.png", "depths": "*_depth.*"}
    with pytest.raises(ScopeDepthError, match="one of them was exported otherwise"):
        decoded(choose(trees.spec_of("mine", "folder", tmp_path, options=options), tmp_path)[0], 1)
    assert len(choose(trees.spec_of("mine", "folder", tmp_path, options=options), tmp_path)[0].indices) == 3


def test_bare_images_are_a_sequence(tmp_path: Path) -> None:
    for number in (1, 2):
        trees.write_image(tmp_path / f"patient/{number}.jpg", trees.picture(H, W, number))
    spec = trees.spec_of("mine", "folder", tmp_path, options={"images": "*.jpg"}, depth={"kind": "none"})
    chosen = choose(spec, tmp_path)[0]
    assert (chosen.sequence.name, chosen.frame_ids) == ("patient", ["1", "2"])
    assert chosen.sequence.notes == ["depth.kind is none: no depth is looked for"]


def test_image_and_depth_in_one_npz(tmp_path: Path) -> None:
    """EndoSynth's form: rgb uint8, depth float16 in metres."""
    rgb = trees.picture(H, W)
    np.savez(tmp_path / "0001.npz", rgb=rgb, depth=(TRUTH / 1000).astype(np.float16))
    options = {"images": "*.npz", "depths": "*.npz", "image_key": "rgb"}
    spec = trees.spec_of("mine", "folder", tmp_path, options=options, depth={"unit": "m", "key": "depth"})
    chosen = choose(spec, tmp_path)[0]
    assert np.array_equal(chosen.sequence.read(0).rgb, rgb)
    assert np.abs(decoded(chosen, 0) / TRUTH - 1).max() < 2**-10
    wrong = trees.spec_of(
        "mine", "folder", tmp_path, options={**options, "image_key": "depth"}, depth={"key": "depth"}
    )
    with pytest.raises(UnreadableFrame, match="an image of float16"):
        choose(wrong, tmp_path)[0].sequence.read(0)


def test_two_sizes_are_two_sequences(tmp_path: Path) -> None:
    for number, (height, width) in enumerate([(30, 40), (30, 40), (24, 32), (30, 40)]):
        trees.write_image(tmp_path / f"a/rgb/{number}.png", trees.picture(height, width))
        trees.write_image(tmp_path / f"a/depth/{number}.png", np.full((height, width), 9 + number, np.uint16))
    (tmp_path / "a/rgb/4.png").write_bytes(b"broken")
    one, two = choose(trees.spec_of("mine", "folder", tmp_path), tmp_path)
    assert (one.sequence.name, one.frame_ids) == ("a_32x24", ["2"])
    assert (two.sequence.name, two.frame_ids) == ("a_40x30", ["0", "1", "3", "4"])
    assert "images of 2 sizes, a sequence each: a_40x30, a_32x24" in one.sequence.notes
    assert decoded(one, 0)[0, 0] == 11


def test_archives_beside_the_data_are_named(tmp_path: Path) -> None:
    trees.write_image(tmp_path / "a/rgb/1.png", trees.picture(H, W))
    (tmp_path / "b.zip").write_bytes(b"PK")
    (tmp_path / "a/c.7z").write_bytes(b"7z")
    notes = choose(trees.spec_of("mine", "folder", tmp_path), tmp_path)[0].sequence.notes
    assert "2 archives are not unpacked and not read (a/c.7z, b.zip)." in notes
    (tmp_path / "a/rgb/1.png").unlink()
    (tmp_path / "a/rgb").rmdir()
    with pytest.raises(ScopeDepthError, match=r"No folder named rgb .* 2 archives are not unpacked"):
        choose(trees.spec_of("mine", "folder", tmp_path), tmp_path)


# Masks.
def write_masks(folder: Path, mask: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    from PIL import Image

    Image.fromarray(mask).save(folder / "mask_0001.bmp")


SET = np.zeros((H, W), bool)
SET[5:9, 3:20] = True


@pytest.mark.parametrize(
    "form", [SET, 255 * SET.astype(np.uint8), np.dstack([255 * SET, 0 * SET, 0 * SET]).astype(np.uint8)]
)
def test_masks(tmp_path: Path, form: np.ndarray) -> None:
    trees.write_image(tmp_path / "rgb/0001.png", trees.picture(H, W))
    trees.write_image(tmp_path / "rgb/0002.png", trees.picture(H, W))
    trees.write_image(tmp_path / "depth/0001.png", np.round(TRUTH).astype(np.uint16))
    write_masks(tmp_path / "tools", form)
    np.save(tmp_path / "sure_1.npy", np.where(SET, np.nan, 0.9).astype(np.float32))
    masks = [{"files": "tools", "marks": "tool"}, {"files": "tools", "marks": "occluded", "inverted": True},
             {"files": "sure_*.npy", "marks": "valid", "above": 0.5},
             {"files": "sure_*.npy", "marks": "doubtful", "above": 0.5, "inverted": True}]  # fmt: skip
    chosen = choose(trees.spec_of("mine", "folder", tmp_path, options={"masks": masks}), tmp_path)[0]
    frame = chosen.sequence.read(0)
    assert frame.flags is not None
    assert np.array_equal((frame.flags & TOOL) > 0, SET)
    assert np.array_equal((frame.flags & OCCLUDED) > 0, ~SET)
    assert np.array_equal((frame.flags & NO_DEPTH) > 0, SET)
    assert np.array_equal((frame.flags & DOUBTFUL) > 0, SET)
    assert frame.depth is not None
    assert np.array_equal(frame.depth, np.where(SET, 0, np.round(TRUTH)))
    assert chosen.sequence.read(1).flags is None
    assert "1 of 2 frames have no mask tool" in chosen.sequence.notes


@pytest.mark.parametrize("inverted", [True, False])
def test_a_map_of_confidence_is_kept_where_it_is_said_what_is_full(tmp_path: Path, inverted: bool) -> None:
    """Of a confidence and of a doubt, in a store and in a view of it; a frame without a map has none."""
    sure = np.linspace(0, 1, H * W, dtype=np.float32).reshape(H, W)
    sure[3, 4] = np.nan
    for number in (1, 2):
        trees.write_image(tmp_path / f"data/rgb/{number:04d}.png", trees.picture(H, W))
    trees.write_image(tmp_path / "data/depth/0001.png", np.round(TRUTH).astype(np.uint16))
    np.save(tmp_path / "data/sure_0001.npy", sure)
    (tmp_path / "raw").mkdir()
    point_to(tmp_path / "raw", tmp_path / "data", None)
    plain = {"files": "sure_*.npy", "marks": "doubtful", "above": 0.5, "inverted": inverted}
    for name, mask in (("plain", plain), ("kept", {**plain, "full": 1.0})):
        spec = trees.spec_of("mine", "folder", tmp_path / "data", options={"masks": [mask]})
        prepare_unit(spec, tmp_path / "raw", tmp_path / f"{name}.zarr", tmp_path / f"{name}.json", 1)
    (sequence,) = DatasetStore(tmp_path / "plain.zarr").sequences.values()
    assert sequence.confidence(0, 2) is None
    (sequence,) = DatasetStore(tmp_path / "kept.zarr").sequences.values()
    wanted = np.nan_to_num((sure if inverted else 1 - sure.astype(float)).astype(float), nan=0)
    found = sequence.confidence(0, 2)
    assert found is not None
    np.testing.assert_array_equal(found, [np.rint(255 * wanted), np.zeros((H, W))])
    sequence.steps.append(Crop(4, 2, 20, 10))
    np.testing.assert_array_equal(sequence.confidence(0, 2), found[:, 2:12, 4:24])


@pytest.mark.parametrize("values", [[0, 1.5], [-0.1, 0], [0, np.inf]])
def test_a_map_that_goes_beyond_what_is_full(tmp_path: Path, values: list[float]) -> None:
    trees.write_image(tmp_path / "rgb/1.png", trees.picture(1, 2))
    np.save(tmp_path / "sure_1.npy", np.array([values], np.float32))
    mask = {"files": "sure_*.npy", "marks": "doubtful", "above": 0.5, "inverted": True, "full": 1.0}
    spec = trees.spec_of("mine", "folder", tmp_path, options={"masks": [mask]})
    with pytest.raises(
        ScopeDepthError, match=r"sure_1\.npy holds numbers from .* and a map goes from 0 to 1"
    ):
        choose(spec, tmp_path)[0].sequence.read(0)


def test_masks_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "m.png"
    trees.write_image(path, np.round(TRUTH).astype(np.uint8))
    with pytest.raises(ScopeDepthError, match=r"m\.png holds .* different numbers .*`above`"):
        read_mask(path)
    assert np.array_equal(read_mask(path, above=50), np.round(TRUTH) > 50)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UnreadableFrame, match=r"m\.png"):
        read_mask(path)
    np.save(tmp_path / "m.npy", np.zeros((2, H, W)))
    with pytest.raises(ScopeDepthError, match=r"a mask is \(height, width\)"):
        read_mask(tmp_path / "m.npy")
    trees.write_image(tmp_path / "rgb/1.png", trees.picture(H, W))
    trees.write_image(tmp_path / "masks/1.png", np.zeros((H, W - 1), np.uint8))
    spec = trees.spec_of("mine", "folder", tmp_path, options={"masks": [{"files": "masks", "marks": "tool"}]})
    with pytest.raises(ScopeDepthError, match=r"masks/1\.png is 39x30"):
        choose(spec, tmp_path)[0].sequence.read(0)
    missing = trees.spec_of(
        "mine", "folder", tmp_path, options={"masks": [{"files": "tools", "marks": "tool"}]}
    )
    with pytest.raises(ScopeDepthError, match="has no masks tools"):
        choose(missing, tmp_path)


# Poses.
TURN = np.array([[0.0, -1, 0, 0.5], [1, 0, 0, 0.25], [0, 0, 1, -2], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    "line",
    [
        "0 -1 0 0.5 1 0 0 0.25 0 0 1 -2",
        "0,-1,0,0.5,1,0,0,0.25,0,0,1,-2,0,0,0,1",
        "1305031102.1758 0.5 0.25 -2 0 0 0.70710678 0.70710678  # TUM",
    ],
)
def test_poses(tmp_path: Path, line: str) -> None:
    path = tmp_path / "poses.txt"
    path.write_text(f"# camera to world\n{line}\n\n{line}\n")
    poses = read_poses(path, 2, "cm")
    want = TURN.copy()
    want[:3, 3] *= 10
    assert np.allclose(poses, [want, want], atol=1e-7)
    with pytest.raises(ScopeDepthError, match=r"poses\.txt holds 2 poses, the sequence 3 frames"):
        read_poses(path, 3, "mm")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1 0 0 0 0 1 0 0 0 0 1", "holds 11 numbers"),
        ("1 0 0 nan 0 1 0 0 0 0 1 0", "finite"),
        ("2 0 0 0 0 1 0 0 0 0 1 0", "is no pose"),
        ("1 0 0 0 0 1 0 0 0 0 -1 0", "is no pose"),
        ("0 1 2 3 0 0 0 0", "quaternion of length 0"),
        ("a b c d e f g h", "could not convert"),
    ],
)
def test_no_poses(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "poses.txt").write_text(line)
    with pytest.raises(ScopeDepthError, match=rf"poses\.txt, line 1.*{said}"):
        read_poses(tmp_path / "poses.txt", 1, "mm")


def test_poses_of_the_chosen_frames_are_stored(tmp_path: Path) -> None:
    data, lines = tmp_path / "data", []
    for number in range(4):
        trees.write_image(data / f"a/rgb/{number}.png", trees.picture(H, W, number))
        lines.append(f"{number} {number} 0 0 0 0 0 1")
    (data / "a/poses.txt").write_text("\n".join(lines))
    trees.write_image(data / "a/depth/1.png", np.full((H, W), 9, np.uint16))
    spec = trees.spec_of(
        "mine",
        "folder",
        data,
        options={"poses": {"file": "poses.txt", "unit": "mm"}},
        frames={"start": 1, "step": 2},
    )
    raw = tmp_path / "raw"
    raw.mkdir()
    point_to(raw, data, None)
    prepare_unit(spec, raw, tmp_path / "u.zarr", tmp_path / "u.json", 1)
    stored = DatasetStore(tmp_path / "u.zarr").sequences["a"]
    poses = stored.poses()
    assert poses is not None
    assert poses[:, 0, 3].tolist() == [1.0, 3.0]
    assert stored.status().tolist() == [FRAME_OK, FRAME_NO_DEPTH]


# Parquet of images, as the Hub's image data sets are.
def encoded(suffix: str, array: np.ndarray) -> bytes:
    good, data = cv2.imencode(suffix, array[..., ::-1] if array.ndim == 3 else array)
    assert good
    return data.tobytes()


def write_rows(path: Path, rows: dict[str, list[Any]], group: int = 4) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(rows), path, row_group_size=group)


def test_parquet_of_images(tmp_path: Path) -> None:
    images = [trees.picture(H, W, number) for number in range(40)]
    stored = [np.round(TRUTH * 10 + number).astype(np.uint16) for number in range(40)]
    rows: dict[str, list[Any]] = {
        "image": [{"bytes": encoded(".png", image), "path": f"x/{n}.png"} for n, image in enumerate(images)],
        "depth": [None if n == 3 else encoded(".png", one) for n, one in enumerate(stored)],
        "video": ["ab"[n % 3 == 0] for n in range(40)],
    }
    write_rows(tmp_path / "train-00000.parquet", rows)
    options = {"depths": "depth", "sequence": "video"}
    a, b = choose(trees.spec_of("x", "parquet", tmp_path, options=options, depth={"scale": 0.1}), tmp_path)
    assert b.frame_ids == [str(n) for n in range(0, 40, 3)]
    assert len(a.indices) + len(b.indices) == 40
    for index in (0, 1, 5, 2, 13):
        frame = b.sequence.read(index)
        assert np.array_equal(frame.rgb, images[3 * index])
        assert (frame.depth is None) == (index == 1)
        if frame.depth is not None:
            assert np.array_equal(frame.depth, stored[3 * index])
    (one,) = choose(trees.spec_of("x", "parquet", tmp_path), tmp_path)
    assert (one.sequence.name, len(one.indices)) == ("train-00000", 40)
    assert one.sequence.notes == ["no frame has depth: options.depths names no column"]


def test_parquet_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    rows: dict[str, list[Any]] = {
        "image": [encoded(".png", trees.picture(H, W)), b"", b"broken"],
        "words": ["a", "b", "c"],
    }
    write_rows(path, rows)
    sequence = choose(trees.spec_of("x", "parquet", tmp_path), tmp_path)[0].sequence
    assert sequence.read(0).rgb.shape == (H, W, 3)
    with pytest.raises(UnreadableFrame, match=r"a\.parquet/row 1: holds no bytes"):
        sequence.read(1)
    with pytest.raises(UnreadableFrame, match=r"a\.parquet/row 2: does not decode"):
        sequence.read(2)
    with pytest.raises(ScopeDepthError, match=r"a\.parquet has no column 'depth'; it has image, words"):
        choose(trees.spec_of("x", "parquet", tmp_path, options={"depths": "depth"}), tmp_path)
    with pytest.raises(ScopeDepthError, match="the column words holds string"):
        choose(trees.spec_of("x", "parquet", tmp_path, options={"images": "words"}), tmp_path)
    write_rows(path, {"image": [{"bytes": b"x", "path": "name"}]})
    path.write_bytes(path.read_bytes().replace(b"name", b"\xff\xff\xff\xff", 1))
    with pytest.raises(ScopeDepthError, match=r"a\.parquet does not read as Parquet"):
        choose(trees.spec_of("x", "parquet", tmp_path), tmp_path)
    write_rows(path, rows)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ScopeDepthError, match=r"a\.parquet does not read as Parquet"):
        choose(trees.spec_of("x", "parquet", tmp_path), tmp_path)


def test_rows_are_unpacked_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scopedepth.datasets.loaders import parquet

    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    write_rows(tmp_path / "a.parquet", {"image": [encoded(".png", image)] * 300}, group=300)
    monkeypatch.setattr(parquet, "BUFFER", 1 << 14)
    sequence = choose(trees.spec_of("x", "parquet", tmp_path), tmp_path)[0].sequence
    sequence.read(0)
    before = pa.total_allocated_bytes()
    for index in range(200):
        sequence.read(index)
        assert pa.total_allocated_bytes() - before < 64 * 12288
    assert len(sequence._kept) <= parquet.KEPT  # type: ignore[attr-defined]
