"""What every model offers to the engine and to the clocks. Imports no framework."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.models.window import Window

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs


class DepthModel(ABC):
    """A network (or a baseline) that turns frames into one number a pixel.

    The three steps are apart so that each can be timed, and so that the engine can overlap them:

        batch = model.preprocess(frames)          # uint8 (n, h, w, 3) -> the network's input, on the device
        out = model.forward(batch, (h, w))        # -> float32 (n, v, u) on the device
        prediction = model.to_host(out)           # -> float32 (n, v, u), NumPy

    The grid (v, u) covers exactly the image's field of view: what a network pads is cut off again.

    Attributes: `output_kind` and `unit` (what the numbers mean), `parameters`, `device` ("cpu", "cuda:0"),
    `precision` ("fp32", "bf16", "fp16"), `greatest_depth` (of a metric_disparity: the depth, in its unit, at which
    its authors cut after resampling; None: nowhere), `own_code` (the digest of code of the user's outside of its
    weights; None: none), `environment` (Python and packages of the other environment that it runs in; None: ours),
    `own_process` (the number of the process that it runs in; None: this one), `wants_intrinsics` (it predicts only for
    a known camera, see `with_camera`), `window` (the frames of a video that it wants at once and in order; None: each
    frame for itself, in batches of any size).
    """

    wants_intrinsics = False
    own_process: int | None = None
    window: Window | None = None

    def __init__(self, spec: specs.Model, device: str = "cpu", parameters: int = 0) -> None:
        self.name: str = spec["name"]
        self.output_kind: str = spec["output"]["kind"]
        self.unit: str | None = spec["output"]["unit"]
        self.precision: str = spec["precision"]
        self.device = device
        self.parameters = parameters
        self.greatest_depth: float | None = None
        self.own_code: str | None = None
        self.environment: dict[str, Any] | None = None

    def for_sequence(self, name: str) -> DepthModel:
        """Return the model for a sequence: another one where the weights differ by sequence, itself else."""
        return self

    def with_camera(self, intrinsics: NDArray[np.float64]) -> DepthModel:
        """Return the model for frames of a camera; itself where it does not ask for one.

        intrinsics: float64 (3, 3), pixels of the frames as they are handed over, pixel centres at whole numbers.
        """
        return self

    def start_sequence(self) -> None:  # noqa: B027 - most remember nothing
        """Forget all frames: the next window is the first one of a sequence."""

    @abstractmethod
    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Return the prediction's (v, u) for frames of `height` x `width`, without running anything."""

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width that the network sees; it decides memory and time."""
        return self.grid(height, width)

    @abstractmethod
    def preprocess(self, frames: np.ndarray) -> Any:
        """Turn frames, uint8 (n, h, w, 3), into the network's input on the device."""

    @abstractmethod
    def forward(self, batch: Any, size: tuple[int, int]) -> Any:
        """Run the network; `size` is the frames' (h, w). Returns float32 (n, v, u) on the device."""

    def begin_host(self, out: Any) -> Any:
        """Start bringing `forward`'s result to the host; `to_host` takes what this returns and waits."""
        return out

    def to_host(self, out: Any) -> np.ndarray:
        """Return `forward`'s or `begin_host`'s result as float32 NumPy (n, v, u), waiting for the device."""
        return np.asarray(out, dtype=np.float32)

    def use_threads(self, threads: int) -> None:  # noqa: B027 - baselines have one
        """Use `threads` threads of a processor from now on."""

    def prepare(self, threads: int | None) -> None:
        """Make results repeatable and use `threads` threads of a processor; called once, before predicting."""
        if threads:
            self.use_threads(threads)

    def is_out_of_memory(self, error: Exception) -> bool:
        """Say whether `error` means that a smaller batch may do."""
        return isinstance(error, MemoryError)

    def is_fatal(self, error: Exception) -> bool:
        """Say whether after `error` nothing more can be expected of the device."""
        return False

    def free_memory(self) -> None:  # noqa: B027 - most keep nothing
        """Give back what the device keeps of earlier batches."""

    def predict(self, frames: np.ndarray) -> np.ndarray:
        """All three steps: uint8 (n, h, w, 3) -> float32 (n, v, u)."""
        return self.to_host(self.forward(self.preprocess(frames), frames.shape[1:3]))
