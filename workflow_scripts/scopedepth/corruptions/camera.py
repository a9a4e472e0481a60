"""How the camera samples and codes the image: resolution, compression, interlacing."""

from __future__ import annotations

import cv2
import numpy as np

from scopedepth.corruptions import GRAINS, Image, Shot, generator, sized
from scopedepth.vocabulary.corruptions import Corruption

CORRUPTIONS = (
    Corruption(
        "resolution",
        "Low resolution",
        "pixels along the shorter side, part of 320",
        (0.5, 0.35, 0.25, 0.17, 0.12),
    ),
    Corruption(
        "compression", "Compression", "JPEG quality, blocks of 1/40 of the shorter side", (40, 22, 13, 8, 5)
    ),
    Corruption(
        "interlacing", "Interlacing", "way between two half frames", (0.006, 0.012, 0.02, 0.03, 0.045)
    ),
)


def resolution(shot: Shot) -> Image:
    """Return the frame of a camera with fewer pixels, enlarged again (pixelate of Hendrycks and Dietterich 2019)."""
    height, width = shot.rgb.shape[:2]
    part = shot.level * GRAINS / shot.side
    small = max(1, round(width * part)), max(1, round(height * part))
    few = cv2.resize(shot.rgb, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def compression(shot: Shot) -> Image:
    """Return the frame with what JPEG (ISO 10918) does to it on 320 grains, so that blocks are a share of the frame."""
    rows, columns = shot.grains()
    grains = cv2.resize(shot.rgb, (columns, rows), interpolation=cv2.INTER_AREA)
    plain = np.rint(np.clip(grains, 0, 1) * np.float32(255)).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", plain[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(shot.level)])
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert decoded is not None
    lost = (decoded[:, :, ::-1].astype(np.float32) - plain.astype(np.float32)) / np.float32(255)
    return shot.rgb + sized(np.ascontiguousarray(lost), *shot.rgb.shape[:2])


def interlacing(shot: Shot) -> Image:
    """Return the frame of a camera that moves sideways between its two half frames, which show every other line."""
    height, width = shot.rgb.shape[:2]
    sign = 1 if generator(shot.frame).random() < 0.5 else -1
    half = sign * shot.level * shot.side / 2
    line = np.floor(np.arange(height) / max(1.0, shot.side / GRAINS)) % 2
    x = np.arange(width, dtype=np.float32)[None, :] + (half * (2 * line - 1)).astype(np.float32)[:, None]
    y = np.broadcast_to(np.arange(height, dtype=np.float32)[:, None], x.shape).copy()
    return np.asarray(
        cv2.remap(shot.rgb, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )
