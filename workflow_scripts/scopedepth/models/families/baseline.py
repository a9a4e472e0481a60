"""Baselines: what can be said of depth without a network. Every skill is measured against them.

constant    the same depth everywhere: after alignment, the best that one number can do
brightness  depth proportional to luminance^-1/2. An endoscope carries its lamp, so the light that comes back
            falls with the square of the distance: near tissue is bright

Both are depth up to scale. Luminance is that of ITU-R BT.709, on the picture's values as they are: most videos
carry no calibrated curve, and the exponent is an option.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from scopedepth.errors import ScopeDepthError
from scopedepth.job.extensions import read_options
from scopedepth.models.base import DepthModel

if TYPE_CHECKING:
    from scopedepth.config.options import Finite
    from scopedepth.vocabulary import specs

# ITU-R BT.709, part 3: luminance of red, green and blue.
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
# Black would be infinitely far: one grey level is the darkest that a picture can say.
DARKEST = np.float32(1.0)


@dataclass(frozen=True)
class Options:
    """Which baseline; brightness is the luminance to the power of gamma, and depth that to the power of -exponent."""

    kind: Literal["constant", "brightness"] = "constant"
    exponent: Finite = 0.5
    gamma: Finite = 1.0

    @staticmethod
    def check_model(weights: str, output: str) -> None:
        """Refuse kinds of weights and output that a baseline does not have."""
        if weights != "none":
            raise ValueError("a baseline has no weights")
        if output != "depth":
            raise ValueError("a baseline's output kind is `depth`, up to scale")


class Constant(DepthModel):
    """The depth 1 everywhere."""

    def grid(self, height: int, width: int) -> tuple[int, int]:
        return height, width

    def preprocess(self, frames: np.ndarray) -> np.ndarray:
        return frames

    def forward(self, batch: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        return np.ones(batch.shape[:3], dtype=np.float32)


class Brightness(Constant):
    """Depth = (luminance / 255)^(-gamma * exponent), luminance not below one grey level."""

    def __init__(self, spec: specs.Model, exponent: float, gamma: float) -> None:
        super().__init__(spec)
        self.exponent = np.float32(-exponent * gamma)

    def forward(self, batch: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        luminance = batch.astype(np.float32) @ LUMINANCE
        return np.power(np.maximum(luminance, DARKEST) / np.float32(255), self.exponent)


def load(spec: specs.Model, weights: Path, device: str) -> DepthModel:
    """Return a baseline. Options: `kind` (constant, brightness), `exponent` (0.5), `gamma` (1: none undone)."""
    options = read_options(spec, Options)
    try:
        options.check_model("none", spec["output"]["kind"])
    except ValueError as error:
        raise ScopeDepthError(f"Model {spec['name']}: {error}.") from None
    if options.kind == "constant":
        return Constant(spec)
    return Brightness(spec, options.exponent, options.gamma)
