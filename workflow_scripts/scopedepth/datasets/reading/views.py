"""One picture that holds both views of a stereo camera, side by side or one above the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scopedepth.datasets.reading.base import size_text
from scopedepth.errors import ScopeDepthError

# The axis along which the picture is cut in two.
AXES = {"side_by_side": 1, "above": 0}


def one_view(picture: NDArray[np.uint8], views: str, second: bool, where: str) -> NDArray[np.uint8]:
    """Return one of the two views of a picture (h, w, 3): the left or upper one, or the `second`.

    views: `side_by_side` or `above`. A picture of odd width or height, which has no halves, is a `ScopeDepthError`
    that begins with `where`.
    """
    axis = AXES[views]
    half, rest = divmod(picture.shape[axis], 2)
    if rest or not half:
        raise ScopeDepthError(
            f"{where} is {size_text(picture)}, which has no two halves. Correct options.views, or cut the video."
        )
    cut = slice(half, None) if second else slice(half)
    return np.ascontiguousarray(picture[:, cut] if axis else picture[cut])
