"""EndoDAC: its network from its repository.

The repository lies beside this file, and wants an environment with torchvision, which `options.python` names:

    git clone https://github.com/BeileiCui/EndoDAC model_classes/endodac/repository
    git -C model_classes/endodac/repository checkout 22ec911
    python3 -m venv venvs/endodac
    venvs/endodac/bin/pip install torch torchvision pillow fvcore

The weights' folder holds depth_model.pth, as published. What is said is inverse depth up to scale, between 1 / 150
and 10.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

REPOSITORY = Path(__file__).with_name("repository")
if not (REPOSITORY / "models").is_dir():
    raise ModuleNotFoundError(f"git clone https://github.com/BeileiCui/EndoDAC {REPOSITORY} (at 22ec911)")
sys.path.insert(0, str(REPOSITORY))

from models.endodac import endodac  # noqa: E402

NEAREST, FARTHEST = 0.1, 150


class EndoDAC:
    def __init__(self, weights, device, options):
        tensors = torch.load(weights / "depth_model.pth", map_location="cpu", weights_only=True)
        self.height, self.width = int(tensors["height"]), int(tensors["width"])
        self.network = endodac(
            backbone_size="base",
            r=4,
            lora_type="dvlora",
            image_shape=(224, 280),
            pretrained_path=None,
            residual_block_indexes=[2, 5, 8, 11],
            include_cls_token=True,
        )
        known = self.network.state_dict()
        self.network.load_state_dict({key: tensors[key] for key in known})  # a lack is an error
        self.network.to(device).eval()
        self.device = device
        self.parameters = sum(one.numel() for one in self.network.parameters())

    def predict(self, frames):
        resized = [
            np.asarray(Image.fromarray(one).resize((self.width, self.height), Image.LANCZOS))
            for one in frames
        ]
        images = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).contiguous().float().div(255)
        with torch.inference_mode():
            said = self.network(images.to(self.device))["disp", 0][:, 0]
        return 1 / FARTHEST + (1 / NEAREST - 1 / FARTHEST) * said
