"""Loader `endonerf`: EndoNeRF's robotic surgery clips with stereo depth and tool masks (Wang et al., 2022).

    {sequence}/images/*.png     {sequence}/depth/*.png     {sequence}/masks/*.png     {sequence}/poses_bounds.npy

Depth is in millimetres (STTR-light on stereo pairs), 0 is no depth; white in a mask is a tool. Files belong together by
number. poses_bounds.npy (or pose_bounds.npy) holds 17 numbers a frame, of which height, width and focal length
are used. Source: med-air/EndoNeRF.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.base import FileSequence, FrameFiles, Sequence, file_safe, origin
from scopedepth.datasets.reading.depth import described
from scopedepth.datasets.reading.images import read_image, read_npy
from scopedepth.datasets.reading.listing import files_in, not_read, without_litter
from scopedepth.datasets.reading.pairing import last_number, unique_by, unpaired
from scopedepth.errors import ScopeDepthError, UnreadableFrame
from scopedepth.vocabulary.flags import TOOL

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs


def find(raw: Path, spec: specs.Dataset) -> list[Sequence]:
    """Return one sequence for every folder below `raw` with images/ and depth/."""
    places = [
        path.parent for path in without_litter(raw.rglob("images"), raw) if (path.parent / "depth").is_dir()
    ]
    if not places:
        raise ScopeDepthError(
            f"No images/ beside depth/ was found below {raw}; EndoNeRF's clips are laid out so."
        )
    return [_sequence(place, raw, spec) for place in places]


def _sequence(place: Path, raw: Path, spec: specs.Dataset) -> Sequence:
    depths, masks = _by_number(place / "depth"), _by_number(place / "masks")
    images = _by_number(place / "images")
    frames = [FrameFiles(path.stem, path, depths.get(n), masks.get(n)) for n, path in sorted(images.items())]
    if not frames:
        raise ScopeDepthError(f"{place / 'images'} holds no PNG.")
    notes = unpaired(frames, depths)
    notes += not_read(place / "images", (".png",)) + not_read(place / "depth", (".png",))
    notes += ["no tool masks"] if not masks else []
    camera = _camera(place)
    found = [frame.depth for frame in frames if frame.depth is not None]
    encoding, read, _ = described(spec["depth"], found, camera)
    where = place.relative_to(raw).as_posix()
    return FileSequence.of(
        spec["name"] if where == "." else file_safe(place.name),
        frames,
        encoding,
        read_depth=read,
        read_extra=_read_mask,
        intrinsics=camera,
        depth_origin=origin(spec, "stereo"),
        notes=notes,
    )


def _by_number(folder: Path) -> dict[int, Path]:
    """Return a folder's PNGs by the last number in their names (frame-000012.color.png is 12)."""
    return unique_by(files_in(folder, "*.png"), last_number)


def _camera(place: Path) -> NDArray[np.float64] | None:
    for name in ("poses_bounds.npy", "pose_bounds.npy"):
        if (place / name).is_file():
            try:
                table = read_npy(place / name)
            except UnreadableFrame as error:
                raise ScopeDepthError(
                    f"{error}. Fetch it again, or remove it to go on without a camera."
                ) from error
            if table.ndim != 2 or table.shape[1] != 17 or not len(table):
                raise ScopeDepthError(
                    f"{place / name} has the shape {table.shape}; 17 numbers a frame are expected."
                )
            height, width, focal = table[0, :15].reshape(3, 5)[:, 4]
            return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    return None


def _read_mask(path: Path) -> NDArray[np.uint8]:
    return np.where(read_image(path)[:, :, 0] > 127, np.uint8(TOOL), np.uint8(0))
