"""What the authors' own code feeds networks that the Hub gives out with another preprocessing.

Depth Anything, v1 and v2 (run.py, dpt.py): the shorter side becomes the network's, sides are multiples of the patch,
ImageNet's mean. MiDaS (model_loader.py): scaled as little as one side allows, both sides multiples of 32; its Swin
networks take a square. Both scale to [0, 1] and resize these floats with OpenCV's cubic filter, a = -3/4, which does
not smooth when it shrinks. ZoeDepth's and Depth Pro's processors on the Hub do what the authors do.

tests/conformance_inputs.json holds what the sources themselves gave.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from scopedepth.errors import ScopeDepthError
from scopedepth.models.processors import HALF, IMAGENET_MEAN, IMAGENET_STD, Processor, fit
from scopedepth.models.resize import normalise, resize_with_opencv

# Kinds of transformers (config.model_type) whose processor on the Hub equals the authors' own.
SAME_AS_HUB = ("depth_pro", "zoedepth")
MIDAS_MULTIPLE = 32


@dataclass(frozen=True)
class AuthorsProcessor:
    """Preprocessing by the authors' rule; stands where a `Processor` does.

    `side`: the height and width that the network was trained on. `bound`: whether `side` is the least that either
    side may have (Depth Anything's lower_bound), or the frame is scaled as little as one side allows (MiDaS's minimal).
    """

    side: int
    multiple: int
    keep_aspect_ratio: bool
    bound: bool
    mean: list[float]
    std: list[float]

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """uint8 (n, 3, h, w) -> the network's input, float32 (n, 3, *input_size(h, w)), on the same device."""
        size = self.input_size(*frames.shape[-2:])
        return normalise(resize_with_opencv(frames.float() / 255, size), 1.0, self.mean, self.std)

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the (height, width) that the network sees of frames of `height` x `width`."""
        size, target = (height, width), (self.side, self.side)
        if not self.bound:
            return fit(size, target, self.keep_aspect_ratio, self.multiple)
        scale = max(self.side / height, self.side / width)
        v, u = (_at_least(scale * side, self.side, self.multiple) for side in size)
        return v, u

    def unpad(self, out: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """Return the output as it is: nothing was padded."""
        return out


def _at_least(wanted: float, least: int, multiple: int) -> int:
    """Return the multiple nearest to `wanted`, or the next one where that would be less than `least`."""
    nearest = round(wanted / multiple) * multiple
    return nearest if nearest >= least else -int(-wanted // multiple) * multiple


def authors_processor(config: Any, hub: Processor, name: str) -> AuthorsProcessor | Processor:
    """Return the authors' preprocessing for a network of transformers with the configuration `config`.

    `hub`: the checkpoint's own, which says the size that it was trained on. Raises `ScopeDepthError` for networks
    whose authors' code is not known here.
    """
    kind = config.model_type
    if kind in SAME_AS_HUB:
        return hub
    if not knows_better(config):
        raise ScopeDepthError(
            f"Model {name}: what the authors of a network of the kind {kind!r} feed it is not known here. Use "
            "options.preprocessing: hub, and options.processor for settings of your own."
        )
    side = hub.settings["size"]["height"]
    if kind == "depth_anything":
        patch = config.backbone_config.patch_size
        return AuthorsProcessor(side, patch, True, True, IMAGENET_MEAN, IMAGENET_STD)
    backbone = getattr(config, "backbone_config", None)
    swin = backbone is not None and backbone.model_type.startswith("swin")
    return AuthorsProcessor(side, MIDAS_MULTIPLE, not swin, False, HALF, HALF)


def knows_better(config: Any) -> bool:
    """Say whether the authors of a network feed it otherwise than its processor on the Hub does."""
    return config.model_type in ("depth_anything", "dpt")
