"""monodepth2's and SC-SfMLearner's networks against what is published of them."""

from __future__ import annotations

from typing import Any

import torch

from scopedepth.models.monodepth2_networks import (
    Decoder,
    DispResNet,
    Encoder,
    decoder_widths_from,
    encoder_shape_from,
)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameters_are_as_many_as_published() -> None:
    assert count(Encoder()) == 11_176_512
    assert count(Decoder()) == 3_152_724
    assert count(DispResNet()) == 14_329_236


def test_names_are_the_published_ones() -> None:
    encoder, decoder = Encoder().state_dict(), Decoder().state_dict()
    assert encoder["encoder.conv1.weight"].shape == (64, 3, 7, 7)
    assert encoder["encoder.layer2.0.downsample.0.weight"].shape == (128, 64, 1, 1)
    assert encoder["encoder.layer4.1.bn2.running_var"].shape == (512,)
    sizes = [(decoder[f"decoder.{i}.conv.conv.weight"].shape[1::-1]) for i in range(10)]
    assert [tuple(size) for size in sizes] == [
        (512, 256), (512, 256), (256, 128), (256, 128), (128, 64),
        (128, 64), (64, 32), (96, 32), (32, 16), (16, 16),
    ]  # fmt: skip
    assert [decoder[f"decoder.{i}.conv.weight"].shape[1] for i in range(10, 14)] == [16, 32, 64, 128]
    assert len(decoder) == 28
    both = DispResNet().state_dict()
    assert set(both) == {f"encoder.{k}" for k in encoder} | {f"decoder.{k}" for k in decoder}


def test_sizes_and_widths() -> None:
    net = DispResNet((8, 12, 16, 20, 24), (4, 5, 6, 7, 9)).eval()
    with torch.inference_mode():
        out = net(torch.rand(2, 3, 64, 96))
        features = net.encoder(torch.rand(1, 3, 64, 96))
        scales = net.decoder(features, all_scales=True)
    assert out.shape == (2, 1, 64, 96)
    assert 0 < out.min() < out.max() < 1
    assert [f.shape[1:] for f in features] == [
        (8, 32, 48), (12, 16, 24), (16, 8, 12), (20, 4, 6), (24, 2, 3),
    ]  # fmt: skip
    assert [s.shape[-1] for s in scales] == [96, 48, 24, 12]


def test_shapes_are_read_off_the_tensors() -> None:
    shape: dict[str, Any] = {"widths": (8, 16, 24, 32, 48), "blocks": (3, 1, 2, 1), "bottleneck": 4}
    encoder = Encoder(**shape)
    found = encoder_shape_from(encoder.state_dict(), "encoder.")
    assert found == shape
    decoder = Decoder(shape["widths"], (4, 5, 6, 7, 9))
    assert decoder_widths_from(decoder.state_dict(), "decoder.") == (4, 5, 6, 7, 9)
    assert encoder_shape_from(Encoder().state_dict(), "encoder.")["blocks"] == (2, 2, 2, 2)
