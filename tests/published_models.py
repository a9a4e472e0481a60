"""The published checkpoints' architectures and processors, to be built with random weights where there is no network.

Numbers from the authors' papers and transformers' conversion scripts (convert_depth_anything_to_hf.py,
convert_dpt_beit_to_hf.py, convert_dpt_swinv2_to_hf.py, convert_dpt_hybrid_to_pytorch.py, convert_zoedepth_to_hf.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiny_models import IMAGENET, processor_file


@dataclass(frozen=True)
class Published:
    """`config`: a function that returns the configuration; `millions`: of parameters as published, if they are."""

    config: Callable[[], Any]
    processor: str
    settings: dict[str, Any]
    millions: float | None = None


def _dinov2(size: str, layers: list[int]) -> Any:
    from transformers import Dinov2Config

    width, depth, heads = {"small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}[size]
    return Dinov2Config(
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        image_size=518,
        patch_size=14,
        out_indices=layers,
        apply_layernorm=True,
        reshape_hidden_states=False,
    )


def _depth_anything(size: str, version: int, metric: bool = False) -> Any:
    from transformers import DepthAnythingConfig

    if version == 1:
        layers = {"small": [9, 10, 11, 12], "base": [9, 10, 11, 12], "large": [21, 22, 23, 24]}[size]
    else:
        layers = {"small": [3, 6, 9, 12], "base": [3, 6, 9, 12], "large": [5, 12, 18, 24]}[size]
    backbone = _dinov2(size, layers)
    fusion, neck = {
        "small": (64, [48, 96, 192, 384]),
        "base": (128, [96, 192, 384, 768]),
        "large": (256, [256, 512, 1024, 1024]),
    }[size]
    return DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=backbone.hidden_size,
        patch_size=14,
        fusion_hidden_size=fusion,
        neck_hidden_sizes=neck,
        depth_estimation_type="metric" if metric else "relative",
        max_depth=20 if metric else 1,
    )


def _dpt_large() -> Any:
    from transformers import DPTConfig

    return DPTConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        backbone_out_indices=[5, 11, 17, 23],
        neck_hidden_sizes=[256, 512, 1024, 1024],
    )


def _dpt_hybrid() -> Any:
    from transformers import DPTConfig

    return DPTConfig(
        is_hybrid=True,
        reassemble_factors=[1, 1, 1, 0.5],
        neck_hidden_sizes=[256, 512, 768, 768],
        readout_type="project",
    )


def _beit_large(image_size: int) -> Any:
    from transformers import BeitConfig

    return BeitConfig(
        image_size=image_size,
        num_hidden_layers=24,
        hidden_size=1024,
        intermediate_size=4096,
        num_attention_heads=16,
        use_relative_position_bias=True,
        reshape_hidden_states=False,
        out_features=["stage6", "stage12", "stage18", "stage24"],
    )


def _dpt_beit() -> Any:
    from transformers import DPTConfig

    return DPTConfig(backbone_config=_beit_large(512), neck_hidden_sizes=[256, 512, 1024, 1024])


def _dpt_swin() -> Any:
    from transformers import DPTConfig, Swinv2Config

    backbone = Swinv2Config(
        image_size=384,
        embed_dim=192,
        depths=[2, 2, 18, 2],
        window_size=24,
        pretrained_window_sizes=[12, 12, 12, 6],
        num_heads=[6, 12, 24, 48],
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    return DPTConfig(backbone_config=backbone, neck_hidden_sizes=[192, 384, 768, 1536])


def _zoedepth(heads: list[str], centres: str) -> Any:
    from transformers import ZoeDepthConfig

    far = {"nyu": 10.0, "kitti": 80.0}
    both = len(heads) > 1
    return ZoeDepthConfig(
        backbone_config=_beit_large(384),
        neck_hidden_sizes=[256, 512, 1024, 1024],
        bin_centers_type=centres,
        bin_configurations=[
            {"name": name, "n_bins": 64, "min_depth": 1e-3, "max_depth": far[name]} for name in heads
        ],
        num_patch_transformer_layers=4 if both else None,
        patch_transformer_hidden_size=128 if both else None,
        patch_transformer_intermediate_size=1024 if both else None,
        patch_transformer_num_attention_heads=4 if both else None,
    )


def _depth_pro() -> Any:
    from transformers import DepthProConfig

    return DepthProConfig()


def _square(size: int) -> dict[str, Any]:
    return {"size": {"height": size, "width": size}}


_ANYTHING = {**_square(518), "keep_aspect_ratio": True, "ensure_multiple_of": 14, "resample": 3, **IMAGENET}
_ZOE = {"size": {"height": 384, "width": 512}, "ensure_multiple_of": 32}

PUBLISHED: dict[str, Published] = {
    "depth_anything_small": Published(lambda: _depth_anything("small", 1), "DPT", _ANYTHING, 24.8),
    "depth_anything_base": Published(lambda: _depth_anything("base", 1), "DPT", _ANYTHING, 97.5),
    "depth_anything_large": Published(lambda: _depth_anything("large", 1), "DPT", _ANYTHING, 335.3),
    "depth_anything_v2_small": Published(lambda: _depth_anything("small", 2), "DPT", _ANYTHING, 24.8),
    "depth_anything_v2_base": Published(lambda: _depth_anything("base", 2), "DPT", _ANYTHING, 97.5),
    "depth_anything_v2_large": Published(lambda: _depth_anything("large", 2), "DPT", _ANYTHING, 335.3),
    "depth_anything_v2_metric_indoor_small": Published(
        lambda: _depth_anything("small", 2, metric=True), "DPT", _ANYTHING, 24.8
    ),
    "midas_dpt_large": Published(_dpt_large, "DPT", _square(384), 344),
    "midas_dpt_hybrid": Published(_dpt_hybrid, "DPT", _square(384), 123),
    "midas_beit_large_512": Published(_dpt_beit, "DPT", {**_square(512), "ensure_multiple_of": 32}, 345),
    "midas_swinv2_large_384": Published(_dpt_swin, "DPT", _square(384), 213),
    "zoedepth_nyu": Published(lambda: _zoedepth(["nyu"], "softplus"), "ZoeDepth", _ZOE),
    "zoedepth_kitti": Published(lambda: _zoedepth(["nyu"], "normed"), "ZoeDepth", _ZOE),
    "zoedepth_nyu_kitti": Published(lambda: _zoedepth(["nyu", "kitti"], "softplus"), "ZoeDepth", _ZOE),
    "depth_pro": Published(_depth_pro, "DepthPro", _square(1536)),
}


def build(name: str, device: str = "cpu") -> Any:
    """Return the network of a published checkpoint with random weights; device `meta` holds no weights at all."""
    import torch
    from transformers import AutoModelForDepthEstimation

    torch.manual_seed(0)
    with torch.device(device):
        return AutoModelForDepthEstimation.from_config(PUBLISHED[name].config()).eval()


def write(name: str, folder: Path) -> Path:
    """Write a checkpoint of the published form with random weights."""
    build(name).save_pretrained(folder)
    return processor_file(folder, PUBLISHED[name].processor, **PUBLISHED[name].settings)
