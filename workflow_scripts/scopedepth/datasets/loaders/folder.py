"""Loader `folder`: your own images, with or without their depth.

Layout, with the folders' names free to choose (options `images` and `depths`):

    {sequence}/rgb/NNNN.png      {sequence}/depth/NNNN.png|.npy|.tiff|.exr|...      {sequence}/intrinsics.txt

Either option may be a pattern of files instead: `images: "*_color.png"` and `depths: "*_depth.tiff"` for both in one
folder. A file that both mean is depth, unless it is a container (NPZ, HDF5, MAT) with both: option `image_key` names
the image there, `depth.key` the depth.

Where one depth map belongs to all images of a folder, `depths` is that file's name, such as `DepthMapLeft.pfm`.

Image and depth belong together by file name without suffix, else by the name without words such as rgb and depth,
else by the numbers in the name (see `pairing`). One folder without sequences (`rgb/` and `depth/` at the top) is the
sequence named after the dataset. Images without depth are kept (they can be predicted, not scored); depth without an
image is left out; both are noted. Images of several sizes in one folder become a sequence a size.

Depth files may be meshes or clouds of points (PLY, OBJ) in the camera's frame, x right, y down, z ahead, in
`depth.unit` times `depth.scale`; the camera's matrix must be known then, and depth is that of the nearest surface.

Depth is number times `depth.scale` in `depth.unit`, or what `depth.kind` says. 0, negative numbers, NaN, infinity, the
numbers of `depth.invalid`, what lies outside of `depth.range` and what a file itself declares to be missing (GDAL's
tag) mean no depth. Option `bits`: how many of the 16 bits of an image's channels are used. Option `masks`: a folder or
pattern of files each, and what they mark. Option `poses`: the file of a sequence's camera poses, one line an image.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.base import FileSequence, Frame, FrameFiles, Sequence, file_safe, origin
from scopedepth.datasets.reading.cameras import intrinsics_from, read_camera
from scopedepth.datasets.reading.depth import Meaning, described
from scopedepth.datasets.reading.images import (
    CONTAINERS,
    DEPTH_SUFFIXES,
    IMAGE_SUFFIXES,
    check_bits,
    picture_size,
    read_image,
)
from scopedepth.datasets.reading.listing import (
    files_at,
    folders_with,
    is_pattern,
    natural_key,
    not_read,
)
from scopedepth.datasets.reading.mask_files import MASK_SUFFIXES, Masks
from scopedepth.datasets.reading.pairing import pair_by_name, unpaired
from scopedepth.datasets.reading.poses import read_poses
from scopedepth.datasets.reading.rasterise import rasterise
from scopedepth.datasets.reading.surfaces import SURFACE_SUFFIXES, read_surface
from scopedepth.errors import ScopeDepthError
from scopedepth.job.extensions import read_options
from scopedepth.job.leaves import is_read

if TYPE_CHECKING:
    from scopedepth.config.options import Bits, Camera, Key, Lens, MaskList, Place, Poses
    from scopedepth.vocabulary import specs

# What is read of data used in place: other files there make nothing stale.
READS = (
    ".bmp", ".exr", ".h5", ".hdf5", ".jpeg", ".jpg", ".kitti", ".mat", ".npy", ".npz", ".obj", ".pfm", ".ply", ".png",
    ".tif", ".tiff", ".tum", "groundtruth.txt", "intrinsics.txt", "pose.txt", "poses.txt", "trajectory.txt",
)  # fmt: skip


MAPS = (*DEPTH_SUFFIXES, *SURFACE_SUFFIXES)


@dataclass(frozen=True)
class Options:
    """Folders or patterns of files; camera and lens where no file has them; used bits of an image's 16; poses."""

    images: Place = "rgb"
    depths: Place = "depth"
    intrinsics: Camera | None = None
    distortion: Lens | None = None
    bits: Bits | None = None
    image_key: Key | None = None
    masks: MaskList | None = None
    poses: Poses | None = None

    def __post_init__(self) -> None:
        if "**" in self.images or "**" in self.depths:
            raise ValueError(
                "images and depths are a folder's name or a pattern of files such as *_color.png, without **"
            )
        if self.poses is not None and not is_read(self.poses["file"].rpartition("/")[2], READS):
            raise ValueError(
                "poses.file is named poses.txt, pose.txt, trajectory.txt or groundtruth.txt, or ends in .tum or .kitti"
            )


def find(raw: Path, spec: specs.Dataset) -> list[Sequence]:
    """Return the sequences below `raw`."""
    options = read_options(spec, Options)
    folders = [
        folder
        for folder in folders_with(raw, options.images)
        if not any(_inside(folder, raw, place) for place in _beside(options))
    ]
    sequences = [one for folder in folders for one in _sequences(folder, raw, spec, options)]
    if not sequences:
        kind = "image" if is_pattern(options.images) else "folder"
        raise ScopeDepthError(
            f"No {kind} named {options.images} was found below {raw}. The loader `folder` reads SEQUENCE/rgb/ and "
            "SEQUENCE/depth/; set options.images and options.depths if yours are named otherwise."
        )
    return sequences


def _beside(options: Options) -> list[str]:
    """Return the names of the folders that hold what belongs to images and no images."""
    places = [options.depths, *(entry["files"] for entry in options.masks or [])]
    return [place for place in places if not is_pattern(place)]


def _inside(folder: Path, raw: Path, name: str) -> bool:
    return name in folder.relative_to(raw).parts


def _sequences(folder: Path, raw: Path, spec: specs.Dataset, options: Options) -> list[Sequence]:
    """Return the sequence of a folder, or one for each size that its images have."""
    files, notes = pair(folder, options, spec["depth"]["kind"] != "none")
    if not files:
        return []
    place = folder.relative_to(raw).as_posix()
    name = spec["name"] if place == "." else file_safe(place)
    poses = None
    if options.poses is not None:
        poses = read_poses(folder / options.poses["file"], len(files), options.poses["unit"])
    masks = [_masks(folder, files, entry) for entry in options.masks or []]
    sizes: dict[tuple[int, int] | None, list[int]] = defaultdict(list)
    for index, file in enumerate(files):
        sizes[picture_size(file.image)].append(index)
    unknown = sizes.pop(None, [])  # what does not read is told of where the frames are read
    if len(sizes) < 2:
        groups = {name: list(range(len(files)))}
    else:
        groups = {f"{name}_{width}x{height}": indices for (width, height), indices in sizes.items()}  # type: ignore[misc]
        first = next(iter(groups))
        groups[first] = sorted([*groups[first], *unknown])
        notes.append(f"images of {len(groups)} sizes, a sequence each: {', '.join(groups)}")
    made: list[Sequence] = []
    for group, indices in groups.items():
        here = _sequence(group, [files[index] for index in indices], folder, raw, spec, options)
        here.notes = [*notes, *here.notes]
        here.poses = None if poses is None else poses[indices]
        for mask in masks:
            own = replace(mask, files=[mask.files[index] for index in indices])
            here.overlays.append(own)
            here.notes += own.note()
            here.has_confidence |= "full" in own.entry
        made.append(here)
    return made


def _masks(folder: Path, files: list[FrameFiles], entry: Mapping[str, Any]) -> Masks:
    found = files_at(folder, entry["files"], MASK_SUFFIXES)
    if not found:
        raise ScopeDepthError(f"{folder} has no masks {entry['files']}. Correct options.masks.")
    pairs = pair_by_name([file.image for file in files], found)
    return Masks([pairs.get(file.image) for file in files], entry)


def _sequence(
    name: str, files: list[FrameFiles], folder: Path, raw: Path, spec: specs.Dataset, options: Options
) -> Sequence:
    check_bits([file.image for file in files], options.bits, options.image_key)
    camera = intrinsics_from(options.intrinsics)
    distortion = tuple(options.distortion or ()) or None
    for candidate in (folder / "intrinsics.txt", raw / "intrinsics.txt"):
        if camera is None and candidate.is_file():
            camera, lens = read_camera(candidate)
            distortion = distortion or lens
    with_depth = [file.depth for file in files if file.depth is not None]
    surfaces = [path for path in with_depth if path.suffix.lower() in SURFACE_SUFFIXES]
    if surfaces:
        return _seen(name, files, with_depth, surfaces, camera, distortion, spec, options)
    encoding, read, notes = described(spec["depth"], with_depth, camera)
    return FileSequence.of(
        name,
        files,
        encoding,
        read_image=partial(read_image, bits=options.bits, key=options.image_key),
        read_depth=read,
        intrinsics=camera,
        distortion=distortion,
        depth_origin=origin(spec, "unknown"),
        notes=notes,
    )


@dataclass
class SurfaceSequence(FileSequence):
    """A sequence whose depth files are meshes or clouds of points in the camera's frame."""

    meaning: Meaning = field(kw_only=True)

    def read(self, index: int) -> Frame:
        """Return one frame with the depth of the nearest surface."""
        files, rgb = self.files[index], self.image(index)
        if files.depth is None:
            return self.overlaid(index, Frame(rgb, None))
        assert self.intrinsics is not None
        z = rasterise(*read_surface(files.depth), self.intrinsics, (rgb.shape[0], rgb.shape[1]))
        return self.overlaid(index, Frame(rgb, self.meaning.depth(z, files.depth)))


def _seen(
    name: str,
    files: list[FrameFiles],
    with_depth: list[Path],
    surfaces: list[Path],
    camera: NDArray[np.float64] | None,
    distortion: tuple[float, ...] | None,
    spec: specs.Dataset,
    options: Options,
) -> SurfaceSequence:
    """Return a sequence of images with surfaces."""
    if len(surfaces) < len(with_depth):
        other = next(path for path in with_depth if path not in surfaces)
        raise ScopeDepthError(
            f"{surfaces[0]} is a surface and {other} a map: a sequence has depth of one kind."
        )
    if camera is None:
        raise ScopeDepthError(
            f"{surfaces[0]} is a surface, and to see it the camera must be known: set options.intrinsics, or put "
            "intrinsics.txt beside the images."
        )
    if spec["depth"]["kind"] != "depth":
        raise ScopeDepthError(f"{surfaces[0]} is a surface: depth.kind must be depth, the default.")
    meaning = Meaning.of(spec["depth"], np.dtype(np.float32), surfaces[0])
    return SurfaceSequence(
        name,
        [file.id for file in files],
        meaning.encoding,
        camera,
        origin(spec, "unknown"),
        ["depth is that of the nearest surface or point in files of meshes or clouds"],
        distortion,
        files=files,
        read_image=partial(read_image, bits=options.bits, key=options.image_key),
        meaning=meaning,
    )


def pair(folder: Path, options: Options, with_depth: bool = True) -> tuple[list[FrameFiles], list[str]]:
    """Return the frames of a sequence's folder, images with their depth, in natural order, and notes."""
    kinds = IMAGE_SUFFIXES + (CONTAINERS if options.image_key else ())
    pictures = _files(files_at(folder, options.images, kinds))
    shared = folder / options.depths
    if (
        with_depth
        and not is_pattern(options.depths)
        and shared.suffix.lower() in MAPS
        and not shared.is_dir()
    ):
        depth, notes = (
            (shared, []) if shared.is_file() else (None, [f"{folder.name} has no {options.depths}"])
        )
        return [FrameFiles(path.stem, path, depth) for path in pictures if path != shared], notes
    maps = _files(files_at(folder, options.depths, MAPS)) if with_depth else []
    others = []
    if not is_pattern(options.images):
        others += not_read(folder / options.images, kinds)
        if not pictures:
            found = f"; {others[0]}" if others else ""
            raise ScopeDepthError(f"{folder / options.images} holds no image ({', '.join(kinds)}){found}.")
    # Of what both patterns mean, a container holds both; another file is the depth.
    taken = {path for path in maps if not (options.image_key and path.suffix.lower() in CONTAINERS)}
    for entry in options.masks or []:
        taken |= set(files_at(folder, entry["files"], MASK_SUFFIXES))
    pictures = [path for path in pictures if path not in taken]
    both = set(pictures) & set(maps)
    pairs = {path: path for path in both}
    pairs |= pair_by_name(
        [path for path in pictures if path not in both], [path for path in maps if path not in both]
    )
    frames = [FrameFiles(path.stem, path, pairs.get(path)) for path in pictures]
    if not with_depth:
        return frames, others
    notes = unpaired(frames, maps)
    if not is_pattern(options.depths):
        others += not_read(folder / options.depths, MAPS)
        if not (folder / options.depths).is_dir():
            beside = f" beside {options.images}/" if not is_pattern(options.images) else f" in {folder.name}/"
            notes.append(f"there is no folder {options.depths}/{beside}")
    return frames, notes + others


def _files(paths: list[Path]) -> list[Path]:
    """Return files in natural order; two that differ in their suffix alone are a `ScopeDepthError`."""
    chosen: dict[Path, Path] = {}
    for path in sorted(paths, key=lambda path: natural_key(path.name)):
        name = path.with_suffix("")
        if name in chosen:
            raise ScopeDepthError(f"{chosen[name]} and {path} have one name; keep one of them.")
        chosen[name] = path
    return list(chosen.values())
