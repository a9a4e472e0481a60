"""Small random networks of the real classes, and small dataset stores, for the tests of models and engine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

# Tiny networks are slower on several threads, and tests share a machine with others.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from scopedepth.stores.sharded import ArraySpec, ShardedStore
from scopedepth.vocabulary.flags import FRAME_OK, FRAME_UNREADABLE

IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


def spec(family: str, says: str = "depth", unit: str | None = None, **options: Any) -> Any:
    """What loading reads of a model's spec."""
    precision = options.pop("precision", "fp32")
    return {
        "name": "m",
        "family": family,
        "output": {"kind": says, "unit": unit},
        "precision": precision,
        "options": options,
    }


def scene(n: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth coloured frames with some noise, uint8 (n, h, w, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    phase = rng.uniform(0, 6, (n, 1, 1, 3))
    waves = np.sin(9 * x[None, :, :, None] + phase) + np.cos(7 * y[None, :, :, None] * (1 + phase / 9))
    values = 127 + 55 * waves + rng.normal(0, 4, (n, height, width, 3))
    return values.clip(0, 255).astype(np.uint8)


def write_dataset(
    path: Path, sequences: dict[str, np.ndarray], unreadable: dict[str, list[int]] | None = None
) -> Path:
    """Write a dataset store with the given frames."""
    groups = {}
    for name, frames in sequences.items():
        size = frames.shape[1:3]
        arrays = {
            "rgb": ArraySpec((*size, 3), "uint8", ("y", "x", "channel")),
            "status": ArraySpec((), "uint8"),
        }
        groups[name] = {"n_frames": len(frames), "arrays": arrays, "attrs": {"units": "mm"}}
    with ShardedStore(path, {}, groups, 16, attrs={"sequences": list(sequences)}) as store:
        for name, shard, start, stop in store.missing():
            status = np.full(stop - start, FRAME_OK, np.uint8)
            for frame in (unreadable or {}).get(name, []):
                if start <= frame < stop:
                    status[frame - start] = FRAME_UNREADABLE
            store.write_shard(name, shard, {"rgb": sequences[name][start:stop], "status": status})
        store.finish()
    return path


def processor_file(folder: Path, kind: str, **settings: Any) -> Path:
    """Write a preprocessor_config.json of the class `kind`ImageProcessor."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"image_processor_type": f"{kind}ImageProcessor", **settings}
    (folder / "preprocessor_config.json").write_text(json.dumps(content))
    return folder


def save(network: Any, folder: Path, kind: str, **settings: Any) -> Path:
    """Save a network whose random weights are large enough for its output to vary over the frame."""
    import torch

    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.xavier_uniform_(parameter.data)
    network.eval().save_pretrained(folder)
    return processor_file(folder, kind, **settings)


def _dinov2_parts() -> dict[str, Any]:
    """Return a tiny DINOv2, and the sizes of what stands on it in both of Depth Anything's classes."""
    from transformers import Dinov2Config

    backbone = Dinov2Config(
        hidden_size=24,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=70,
        patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    return {
        "backbone_config": backbone,
        "reassemble_hidden_size": 24,
        "neck_hidden_sizes": [8, 8, 8, 8],
        "fusion_hidden_size": 8,
        "head_hidden_size": 8,
    }


def depth_anything(folder: Path) -> Path:
    """A tiny Depth Anything of 70 x 98 or so, saved with its processor's settings."""
    import torch
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation

    torch.manual_seed(0)
    config = DepthAnythingConfig(
        **_dinov2_parts(),
    )
    size = {"height": 70, "width": 70}
    return save(
        DepthAnythingForDepthEstimation(config),
        folder,
        "DPT",
        size=size,
        keep_aspect_ratio=True,
        ensure_multiple_of=14,
        resample=3,
        **IMAGENET,
    )


def dpt(folder: Path) -> Path:
    """A tiny DPT with a plain ViT, as MiDaS's DPT-Large is one."""
    import torch
    from transformers import DPTConfig, DPTForDepthEstimation

    torch.manual_seed(0)
    config = DPTConfig(
        hidden_size=24,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=48,
        image_size=64,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
    )
    return save(DPTForDepthEstimation(config), folder, "DPT", size=64, resample=2)


def zoedepth(folder: Path, heads: int = 1, do_pad: bool = True) -> Path:
    """A tiny ZoeDepth with one metric head or two."""
    import torch
    from transformers import BeitConfig, ZoeDepthConfig, ZoeDepthForDepthEstimation

    torch.manual_seed(0)
    backbone = BeitConfig(
        hidden_size=24,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=48,
        image_size=64,
        use_relative_position_bias=True,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
        drop_path_rate=0.0,
    )
    names = ["nyu", "kitti"][:heads]
    config = ZoeDepthConfig(
        backbone_config=backbone,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        bottleneck_features=8,
        num_relative_features=8,
        bin_embedding_dim=8,
        num_patch_transformer_layers=4 if heads > 1 else None,
        patch_transformer_hidden_size=128,
        patch_transformer_intermediate_size=16,
        patch_transformer_num_attention_heads=2,
        bin_configurations=[{"name": n, "n_bins": 8, "min_depth": 0.001, "max_depth": 10.0} for n in names],
    )
    size = {"height": 64, "width": 96}
    return save(
        ZoeDepthForDepthEstimation(config),
        folder,
        "ZoeDepth",
        size=size,
        ensure_multiple_of=32,
        do_pad=do_pad,
    )


def glpn(folder: Path) -> Path:
    """A tiny GLPN."""
    import torch
    from transformers import GLPNConfig, GLPNForDepthEstimation

    torch.manual_seed(0)
    config = GLPNConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 8, 16, 16],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=8,
    )
    return save(GLPNForDepthEstimation(config), folder, "GLPN", size_divisor=32)


def depth_pro(folder: Path, use_fov: bool = True) -> Path:
    """A tiny Depth Pro of 32 x 32, with or without the network of its field of view."""
    import torch
    from transformers import DepthProConfig, DepthProForDepthEstimation

    torch.manual_seed(0)
    vit = {
        "model_type": "dinov2",
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "patch_size": 4,
        "image_size": 16,
        "use_swiglu_ffn": False,
    }
    config = DepthProConfig(
        image_model_config=vit,
        patch_model_config=vit,
        fov_model_config=vit,
        fusion_hidden_size=8,
        patch_size=16,
        intermediate_hook_ids=[1, 0],
        intermediate_feature_dims=[8, 8],
        scaled_images_ratios=[0.5, 1.0],
        scaled_images_overlap_ratios=[0.0, 0.25],
        scaled_images_feature_dims=[8, 8],
        merge_padding_value=1,
        use_batch_norm_in_fusion_residual=False,
        use_bias_in_fusion_residual=False,
        use_fov_model=use_fov,
        num_fov_head_layers=0,
    )
    size = {"height": 32, "width": 32}
    network = DepthProForDepthEstimation(config)
    # Otherwise the last ReLU lets nothing through, and the field of view is none.
    torch.nn.init.constant_(network.head.layers[-2].bias, 2.0)
    if use_fov:
        torch.nn.init.constant_(network.fov_model.head.layers[-1].bias, 60.0)
    return save(network, folder, "DepthPro", size=size)


def prompt_depth_anything(folder: Path) -> Path:
    """A tiny Prompt Depth Anything of 70 x 98 or so."""
    import torch
    from transformers import PromptDepthAnythingConfig, PromptDepthAnythingForDepthEstimation

    torch.manual_seed(0)
    config = PromptDepthAnythingConfig(
        **_dinov2_parts(),
        depth_estimation_type="metric",
    )
    settings = {"size": {"height": 70, "width": 70}, "keep_aspect_ratio": True, "ensure_multiple_of": 14}
    network = PromptDepthAnythingForDepthEstimation(config)
    return save(network, folder, "PromptDepthAnything", resample=3, **settings, **IMAGENET)


def tipsv2_dpt(folder: Path) -> Path:
    """A tiny DPT of TIPSv2, of 32 x 32."""
    import torch
    from transformers import Tipsv2DptConfig, Tipsv2DptForDepthEstimation, Tipsv2VisionConfig

    torch.manual_seed(0)
    backbone = Tipsv2VisionConfig(
        hidden_size=24,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
    )
    config = Tipsv2DptConfig(
        backbone_config=backbone, neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, num_depth_bins=8
    )
    size = {"height": 32, "width": 32}
    return save(Tipsv2DptForDepthEstimation(config), folder, "Tipsv2Dpt", size=size)


def chmv2(folder: Path) -> Path:
    """A tiny CHMv2, with patches of 16."""
    import torch
    from transformers import CHMv2Config, CHMv2ForDepthEstimation, DINOv3ViTConfig

    torch.manual_seed(0)
    backbone = DINOv3ViTConfig(
        hidden_size=24,
        intermediate_size=48,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_register_tokens=1,
        image_size=32,
        patch_size=16,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=True,
        apply_layernorm=True,
        return_class_token=True,
    )
    config = CHMv2Config(
        backbone_config=backbone,
        post_process_channels=[8, 8, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=8,
        number_output_channels=8,
    )
    return save(CHMv2ForDepthEstimation(config), folder, "CHMv2")
