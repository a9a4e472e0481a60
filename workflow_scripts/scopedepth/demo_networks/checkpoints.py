"""Checkpoints of the demonstration's networks, in the formats of the published ones, numbers in half precision."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from scopedepth.demo_networks.networks import MonodepthPair, Network


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
        _processor(network).save_pretrained(folder)
        module.to(torch.float32)


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
