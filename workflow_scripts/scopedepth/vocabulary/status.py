"""Why a frame has a number, or has none: codes inside, strings in the tables."""

from __future__ import annotations

OK = 0
NO_VALID_PIXELS = 1
TOO_FEW_PIXELS = 2
CONSTANT_PREDICTION = 3
NEGATIVE_SCALE = 4
NONFINITE_PREDICTION = 5
FAILED_PREDICTION = 6
UNREADABLE_FRAME = 7
NOT_APPLICABLE = 8
DEGENERATE_FIT = 9
NO_DEPTH = 10
OUTSIDE_RANGE = 11

STATUSES: tuple[str, ...] = (
    "ok",
    "no_valid_pixels",
    "too_few_pixels",
    "constant_prediction",
    "negative_scale",
    "nonfinite_prediction",
    "failed_prediction",
    "unreadable_frame",
    "not_applicable",
    "degenerate_fit",
    "no_depth",
    "outside_range",
)
CODES: dict[str, int] = {status: code for code, status in enumerate(STATUSES)}
