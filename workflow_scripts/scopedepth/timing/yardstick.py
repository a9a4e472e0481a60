"""The yardstick: one small convolutional network that never changes, timed beside every model.

DO NOT CHANGE THIS NETWORK. Times taken on other days or on other machines are compared by their ratio to it;
with another yardstick those ratios lose their meaning. tests/test_timing_yardstick.py holds the digest of its
output and fails when anything here gives another result.

The last layer works at the picture's size, as the heads of depth networks do, and its data leave a core's own caches.
Where other cores keep the memory busy, depth networks are slowed by that, and a yardstick has to be as well, or the
ratio to it rises: without that layer it did so by up to 7 %.

Its weights are -1, 0 or 1 from a fixed integer sequence, its activations whole numbers from 0 to 7. Sums of
such products are exact in float32 in any order, so the output is the same on every processor, GPU and library.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

# In and out channels, stride. 0.65 GFLOP (a multiplication and an addition are two): some milliseconds
# on one core, and enough work that a GPU is not timed at launching kernels alone.
LAYERS = ((3, 16, 2), (16, 32, 2), *[(32, 32, 1)] * 6, (32, 16, 1), (16, 16, 1))
ENLARGE = 4  # before the last layer, back to the picture's size
SIZE = 224
LEVELS = 7
SEED = 20240129


def whole_numbers(count: int, seed: int) -> np.ndarray:
    """Return `count` uint32 of a linear congruential generator (Numerical Recipes' constants), uint32 (count,).

    Our own four lines, because a library's random numbers may change with its version.
    """
    numbers = np.empty(count, np.uint32)
    state = seed
    for index in range(count):
        state = (1664525 * state + 1013904223) & 0xFFFFFFFF
        numbers[index] = state
    return numbers >> np.uint32(16)  # the low bits of such a generator repeat early


class Yardstick(nn.Module):
    """The fixed network. Input and output are made by `yardstick_input` and `forward`."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [out * inside * 9 for inside, out, _ in LAYERS]
        values = (whole_numbers(sum(sizes), SEED) % 3).astype(np.float32) - 1
        parts = np.split(values, np.cumsum(sizes)[:-1])
        self.layers = nn.ModuleList()
        for (inside, out, stride), part in zip(LAYERS, parts, strict=True):
            layer = nn.Conv2d(inside, out, 3, stride, padding=1, bias=False)
            layer.weight = nn.Parameter(
                torch.from_numpy(part.reshape(out, inside, 3, 3)), requires_grad=False
            )
            self.layers.append(layer)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return whole numbers from 0 to 7, float32 (1, 16, 224, 224), for an image float32 (1, 3, 224, 224)."""
        *body, head = self.layers
        for layer in body:
            image = whole(layer(image))
        return whole(head(nn.functional.interpolate(image, scale_factor=ENLARGE)))


def whole(sums: torch.Tensor) -> torch.Tensor:
    """Return the activations, whole numbers from 0 to 7, of a layer's sums."""
    # The offset keeps every value away from a rounding border, whatever a fast convolution's error.
    return torch.clamp(torch.round((sums + 0.25) / 8), 0, LEVELS)


def yardstick_input() -> torch.Tensor:
    """Return the yardstick's one image: whole numbers from 0 to 7, float32 (1, 3, 224, 224)."""
    values = whole_numbers(3 * SIZE * SIZE, SEED + 1) % (LEVELS + 1)
    return torch.from_numpy(values.astype(np.float32).reshape(1, 3, SIZE, SIZE))


def output_digest(output: torch.Tensor) -> str:
    """Return ``sha256:...`` of the yardstick's output."""
    return "sha256:" + hashlib.sha256(output.cpu().numpy().astype(np.uint8).tobytes()).hexdigest()


def yardstick_call(device: str) -> Callable[[], torch.Tensor]:
    """Return a function without arguments that runs the yardstick once on `device`, its image already there."""
    network = Yardstick().to(device).eval()
    image = yardstick_input().to(device)

    def call() -> torch.Tensor:
        with torch.inference_mode():
            return network(image)

    return call
