"""Reading a prediction store: what one model said of every frame of a unit. Plain Zarr and NumPy.

    store = PredictionStore(path)
    for sequence in store.sequences.values():
        for start in range(0, sequence.n_frames, sequence.shard_frames):
            prediction = sequence.prediction(start, start + sequence.shard_frames)

The grid (v, u) covers exactly the frame's field of view, at the network's own density: whoever compares it with depth
resamples it, in the prediction's own space.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError
from scopedepth.stores.sharded import open_groups, read_frames, readable, shard_length
from scopedepth.vocabulary.outputs import OUTPUT_KINDS


class PredictionSequence:
    """One sequence. Frames a to b (b left out, cut at the end) are read at once; whole shards are cheapest."""

    def __init__(self, name: str, group: zarr.Group, where: str) -> None:
        self.name = name
        self.where = where
        self.attrs: dict[str, Any] = dict(group.attrs)
        prediction, status = group["prediction"], group["status"]
        assert isinstance(prediction, zarr.Array)
        assert isinstance(status, zarr.Array)
        self._prediction, self._status = prediction, status
        self.n_frames = int(prediction.shape[0])
        self.grid: tuple[int, int] = (int(prediction.shape[1]), int(prediction.shape[2]))
        self.shard_frames = shard_length(prediction)

    def prediction(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return what the network said, float32 (n, v, u), in the store's `output_kind`.

        NaN throughout for frames whose status is failed; not finite somewhere for status nonfinite.
        """
        stop = min(stop, self.n_frames)
        return read_frames(self._prediction, start, stop, f"{self.where}/prediction")

    def status(self, start: int = 0, stop: int | None = None) -> NDArray[np.uint8]:
        """Return the status (scopedepth.vocabulary.flags, PREDICTION_...) of each frame, uint8 (n,)."""
        stop = self.n_frames if stop is None else min(stop, self.n_frames)
        return read_frames(self._status, start, stop, f"{self.where}/status")


class PredictionStore:
    """A prediction store opened for reading. A missing or unreadable one is a `ScopeDepthError` naming it.

    `output_kind`: one of OUTPUT_KINDS; `unit`: of the metric kinds, else None; `attrs`: spec, weights_digest, ...
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        root = open_groups(self.path)
        self.attrs: dict[str, Any] = dict(root.attrs)
        self.output_kind: str = self.attrs.get("output_kind", "")
        if self.output_kind not in OUTPUT_KINDS:
            raise ScopeDepthError(f"{self.path} is no prediction store (output_kind {self.output_kind!r}).")
        self.unit: str | None = self.attrs.get("unit")
        self.sequences: dict[str, PredictionSequence] = {}
        with readable(self.path):
            for name in self.attrs["sequences"]:
                group = root[name]
                assert isinstance(group, zarr.Group)
                self.sequences[name] = PredictionSequence(name, group, f"{self.path}/{name}")
