"""Video Depth Anything: its network and functions from its repository, in windows of 32 frames.

The repository lies beside this file, and wants an environment with torchvision, which `options.python` names:

    git clone https://github.com/DepthAnything/Video-Depth-Anything model_classes/video_depth_anything/repository
    git -C model_classes/video_depth_anything/repository checkout 4f5ae23
    python3 -m venv venvs/video_depth_anything
    venvs/video_depth_anything/bin/pip install torch torchvision einops easydict opencv-python-headless tqdm

The weights' folder holds one file .pth, as published. A window's first ten frames are replaced by frames of the window
before, scale and shift are found on two of these, and eight frames are blended, as its `infer_video_depth` does
for a whole video. In single precision.
Options: `encoder` (vits, vitb, vitl), `input_size` (518), `metric` (false; true for its metric weights).
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F

REPOSITORY = Path(__file__).with_name("repository")
if not (REPOSITORY / "video_depth_anything").is_dir():
    raise ModuleNotFoundError(
        f"git clone https://github.com/DepthAnything/Video-Depth-Anything {REPOSITORY} (at 4f5ae23)"
    )
sys.path.insert(0, str(REPOSITORY))

from utils.util import compute_scale_and_shift, get_interpolate_frames  # noqa: E402
from video_depth_anything.util.transform import NormalizeImage, PrepareForNet, Resize  # noqa: E402
from video_depth_anything.video_depth import (  # noqa: E402
    INFER_LEN,
    INTERP_LEN,
    KEYFRAMES,
    OVERLAP,
    VideoDepthAnything,
)

SIZES = {
    "vits": (64, [48, 96, 192, 384]),
    "vitb": (128, [96, 192, 384, 768]),
    "vitl": (256, [256, 512, 1024, 1024]),
}
STEP = INFER_LEN - OVERLAP
# Frames that scale and shift are found on.
FITTED = OVERLAP - INTERP_LEN


class VideoDepth:
    window = {"frames": 32, "overlap": 10, "keep": "later"}  # noqa: RUF012 - it is read alone

    def __init__(self, weights, device, options):
        encoder = options["encoder"]
        features, channels = SIZES[encoder]
        self.metric, self.size = options.get("metric", False), options.get("input_size", 518)
        self.network = VideoDepthAnything(encoder, features, channels, metric=self.metric)
        (file,) = weights.glob("*.pth")
        self.network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
        self.network.to(device).eval()
        self.device = device
        self.parameters = sum(one.numel() for one in self.network.parameters())
        self.reset()

    def reset(self):
        """A sequence begins."""
        self.inputs = None  # of the window before
        self.ends = None  # its answers from frame 22 on
        self.fitted = None  # its answers at the first keyframes

    def grid(self, height, width):
        return height, width

    def predict(self, frames):
        answers = self.window_of(
            np.concatenate([frames, np.repeat(frames[-1:], INFER_LEN - len(frames), axis=0)])
        )
        keys = KEYFRAMES[:FITTED]
        if self.ends is None:
            aligned, self.fitted = list(answers), [answers[key] for key in keys]
        else:
            scale, shift = 1.0, 0.0
            if not self.metric:
                fitted = np.concatenate(self.fitted)
                scale, shift = compute_scale_and_shift(
                    np.concatenate(list(answers[:FITTED])), fitted, np.ones_like(fitted) == 1
                )
            moved = [np.maximum(one * scale + shift, 0) for one in answers]
            blended = get_interpolate_frames(self.ends[FITTED:], moved[FITTED:OVERLAP])
            aligned = [*self.ends[:FITTED], *blended, *moved[OVERLAP:]]
            self.fitted = self.fitted[:1] + [moved[key] for key in keys[1:]]
        self.ends = aligned[STEP:]
        return np.stack(aligned[: len(frames)])

    def window_of(self, frames):
        """Return what the network says of a window, at the frames' size; it remembers what it was given."""
        height, width = frames.shape[1:3]
        ratio, size = max(height, width) / min(height, width), self.size
        if ratio > 1.78:
            size = round(int(size * 1.777 / ratio) / 14) * 14
        resize = Resize(size, size, False, True, 14, "lower_bound", cv2.INTER_CUBIC)
        normalise = NormalizeImage([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        prepared = []
        for frame in frames:
            sample = {"image": frame.astype(np.float32) / 255.0}
            for step in (resize, normalise, PrepareForNet()):
                sample = step(sample)
            prepared.append(torch.from_numpy(sample["image"]))
        inputs = torch.stack(prepared)[None].to(self.device)
        if self.inputs is not None:
            inputs[:, :OVERLAP] = self.inputs[:, KEYFRAMES]
        with torch.no_grad():
            depth = self.network(inputs)
            depth = F.interpolate(depth[0][:, None], (height, width), mode="bilinear", align_corners=True)
        self.inputs = inputs
        return depth[:, 0].cpu().numpy()
