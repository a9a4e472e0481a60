"""The kinds of output: what a network's number means, and what of it is unknown."""

from __future__ import annotations

OUTPUT_KINDS = ("disparity", "scaled_disparity", "metric_disparity", "affine_depth", "depth", "metric_depth")
# What the number means, with its unit to be filled in.
OUTPUT_MEANINGS = {
    "disparity": "inverse depth up to a factor and an offset",
    "scaled_disparity": "inverse depth up to a factor",
    "metric_disparity": "the inverse of depth in {unit}",
    "affine_depth": "depth up to a factor and an offset",
    "depth": "depth up to a factor",
    "metric_depth": "depth in {unit}",
}
# The number grows where depth falls.
DISPARITY_KINDS = frozenset({"disparity", "scaled_disparity", "metric_disparity"})
# Those that claim a unit of their own.
METRIC_KINDS = frozenset({"metric_disparity", "metric_depth"})
# Known up to a shift, too, by the space in which a fit of factor and offset finds it.
SHIFTED_KINDS = {"disparity": "disparity", "affine_depth": "depth"}
