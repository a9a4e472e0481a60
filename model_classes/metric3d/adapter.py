"""Metric3Dv2 as exported to ONNX by its own script, onnx/metric3d_onnx_export.py (YvanYin/Metric3D@eb5b6fa).

onnxruntime comes with this workflow. The weights' folder holds one file .onnx for images of 616 x 1064. As its
`hubconf.py` does: a frame keeps its shape, is padded with the mean colour, and what the network says of its canonical
camera, whose focal length is 1000 pixels, is brought to the camera of the frames, in metres up to 300.
"""

from __future__ import annotations

import cv2
import numpy as np
import onnxruntime

PADDING = (123.675, 116.28, 103.53)
CANONICAL_FOCAL, FARTHEST = 1000.0, 300.0


class Metric3D:
    def __init__(self, weights, device, options):
        (file,) = weights.glob("*.onnx")
        settings = onnxruntime.SessionOptions()
        settings.use_deterministic_compute = True
        providers = ["CPUExecutionProvider"]
        if device != "cpu":
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": int(device.partition(":")[2] or 0)}))
        self.session = onnxruntime.InferenceSession(file, settings, providers=providers)
        (images,) = self.session.get_inputs()
        self.name, (_, _, self.height, self.width) = images.name, images.shape

    def fitted(self, height, width):
        """Return how a frame is scaled, and its height and width within the network's input."""
        scale = min(self.height / height, self.width / width)
        return scale, int(height * scale), int(width * scale)

    def grid(self, height, width):
        return self.fitted(height, width)[1:]

    def predict(self, frames, intrinsics):
        return np.stack([self.depth(frame, intrinsics) for frame in frames])

    def depth(self, frame, intrinsics):
        scale, v, u = self.fitted(*frame.shape[:2])
        top, left = (self.height - v) // 2, (self.width - u) // 2
        image = np.empty((self.height, self.width, 3), np.float32)
        image[:] = np.round(PADDING)  # as OpenCV pads whole grey levels
        image[top : top + v, left : left + u] = cv2.resize(frame, (u, v), interpolation=cv2.INTER_LINEAR)
        said = self.session.run(None, {self.name: np.ascontiguousarray(image.transpose(2, 0, 1)[None])})[0]
        depth = said.reshape(self.height, self.width)[top : top + v, left : left + u]
        return np.clip(depth * (intrinsics[0, 0] * scale / CANONICAL_FOCAL), 0, FARTHEST)
