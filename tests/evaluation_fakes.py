"""Protocols, maps and stores for the tests of alignment and scoring."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.config.base import plain_spec
from scopedepth.config.protocols import ProtocolSpec
from scopedepth.evaluation.masks import bounds_as, valid_pixels
from scopedepth.evaluation.pixels import Pixels
from scopedepth.evaluation.protocol import Terms, terms_for
from scopedepth.vocabulary.metrics import METRICS

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

Array = NDArray[Any]

ALL_PIXEL = [
    "abs_rel", "sq_rel", "rmse", "rmse_log", "mae", "log10", "silog", "irmse", "delta1", "delta2", "delta3", "nrmse",
]  # fmt: skip


# The metrics of the evaluation itself, which want neither a camera nor the frame before.
ALONE = [name for name, metric in METRICS.items() if not metric.file]


def protocol(name: str = "p", **fields: Any) -> specs.Protocol:
    """A protocol's spec as the workflow hands it over."""
    return plain_spec(name, ProtocolSpec.model_validate({"title": "t", **fields}))


def terms(
    kind: str = "depth",
    unit: str | None = None,
    units: str = "mm",
    size: tuple[int, int] = (48, 64),
    dataset: str = "d",
    sequence: str = "s",
    family: str = "",
    spec: specs.Protocol | None = None,
    **fields: Any,
) -> Terms:
    return terms_for(
        spec or protocol(**fields),
        dataset=dataset,
        sequence=sequence,
        size=size,
        units=units,
        output_kind=kind,
        output_unit=unit,
        family=family,
    )


def pixels(x: Array, y: Array) -> Pixels:
    """Outputs and depths (n,) as the pixels of a frame of one row, all of them valid."""
    valid = np.ones((1, x.size), bool)
    return Pixels(x, y, np.empty_like(x), int((x <= 0).sum()), maps=(x[None], y[None], valid))


def valid(chosen: Terms, depth: Array, flags: Array | None = None, rgb: Array | None = None) -> Array:
    """The mask of a frame's pixels that count."""
    ends = bounds_as(depth.dtype, chosen.depth_low, chosen.depth_high, chosen.ends_count)
    marks = np.zeros(depth.shape, np.uint8) if flags is None else flags
    return valid_pixels(chosen, depth, marks, rgb, ends, np.empty(depth.shape, bool))


def holed_depth(rng: np.random.Generator, shape: tuple[int, ...] = (48, 64), holes: float = 0.2) -> Array:
    """Depths of 3 to 250 mm in no order, with holes."""
    depth = np.exp(rng.uniform(np.log(3), np.log(250), shape))
    depth[rng.random(shape) < holes] = np.nan
    return depth


def smooth_depth(shape: tuple[int, int] = (48, 64), phase: float = 0.0) -> Array:
    """A bent tube of 15 to 110 mm."""
    y, x = np.mgrid[: shape[0], : shape[1]] / max(shape)
    return 60 + 40 * np.sin(5 * x + phase) * np.cos(4 * y) + 8 * np.sin(23 * x * y + phase)


class FakeSequence:
    """Stands for a DatasetSequence or a PredictionSequence."""

    def __init__(self, name: str, **arrays: Any) -> None:
        self.name = name
        self.where = arrays.get("where", name)
        self.first_frame = arrays.get("first_frame", 0)
        self.arrays = arrays
        main = arrays["depth"] if "depth" in arrays else arrays["prediction"]
        self.n_frames, self.height, self.width = main.shape
        self.grid = main.shape[1:]
        self.units = arrays.get("units", "mm")
        self.shard_frames = arrays.get("shard_frames", 4)
        self.intrinsics = arrays.get("intrinsics")

    def frame_ids(self) -> list[str]:
        return [f"{self.name}_{i:03d}" for i in range(self.n_frames)]

    def _part(self, name: str, start: int, stop: int, missing: Callable[[], Array]) -> Array:
        return (self.arrays[name] if name in self.arrays else missing())[start:stop]

    def poses(self) -> Array | None:
        return self.arrays.get("poses")

    def depth(self, start: int, stop: int) -> Array:
        return self.arrays["depth"][start:stop].astype(np.float32)

    def prediction(self, start: int, stop: int) -> Array:
        return self.arrays["prediction"][start:stop].astype(np.float32)

    def flags(self, start: int, stop: int) -> Array:
        return self._part("flags", start, stop, lambda: np.zeros(self.arrays["depth"].shape, np.uint8))

    def scene(self, start: int, stop: int) -> Array:
        return self._part("rgb", start, stop, lambda: np.full((*self.arrays["depth"].shape, 3), 99, np.uint8))

    def status(self, start: int, stop: int) -> Array:
        return self._part("status", start, stop, lambda: np.zeros(self.n_frames, np.uint8))


class FakeStore:
    """Stands for a DatasetStore or a PredictionStore."""

    def __init__(
        self, *sequences: FakeSequence, output_kind: str = "depth", unit: str | None = None, family: str = ""
    ) -> None:
        self.path = "fake.zarr"
        self.sequences = {sequence.name: sequence for sequence in sequences}
        self.output_kind, self.unit = output_kind, unit
        self.attrs: dict[str, Any] = {"spec": {"family": family}}
