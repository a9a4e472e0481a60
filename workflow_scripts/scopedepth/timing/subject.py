"""What is timed of a model: the two calls, and exactly what each of them does.

forward      the network alone: its input lies on the device already, its output stays there on the native grid
end_to_end   decoded frames in host memory, uint8 -> preprocessing -> network -> resized to the frames' size ->
             float32 in host memory. Reading and decoding a video is not in it
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from scopedepth.models.base import DepthModel

# More than one batch, so that no call finds its own input in the processor's cache.
DIFFERENT_BATCHES = 4


def synthetic_frames(batch: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return frames that look lit from one side, with noise, uint8 (batch, height, width, 3).

    The time of a network does not depend on what it sees; a constant picture could still be a special case.
    """
    generator = np.random.default_rng(seed)
    light = (
        np.linspace(40, 200, width)[None, None, :, None] * np.linspace(1, 0.5, height)[None, :, None, None]
    )
    noise = generator.integers(-20, 21, (batch, height, width, 3))
    return np.clip(light + noise, 0, 255).astype(np.uint8)


def with_stand_in_camera(model: DepthModel, height: int, width: int) -> DepthModel:
    """Return a model for synthetic frames: with a camera of a field of view of 53 degrees, where it asks for one."""
    middle = (width - 1) / 2, (height - 1) / 2
    return model.with_camera(np.array([[width, 0, middle[0]], [0, width, middle[1]], [0, 0, 1]], np.float64))


def frames_of_call(model: DepthModel, batch: int) -> int:
    """Return how many frames a call is given: a window, of a model that asks for windows, else `batch`."""
    return batch if model.window is None else model.window.frames


class Subject:
    """A model with its frames of one size and one batch; of a model that asks for windows, one window.

    `new_frames`: how many frames further a call comes in a video.
    """

    def __init__(self, model: DepthModel, batch: int, height: int, width: int) -> None:
        self.model, self.batch, self.size = model, frames_of_call(model, batch), (height, width)
        self.new_frames = batch if model.window is None else model.window.step
        self._frames = itertools.cycle(
            [synthetic_frames(self.batch, height, width, seed) for seed in range(DIFFERENT_BATCHES)]
        )
        model.start_sequence()
        self._input: Any = None

    def place_input(self) -> None:
        """Bring one batch to the device, for `forward`."""
        self._input = self.model.preprocess(next(self._frames))

    def forward(self) -> Any:
        return self.model.forward(self._input, self.size)

    def end_to_end(self) -> np.ndarray:
        """Return float32 (frames of a call, height, width) in host memory."""
        out = self.model.forward(self.model.preprocess(next(self._frames)), self.size)
        return self.model.to_host(resize(out, self.size))


def resize(out: Any, size: tuple[int, int]) -> Any:
    """Resize a prediction (n, v, u) to (n, *size) where it lies, bilinearly; nothing where it has that size."""
    if tuple(out.shape[-2:]) == tuple(size):
        return out
    import torch
    from torch.nn.functional import interpolate

    with torch.inference_mode():
        lies = torch.from_numpy(out) if isinstance(out, np.ndarray) else out
        resized = interpolate(lies[:, None], size, mode="bilinear", align_corners=False)[:, 0]
    return resized.numpy() if isinstance(out, np.ndarray) else resized
