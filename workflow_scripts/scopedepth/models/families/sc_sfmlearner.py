"""SC-SfMLearner and its descendants, Endo-SfMLearner among them: one .pth.tar with the depth network's state_dict.

Frames come as (x / 255 - 0.45) / 0.225; the sigmoid s becomes disparity = 10 s + 0.01 and depth = 1 / disparity.

Options
    checkpoint      the file within the weights; null: dispnet_model_best.pth.tar, else dispnet_checkpoint.pth.tar;
                    {sequence}, {number} and patterns as for monodepth2
    alpha, beta     10 and 0.01
    height, width   the network's input; null: the frame's own, to the nearest multiple of 32 and at least 64 (the
                    checkpoints do not say what they were trained with)
    resample        skimage, as the authors' test_disp.py resizes: floats, by scikit-image's resize; or Pillow's
                    bilinear, bicubic or lanczos, on whole grey levels
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from scopedepth.errors import ScopeDepthError
from scopedepth.job.extensions import read_options
from scopedepth.models.base import DepthModel
from scopedepth.models.checkpoints import (
    first_place,
    listed,
    load_strictly,
    place_for_sequence,
    read_checkpoint,
    under_prefix,
)
from scopedepth.models.monodepth2_networks import (
    LEAST_SIDE,
    DispResNet,
    decoder_widths_from,
    encoder_shape_from,
)
from scopedepth.models.resampling import resample_number
from scopedepth.models.resize import normalise, resize_grey_levels, resize_with_skimage
from scopedepth.models.torch_model import TorchModel

if TYPE_CHECKING:
    from scopedepth.config.options import Pillow, Places, Positive, Sides
    from scopedepth.vocabulary import specs

SKIMAGE = "skimage"
USUAL_FILES = ("dispnet_model_best.pth.tar", "dispnet_checkpoint.pth.tar")
# Names that the network has for certain, and a pose network lacks.
MARKERS = ("encoder.encoder.conv1.weight", "decoder.decoder.0.conv.conv.weight")
MEAN, STD = [0.45] * 3, [0.225] * 3


@dataclass(frozen=True)
class Options:
    """As above."""

    checkpoint: Places | None = None
    alpha: Positive = 10.0
    beta: Positive = 0.01
    height: Sides | None = None
    width: Sides | None = None
    resample: Literal[Pillow, "skimage"] = "skimage"


class ScSfmLearner(TorchModel):
    """A DispResNet and the formula of its output."""

    def __init__(self, spec: specs.Model, folder: Path, device: str, options: Options, file: str) -> None:
        super().__init__(spec, read_network(folder / file, spec["name"]), device)
        self.spec, self.folder, self.options, self.file = spec, folder, options, file
        how = options.resample
        self.resample = None if how == SKIMAGE else resample_number(how, self.name, SKIMAGE)

    def for_sequence(self, name: str) -> DepthModel:
        file = place_for_sequence(self.options.checkpoint or self.file, name, self.name)
        return (
            self
            if file == self.file
            else ScSfmLearner(self.spec, self.folder, self.device, self.options, file)
        )

    def grid(self, height: int, width: int) -> tuple[int, int]:
        nearest = [max(LEAST_SIDE, round(side / 32) * 32) for side in (height, width)]
        return self.options.height or nearest[0], self.options.width or nearest[1]

    def preprocess(self, frames: np.ndarray) -> torch.Tensor:
        size = self.grid(*frames.shape[1:3])
        with torch.inference_mode():
            given = self.upload(frames)
            if self.resample is None:
                resized = resize_with_skimage(given.float(), size)
            else:
                resized = resize_grey_levels(given, size, self.resample)
            return normalise(resized, 1 / 255, MEAN, STD)

    def run(self, batch: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        share = self.network(batch)[:, 0].float()
        if self.output_kind == "disparity":
            return share
        disparity = self.options.alpha * share + self.options.beta
        return disparity if self.output_kind in ("scaled_disparity", "metric_disparity") else 1 / disparity


def read_network(path: Path, name: str) -> DispResNet:
    """Return the depth network in `path`, its widths read off the tensors."""
    tensors = under_prefix(read_checkpoint(path, name), MARKERS, name, path)
    try:
        shape = encoder_shape_from(tensors, "encoder.encoder.")
        network = DispResNet(
            encoder_widths=shape["widths"],  # type: ignore[arg-type]
            decoder_widths=decoder_widths_from(tensors, "decoder.decoder."),
            blocks=shape["blocks"],  # type: ignore[arg-type]
            bottleneck=shape["bottleneck"],  # type: ignore[arg-type]
        )
    except (KeyError, AttributeError, IndexError, TypeError) as error:
        raise ScopeDepthError(
            f"Model {name}: {path} holds no SC-SfMLearner depth network ({error} is missing; it holds "
            f"{listed(tensors, 3)}). Check the family; a "
            "pose network (exp_pose_...) is not what is wanted."
        ) from error
    load_strictly(network, tensors, name, path, ("encoder.encoder.fc.",))
    return network


def load(spec: specs.Model, weights: Path, device: str) -> DepthModel:
    """Load the checkpoint; with one for each sequence, any of them, to be replaced by `for_sequence`."""
    options = read_options(spec, Options)
    name, file = spec["name"], options.checkpoint
    if file is None:
        usual = [entry for entry in USUAL_FILES if (weights / entry).is_file()]
        file = usual[0] if usual else USUAL_FILES[0]
    elif not isinstance(file, str) or "{" in file:
        file = first_place(weights, file, "", name)
    return ScSfmLearner(spec, weights, device, options, file)
