"""Resizing frames on the device, as Pillow does it."""

from __future__ import annotations

import torch
from torch.nn import functional

from scopedepth.models.resampling import BICUBIC, BILINEAR, LANCZOS

MODES = {BILINEAR: "bilinear", BICUBIC: "bicubic"}


def resize_grey_levels(frames: torch.Tensor, size: tuple[int, int], resample: int) -> torch.Tensor:
    """Resize uint8 (n, 3, h, w) to whole grey levels, within one of Pillow's. Returns uint8 (n, 3, *size).

    Pillow widens its filter when it shrinks (antialias), weights cubically with a = -1/2 and rounds to grey levels;
    torch's antialiased filters do the same.
    """
    if tuple(frames.shape[-2:]) == tuple(size):
        return frames
    if resample == LANCZOS:
        resized = lanczos(frames.float(), size)
    elif frames.device.type == "cpu":
        return functional.interpolate(frames, size, mode=MODES[resample], antialias=True)
    else:
        resized = functional.interpolate(frames.float(), size, mode=MODES[resample], antialias=True)
    return resized.round_().clamp_(0, 255).to(torch.uint8)


def lanczos(frames: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resize float (n, c, h, w) with Pillow's Lanczos filter: width 3, widened when shrinking."""
    height = lanczos_weights(frames.shape[-2], size[0]).to(frames)
    width = lanczos_weights(frames.shape[-1], size[1]).to(frames)
    # Pillow rounds to grey levels between its two passes, the horizontal one first.
    across = (frames @ width.T).round_().clamp_(0, 255)
    return height @ across


def lanczos_weights(before: int, after: int) -> torch.Tensor:
    """Return (after, before): how much each old sample gives to each new one; rows sum to 1."""
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
