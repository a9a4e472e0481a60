"""Lotus: its pipelines from its repository, on diffusers. One step; disparity or depth, as its checkpoint says.

The repository lies beside this file, and wants an environment with torchvision, which `options.python` names:

    git clone https://github.com/EnVision-Research/Lotus model_classes/diffusion/repository
    git -C model_classes/diffusion/repository checkout b737e12
    python3 -m venv venvs/lotus
    venvs/lotus/bin/pip install torch torchvision diffusers==0.35.2 "transformers<5" accelerate tensorboard matplotlib

Random numbers begin with the same seed at each frame, so that its answer does not depend on the frames beside it, nor
on a kill. In single precision; its own script runs under autocast.
Options: `mode` (regression, generation), `seed` (0), `timestep` (999), `resolution` (of the longer side; null: 768).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

REPOSITORY = Path(__file__).with_name("repository")
if not (REPOSITORY / "pipeline.py").is_file():
    raise ModuleNotFoundError(
        f"git clone https://github.com/EnVision-Research/Lotus {REPOSITORY} (at b737e12)"
    )
sys.path.insert(0, str(REPOSITORY))

import pipeline as published  # noqa: E402

PIPELINES = {"regression": "LotusDPipeline", "generation": "LotusGPipeline"}


class Lotus:
    def __init__(self, weights, device, options):
        kind = getattr(published, PIPELINES[options.get("mode", "regression")])
        self.pipeline = kind.from_pretrained(weights, local_files_only=True).to(device)
        self.pipeline.set_progress_bar_config(disable=True)
        self.device, self.seed = device, options.get("seed", 0)
        self.how = {"timesteps": [options.get("timestep", 999)], "processing_res": options.get("resolution")}
        networks = (self.pipeline.unet, self.pipeline.vae, self.pipeline.text_encoder)
        self.parameters = sum(one.numel() for network in networks for one in network.parameters())

    def grid(self, height, width):
        return height, width

    def predict(self, frames):
        task = torch.tensor([[1.0, 0.0]], device=self.device)
        task = torch.cat([torch.sin(task), torch.cos(task)], dim=-1)
        maps = []
        for frame in frames:
            image = torch.from_numpy(frame).permute(2, 0, 1)[None].float().to(self.device) / 127.5 - 1
            torch.manual_seed(self.seed)
            said = self.pipeline(
                rgb_in=image, prompt="", num_inference_steps=1, output_type="np", task_emb=task, **self.how
            )
            maps.append(said.images[0].mean(axis=-1))
        return np.stack(maps)
