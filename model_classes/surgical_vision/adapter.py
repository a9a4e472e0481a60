"""Depth Anything and MiDaS tuned to surgery: published weights in transformers' networks.

Their own code fetches other code and weights when it makes a network. It is not wanted here: the same networks are made
from their configurations by transformers, which this workflow has, and there is no more to install. The weights' folder
holds one file, as published. Options of both classes: `base`, and `sizes`, what a smaller network than the published
ones has instead.

SurgicalVision (Budd and Vercauteren, MICCAI 2024): a file .pt of `base` depthanything or midas. What is said is inverse
depth up to scale and shift.

EndoSynth (Toussaint et al. 2025): a file .pth of `base` dav1 or dav2, which say depth in metres, or midas, which says
its inverse. Its published `infer` exchanges red and blue of the RGB frames that its README hands to it, and so does
this; `colours: rgb` leaves them. Its MiDaS computes the depth from the normalised frame; here it comes from the
network's output, which is meant.
"""

from __future__ import annotations

import re

import torch
from transformers import (
    BeitConfig,
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    DPTConfig,
    DPTForDepthEstimation,
)

LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}
NECK = {"neck_hidden_sizes": [256, 512, 1024, 1024], "fusion_hidden_size": 256}
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
NECK_OF_BASE = {"neck_hidden_sizes": [96, 192, 384, 768], "fusion_hidden_size": 128}
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
HALVES = ([0.5] * 3, [0.5] * 3)
# Published name, name in transformers; each is tried in turn on all names.
COMMON = [
    (r"^(depth_head\.)?scratch\.layer1_rn", "neck.convs.0"),
    (r"^(depth_head\.)?scratch\.layer2_rn", "neck.convs.1"),
    (r"^(depth_head\.)?scratch\.layer3_rn", "neck.convs.2"),
    (r"^(depth_head\.)?scratch\.layer4_rn", "neck.convs.3"),
    (r"^(depth_head\.)?scratch\.refinenet1", "neck.fusion_stage.layers.3"),
    (r"^(depth_head\.)?scratch\.refinenet2", "neck.fusion_stage.layers.2"),
    (r"^(depth_head\.)?scratch\.refinenet3", "neck.fusion_stage.layers.1"),
    (r"^(depth_head\.)?scratch\.refinenet4", "neck.fusion_stage.layers.0"),
    (r"\.out_conv\.", ".projection."),
    (r"\.resConfUnit([12])\.conv([12])\.", r".residual_layer\1.convolution\2."),
    (r"^pretrained\.(model\.)?(cls_token|mask_token)$", r"backbone.embeddings.\2"),
    (r"^pretrained\.(model\.)?patch_embed\.proj\.", "backbone.embeddings.patch_embeddings.projection."),
    (r"^pretrained\.(model\.)?blocks\.", "backbone.encoder.layer."),
    (r"\.attn\.proj\.", ".attention.output.dense."),
    (r"\.attn\.(query|key|value)\.", r".attention.attention.\1."),
]
DEPTH_ANYTHING = [
    (r"^pretrained\.pos_embed$", "backbone.embeddings.position_embeddings"),
    (r"^pretrained\.norm\.", "backbone.layernorm."),
    (r"\.ls([12])\.gamma$", r".layer_scale\1.lambda1"),
    (r"^depth_head\.projects\.(\d)\.", r"neck.reassemble_stage.layers.\1.projection."),
    (r"^depth_head\.resize_layers\.(\d)\.", r"neck.reassemble_stage.layers.\1.resize."),
    (r"^depth_head\.scratch\.output_conv1\.", "head.conv1."),
    (r"^depth_head\.scratch\.output_conv2\.0\.", "head.conv2."),
    (r"^depth_head\.scratch\.output_conv2\.2\.", "head.conv3."),
]
MIDAS = [
    (r"\.gamma_([12])$", r".lambda_\1"),
    (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."),
    (r"\.mlp\.fc1\.", ".intermediate.dense."),
    (r"\.mlp\.fc2\.", ".output.dense."),
    (
        r"\.attn\.relative_position_bias_table$",
        ".attention.attention.relative_position_bias.relative_position_bias_table",
    ),
    *(
        pair
        for stage in range(4)
        for pair in (
            (
                rf"^pretrained\.act_postprocess{stage + 1}\.0\.project\.",
                f"neck.reassemble_stage.readout_projects.{stage}.",
            ),
            (
                rf"^pretrained\.act_postprocess{stage + 1}\.3\.",
                f"neck.reassemble_stage.layers.{stage}.projection.",
            ),
            (
                rf"^pretrained\.act_postprocess{stage + 1}\.4\.",
                f"neck.reassemble_stage.layers.{stage}.resize.",
            ),
        )
    ),
    (r"^scratch\.output_conv\.", "head.head."),
]
# Buffers, and the classifier of MiDaS's backbone, which no depth comes from.
UNUSED = r"relative_position_index$|^pretrained\.model\.(head|fc_norm)\."


def depth_anything(sizes, tensors, height, width, backbone=LARGE, neck=NECK, quarters=False, **head):
    """Return the network for frames of one size, with DINOv2's own way of resizing its positions to it.

    quarters: what is seen of the backbone are layers a quarter of it apart, and not its last four.
    """
    positions = tensors["pretrained.pos_embed"]
    grid = round((positions.shape[1] - 1) ** 0.5)
    patches = positions[:, 1:].float().unflatten(1, (grid, grid)).permute(0, 3, 1, 2)
    factors = tuple((side // 14 + 0.1) / grid for side in (height, width))
    patches = torch.nn.functional.interpolate(patches, scale_factor=factors, mode="bicubic")
    tensors["pretrained.pos_embed"] = torch.cat([positions[:, :1], patches.flatten(2).transpose(1, 2)], 1)
    backbone = {**backbone, **sizes.get("backbone", {})}
    last = backbone["num_hidden_layers"]
    seen = [last * quarter // 4 for quarter in (1, 2, 3, 4)] if quarters else list(range(last - 3, last + 1))
    config = DepthAnythingConfig(
        backbone_config=Dinov2Config(
            image_size=[height, width],
            patch_size=14,
            out_indices=seen,
            apply_layernorm=True,
            reshape_hidden_states=False,
            **backbone,
        ),
        patch_size=14,
        reassemble_hidden_size=backbone["hidden_size"],
        **{**neck, **sizes.get("neck", {})},
        **head,
    )
    return DepthAnythingForDepthEstimation, config


def midas(sizes, tensors, height, width):
    """Return BEiT-L's network, whose biases of position were made for 512 px; it resizes them to any frames'."""
    backbone = {**LARGE, "intermediate_size": 4096, **sizes.get("backbone", {})}
    last = backbone["num_hidden_layers"]
    config = DPTConfig(
        backbone_config=BeitConfig(
            image_size=512,
            use_relative_position_bias=True,
            layer_norm_eps=1e-6,
            reshape_hidden_states=False,
            out_features=[f"stage{last * quarter // 4}" for quarter in (1, 2, 3, 4)],
            **backbone,
        ),
        **{**NECK, **sizes.get("neck", {})},
    )
    return DPTForDepthEstimation, config


def renamed(tensors, names):
    """Return tensors under transformers' names, with queries, keys and values apart."""
    said = {}
    for name, tensor in tensors.items():
        if re.search(UNUSED, name):
            continue
        parts = {name: tensor}
        if ".attn.qkv." in name:
            parts = {
                name.replace(".qkv.", f".{one}."): part
                for one, part in zip(("query", "key", "value"), tensor.chunk(3), strict=True)
            }
        for one, part in parts.items():
            one = re.sub(r"\.attn\.q_bias$", ".attn.query.bias", one)
            one = re.sub(r"\.attn\.v_bias$", ".attn.value.bias", one)
            for published, here in [*COMMON, *names]:
                one = re.sub(published, here, one)
            said[one] = part
    return said


class Published:
    """A published file's network, for frames resized to one size."""

    def __init__(self, file, device, size, make, names, normalisation, sizes, **other):
        tensors = torch.load(file, map_location="cpu", weights_only=True)
        self.parameters = sum(one.numel() for name, one in tensors.items() if not re.search(UNUSED, name))
        kind, config = make(sizes, tensors, *size, **other)
        network, told = kind.from_pretrained(
            None,
            config=config,
            state_dict=renamed(tensors, names),
            output_loading_info=True,
            dtype=torch.float32,
        )
        wrong = {
            what: sorted(told[what])
            for what in ("missing_keys", "unexpected_keys", "mismatched_keys")
            if told[what]
        }
        if wrong:
            raise ValueError(f"{file.name} has not the published layout: {wrong}")
        if make is depth_anything:
            # They have the frames' size already, which transformers resizes unless it is a square.
            embeddings = network.backbone.embeddings
            embeddings.interpolate_pos_encoding = lambda *_: embeddings.position_embeddings
        self.network = network.to(device).eval()
        self.device, self.size = device, size
        self.mean, self.std = (torch.tensor(one, device=device)[:, None, None] for one in normalisation)

    def said(self, frames, **resizing):
        """Return the network's output, (n, v, u), for frames as uint8 (n, h, w, 3)."""
        images = torch.from_numpy(frames).to(self.device).permute(0, 3, 1, 2).contiguous().float() / 255
        images = torch.nn.functional.interpolate(images, self.size, **resizing)
        with torch.inference_mode():
            return self.network(pixel_values=(images - self.mean) / self.std).predicted_depth


class SurgicalVision(Published):
    def __init__(self, weights, device, options):
        (file,) = weights.glob("*.pt")
        side, *network = {
            "depthanything": (378, depth_anything, DEPTH_ANYTHING, IMAGENET),
            "midas": (384, midas, MIDAS, HALVES),
        }[options.get("base", "depthanything")]
        super().__init__(file, device, (side, side), *network, options.get("sizes", {}))

    def predict(self, frames):
        return self.said(frames, mode="bilinear", antialias=True)


class EndoSynth(Published):
    nearest, farthest = 0.001, 0.3

    def __init__(self, weights, device, options):
        (file,) = weights.glob("*.pth")
        self.base = options["base"]
        self.exchanged = {"bgr": True, "rgb": False}[options.get("colours", "bgr")]
        anything, base = (depth_anything, DEPTH_ANYTHING, IMAGENET), {"backbone": BASE, "neck": NECK_OF_BASE}
        network, other = {
            "dav1": (anything, base),
            "dav2": (anything, {**base, "quarters": True, "depth_estimation_type": "metric"}),  # a sigmoid
            "midas": ((midas, MIDAS, HALVES), {}),
        }[self.base]
        super().__init__(file, device, (420, 742), *network, options.get("sizes", {}), **other)

    def predict(self, frames):
        if self.exchanged:
            frames = frames[..., ::-1].copy()
        said = self.said(frames, mode="bicubic")
        if self.base == "dav1":  # the sigmoid of -log(said + 1e-5)
            return self.farthest / (1 + 1e-5 + said)
        if self.base == "dav2":
            return self.farthest * said
        low, high = 1 / self.farthest, 1 / self.nearest
        return (low + (high - low) * said) / 70000
