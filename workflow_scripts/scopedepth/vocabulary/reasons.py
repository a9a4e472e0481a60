"""Why a frame has no number, in words; apart from the codes, so that no wording makes a result stale."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "no_depth": "the frame has no reference depth",
    "outside_range": "the reference depth lies outside of the protocol's range",
    "no_valid_pixels": "masks and the crop leave no pixel with a reference depth",
    "too_few_pixels": "too few pixels for a fit",
    "constant_prediction": "the prediction is one constant, nothing to fit",
    "negative_scale": "the prediction runs against depth: the fit turns it round",
    "nonfinite_prediction": "the prediction holds NaN or infinities where there is reference depth",
    "failed_prediction": "the model failed on the frame",
    "unreadable_frame": "the frame could not be read",
    "not_applicable": "the protocol does not apply to this kind of output",
    "degenerate_fit": "the fit has no single solution",
}
