"""What is asked of a network's output. Maps are (n, h, w); `valid` is 1 where depth is known, else 0.

Each loss fixes the sign: a disparity that falls where it should rise never does well, not even with the best shift.
"""

from __future__ import annotations

import torch
from torch import Tensor

from scopedepth.vocabulary.outputs import DISPARITY_KINDS, METRIC_KINDS, SHIFTED_KINDS

# Of the mean difference in logarithms, what a metric output is let off: 1 - sqrt(1 - lambda) for the lambda of 0.85 of
# the scale-invariant error (Eigen et al., NeurIPS 2014; 0.85 as in AdaBins, Bhat et al., CVPR 2021).
METRIC_FREE = 1 - (1 - 0.85) ** 0.5
EDGES = 0.5
LEAST = 1e-6
# Pixels at the border of what has a depth, which are often a mixture of two surfaces.
ERODE = 2


def loss(kind: str, output: Tensor, depth: Tensor, valid: Tensor) -> Tensor:
    """Return the loss of an output of `kind` against depth, in the output's unit where the kind has one.

    Known up to a shift: affine-invariant, in the space in which the shift is. Known up to a factor, or in a unit: in
    logarithms.
    """
    inverse = 1 / depth.clamp(min=LEAST)
    target = inverse if kind in DISPARITY_KINDS else depth
    if kind in SHIFTED_KINDS:
        return affine_invariant(output, target / _image_mean(target, valid).clamp(min=LEAST), valid)
    free = METRIC_FREE if kind in METRIC_KINDS else 1.0
    return log_difference(output.clamp(min=LEAST), target.clamp(min=LEAST), valid, free)


def affine_invariant(output: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Return the mean difference of two maps, each shifted to mean 0 and scaled to mean absolute deviation 1.

    As Ranftl et al., TPAMI 2022, do with the median; with their gradient matching beside it.
    """
    difference = _standard(output, valid) - _standard(target, valid)
    return mean(difference.abs(), valid) + EDGES * edges(difference, valid)


def log_difference(output: Tensor, target: Tensor, valid: Tensor, free: float) -> Tensor:
    """Return the mean absolute difference of logarithms, a share `free` of its mean over each map taken off."""
    difference = torch.log(output) - torch.log(target)
    centred = difference - free * _image_mean(difference, valid)
    return mean(centred.abs(), valid) + EDGES * edges(difference, valid)


def mean(x: Tensor, valid: Tensor) -> Tensor:
    """Return the mean over valid pixels, 0 where there are none."""
    return (x * valid).sum() / valid.sum().clamp(min=1)


def edges(difference: Tensor, valid: Tensor) -> Tensor:
    """Mean slope of a difference at two scales: asks for the same edges (the gradient matching term of MiDaS)."""
    total = difference.new_zeros(())
    for step in (1, 4):
        for axis in (1, 2):
            size = difference.shape[axis]
            if size <= step:
                continue
            a, b = difference.narrow(axis, step, size - step), difference.narrow(axis, 0, size - step)
            both = valid.narrow(axis, step, size - step) * valid.narrow(axis, 0, size - step)
            total = total + mean((a - b).abs(), both)
    return total


def inner(depth: Tensor) -> Tensor:
    """Return (n, h, w) 1 where depth (0 for none) is known and nothing unknown is near, else 0."""
    outside = (depth <= 0).float()[:, None]
    return 1 - torch.nn.functional.max_pool2d(outside, 2 * ERODE + 1, 1, ERODE)[:, 0]


def agreement(kind: str, output: Tensor, depth: Tensor, valid: Tensor) -> Tensor:
    """Return the correlation of each map with what it should be, (n,): negative where its sign is turned over."""
    target = 1 / depth.clamp(min=LEAST) if kind in DISPARITY_KINDS else depth
    a, b = (x - _image_mean(x, valid) for x in (output, target))
    both, alone = (a * b * valid).sum((1, 2)), [(x * x * valid).sum((1, 2)) for x in (a, b)]
    return both / (alone[0] * alone[1]).sqrt().clamp(min=1e-12)


def _image_mean(x: Tensor, valid: Tensor) -> Tensor:
    return (x * valid).sum((1, 2), keepdim=True) / valid.sum((1, 2), keepdim=True).clamp(min=1)


def _standard(x: Tensor, valid: Tensor) -> Tensor:
    centred = x - _image_mean(x, valid)
    return centred / _image_mean(centred.abs(), valid).clamp(min=1e-3)
