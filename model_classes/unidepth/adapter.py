"""UniDepthV2 through its package: metres.

Its package's requirements are pinned otherwise than ours, and so it wants an environment of its own, which
`options.python` names:

    python3.10 -m venv venvs/unidepth
    venvs/unidepth/bin/pip install --no-deps \
        "git+https://github.com/lpiccinelli-eth/UniDepth@8d8cfe4"
    venvs/unidepth/bin/pip install torch torchvision einops timm huggingface_hub safetensors "numpy<2" scipy wandb \
        matplotlib pillow tqdm opencv-python-headless

Options: `resolution_level`, from 0 to 9 (its own default, all sizes that it was trained on).
"""

from __future__ import annotations

import json

import torch
from safetensors.torch import load_file
from unidepth.models import UniDepthV2 as Network


class UniDepthV2:
    """The camera is found by the network itself."""

    def __init__(self, weights, device, options):
        self.network = Network(json.loads((weights / "config.json").read_text()))
        found = self.network.load_state_dict(load_file(weights / "model.safetensors"), strict=False)
        if found.missing_keys:
            raise ValueError(f"the weights lack {', '.join(found.missing_keys[:3])}")
        self.network.to(device).eval()
        self.network.interpolation_mode = "bilinear"
        if "resolution_level" in options:
            self.network.resolution_level = options["resolution_level"]
        self.parameters = sum(one.numel() for one in self.network.parameters())

    def grid(self, height, width):
        return height, width

    def predict(self, frames):
        return self.depth(frames, None)

    def depth(self, frames, camera):
        maps = []
        with torch.inference_mode():
            for frame in frames:
                image = torch.from_numpy(frame).permute(2, 0, 1)[None]
                # It changes the camera that it is given.
                own = None if camera is None else torch.from_numpy(camera).float()
                maps.append(self.network.infer(image, own)["depth"][0, 0])
        return torch.stack(maps)


class UniDepthV2WithCamera(UniDepthV2):
    """The camera is the dataset's."""

    def predict(self, frames, intrinsics):
        return self.depth(frames, intrinsics)
