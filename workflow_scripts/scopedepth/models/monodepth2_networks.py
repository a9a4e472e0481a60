"""The networks of monodepth2 and of SC-SfMLearner: a ResNet encoder and a decoder of upsampled, skipped blocks.

Written from the papers and the published tensors' names and shapes (Godard et al., ICCV 2019; Bian et al., NeurIPS
2019; He et al., CVPR 2016). Names of parameters are those of the published checkpoints, so that these load strictly;
the classifier `encoder.fc`, which depth does not use, is left out. Widths are free: `*_from` reads them off a
checkpoint's tensors, so narrow descendants load like the originals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional

# Channels of the five feature maps, and of the decoder's stages from fine to coarse, as published (ResNet-18).
ENCODER_WIDTHS = (64, 64, 128, 256, 512)
DECODER_WIDTHS = (16, 32, 64, 128, 256)
BLOCKS_18 = (2, 2, 2, 2)
STAGES = 5
SCALES = 4
# The coarsest map is 1/32 of the image, and a border of one pixel is reflected there, which wants two.
LEAST_SIDE = 64


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, before: int, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = _shortcut(before, out, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a shortcut (ResNet-50 and deeper)."""

    def __init__(self, before: int, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.downsample = _shortcut(before, out, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + self.downsample(x))


def _shortcut(before: int, out: int, stride: int) -> nn.Module:
    if stride == 1 and before == out:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(before, out, 1, stride, bias=False), nn.BatchNorm2d(out))


class ResNet(nn.Module):
    """A ResNet without its classifier. `widths`: channels of the five feature maps."""

    def __init__(self, widths: Sequence[int], blocks: Sequence[int], bottleneck: int = 0) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        for stage in range(1, STAGES):
            before, out, stride = widths[stage - 1], widths[stage], 1 if stage == 1 else 2
            layers: list[nn.Module] = []
            for _ in range(blocks[stage - 1]):
                if bottleneck:
                    layers.append(Bottleneck(before, out // bottleneck, out, stride))
                else:
                    layers.append(BasicBlock(before, out, out, stride))
                before, stride = out, 1
            setattr(self, f"layer{stage}", nn.Sequential(*layers))


class Encoder(nn.Module):
    """Images (n, 3, h, w) -> five feature maps, at 1/2 to 1/32 of the size.

    `centred`: subtract 0.45 and divide by 0.225 within the network (monodepth2); SC-SfMLearner's images come so.
    """

    def __init__(
        self,
        widths: Sequence[int] = ENCODER_WIDTHS,
        blocks: Sequence[int] = BLOCKS_18,
        bottleneck: int = 0,
        centred: bool = True,
    ) -> None:
        super().__init__()
        self.encoder = ResNet(widths, blocks, bottleneck)
        self.widths = tuple(widths)
        self.centred = centred

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        net = self.encoder
        x = (images - 0.45) / 0.225 if self.centred else images
        features = [functional.relu(net.bn1(net.conv1(x)))]
        x = functional.max_pool2d(features[0], 3, 2, 1)
        for stage in range(1, STAGES):
            x = getattr(net, f"layer{stage}")(x)
            features.append(x)
        return features


class Conv3x3(nn.Module):
    """A 3x3 convolution with the border reflected."""

    def __init__(self, before: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, out, 3, padding=1, padding_mode="reflect")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


class ConvBlock(nn.Module):
    """The decoder's block: a 3x3 convolution and ELU."""

    def __init__(self, before: int, out: int) -> None:
        super().__init__()
        self.conv = Conv3x3(before, out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.elu(self.conv(x))


class Decoder(nn.Module):
    """Feature maps -> a map in (0, 1) of the images' size, (n, 1, h, w): inverse depth up to scale.

    The list `decoder` holds two blocks a stage, coarse to fine, then a last convolution for each of four scales.
    Only the finest scale is computed, unless `all_scales` (training) asks for the list from fine to coarse.
    """

    def __init__(
        self, encoder_widths: Sequence[int] = ENCODER_WIDTHS, widths: Sequence[int] = DECODER_WIDTHS
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for stage in reversed(range(STAGES)):
            before = encoder_widths[-1] if stage == STAGES - 1 else widths[stage + 1]
            skipped = encoder_widths[stage - 1] if stage else 0
            layers += [ConvBlock(before, widths[stage]), ConvBlock(widths[stage] + skipped, widths[stage])]
        layers += [Conv3x3(widths[scale], 1) for scale in range(SCALES)]
        self.decoder = nn.ModuleList(layers)

    def forward(
        self, features: Sequence[torch.Tensor], all_scales: bool = False
    ) -> torch.Tensor | list[torch.Tensor]:
        x, scales = features[-1], []
        for number, stage in enumerate(reversed(range(STAGES))):
            x = functional.interpolate(self.decoder[2 * number](x), scale_factor=2, mode="nearest")
            if stage:
                x = torch.cat([x, features[stage - 1]], dim=1)
            x = self.decoder[2 * number + 1](x)
            if stage < SCALES and (all_scales or stage == 0):
                scales.append(torch.sigmoid(self.decoder[2 * STAGES + stage](x)))
        return scales[::-1] if all_scales else scales[0]


class DispResNet(nn.Module):
    """SC-SfMLearner's depth network: images already centred -> (n, 1, h, w) in (0, 1).

    Published: disparity = 10 * output + 0.01 and depth = 1 / disparity.
    """

    def __init__(
        self,
        encoder_widths: Sequence[int] = ENCODER_WIDTHS,
        decoder_widths: Sequence[int] = DECODER_WIDTHS,
        blocks: Sequence[int] = BLOCKS_18,
        bottleneck: int = 0,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(encoder_widths, blocks, bottleneck, centred=False)
        self.decoder = Decoder(encoder_widths, decoder_widths)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        out = self.decoder(self.encoder(images))
        assert isinstance(out, torch.Tensor)
        return out


def encoder_shape_from(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, object]:
    """Return `Encoder`'s widths, blocks and bottleneck, read off a checkpoint's tensors named `prefix`...

    Raises KeyError for tensors that are no ResNet's.
    """
    widths = [tensors[f"{prefix}conv1.weight"].shape[0]]
    blocks = []
    last = "conv3" if f"{prefix}layer1.0.conv3.weight" in tensors else "conv2"
    for stage in range(1, STAGES):
        weight = tensors[f"{prefix}layer{stage}.0.{last}.weight"]
        widths.append(weight.shape[0])
        count = 0
        while f"{prefix}layer{stage}.{count}.conv1.weight" in tensors:
            count += 1
        blocks.append(count)
    narrow = tensors[f"{prefix}layer1.0.conv1.weight"].shape[0]
    return {
        "widths": tuple(widths),
        "blocks": tuple(blocks),
        "bottleneck": widths[1] // narrow if last == "conv3" else 0,
    }


def decoder_widths_from(tensors: Mapping[str, torch.Tensor], prefix: str) -> tuple[int, ...]:
    """Return `Decoder`'s widths, read off a checkpoint's tensors named `prefix`N.conv.conv.weight."""
    return tuple(
        tensors[f"{prefix}{2 * (STAGES - 1 - stage)}.conv.conv.weight"].shape[0] for stage in range(STAGES)
    )
