"""Names and numbers of Pillow's filters, which checkpoints' processors and papers use."""

from __future__ import annotations

from scopedepth.errors import ScopeDepthError

LANCZOS, BILINEAR, BICUBIC = 1, 2, 3
RESAMPLES = {"lanczos": LANCZOS, "bilinear": BILINEAR, "bicubic": BICUBIC}


def resample_number(name: str, model: str) -> int:
    """Return the number of the filter `name`, or raise a `ScopeDepthError` that names the model."""
    if name not in RESAMPLES:
        raise ScopeDepthError(f"Model {model}: no resample {name!r}; there are {', '.join(RESAMPLES)}.")
    return RESAMPLES[name]
