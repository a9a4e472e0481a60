"""Temporal consistency without poses: how depth changes along the image's motion, against how the reference's does.

The motion is OpenCV's DIS optical flow (Kroeger et al. 2016; preset medium) from a frame to the one before, on grey
images. A pixel counts where it and the pixel that it came from are valid and the flow back leads within one pixel of
where it began. Prediction and reference are read at the same two pixels: exact depth scores 0 whatever the flow.
Where the flow is wrong (lamps that move along, specular spots, smoke, plain tissue, fast motion) other points are
compared than those that belong together; that widens the error of a wrong depth and makes none of a right one.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scopedepth.metrics import AlignedFrame
from scopedepth.vocabulary.metrics import Metric

METRICS = (
    Metric(
        "flow_error", "Flow error", "1", False,
        "mean(|ln(p / p') - ln(g / g')|), p' and g' of the frame before at the pixel that the optical flow leads to",
        "after Video Depth Anything (temporal gradient matching) and NVDS (optical-flow warping), with OpenCV's DIS",
        pair=True, rgb=True,
    ),
)  # fmt: skip

# Shorter sides than this have no flow.
LEAST_SIDE = 32
# Pixels that the way there and back may be off.
ROUND_TRIP = 1.0


def compute(frame: AlignedFrame) -> dict[str, float | None]:
    """Return the error of a frame and the one before it; None without that, or without a pixel that counts."""
    nothing: dict[str, float | None] = {"flow_error": None}
    before = frame.before
    if before is None or frame.rgb is None or before.rgb is None or min(frame.valid.shape) < LEAST_SIDE:
        return nothing
    back, forth = flow(frame.rgb, before.rgb), flow(before.rgb, frame.rgb)
    y, x = np.nonzero(frame.valid & (frame.predicted > 0))
    height, width = frame.valid.shape
    v, u = (np.rint(at + back[y, x, axis]).astype(np.intp) for at, axis in ((y, 1), (x, 0)))
    inside = (v >= 0) & (v < height) & (u >= 0) & (u < width)
    y, x, v, u = y[inside], x[inside], v[inside], u[inside]
    off = np.hypot(*(back[y, x] + forth[v, u]).T)
    counts = (off < ROUND_TRIP) & before.valid[v, u] & (before.predicted[v, u] > 0)
    if not counts.any():
        return nothing
    y, x, v, u = y[counts], x[counts], v[counts], u[counts]
    p = np.log(frame.predicted[y, x] / before.predicted[v, u])
    g = np.log(np.asarray(frame.depth[y, x], np.float64) / before.depth[v, u])
    return {"flow_error": float(np.mean(np.abs(p - g)))}


def flow(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return where the pixels of an image (h, w, 3) are in another, (h, w, 2), x and y, pixels."""
    # What DIS gives depends on the number of threads, and frames are in threads of their own.
    cv2.setNumThreads(1)
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (one, other)]
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(method.calc(grey[0], grey[1], None), np.float32)
