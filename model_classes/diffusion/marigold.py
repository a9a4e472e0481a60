"""Marigold through diffusers: depth up to scale and shift, or disparity, as its checkpoint says.

    pip install --no-deps diffusers==0.42.1

beside this workflow's packages, or in an environment of its own. Each frame has a random generator of its own, begun
with the same seed, so that its answer does not depend on the frames beside it, nor on a kill.
Options: `seed` (0), `steps` and `resolution` (of the longer side; null: the checkpoint's), `ensemble` (1).
"""

from __future__ import annotations

import numpy as np
import torch
from diffusers import MarigoldDepthPipeline


class Marigold:
    def __init__(self, weights, device, options):
        self.pipeline = MarigoldDepthPipeline.from_pretrained(weights, local_files_only=True).to(device)
        self.pipeline.set_progress_bar_config(disable=True)
        self.device, self.seed = device, options.get("seed", 0)
        self.how = {
            "num_inference_steps": options.get("steps"),
            "processing_resolution": options.get("resolution"),
            "ensemble_size": options.get("ensemble", 1),
        }
        networks = (self.pipeline.unet, self.pipeline.vae, self.pipeline.text_encoder)
        self.parameters = sum(one.numel() for network in networks for one in network.parameters())

    def grid(self, height, width):
        return height, width

    def predict(self, frames):
        maps = []
        for frame in frames:
            image = frame / np.float32(255)
            generator = torch.Generator(self.device).manual_seed(self.seed)
            maps.append(self.pipeline(image, generator=generator, **self.how).prediction[0, :, :, 0])
        return np.stack(maps)
