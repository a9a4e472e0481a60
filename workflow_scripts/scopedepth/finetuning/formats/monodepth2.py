"""monodepth2: an encoder and a decoder, which is neck and head in one; encoder.pth and depth.pth."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from scopedepth.models.checkpoints import read_checkpoint
from scopedepth.models.families.monodepth2 import Monodepth2
from scopedepth.models.torch_model import TorchModel

# What encoder.pth says of the network's input.
INPUT = ("height", "width", "use_stereo")


def parts(network: nn.Module) -> dict[str, list[str]]:
    """Return the modules, by their names in the network, of backbone, neck and head."""
    return {"backbone": ["encoder"], "neck": ["decoder"], "head": ["decoder"]}


def adapted(network: nn.Module) -> list[str]:
    """Return the names of the layers that adapters stand beside: the encoder's convolutions.

    Not the decoder's, whose borders are reflected: an adapter's convolution pads with zeros, and merged it would not be
    what was trained.
    """
    return [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and name.startswith("encoder.")
    ]


def save(model: TorchModel, weights: Path, out: Path) -> None:
    """Write both halves where the base has them."""
    assert isinstance(model, Monodepth2)
    folder = out / model.place
    folder.mkdir(parents=True, exist_ok=True)
    stated = read_checkpoint(weights / model.place / "encoder.pth", model.name)
    given = {key: stated[key] for key in INPUT if key in stated}
    torch.save({**cpu(model.network.encoder), **given}, folder / "encoder.pth")
    torch.save(cpu(model.network.decoder), folder / "depth.pth")


def cpu(module: nn.Module | torch.Tensor) -> dict[str, torch.Tensor]:
    """Return a module's tensors on the host."""
    assert isinstance(module, nn.Module)
    return {name: tensor.detach().cpu() for name, tensor in module.state_dict().items()}
