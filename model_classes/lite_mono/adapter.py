"""Lite-Mono: its networks from its repository, trained on streets.

The repository lies beside this file, and wants an environment with torchvision, which `options.python` names:

    git clone https://github.com/noahzn/Lite-Mono model_classes/lite_mono/repository
    git -C model_classes/lite_mono/repository checkout 4874b35
    python3 -m venv venvs/lite_mono
    venvs/lite_mono/bin/pip install torch torchvision timm pillow

The weights' folder holds encoder.pth and depth.pth, as published. What is said is inverse depth up to scale, between
1 / 100 and 10. Options: `model` (lite-mono, lite-mono-small, lite-mono-tiny, lite-mono-8m).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

REPOSITORY = Path(__file__).with_name("repository")
if not (REPOSITORY / "networks").is_dir():
    raise ModuleNotFoundError(f"git clone https://github.com/noahzn/Lite-Mono {REPOSITORY} (at 4874b35)")
sys.path.insert(0, str(REPOSITORY))

import networks  # noqa: E402

NEAREST, FARTHEST = 0.1, 100


class LiteMono:
    def __init__(self, weights, device, options):
        encoder = torch.load(weights / "encoder.pth", map_location="cpu", weights_only=True)
        decoder = torch.load(weights / "depth.pth", map_location="cpu", weights_only=True)
        self.height, self.width = int(encoder["height"]), int(encoder["width"])
        self.encoder = networks.LiteMono(
            model=options.get("model", "lite-mono"), height=self.height, width=self.width
        )
        self.decoder = networks.DepthDecoder(self.encoder.num_ch_enc, scales=range(3))
        for network, tensors in ((self.encoder, encoder), (self.decoder, decoder)):
            network.load_state_dict({key: tensors[key] for key in network.state_dict()})  # a lack is an error
            network.to(device).eval()
        self.device = device
        both = (*self.encoder.parameters(), *self.decoder.parameters())
        self.parameters = sum(one.numel() for one in both)

    def predict(self, frames):
        resized = [
            np.asarray(Image.fromarray(one).resize((self.width, self.height), Image.LANCZOS))
            for one in frames
        ]
        images = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).contiguous().float().div(255)
        with torch.inference_mode():
            said = self.decoder(self.encoder(images.to(self.device)))["disp", 0][:, 0]
        return 1 / FARTHEST + (1 / NEAREST - 1 / FARTHEST) * said
