"""Small datasets in the exact published layouts and encodings, written from known depth."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from scopedepth.config.base import plain_spec
from scopedepth.config.datasets import DatasetSpec

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs


def spec_of(name: str, loader: str, source: Path | dict[str, Any], **fields: Any) -> specs.Dataset:
    """Return a checked spec with all defaults, as the workflow hands it over."""
    where = {"kind": "path", "path": str(source)} if isinstance(source, Path) else source
    checked = DatasetSpec.model_validate({"loader": loader, "source": where, **fields})
    return plain_spec(name, checked)


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return a textured, bright RGB image."""
    noise = np.random.default_rng(seed).integers(60, 220, (height, width, 3), dtype=np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (5, 5), 1.2))


def picture_like(array: NDArray[Any], seed: int) -> NDArray[np.uint8]:
    """Return a picture of a map's height and width."""
    height, width = array.shape
    return picture(height, width, seed)


def depth_mm(height: int, width: int, near: float, far: float, seed: int = 0) -> NDArray[np.float64]:
    """Return a smooth depth map in mm between `near` and `far`."""
    rows, columns = np.mgrid[0:height, 0:width] / max(height, width)
    wave = 0.5 + 0.25 * np.sin(5 * rows + seed) + 0.25 * np.cos(7 * columns - seed)
    return near + (far - near) * wave


def write_image(path: Path, rgb: NDArray[Any]) -> None:
    """Write an RGB(A) or grey image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if rgb.ndim == 3:
        rgb = rgb[..., [2, 1, 0, 3][: rgb.shape[2]]]
    ok, data = cv2.imencode(path.suffix, rgb)
    assert ok
    path.write_bytes(data.tobytes())


def write_tiff(path: Path, array: NDArray[Any]) -> None:
    """Write an uncompressed TIFF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, array, photometric="rgb" if array.ndim == 3 else "minisblack")


def endoslam(root: Path, truth: dict[str, dict[int, NDArray[np.uint8]]], nest: bool = True) -> None:
    """Write UnityCam organs; `truth`: organ folder -> frame number -> grey levels."""
    for organ, frames in truth.items():
        base = root / "EndoSLAM" / "UnityCam" / organ
        images = base / "Frames" / "Frames" if nest else base / "Frames"
        for number, grey in frames.items():
            name = f"{number:04d}"  # five digits from 10000 on
            write_image(images / f"image_{name}.png", picture_like(grey, number))
            write_image(
                base / "Pixelwise Depths" / f"aov_image_{name}.png", np.repeat(grey[..., None], 4, axis=2)
            )


def hamlyn(
    root: Path, number: str, depths: dict[int, NDArray[np.uint16]], camera: str, nest: bool = False
) -> None:
    """Write one rectified sequence; `camera` is the text of intrinsics.txt."""
    base = root / f"rectified{number}" / (f"rectified{number}" if nest else "")
    for frame, depth in depths.items():
        write_image(base / "image01" / f"{frame:010d}.jpg", picture_like(depth, frame))
        write_image(base / "image02" / f"{frame:010d}.jpg", picture_like(depth, frame))
        write_image(base / "depth01" / f"{frame:010d}.png", depth)
    file = root / "calibration" / number / "intrinsics.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(camera)


def simcol(root: Path, truth: dict[int, NDArray[np.float64]]) -> None:
    """Write one SimCol3D sequence from millimetres."""
    for number, depth in truth.items():
        stored = np.round(depth / 10 / 20 * 65280).astype(np.uint16)
        rgba = np.dstack([picture_like(depth, number).astype(np.uint16) << 8, np.full(depth.shape, 65280)])
        write_image(root / f"FrameBuffer_{number:04d}.png", rgba.astype(np.uint16))
        write_image(root / f"Depth_{number:04d}.png", stored)


def c3vd(root: Path, truth: dict[int, NDArray[np.float64]], second_version: bool = False) -> None:
    """Write one C3VD sequence from millimetres; 0 stays 0 and above 100 clips."""
    for number, depth in truth.items():
        stored = np.clip(np.round(depth / 100 * 65535), 0, 65535).astype(np.uint16)
        image, map_ = root / f"{number:04d}_color.png", root / f"{number:04d}_depth.tiff"
        if second_version:
            image, map_ = root / "rgb" / f"{number:04d}.png", root / "depth" / f"{number:04d}_depth.tiff"
        write_image(image, picture_like(depth, number))
        write_tiff(map_, stored)


def c3vd_poses(root: Path, poses: list[NDArray[np.float64]]) -> None:
    """Write a sequence's camera-to-world matrices, mm, with six digits as published."""
    root.mkdir(parents=True, exist_ok=True)
    lines = [",".join(f"{number:.6g}" for number in pose.T.ravel()) for pose in poses]
    (root / "pose.txt").write_text("\n".join(lines) + "\n")


def serv_ct(
    root: Path, experiment: int, truth: dict[int, NDArray[np.float64]], reference: str = "Ground_truth_CT"
) -> None:
    """Write one SERV-CT experiment from millimetres; the occlusion map's rows 0, 1, 2 are yellow, blue, red."""
    base = root / f"Experiment_{experiment}"
    for number, depth in truth.items():
        name = f"{number:03d}.png"
        for side in ("Left", "Right"):
            write_image(base / f"{side}_rectified" / name, picture_like(depth, number))
        write_image(base / reference / "DepthL" / name, np.round(depth * 256).astype(np.uint16))
        colours = np.zeros((*depth.shape, 3), np.uint8)
        colours[0], colours[1], colours[2] = (255, 255, 0), (0, 0, 255), (255, 0, 0)
        write_image(base / reference / "OcclusionL" / name, colours)
        file = base / "Rectified_calibration" / f"{number:03d}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        matrix = [[1000.0, 0, 300.0, 0], [0, 1000.0, 200.0, 0], [0, 0, 1, 0]]
        file.write_text(
            json.dumps({"P1": {"rows": 3, "cols": 4, "data": matrix}, "P2": matrix, "Q": np.eye(4).tolist()})
        )


SCARED_CALIBRATION = """%YAML:1.0
---
M1: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 1035., 0., 640., 0., 1035., 512., 0., 0., 1. ]
D1: !!opencv-matrix
   rows: 1
   cols: 5
   dt: d
   data: [ 0., 0., 0., 0., 0. ]
M2: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 1035., 0., 640., 0., 1035., 512., 0., 0., 1. ]
D2: !!opencv-matrix
   rows: 1
   cols: 5
   dt: d
   data: [ 0., 0., 0., 0., 0. ]
R: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 1., 0., 0., 0., 1., 0., 0., 0., 1. ]
T: !!opencv-matrix
   rows: 3
   cols: 1
   dt: d
   data: [ -4.35, 0., 0. ]
"""


def points(depth: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return SCARED's map of x, y, z for a depth map."""
    rows, columns = np.indices(depth.shape)
    return np.dstack([(columns - 640) * depth / 1035, (rows - 512) * depth / 1035, depth]).astype(np.float32)


def scared(
    root: Path, dataset: int, keyframe: int, key: NDArray[np.float64], video: list[NDArray[np.float64]]
) -> None:
    """Write one key frame and its packed video; NaN in `key` and 0 in `video` is unknown."""
    base = root / f"dataset_{dataset}" / f"keyframe_{keyframe}"
    write_image(base / "Left_Image.png", picture(*key.shape))
    write_image(base / "Right_Image.png", picture(*key.shape))
    write_tiff(base / "left_depth_map.tiff", points(key))
    (base / "endoscope_calibration.yaml").write_text(SCARED_CALIBRATION)
    if not video:
        return
    (base / "data").mkdir()
    height, width = key.shape
    writer = cv2.VideoWriter(
        str(base / "data" / "rgb.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (width, 2 * height)
    )
    for number in range(len(video)):
        writer.write(
            np.vstack([picture(height, width, number), picture(height, width, 99)])[..., ::-1].copy()
        )
    writer.release()
    with tarfile.open(base / "data" / "scene_points.tar.gz", "w:gz", compresslevel=1) as archive:
        for number, depth in enumerate(video):
            data = io.BytesIO()
            tifffile.imwrite(
                data, np.vstack([points(depth), points(np.zeros_like(depth))]), photometric="rgb"
            )
            member = tarfile.TarInfo(f"scene_points{number:06d}.tiff")
            member.size = data.tell()
            data.seek(0)
            archive.addfile(member, data)


def scared_poses(data: Path, poses: dict[int, NDArray[np.float64]], packed: bool = True) -> None:
    """Write a key frame's video's poses: what takes points of the key frame's camera to a frame's."""
    texts = {}
    for number, pose in poses.items():
        camera = {"KL": [[1035.0, 0, 640.0], [0, 1035.0, 512.0], [0, 0, 1]]}
        content = {"camera-calibration": camera, "camera-pose": pose.tolist(), "timestamp": number}
        texts[f"frame_data{number:06d}.json"] = json.dumps(content).encode()
    data.mkdir(parents=True, exist_ok=True)
    if not packed:
        (data / "frame_data").mkdir()
        for name, text in texts.items():
            (data / "frame_data" / name).write_bytes(text)
        return
    with tarfile.open(data / "frame_data.tar.gz", "w:gz") as archive:
        for name, text in texts.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))


def endonerf(root: Path, truth: dict[int, NDArray[np.uint8]]) -> None:
    """Write one EndoNeRF clip; the upper left quarter of each mask is a tool."""
    for number, depth in truth.items():
        height, width = depth.shape
        write_image(root / "images" / f"frame-{number:06d}.color.png", picture(height, width, number))
        write_image(root / "depth" / f"frame-{number:06d}.depth.png", depth)
        mask = np.zeros((height, width), np.uint8)
        mask[: height // 2, : width // 2] = 255
        write_image(root / "masks" / f"frame-{number:06d}.mask.png", mask)
    row = np.concatenate([np.hstack([np.eye(3, 4), [[512.0], [640.0], [569.4682]]]).ravel(), [1.0, 100.0]])
    np.save(root / "poses_bounds.npy", np.tile(row, (len(truth), 1)))
