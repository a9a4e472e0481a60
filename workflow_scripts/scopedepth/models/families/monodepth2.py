"""monodepth2 and its descendants, Endo-Depth among them: encoder.pth and depth.pth.

The decoder's sigmoid s becomes depth = 1 / (1/max_depth + (1/min_depth - 1/max_depth) s) (monodepth2, layers.py),
times `factor`, at most `saturate`. Endo-Depth: 0.1 to 100, times 52.864 for millimetres (the training's baseline of
0.1 against 5.2864 mm), saturating at 300 mm. Its authors resize the sigmoid and then do all this; the output kind
metric_disparity, 1 / depth without the limit, is linear in the sigmoid, and the limit is handed on to the scoring.

Options
    checkpoint   folder of the two files within the weights; {sequence} or {number} (the number in the sequence's
                 name) in it give each sequence its own, as for leave-one-out training: "stereo/test{number}/epoch02";
                 or {pattern of sequences' names: folder}, the first that fits
    min_depth, max_depth, factor, saturate   as above; saturate null: no limit
    height, width   the network's input; null: as the checkpoint says
    resample        lanczos (monodepth2's), bicubic or bilinear
    centred         whether the network was trained on (x - 0.45) / 0.225, as monodepth2's and Endo-Depth's were, or on
                    x in [0, 1], as AF-SfMLearner's, IID-SfMLearner's and those of EndoDAC's copy, whose encoders leave
                    this line out. No file says which; null: true, and a line that says so
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    Decoder,
    Encoder,
    decoder_widths_from,
    encoder_shape_from,
)
from scopedepth.models.resampling import resample_number
from scopedepth.models.resize import resize_grey_levels
from scopedepth.models.torch_model import TorchModel

if TYPE_CHECKING:
    from scopedepth.config.options import Pillow, Places, Positive, Sides
    from scopedepth.vocabulary import specs

# What encoder.pth holds besides tensors that depth needs.
IGNORED = ("height", "width", "use_stereo", "encoder.fc.")
# Names that the two halves have for certain.
MARKERS = (
    ("encoder.conv1.weight", "encoder.layer4.0.conv1.weight"),
    ("decoder.0.conv.conv.weight", "decoder.10.conv.weight"),
)


@dataclass(frozen=True)
class Options:
    """As above."""

    checkpoint: Places = ""
    min_depth: Positive = 0.1
    max_depth: Positive = 100.0
    factor: Positive = 1.0
    saturate: Positive | None = None
    height: Sides | None = None
    width: Sides | None = None
    resample: Pillow = "lanczos"
    centred: bool | None = None

    def __post_init__(self) -> None:
        if self.min_depth >= self.max_depth:
            raise ValueError("min_depth must be less than max_depth")


class EncoderDecoder(torch.nn.Module):
    """Both halves; images in [0, 1] -> (n, 1, h, w) in (0, 1)."""

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.encoder(images))


class Monodepth2(TorchModel):
    """A network with the size of its input and the formula of its output."""

    def __init__(self, spec: specs.Model, folder: Path, device: str, options: Options, place: str) -> None:
        centred = options.centred is not False
        network, size = read_network(folder / place, spec["name"], centred)
        super().__init__(spec, network, device)
        self.spec, self.folder, self.options, self.place = spec, folder, options, place
        given = (options.height, options.width)
        self.size = (given[0] or size[0], given[1] or size[1])
        if not all(side >= LEAST_SIDE and side % 32 == 0 for side in self.size):
            raise ScopeDepthError(
                f"Model {self.name}: an input of {self.size[1]}x{self.size[0]} (width x height) is not possible; both "
                f"must be multiples of 32, at least {LEAST_SIDE}. Set options.height and options.width."
            )
        if self.output_kind == "metric_disparity":
            self.greatest_depth = options.saturate
        self.resample = resample_number(options.resample, self.name)

    def for_sequence(self, name: str) -> DepthModel:
        place = place_for_sequence(self.options.checkpoint, name, self.name)
        if place == self.place:
            return self
        return Monodepth2(self.spec, self.folder, self.device, self.options, place)

    def grid(self, height: int, width: int) -> tuple[int, int]:
        return self.size

    def preprocess(self, frames: np.ndarray) -> torch.Tensor:
        with torch.inference_mode():
            return resize_grey_levels(self.upload(frames), self.size, self.resample).float() / 255

    def run(self, batch: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        share = self.network(batch)[:, 0].float()
        if self.output_kind == "disparity":
            return share
        least, most = 1 / self.options.max_depth, 1 / self.options.min_depth
        inverse = least + (most - least) * share
        if self.output_kind == "scaled_disparity":
            return inverse
        if self.output_kind == "metric_disparity":
            return inverse / self.options.factor
        depth = self.options.factor / inverse
        return depth if self.options.saturate is None else depth.clamp(max=self.options.saturate)


def read_network(folder: Path, name: str, centred: bool) -> tuple[EncoderDecoder, tuple[int, int]]:
    """Return the network in `folder`, its widths read off the tensors, and the checkpoint's input (height, width).

    The size is (0, 0) where the checkpoint does not say it.
    """
    paths = folder / "encoder.pth", folder / "depth.pth"
    encoder_tensors, decoder_tensors = (
        under_prefix(read_checkpoint(path, name), markers, name, path)
        for path, markers in zip(paths, MARKERS, strict=True)
    )
    try:
        encoder = Encoder(**encoder_shape_from(encoder_tensors, "encoder."), centred=centred)  # type: ignore[arg-type]
        decoder = Decoder(encoder.widths, decoder_widths_from(decoder_tensors, "decoder."))
    except (KeyError, AttributeError, IndexError) as error:
        raise ScopeDepthError(
            f"Model {name}: {folder} holds no monodepth2 network ({error} is missing; encoder.pth holds "
            f"{listed(encoder_tensors, 3)}; depth.pth {listed(decoder_tensors, 3)}). Check family and checkpoint."
        ) from error
    load_strictly(encoder, encoder_tensors, name, paths[0], IGNORED)
    load_strictly(decoder, decoder_tensors, name, paths[1])
    size = (_side(encoder_tensors, "height", name, paths[0]), _side(encoder_tensors, "width", name, paths[0]))
    return EncoderDecoder(encoder, decoder), size


def _side(tensors: Mapping[str, Any], key: str, name: str, path: Path) -> int:
    """Return a side of the input as the checkpoint says it, 0 where it does not."""
    try:
        return int(tensors.get(key, 0))
    except (TypeError, ValueError) as error:
        raise ScopeDepthError(
            f"Model {name}: {path} gives {tensors[key]!r:.60} as {key}. Set options.{key}."
        ) from error


def load(spec: specs.Model, weights: Path, device: str) -> DepthModel:
    """Load the checkpoint; with one for each sequence, any of them, to be replaced by `for_sequence`."""
    options = read_options(spec, Options)
    if options.centred is None:
        said = (
            f"Model {spec['name']}: options.centred is not set, and no file says it; taken as true, as of monodepth2 "
            "and Endo-Depth. AF-SfMLearner, IID-SfMLearner and EndoDAC want false."
        )
        print(said, file=sys.stderr, flush=True)
    place = options.checkpoint
    if not isinstance(place, str) or "{" in place:
        place = first_place(weights, place, "encoder.pth", spec["name"])
    return Monodepth2(spec, weights, device, options, place)
