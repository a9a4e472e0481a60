"""Loader `colmap`: images with the sparse points that COLMAP found in them, as depth at single pixels.

    {model}/cameras.bin, images.bin, points3D.bin  (or .txt)        {images}/...

A folder with a model is a sequence; where its images come from several cameras, each of these is one. Images lie in
the folder of option `images`, in the model's folder or else in the data's, under the names that the model has for
them. A pixel has depth where the model says that the image sees a point there: z of the point in the camera, the
nearest one where two fall into one pixel; nothing is interpolated and nothing is hidden by what lies before it.

A model has no unit of its own: state `depth: {unit: relative}`, or `scale`, what 1 in the model means. Poses are kept
where a scale is known. The images are taken as they are: with a distorting camera, no matrix is stated.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.base import FileSequence, Frame, FrameFiles, Sequence, file_safe, origin
from scopedepth.datasets.reading.colmap import KINDS, Model, View, read_model
from scopedepth.datasets.reading.depth import Meaning
from scopedepth.datasets.reading.images import check_bits
from scopedepth.datasets.reading.listing import find_files
from scopedepth.errors import ScopeDepthError
from scopedepth.job.extensions import read_options

if TYPE_CHECKING:
    from scopedepth.config.options import Folder
    from scopedepth.vocabulary import specs

# What is read of data used in place: other files there make nothing stale.
READS = (
    ".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", "cameras.bin", "cameras.txt", "images.bin", "images.txt",
    "points3d.bin", "points3d.txt",
)  # fmt: skip
PINHOLES = ("SIMPLE_PINHOLE", "PINHOLE")


@dataclass(frozen=True)
class Options:
    """The folder of the images."""

    images: Folder = "images"


def find(raw: Path, spec: specs.Dataset) -> list[Sequence]:
    """Return the sequences of the models below `raw`."""
    options, depth = read_options(spec, Options), spec["depth"]
    if depth["scale"] is None and depth["unit"] != "relative":
        raise ScopeDepthError(
            f"Dataset {spec['name']}: a COLMAP model has no unit. Set depth.unit to relative, or depth.scale to what 1 "
            "in the model means."
        )
    folders = {path.parent for path in find_files(raw, "points3D.bin", "points3D.txt")}
    folders = {
        folder
        for folder in folders
        if any(all((folder / f"{kind}.{end}").is_file() for kind in KINDS) for end in ("bin", "txt"))
    }
    if not folders:
        raise ScopeDepthError(f"No model (cameras, images and points3D, .bin or .txt) was found below {raw}.")
    return [one for folder in sorted(folders) for one in _sequences(folder, raw, spec, options)]


@dataclass
class SparseSequence(FileSequence):
    """Images with depth at the points of a model."""

    model: Model = field(kw_only=True)
    views: list[View] = field(kw_only=True)
    meaning: Meaning = field(kw_only=True)

    def read(self, index: int) -> Frame:
        """Return one frame; an image of another size than its camera is a `ScopeDepthError`."""
        rgb, view = self.image(index), self.views[index]
        camera = self.model.cameras[view.camera]
        height, width = rgb.shape[:2]
        if (width, height) != (camera.width, camera.height):
            raise ScopeDepthError(
                f"{self.files[index].image} is {width}x{height}, its camera is {camera.width}x{camera.height}."
            )
        depth = sparse_map(*self.model.depths(view), (height, width))
        return Frame(rgb, self.meaning.depth(depth, self.files[index].image))


def sparse_map(
    places: NDArray[np.float64], z: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Return a map (h, w) of the least positive z (n,) of the places (n, 2) in each pixel; NaN where there is none."""
    depth = np.full(size, np.inf, np.float32)
    column, row = np.floor(places).astype(np.int64).T
    inside = (column >= 0) & (row >= 0) & (column < size[1]) & (row < size[0]) & (z > 0)
    np.minimum.at(depth, (row[inside], column[inside]), z[inside].astype(np.float32))
    depth[np.isinf(depth)] = np.nan
    return depth


def _sequences(folder: Path, raw: Path, spec: specs.Dataset, options: Options) -> list[Sequence]:
    # Beside the model, where each of several has images of its own; else for all models.
    beside = folder / options.images
    model, images = read_model(folder), beside if beside.is_dir() else raw / options.images
    by_camera: dict[int, list[View]] = defaultdict(list)
    there = [view for view in model.views if _is_there(images, view.name)]
    absent = [view.name for view in model.views if not _is_there(images, view.name)]
    if not there:
        raise ScopeDepthError(
            f"None of the {len(absent)} images of {folder} lies in {images}. Set options.images."
        )
    for view in there:
        by_camera[view.camera].append(view)
    place = folder.relative_to(raw).as_posix()
    name = spec["name"] if place == "." else file_safe(place)
    meaning = Meaning.of(spec["depth"], np.dtype(np.float32), folder)
    made: list[Sequence] = []
    for number, views in by_camera.items():
        camera = model.cameras[number]
        files = [
            FrameFiles(file_safe(Path(view.name).with_suffix("").as_posix()), images / view.name)
            for view in views
        ]
        check_bits([file.image for file in files], None)
        notes = [
            f"depth at single pixels: {sum(len(view.points) for view in views) / len(views):.0f} places an image"
        ]
        notes += (
            [f"{len(absent)} images of the model are not there, the first one {absent[0]}"] if absent else []
        )
        made.append(
            SparseSequence(
                name if len(by_camera) == 1 else f"{name}_camera{number}",
                [file.id for file in files],
                meaning.encoding,
                camera.matrix() if camera.model in PINHOLES else None,
                origin(spec, "registered"),
                notes,
                poses=_poses(views, spec["depth"]["scale"]) if spec["depth"]["unit"] == "mm" else None,
                files=files,
                model=model,
                views=views,
                meaning=meaning,
            )
        )
    return made


def _is_there(images: Path, name: str) -> bool:
    """Say whether an image lies in the folder: a name that leads out of it is a stranger's and no image."""
    return ".." not in Path(name).parts and not Path(name).is_absolute() and (images / name).is_file()


def _poses(views: list[View], scale: Any) -> NDArray[np.float64]:
    """Return camera-to-world matrices, float64 (n, 4, 4), translations in mm."""
    poses = np.tile(np.eye(4), (len(views), 1, 1))
    for pose, view in zip(poses, views, strict=True):
        pose[:3, :3] = view.rotation.T
        pose[:3, 3] = -scale * view.rotation.T @ view.translation
    return poses
