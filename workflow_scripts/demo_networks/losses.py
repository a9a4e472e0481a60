"""What the demonstration's networks are asked for. Maps are (n, h, w); `valid` marks pixels with depth.

Every loss fixes the sign: a disparity that falls where it should rise never does well, not even with the best shift.
"""

from __future__ import annotations

import torch
from torch import Tensor

from demo_networks.networks import Kind

CENTIMETRES = 10.0  # mm
FLOOR = 0.02  # added to disparity inside logarithms: a network's zero must not weigh endlessly


def loss(kind: Kind, output: Tensor, depth: Tensor, valid: Tensor) -> Tensor:
    """Loss of a network's output against depth in mm.

    `affine_disparity` is compared after both maps are shifted to mean 0 and scaled to mean absolute deviation 1
    (as Ranftl et al., TPAMI 2022, do with the median), so the network is free in scale and shift but not in sign.
    `scaled_disparity` is compared in logarithms, the mean difference removed but for a tenth, which keeps the scale
    from wandering. `metric_depth` is compared in logarithms of centimetres.
    """
    if kind == "affine_disparity":
        target = _standard(50.0 / depth.clamp(min=1.0), valid)
        ours = _standard(output, valid)
        return _mean((ours - target).abs(), valid) + 0.5 * _edges(ours - target, valid)
    if kind == "scaled_disparity":
        difference = torch.log(output + FLOOR) - torch.log(20.0 / depth.clamp(min=1.0))
        centred = difference - 0.9 * _image_mean(difference, valid)
        return _mean(centred.abs(), valid) + 0.5 * _edges(difference, valid)
    difference = torch.log(output.clamp(min=1e-3)) - torch.log(depth.clamp(min=1.0) / CENTIMETRES)
    return _mean(difference.abs(), valid) + 0.5 * _edges(difference, valid)


def _mean(x: Tensor, valid: Tensor) -> Tensor:
    return (x * valid).sum() / valid.sum().clamp(min=1)


def _image_mean(x: Tensor, valid: Tensor) -> Tensor:
    return (x * valid).sum((1, 2), keepdim=True) / valid.sum((1, 2), keepdim=True).clamp(min=1)


def _standard(x: Tensor, valid: Tensor) -> Tensor:
    centred = x - _image_mean(x, valid)
    return centred / _image_mean(centred.abs(), valid).clamp(min=1e-3)


def _edges(difference: Tensor, valid: Tensor) -> Tensor:
    """Mean slope of a difference at two scales: asks for the same edges (the gradient matching term of MiDaS)."""
    total = difference.new_zeros(())
    for step in (1, 4):
        for axis in (1, 2):
            size = difference.shape[axis]
            a, b = difference.narrow(axis, step, size - step), difference.narrow(axis, 0, size - step)
            both = valid.narrow(axis, step, size - step) * valid.narrow(axis, 0, size - step)
            total = total + _mean((a - b).abs(), both)
    return total
