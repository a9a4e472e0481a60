"""The strata of a frame: partitions of its pixels by the reference and the image, never by a prediction."""

from __future__ import annotations

from itertools import product

# Behind a protocol's name: the part of the score stage that sums errors by strata.
PART = ".strata"
# The partition of one stratum: all pixels that count.
WHOLE = "whole"

# Partition -> its strata, in the order of their numbers. Each pixel that counts is in one stratum of each.
PARTITIONS: dict[str, tuple[str, ...]] = {
    "distance": ("near", "middle", "far"),
    "relief": ("flat", "edges"),
    "light": ("lit", "dark", "specular"),
    "place": ("inner", "border_ring"),
    "tool": ("tissue", "tool"),
    "reference": ("confident", "occluded", "doubtful"),
}
# No stratum, but the whole once more: each pixel counts as much as its reference is trusted.
WEIGHTED = ("reference", "weighted")
STRATA = [
    (WHOLE, WHOLE),
    *((partition, stratum) for partition, names in PARTITIONS.items() for stratum in names),
    WEIGHTED,
]
# A cell is a choice of one stratum of each partition; cells are numbered in this order.
CELLS = list(product(*(range(len(names)) for names in PARTITIONS.values())))
MEANINGS = {
    WHOLE: "all pixels that count",
    "near": "the nearest third of the frame's pixels that count",
    "middle": "the middle third by reference depth",
    "far": "the farthest third",
    "flat": "no edge of the reference close by",
    "edges": "close to an edge: a ratio of reference depths above 1.1 within 1/160 of the frame's shorter side",
    "lit": "neither dark nor specular",
    "dark": "grey below 26 of 255",
    "specular": "a highlight, as the dataset's flags say",
    "inner": "farther from the image's border",
    "border_ring": "within 1/20 of the shorter side of the frame's edge or of the image circle's",
    "tissue": "no tool, as far as the dataset's masks tell",
    "tool": "a tool, as the dataset's masks say",
    "confident": "neither occluded nor doubtful, as far as the dataset tells",
    "occluded": "hidden from one of the cameras that the reference is made from, as the dataset's flags say",
    "doubtful": "of low confidence, as the dataset's masks say, and not occluded",
    "weighted": "all pixels that count, each weighted by the confidence of its reference; the fit is not",
}


def without_part(name: str) -> str:
    """Return the protocol of a part of the score stage."""
    return name.removesuffix(PART)
