"""EndoOmni: its network from its repository.

The repository lies beside this file, and wants an environment with torchvision, which `options.python` names:

    git clone https://github.com/TianCuteQY/EndoOmni model_classes/endoomni/repository
    git -C model_classes/endoomni/repository checkout 36c5e18
    python3 -m venv venvs/endoomni
    venvs/endoomni/bin/pip install torch torchvision huggingface_hub opencv-python-headless tqdm

The weights' folder holds one file .pth, as published: inverse depth up to scale (its weights "for comparison") or up to
scale and shift (those for fine-tuning). Options: `encoder` (vitb), `side` of the square input (378).
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import torch

REPOSITORY = Path(__file__).with_name("repository")
if not (REPOSITORY / "models").is_dir():
    raise ModuleNotFoundError(f"git clone https://github.com/TianCuteQY/EndoOmni {REPOSITORY} (at 36c5e18)")
sys.path.insert(0, str(REPOSITORY))

from models.depth_anything.dpt import DepthAnything  # noqa: E402
from torchvision.transforms.functional import normalize, resize  # noqa: E402


@contextlib.contextmanager
def within(folder):
    """Be in a folder: its network finds its backbone's code from there."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


class EndoOmni:
    def __init__(self, weights, device, options):
        (file,) = weights.glob("*.pth")
        tensors = torch.load(file, map_location="cpu", weights_only=True)
        with within(REPOSITORY):
            self.network = DepthAnything(encoder=options.get("encoder", "vitb"))
        self.network.load_state_dict(tensors.get("model", tensors))
        self.network.to(device).eval()
        self.device, self.side = device, options.get("side", 378)
        self.parameters = sum(one.numel() for one in self.network.parameters())

    def predict(self, frames):
        images = torch.from_numpy(frames).to(self.device).permute(0, 3, 1, 2).contiguous().float() / 255
        images = resize(normalize(images, [0.5] * 3, [0.5] * 3), [self.side, self.side], antialias=True)
        with torch.inference_mode():
            said = self.network(images)
        return said.reshape(len(frames), *said.shape[-2:])
