"""Depth Anything 3 through its package, each frame as a scene of one view, in single precision.

Its package wants NumPy 1, and so an environment of its own, which `options.python` names:

    python3.10 -m venv venvs/depth_anything_3
    venvs/depth_anything_3/bin/pip install --no-deps depth-anything-3==0.1.1
    venvs/depth_anything_3/bin/pip install "numpy<2" torch torchvision einops omegaconf addict safetensors \
        "opencv-python-headless<4.12" "pillow<12" imageio

Its own call rounds to bf16 on a GPU, and is not used; what it calls is.
Options: `resolution`, of the longer side (504).
"""

from __future__ import annotations

import json

import torch
from depth_anything_3.cfg import create_object, load_config
from depth_anything_3.registry import MODEL_REGISTRY
from depth_anything_3.utils.io.input_processor import InputProcessor
from safetensors.torch import load_file


class DepthAnything3:
    """Depth as the network says it: of its monocular network up to scale and shift, of the others up to scale."""

    def __init__(self, weights, device, options):
        name = json.loads((weights / "config.json").read_text())["model_name"]
        self.network = create_object(load_config(MODEL_REGISTRY[name]))
        tensors = load_file(weights / "model.safetensors")
        self.network.load_state_dict({key.removeprefix("model."): value for key, value in tensors.items()})
        self.network.to(device).eval()
        self.process, self.device = InputProcessor(), device
        self.resolution = options.get("resolution", 504)
        self.parameters = sum(one.numel() for one in self.network.parameters())

    def predict(self, frames):
        return torch.stack([self.depth(frame, None)[0] for frame in frames])

    def depth(self, frame, intrinsics):
        """Return the depth of one frame, and the camera at its size."""
        camera = None if intrinsics is None else intrinsics[None].astype("float32")
        image, _, scaled = self.process(
            [frame], intrinsics=camera, process_res=self.resolution, num_workers=1
        )
        # Where a frame has a sky, its greatest depth comes from a random sample of pixels.
        torch.manual_seed(0)
        with torch.inference_mode():
            said = self.network(image.to(self.device)[None].float(), export_feat_layers=[])
        return said["depth"][0, 0], None if scaled is None else scaled[0]


class DepthAnything3Metric(DepthAnything3):
    """Metres, of its metric network: its depth times the focal length at the network's input over 300."""

    def predict(self, frames, intrinsics):
        maps = []
        for frame in frames:
            depth, camera = self.depth(frame, intrinsics)
            maps.append(depth * (float(camera[0, 0] + camera[1, 1]) / 2 / 300))
        return torch.stack(maps)
