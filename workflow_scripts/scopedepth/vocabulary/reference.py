"""Words about the error of a reference: what is redrawn, and why a verdict does not stand."""

from __future__ import annotations

# Metrics that are computed anew on each redraw.
REDRAWN = ("abs_rel", "rmse", "delta1")
# Parts of a table of redraws: the depth as it is, on all of the pixels looked at and on the trusted ones; and drawn.
OBSERVED, TRUSTED, LOCAL, SHARED = "observed", "trusted", "local", "shared"

# What is said of a comparison.
RESOLVED = "resolved"
WITHIN_ERROR = "within the reference's error"
UNTRUSTED = "other on trusted pixels"
NO_TRUSTED = "no trusted pixels"
WITHIN_SAMPLING = "within the sampling interval"
FAILED_DRAWS = "draws failed"
NOT_ASSESSED = "not assessed"
