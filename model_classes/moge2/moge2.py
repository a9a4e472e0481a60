"""MoGe-2 through its package: metres, and no answer where its mask says that there is no surface.

    pip install --no-deps dlr-moge==2.0.0 dlr-utils3d==1.3 dlr-pipeline==1.0.0

Without --no-deps the package brings its demonstration's dependencies, and a second OpenCV.
Options: `num_tokens`, the patches that the network sees (null: as its checkpoint says).
"""

from __future__ import annotations

import math

import torch
from moge.model.v2 import MoGeModel


class MoGe2:
    """The camera is found by the network itself."""

    def __init__(self, weights, device, options):
        self.network = MoGeModel.from_pretrained(weights / "model.pt").to(device).eval()
        self.device, self.num_tokens = device, options.get("num_tokens")
        self.parameters = sum(one.numel() for one in self.network.parameters())

    def grid(self, height, width):
        return height, width

    def predict(self, frames):
        return self.depth(frames, None)

    def depth(self, frames, fov):
        """Return metres (n, h, w), infinite where masked; `fov`: across the width, degrees, or None."""
        images = torch.from_numpy(frames).to(self.device).permute(0, 3, 1, 2).float() / 255
        how = {"num_tokens": self.num_tokens, "fov_x": fov, "force_projection": False, "use_fp16": False}
        return self.network.infer(images, **how)["depth"]


class MoGe2WithCamera(MoGe2):
    """The camera is the dataset's; a principal point off the middle is not taken into account."""

    def predict(self, frames, intrinsics):
        return self.depth(frames, math.degrees(2 * math.atan(frames.shape[2] / (2 * intrinsics[0, 0]))))
