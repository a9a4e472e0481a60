"""Reading a dataset store: frames, depth, flags. Plain Zarr and NumPy, since jobs of a second start with this.

A view is opened like any other store; its frames are read from the store it is a view of and changed (`views`).

store = DatasetStore(path)
for sequence in store.sequences.values():
    for start in range(0, sequence.n_frames, sequence.shard_frames):
        rgb = sequence.rgb(start, start + sequence.shard_frames)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError
from scopedepth.job.manifest import manifest_of
from scopedepth.stores.sharded import open_groups, read_frames, readable, shard_length
from scopedepth.views import Planes, Step, read_view, steps_of
from scopedepth.vocabulary.flags import FRAME_NO_DEPTH


class DatasetSequence:
    """One sequence. Frames a to b (b left out, cut at the end) are read at once; whole shards are cheapest.

    `steps`: what is done to the stored frames, in a view; height, width and camera are those after it. `lost_depth`:
    frames that have no depth after it.
    """

    def __init__(
        self,
        name: str,
        group: zarr.Group,
        where: str,
        steps: Sequence[Step] = (),
        lost_depth: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.where = where
        self.attrs: dict[str, Any] = dict(group.attrs)
        self._group = group
        self._rgb = self._array("rgb")
        self.n_frames, self.height, self.width = (int(length) for length in self._rgb.shape[:3])
        self.shard_frames = shard_length(self._rgb)
        self.units: str = self.attrs["units"]
        # Place among the sequence's frames: not 0 in the store of a later part of it.
        self.first_frame = int(self.attrs.get("first_frame", 0))
        camera = self.attrs.get("intrinsics")
        self.intrinsics: NDArray[np.float64] | None = None if camera is None else np.array(camera, np.float64)
        self.steps, self._lost_depth = list(steps), np.array(lost_depth, np.intp)
        for step in self.steps:
            said = f"a view: {step.words(self.height, self.width)}"
            self.attrs["notes"] = [*self.attrs.get("notes", []), said]
            self.height, self.width = step.size(self.height, self.width)
            if self.intrinsics is not None:
                self.intrinsics = step.camera(self.intrinsics)
                self.attrs["intrinsics"] = self.intrinsics.tolist()

    def frame_ids(self) -> list[str]:
        """Return the frames' names in the source."""
        return [
            str(name)
            for name in read_frames(self._array("frame_id"), 0, self.n_frames, f"{self.where}/frame_id")
        ]

    def rgb(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return images, uint8 (n, h, w, 3)."""
        frames: NDArray[np.uint8] = self._read(self._rgb, start, stop)
        for place, step in enumerate(self.steps):
            before = self.steps[:place]
            planes = Planes(
                partial(self._plane, self._depth, start, stop, before),
                partial(self._plane, self._flags, start, stop, before),
            )
            frames = step.rgb(frames, self.first_frame + start, planes)
        return frames

    def scene(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return images as `rgb` does, but with no corruption on them: which pixels count is not its affair."""
        return self._plane(self._rgb, start, stop, self.steps)

    def stored_depth(self, start: int, stop: int) -> NDArray[Any]:
        """Return depth as stored, (n, h, w): integers that want `depth_scale` and 0 for missing, or float32."""
        return self._plane(self._depth, start, stop, self.steps)

    def depth(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return depth in `units`, float32 (n, h, w), NaN where there is none."""
        stored = self.stored_depth(start, stop)
        if stored.dtype == np.float32:
            return stored
        depth = stored.astype(np.float32)
        depth *= np.float32(self.depth_scale)
        depth[stored == 0] = np.nan
        return depth

    def flags(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return the flag bits (scopedepth.vocabulary.flags) of each pixel, uint8 (n, h, w)."""
        return self._plane(self._flags, start, stop, self.steps)

    def status(self, start: int = 0, stop: int | None = None) -> NDArray[np.uint8]:
        """Return the status (scopedepth.vocabulary.flags) of each frame, uint8 (n,)."""
        status = self._read(self._status, start, self.n_frames if stop is None else stop)
        lost = self._lost_depth - start
        status[lost[(lost >= 0) & (lost < len(status))]] = FRAME_NO_DEPTH
        return status

    def confidence(self, start: int, stop: int) -> NDArray[np.uint8] | None:
        """Return how sure the depth is, of 255, uint8 (n, h, w); None where the dataset has no map of it."""
        if "confidence" not in self._group:
            return None
        return self._plane(self._array("confidence"), start, stop, self.steps)

    def poses(self) -> NDArray[np.float64] | None:
        """Return the camera-to-world matrix of each frame, float64 (n, 4, 4), mm; None where none are known."""
        if "pose" not in self._group:
            return None
        return self._read(self._array("pose"), 0, self.n_frames)

    @property
    def depth_scale(self) -> float:
        """What one step of an integer depth means, in `units`; 1 for float32."""
        return float(self._depth.attrs.get("scale_factor", 1.0))

    @cached_property
    def _depth(self) -> zarr.Array:
        return self._array("depth")

    @cached_property
    def _flags(self) -> zarr.Array:
        return self._array("flags")

    @cached_property
    def _status(self) -> zarr.Array:
        return self._array("status")

    def _array(self, name: str) -> zarr.Array:
        with readable(f"{self.where}/{name}"):
            array = self._group[name]
            assert isinstance(array, zarr.Array)
        return array

    def _plane(self, array: zarr.Array, start: int, stop: int, steps: Sequence[Step]) -> NDArray[Any]:
        frames = self._read(array, start, stop)
        for step in steps:
            frames = step.plane(frames)
        return frames

    def _read(self, array: zarr.Array, start: int, stop: int) -> NDArray[Any]:
        return read_frames(array, start, min(stop, self.n_frames), f"{self.where}/{array.basename}")


class DatasetStore:
    """A dataset store opened for reading. A missing or unreadable one is a `ScopeDepthError` that names it.

    `lineage`: the dataset's name; of a view also those of the datasets it is made from, the stored one last.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.sequences: dict[str, DatasetSequence] = {}
        view = read_view(self.path)
        with readable(self.path):
            stored = self.path if view is None else self.path.with_name(f"{view['view_of']}.zarr")
            root = open_groups(stored)
            self.attrs: dict[str, Any] = dict(root.attrs)
            self.lineage: list[str] = [str(self.attrs.get("dataset", ""))]
            if view is not None:
                self._check_base(stored, view["digest"])
                self.lineage = list(view["lineage"])
                own = {
                    "dataset": self.lineage[0],
                    "view_of": view["view_of"],
                    "sequences": list(view["sequences"]),
                }
                self.attrs |= own
            order = self.attrs.get("sequences") or sorted(root.group_keys())
            for name in order:
                group = root[name]
                assert isinstance(group, zarr.Group)
                changed = {} if view is None else view["sequences"][name]
                steps, lost_depth = steps_of(changed.get("steps", [])), changed.get("lost_depth", [])
                self.sequences[name] = DatasetSequence(name, group, f"{stored}/{name}", steps, lost_depth)

    def _check_base(self, stored: Path, digest: str) -> None:
        """Refuse to read a view from other pixels than it was made for, where the manifest of its base says so."""
        try:
            found = json.loads(manifest_of(stored).read_text(encoding="utf-8"))["digest"]
        except (OSError, ValueError, RecursionError, KeyError):
            return
        if found != digest:
            raise ScopeDepthError(
                f"{self.path} is a view of {stored}, which has been made anew with other content. Make the view again."
            )
