"""EndoDAC, and EndoDAC tuned by EndoSynth (Toussaint et al. 2025): its network from its repository.

The repository lies beside this file, and wants an environment with torchvision, which `options.python` names:

    git clone https://github.com/BeileiCui/EndoDAC model_classes/endodac/repository
    git -C model_classes/endodac/repository checkout 22ec911
    python3 -m venv venvs/endodac
    venvs/endodac/bin/pip install torch torchvision pillow fvcore

The weights' folder holds depth_model.pth, as published. What is said is inverse depth up to scale, between 1 / 150
and 10. EndoSynth's holds endodac-f.pth, and the inverse of depth in metres is said. Its published `infer` exchanges red
and blue of the RGB frames that its README hands to it, and so does this; `options: {colours: rgb}` leaves them. Its
loader leaves the network in training, where it says the same: nothing in it is dropped or normalised by batch.
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


def inverse_depth(said, nearest, farthest):
    """Return the network's numbers from 0 to 1 as inverse depth between two depths."""
    return 1 / farthest + (1 / nearest - 1 / farthest) * said


class EndoDAC:
    file = "depth_model.pth"

    def __init__(self, weights, device, options):
        tensors = torch.load(weights / self.file, map_location="cpu", weights_only=True)
        self.height, self.width = self.size(tensors)
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

    def size(self, tensors):
        return int(tensors["height"]), int(tensors["width"])

    def predict(self, frames):
        resized = [
            np.asarray(Image.fromarray(one).resize((self.width, self.height), Image.LANCZOS))
            for one in frames
        ]
        images = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).contiguous().float().div(255)
        with torch.inference_mode():
            said = self.network(images.to(self.device))["disp", 0][:, 0]
        return inverse_depth(said, 0.1, 150)


class EndoSynth(EndoDAC):
    file = "endodac-f.pth"

    def __init__(self, weights, device, options):
        super().__init__(weights, device, options)
        self.exchanged = {"bgr": True, "rgb": False}[options.get("colours", "bgr")]

    def size(self, tensors):
        return 420, 742

    def predict(self, frames):
        if self.exchanged:
            frames = frames[..., ::-1].copy()
        images = torch.from_numpy(frames).to(self.device).permute(0, 3, 1, 2).contiguous().float() / 255
        images = torch.nn.functional.interpolate(images, (self.height, self.width), mode="bicubic")
        mean, std = (
            torch.tensor(one, device=self.device)[:, None, None]
            for one in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        )
        with torch.inference_mode():
            said = self.network((images - mean) / std)["disp", 0][:, 0]
        return inverse_depth(said, 0.001, 0.3)
