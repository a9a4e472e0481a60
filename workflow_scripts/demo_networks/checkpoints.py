"""Checkpoints of the demonstration's networks: the published ones' formats, numbers in half precision."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from demo_networks.networks import BUILDERS, MonodepthPair, Network


def save(network: Network, folder: Path, steps: int) -> None:
    """Write a network's checkpoint.

    Transformers classes: config.json, model.safetensors, preprocessor_config.json, for `from_pretrained`.
    monodepth2: encoder.pth (tensors, height, width, use_stereo) and depth.pth. SC-SfMLearner:
    dispnet_model_best.pth.tar (epoch, state_dict).
    """
    folder.mkdir(parents=True, exist_ok=True)
    module = network.module
    if isinstance(module, MonodepthPair):
        size = {"height": network.side, "width": network.side, "use_stereo": False}
        torch.save(_half(module.encoder.state_dict()) | size, folder / "encoder.pth")
        torch.save(_half(module.decoder.state_dict()), folder / "depth.pth")
    elif network.name == "tiny_endo_sfmlearner":
        torch.save(
            {"epoch": steps, "state_dict": _half(module.state_dict())}, folder / "dispnet_model_best.pth.tar"
        )
    else:
        module.to(torch.float16)
        module.save_pretrained(folder)  # type: ignore[operator]
        (folder / "model.safetensors").chmod(0o644)  # written for its owner alone
        _processor(network).save_pretrained(folder)
        module.to(torch.float32)


def load(name: str, folder: Path) -> Network:
    """Network `name` with the tensors of its checkpoint, in single precision and evaluation mode."""
    network = BUILDERS[name]()
    module = network.module
    if isinstance(module, MonodepthPair):
        encoder = torch.load(folder / "encoder.pth", weights_only=True)
        tensors = {key: value for key, value in encoder.items() if isinstance(value, Tensor)}
        module.encoder.load_state_dict(tensors)
        module.decoder.load_state_dict(torch.load(folder / "depth.pth", weights_only=True))
    elif name == "tiny_endo_sfmlearner":
        checkpoint = torch.load(folder / "dispnet_model_best.pth.tar", weights_only=True)
        module.load_state_dict(checkpoint["state_dict"])
    else:
        read = type(module).from_pretrained(folder, dtype=torch.float32)  # type: ignore[attr-defined]
        module.load_state_dict(read.state_dict())
    module.eval()
    return network


def _half(state: dict[str, Tensor]) -> dict[str, object]:
    return {key: value.half() if value.is_floating_point() else value for key, value in state.items()}


def _processor(network: Network):  # type: ignore[no-untyped-def]
    from transformers import DPTImageProcessor, ZoeDepthImageProcessor

    common = {
        "do_resize": True,
        "size": {"height": network.side, "width": network.side},
        "resample": 3,
        "image_mean": list(network.mean),
        "image_std": list(network.std),
    }
    if network.name == "tiny_depth_anything":
        return DPTImageProcessor(**common, keep_aspect_ratio=True, ensure_multiple_of=14, do_pad=False)
    if network.name == "tiny_midas":
        # a plain vision transformer's neck takes square inputs only
        return DPTImageProcessor(**common, keep_aspect_ratio=False, ensure_multiple_of=32, do_pad=False)
    return ZoeDepthImageProcessor(**common, keep_aspect_ratio=True, ensure_multiple_of=32, do_pad=False)
