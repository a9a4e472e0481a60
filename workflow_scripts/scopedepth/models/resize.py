"""Resizing frames on the device, as Pillow, OpenCV and scikit-image do it, with which networks' authors resize.

Pillow resizes in two passes and clips to grey levels after each. That matters at highlights, where a bicubic filter
overshoots: one pass, or one that clips at the end alone, is off by up to 25 grey levels there.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional

from scopedepth.models.resampling import BICUBIC, BILINEAR, LANCZOS

MODES = {BILINEAR: "bilinear", BICUBIC: "bicubic"}


def resize_grey_levels(frames: torch.Tensor, size: tuple[int, int], resample: int) -> torch.Tensor:
    """Resize uint8 (n, 3, h, w) to uint8 (n, 3, *size) on whole grey levels.

    `resample`: LANCZOS, BILINEAR or BICUBIC. On a processor Pillow itself does it, which is several times faster
    there; on a GPU the result is within one grey level of Pillow's.
    """
    size = (int(size[0]), int(size[1]))
    if tuple(frames.shape[-2:]) == size:
        return frames
    if frames.device.type == "cpu":
        return resize_with_pillow(frames, size, resample)
    return resize_with_torch(frames, size, resample)


def resize_with_pillow(frames: torch.Tensor, size: tuple[int, int], resample: int) -> torch.Tensor:
    """Resize uint8 (n, 3, h, w), frame by frame on the host."""
    from PIL import Image

    pictures = np.ascontiguousarray(frames.permute(0, 2, 3, 1).numpy())
    resized = np.stack([np.asarray(Image.fromarray(p).resize(size[::-1], resample)) for p in pictures])
    return torch.from_numpy(resized).permute(0, 3, 1, 2)


def resize_with_torch(frames: torch.Tensor, size: tuple[int, int], resample: int) -> torch.Tensor:
    """Resize uint8 (n, 3, h, w) in two clipped passes, all frames at once."""
    height, width = frames.shape[-2:]
    values = frames.float()
    first, second = (height, size[1]), size
    # Found by trying Pillow 13.0: its order matters where the first pass clips.
    if size[0] < height and 2 * (width - size[1]) < height - size[0]:
        first = (size[0], width)
    for step in (first, second):
        values = _pass(values, step, resample).clamp_(0, 255)
    # Pillow adds a half and drops the rest; torch's round takes halves to the even side.
    return (values + 0.5).floor_().to(torch.uint8)


def resize_with_opencv(values: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resize float32 (n, 3, h, w) to `size` with OpenCV's cubic filter (a = -3/4, not smoothed when shrinking).

    On a processor OpenCV itself does it. torch's bicubic, which a GPU takes, has the same filter and other rounding of
    positions: within 2e-3 of a range of 1 on white noise of 1350x1080, far nearer on pictures.
    """
    if tuple(values.shape[-2:]) == size:
        return values
    if values.device.type != "cpu":
        return functional.interpolate(values, size, mode="bicubic", align_corners=False)
    import cv2

    # In double precision, as the authors' frames are: OpenCV's single precision is 6e-6 off.
    pictures = np.ascontiguousarray(values.double().permute(0, 2, 3, 1).numpy())
    resized = np.stack([cv2.resize(p, size[::-1], interpolation=cv2.INTER_CUBIC) for p in pictures])
    return torch.from_numpy(resized).permute(0, 3, 1, 2).float()


def resize_with_skimage(values: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resize float32 (n, 3, h, w) to `size` as skimage.transform.resize does with its defaults.

    Where a side shrinks by the factor f, a Gaussian of sigma (f - 1) / 2 first, then linear interpolation between
    pixels' centres, the border mirrored. Both work on one axis at a time, so two matrices say it all.
    """
    height, width = values.shape[-2:]
    if (height, width) == size:
        return values
    rows, columns = skimage_weights(height, size[0]).to(values), skimage_weights(width, size[1]).to(values)
    return rows @ values @ columns.T


@lru_cache(maxsize=16)
def skimage_weights(before: int, after: int) -> torch.Tensor:
    """Return float64 (after, before): how much each old sample gives to each new one, by SciPy's own filters.

    skimage.transform.resize (0.26) calls gaussian_filter and zoom with these arguments, all axes at once.
    """
    from scipy import ndimage

    weights = np.eye(before)
    if after < before:
        weights = ndimage.gaussian_filter1d(weights, (before / after - 1) / 2, axis=0, mode="mirror")
    zoom = (after / before, 1)
    weights = ndimage.zoom(weights, zoom, order=1, mode="mirror", grid_mode=True)
    return torch.from_numpy(np.ascontiguousarray(weights))


def _pass(values: torch.Tensor, size: tuple[int, int], resample: int) -> torch.Tensor:
    if tuple(values.shape[-2:]) == size:
        return values
    if resample != LANCZOS:
        # Antialiased, torch weights cubically with a = -1/2, as Pillow does.
        return functional.interpolate(values, size, mode=MODES[resample], antialias=True)
    if values.shape[-2] != size[0]:
        return lanczos_weights(values.shape[-2], size[0]).to(values) @ values
    return values @ lanczos_weights(values.shape[-1], size[1]).to(values).T


def lanczos_weights(before: int, after: int) -> torch.Tensor:
    """Return (after, before): how much each old sample gives to each new one; rows sum to 1.

    Pillow's Lanczos filter: sinc(x) sinc(x / 3) for |x| < 3, widened by before / after when shrinking.
    """
    scale = before / after
    widen = max(scale, 1.0)
    centre = (torch.arange(after, dtype=torch.float64)[:, None] + 0.5) * scale
    offset = (torch.arange(before, dtype=torch.float64)[None, :] + 0.5 - centre) / widen
    weight = torch.where(offset.abs() < 3, torch.sinc(offset) * torch.sinc(offset / 3), 0.0)
    return weight / weight.sum(dim=1, keepdim=True)


def normalise(
    frames: torch.Tensor, factor: float, mean: list[float] | None, std: list[float] | None
) -> torch.Tensor:
    """Return (frames * factor - mean) / std as float32; no mean, no normalisation."""
    values = frames.float() * factor
    if mean is None or std is None:
        return values
    shape = (1, -1, 1, 1)
    return (values - values.new_tensor(mean).view(shape)) / values.new_tensor(std).view(shape)
