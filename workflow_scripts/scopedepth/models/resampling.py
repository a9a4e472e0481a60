"""Names and numbers of Pillow's filters, which checkpoints' processors and papers use."""

from __future__ import annotations

from scopedepth.errors import ScopeDepthError

LANCZOS, BILINEAR, BICUBIC = 1, 2, 3
RESAMPLES = {"lanczos": LANCZOS, "bilinear": BILINEAR, "bicubic": BICUBIC}


def resample_number(name: str, model: str, *others: str) -> int:
    """Return the number of Pillow's filter `name`, or raise a `ScopeDepthError` that names the model.

    `others`: what the family offers besides.
    """
    if not isinstance(name, str) or name not in RESAMPLES:
        raise ScopeDepthError(
            f"Model {model}: no resample {name!r}; there are {', '.join((*RESAMPLES, *others))}."
        )
    return RESAMPLES[name]
