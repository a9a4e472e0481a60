"""Checkpoints of the Hugging Face Hub: a backbone, a neck and one head or more, saved as `save_pretrained` does."""

from __future__ import annotations

import shutil
from pathlib import Path

from torch import nn

from scopedepth.models.torch_model import TorchModel

SETTINGS = ("config.json", "preprocessor_config.json", "processor_config.json")
NECKS = ("neck", "decoder", "fusion_stage")
# What the classes call the projections of attention that adapters stand beside (Hu et al., LoRA, ICLR 2022, adapts
# queries and values): DINOv2 (Depth Anything) in transformers 5, then ViT (DPT), BEiT (ZoeDepth) and SegFormer (GLPN).
ADAPTED = ("q_proj", "v_proj", "query", "value")


def parts(network: nn.Module) -> dict[str, list[str]]:
    """Return the modules, by their names in the network, of backbone, neck and head."""
    found: dict[str, list[str]] = {"backbone": [], "neck": [], "head": []}
    for name, _ in network.named_children():
        part = "head" if name.endswith("head") else "neck" if name in NECKS else "backbone"
        found[part].append(name)
    return found


def adapted(network: nn.Module) -> list[str]:
    """Return the names of the layers that adapters stand beside."""
    backbone = parts(network)["backbone"]
    return [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear)
        and name.partition(".")[0] in backbone
        and name.rpartition(".")[2] in ADAPTED
    ]


def save(model: TorchModel, weights: Path, out: Path) -> None:
    """Write the network's tensors to the folder `out`; the settings are those of the base in `weights`."""
    model.network.save_pretrained(out)  # type: ignore[operator]
    for name in SETTINGS:
        if (weights / name).is_file():
            shutil.copyfile(weights / name, out / name)
    for file in out.iterdir():
        file.chmod(0o644)  # safetensors writes for the owner alone
