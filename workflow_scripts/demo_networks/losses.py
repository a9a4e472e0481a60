"""What the demonstration's networks are asked for. Maps are (n, h, w); `valid` marks pixels with depth."""

from __future__ import annotations

from torch import Tensor

from demo_networks.networks import Kind
from scopedepth.finetuning.losses import affine_invariant, log_difference

CENTIMETRES = 10.0  # mm
FLOOR = 0.02  # added to disparity inside logarithms: a network's zero must not weigh endlessly


def loss(kind: Kind, output: Tensor, depth: Tensor, valid: Tensor) -> Tensor:
    """Loss of a network's output against depth in mm.

    `affine_disparity` is compared up to scale and shift, but not up to sign. `scaled_disparity` is compared in
    logarithms, the mean difference removed but for a tenth, which keeps the scale from wandering. `metric_depth` is
    compared in logarithms of centimetres.
    """
    if kind == "affine_disparity":
        return affine_invariant(output, 50.0 / depth.clamp(min=1.0), valid)
    if kind == "scaled_disparity":
        return log_difference(output + FLOOR, 20.0 / depth.clamp(min=1.0), valid, free=0.9)
    return log_difference(output.clamp(min=1e-3), depth.clamp(min=1.0) / CENTIMETRES, valid, free=0.0)
