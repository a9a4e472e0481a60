"""The demonstration's five networks: their configurations and how they start.

Each is built as a `Network`: the module to be saved, how pictures become its input, and what its output means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from scopedepth.models.monodepth2_networks import Decoder, DispResNet, Encoder

Kind = Literal["affine_disparity", "scaled_disparity", "metric_depth"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
QUARTER = (
    (16, 16, 32, 64, 128),
    (4, 8, 16, 32, 64),
)  # a quarter of ResNet-18's and the decoder's published widths
EIGHTH = (8, 8, 16, 32, 64), (4, 4, 8, 16, 32)  # an eighth; the two finest decoder levels keep four channels


@dataclass
class Network:
    """A network to train.

    Attributes:
        name: of its checkpoint's folder.
        module: what is trained and saved.
        side: side of the square input, pixels.
        mean, std: of the input's channels.
        predict: normalised input (n, 3, side, side) to output (n, h, w).
        kind: what the loss asks of the output. `affine_disparity`: inverse depth up to scale and shift;
            `scaled_disparity`: up to scale; `metric_depth`: depth in centimetres.
        learning_rate: the highest, in the middle of the first tenth of training.
    """

    name: str
    module: nn.Module
    side: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    predict: Callable[[Tensor], Tensor]
    kind: Kind
    learning_rate: float

    def normalise(self, rgb: Tensor) -> Tensor:
        """Pictures (n, 3, h, w) in [0, 1] to the network's input."""
        mean, std = (torch.tensor(x, dtype=rgb.dtype)[:, None, None] for x in (self.mean, self.std))
        return (rgb - mean) / std


def tiny_depth_anything() -> Network:
    """Depth Anything's class with a DINOv2 backbone of 4 layers; trained up to scale and shift, as the original was."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    backbone = Dinov2Config(
        hidden_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        mlp_ratio=4,
        image_size=168,
        patch_size=14,
        reshape_hidden_states=False,
        apply_layernorm=True,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=14,
        reassemble_hidden_size=64,
        neck_hidden_sizes=[24, 32, 48, 64],
        fusion_hidden_size=32,
        head_hidden_size=32,
        depth_estimation_type="relative",
    )
    model = DepthAnythingForDepthEstimation(config)
    _start(model, 168, last=1.0)
    return Network(
        "tiny_depth_anything",
        model,
        168,
        IMAGENET_MEAN,
        IMAGENET_STD,
        lambda x: model(pixel_values=x).predicted_depth,
        "affine_disparity",
        2e-3,
    )


def tiny_midas() -> Network:
    """DPT's class, as MiDaS 3 uses it, with a plain vision transformer of 4 layers; trained up to scale."""
    from transformers import DPTConfig, DPTForDepthEstimation

    config = DPTConfig(
        hidden_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=256,
        image_size=160,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[24, 32, 48, 64],
        fusion_hidden_size=32,
        reassemble_factors=[4, 2, 1, 0.5],
        readout_type="project",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        use_auxiliary_head=False,
    )
    model = DPTForDepthEstimation(config)
    _start(model, 160, last=1.0)
    return Network(
        "tiny_midas",
        model,
        160,
        HALF,
        HALF,
        lambda x: model(pixel_values=x).predicted_depth,
        "scaled_disparity",
        2e-3,
    )


def tiny_zoedepth() -> Network:
    """ZoeDepth's class with a BEiT backbone of 4 layers and unbounded bins; says centimetres."""
    from transformers import BeitConfig, ZoeDepthConfig, ZoeDepthForDepthEstimation

    backbone = BeitConfig(
        hidden_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=256,
        image_size=160,
        patch_size=16,
        use_relative_position_bias=True,
        use_shared_relative_position_bias=False,
        use_absolute_position_embeddings=False,
        layer_scale_init_value=0.1,
        drop_path_rate=0.0,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        reshape_hidden_states=False,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = ZoeDepthConfig(
        backbone_config=backbone,
        backbone_hidden_size=64,
        neck_hidden_sizes=[24, 32, 48, 64],
        fusion_hidden_size=32,
        bottleneck_features=32,
        num_relative_features=16,
        bin_embedding_dim=32,
        num_attractors=[8, 4, 2, 1],
        bin_centers_type="softplus",
        bin_configurations=[{"n_bins": 16, "min_depth": 0.1, "max_depth": 30.0, "name": "phantom"}],
        readout_type="project",
    )
    model = ZoeDepthForDepthEstimation(config)
    _start(model, 160, last=None)
    return Network(
        "tiny_zoedepth",
        model,
        160,
        HALF,
        HALF,
        lambda x: model(pixel_values=x).predicted_depth,
        "metric_depth",
        1.5e-3,
    )


class MonodepthPair(nn.Module):
    """monodepth2's encoder and decoder, image in [0, 1] to sigmoid."""

    def __init__(self, encoder: tuple[int, ...], decoder: tuple[int, ...]) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(encoder), Decoder(encoder, decoder)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


def tiny_endo_depth() -> Network:
    """monodepth2's format at a quarter of its widths; disparity 0.01 + 9.99 sigmoid, its formula for 0.1 to 100."""
    model = MonodepthPair(*QUARTER)
    _start(model, 160, last=-2.2)
    return Network(
        "tiny_endo_depth",
        model,
        160,
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        lambda x: (0.01 + 9.99 * model(x))[:, 0],
        "scaled_disparity",
        1e-3,
    )


def tiny_endo_sfmlearner() -> Network:
    """SC-SfMLearner's DispResNet, as Endo-SfMLearner uses it, at an eighth; disparity 0.01 + 10 sigmoid."""
    model = DispResNet(*EIGHTH)
    _start(model, 160, last=-2.2)
    return Network(
        "tiny_endo_sfmlearner",
        model,
        160,
        (0.45, 0.45, 0.45),
        (0.225, 0.225, 0.225),
        lambda x: (0.01 + 10 * model(x))[:, 0],
        "scaled_disparity",
        1e-3,
    )


BUILDERS: dict[str, Callable[[], Network]] = {
    build.__name__: build
    for build in (tiny_depth_anything, tiny_midas, tiny_zoedepth, tiny_endo_depth, tiny_endo_sfmlearner)
}


def _start(model: nn.Module, side: int, last: float | None) -> None:
    """Start the layers outside a backbone by Xavier's rule, and the output around `last`.

    The classes' own start (normal, 0.02) lets a shift-invariant loss collapse, and can end with a flipped sign; and a
    ReLU or sigmoid at the end learns nothing where it starts saturated. So the convolutions that say the output are
    scaled, on a random picture, to vary by 0.3 around `last`.
    """
    for name, module in model.named_modules():
        if name.startswith(("backbone", "dpt.encoder", "dpt.embeddings")):
            continue
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    if last is None:
        return
    ends = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.out_channels == 1]
    hooks = [end.register_forward_hook(partial(_centre, last)) for end in ends]
    with torch.no_grad():
        model(torch.rand(2, 3, side, side))
    for hook in hooks:
        hook.remove()
    for end in ends:
        assert end.bias is not None
        nn.init.constant_(end.bias, last)


def _centre(last: float, end: nn.Conv2d, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    scale = 0.3 / output.std().clamp(min=1e-6)
    end.weight.data *= scale
    return output * scale + last
