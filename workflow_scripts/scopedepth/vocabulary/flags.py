"""The bits and codes kept in the stores, in one place so that writers and readers agree."""

from __future__ import annotations

# Pixels of a dataset's frame (array `flags`, one bit each).
NO_DEPTH = 1
BORDER = 2
SPECULAR = 4
OCCLUDED = 8
TOOL = 16
DOUBTFUL = 32
FLAG_MEANINGS = {
    "no_depth": NO_DEPTH,
    "border": BORDER,
    "specular": SPECULAR,
    "occluded": OCCLUDED,
    "tool": TOOL,
    "doubtful": DOUBTFUL,
}

# Frames of a dataset (array `status`).
FRAME_OK = 0
FRAME_UNREADABLE = 1
FRAME_NO_DEPTH = 2
FRAME_STATUSES = {"ok": FRAME_OK, "unreadable": FRAME_UNREADABLE, "no_depth": FRAME_NO_DEPTH}

# Frames of a prediction (array `status`).
PREDICTION_OK = 0
PREDICTION_NONFINITE = 1
PREDICTION_FAILED = 2
PREDICTION_STATUSES = {"ok": PREDICTION_OK, "nonfinite": PREDICTION_NONFINITE, "failed": PREDICTION_FAILED}
