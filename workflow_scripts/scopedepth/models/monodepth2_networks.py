"""The networks of monodepth2 (Godard et al., ICCV 2019) and of SC-SfMLearner's DispResNet, which shares its parts.

A ResNet-18 encoder gives five maps at 1/2 to 1/32 of the input's size, a decoder climbs back to full size and says a
sigmoid at four scales. Module names follow the published checkpoints, so their tensors load by name. Widths are
taken from the tensors, so narrow networks of the same format load too; the published ones have 14,329,236 parameters.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

ENCODER_WIDTHS = (64, 64, 128, 256, 512)
DECODER_WIDTHS = (16, 32, 64, 128, 256)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al., CVPR 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet18(nn.Module):
    """ResNet-18 without its classifier."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = self._layer(widths[0], widths[1], 1)
        self.layer2 = self._layer(widths[1], widths[2], 2)
        self.layer3 = self._layer(widths[2], widths[3], 2)
        self.layer4 = self._layer(widths[3], widths[4], 2)

    @staticmethod
    def _layer(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        return nn.Sequential(BasicBlock(inputs, outputs, stride), BasicBlock(outputs, outputs, 1))


class Encoder(nn.Module):
    """Features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input's size.

    `normalise`: the network itself maps [0, 1] to (x - 0.45) / 0.225 (monodepth2), or is given that (SC-SfMLearner).
    """

    def __init__(self, widths: tuple[int, ...] = ENCODER_WIDTHS, normalise: bool = True) -> None:
        super().__init__()
        self.encoder = ResNet18(widths)
        self.normalise = normalise

    def forward(self, x: Tensor) -> list[Tensor]:
        net = self.encoder
        if self.normalise:
            x = (x - 0.45) / 0.225
        features = [net.relu(net.bn1(net.conv1(x)))]
        features.append(net.layer1(net.maxpool(features[-1])))
        for layer in (net.layer2, net.layer3, net.layer4):
            features.append(layer(features[-1]))
        return features


class PaddedConv(nn.Module):
    """A 3x3 convolution over a reflected border."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(1)
        self.conv = nn.Conv2d(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.pad(x))


class ConvBlock(nn.Module):
    """A padded convolution and an ELU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = PaddedConv(inputs, outputs)
        self.elu = nn.ELU()

    def forward(self, x: Tensor) -> Tensor:
        return self.elu(self.conv(x))


class Decoder(nn.Module):
    """Sigmoids at full, 1/2, 1/4 and 1/8 size from an encoder's features.

    `decoder` lists the blocks as published: two for each level from the coarsest, then an output for each scale.
    """

    def __init__(
        self, encoder_widths: tuple[int, ...] = ENCODER_WIDTHS, widths: tuple[int, ...] = DECODER_WIDTHS
    ) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for level in range(4, -1, -1):
            inputs = encoder_widths[4] if level == 4 else widths[level + 1]
            blocks.append(ConvBlock(inputs, widths[level]))
            skip = encoder_widths[level - 1] if level > 0 else 0
            blocks.append(ConvBlock(widths[level] + skip, widths[level]))
        blocks += [PaddedConv(widths[scale], 1) for scale in range(4)]
        self.decoder = nn.ModuleList(blocks)

    def forward(self, features: list[Tensor], scales: int = 1) -> list[Tensor]:
        """Sigmoids of the `scales` finest scales, (n, 1, h, w) each, the full size first."""
        x = features[-1]
        outputs: list[Tensor] = []
        for k, level in enumerate(range(4, -1, -1)):
            x = self.decoder[2 * k](x)
            x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
            if level > 0:
                x = torch.cat([x, features[level - 1]], dim=1)
            x = self.decoder[2 * k + 1](x)
            if level < scales:
                outputs.insert(0, torch.sigmoid(self.decoder[10 + level](x)))
        return outputs


class DispResNet(nn.Module):
    """SC-SfMLearner's and Endo-SfMLearner's depth network: disparity 10 sigmoid + 0.01 of a normalised image."""

    def __init__(
        self, encoder_widths: tuple[int, ...] = ENCODER_WIDTHS, widths: tuple[int, ...] = DECODER_WIDTHS
    ) -> None:
        super().__init__()
        self.encoder = Encoder(encoder_widths, normalise=False)
        self.decoder = Decoder(encoder_widths, widths)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w), already (x - 0.45) / 0.225, to disparity (n, 1, h, w)."""
        return 10.0 * self.decoder(self.encoder(x))[0] + 0.01


def encoder_widths(state: Mapping[str, Tensor], prefix: str = "encoder.") -> tuple[int, ...]:
    """Widths of an encoder, from the tensors of a checkpoint."""
    first = state[f"{prefix}conv1.weight"].shape[0]
    return (first, *(state[f"{prefix}layer{k}.0.conv1.weight"].shape[0] for k in range(1, 5)))


def decoder_widths(state: Mapping[str, Tensor], prefix: str = "decoder.") -> tuple[int, ...]:
    """Widths of a decoder, finest first, from the tensors of a checkpoint."""
    return tuple(state[f"{prefix}{2 * (4 - level)}.conv.conv.weight"].shape[0] for level in range(5))
