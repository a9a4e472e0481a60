"""Pictures for the page: photographs, depth and error maps as WebP within the HTML itself."""

from __future__ import annotations

import base64
import io
from functools import cache

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

# Perceptually uniform and safe for colour-blind readers; two maps, so that an error is not taken for a depth.
DEPTH_MAP = "viridis_r"  # near is bright, as under an endoscope's lamp
ERROR_MAP = "magma"
# No number here: a grey that stands in neither map.
NOTHING = np.array([127, 131, 136], np.uint8)
QUALITY = 78
# Of pictures of fewer pixels on their longer side than this, of which a page then holds very many.
SMALL, QUALITY_OF_SMALL = 100, 60


@cache
def colours(name: str) -> NDArray[np.uint8]:
    """Return the 256 colours of a map, uint8 (256, 3)."""
    from matplotlib import colormaps

    return (colormaps[name](np.arange(256))[:, :3] * 255 + 0.5).astype(np.uint8)


def steps(shape: tuple[int, int], side: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows and columns that stand for a map of `shape` whose longer side is to have `side` pixels."""
    factor = min(1.0, side / max(shape))
    rows, columns = (max(1, round(length * factor)) for length in shape)
    return (
        ((np.arange(rows) + 0.5) * shape[0] / rows).astype(np.int64),
        ((np.arange(columns) + 0.5) * shape[1] / columns).astype(np.int64),
    )


def smaller(values: NDArray[np.generic], side: int) -> NDArray[np.generic]:
    """Return a map cut down by taking nearest pixels: a mean would mix depths across an edge."""
    rows, columns = steps(values.shape[:2], side)
    return values[rows[:, None], columns[None, :]]


def photograph(rgb: NDArray[np.uint8], side: int) -> Markup:
    """Return an image (h, w, 3) as a data address."""
    rows, columns = steps(rgb.shape[:2], side)
    picture = Image.fromarray(rgb).resize((len(columns), len(rows)), Image.Resampling.LANCZOS)
    return _address(picture)


def mapped(values: NDArray[np.floating], low: float, high: float, name: str, side: int) -> Markup:
    """Return a map (h, w) in colours from `low` to `high` as a data address; what is not finite is grey."""
    part = smaller(values, side)
    finite = np.isfinite(part)
    share = np.clip((np.where(finite, part, low) - low) / max(high - low, 1e-12), 0, 1)
    picture = colours(name)[(share * 255 + 0.5).astype(np.uint8)]
    picture[~finite] = NOTHING
    return _address(Image.fromarray(picture))


def gradient(name: str) -> str:
    """Return a colour map as a CSS gradient for its colour bar."""
    picked = colours(name)[np.linspace(0, 255, 13).astype(int)]
    return "linear-gradient(90deg," + ",".join(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in picked) + ")"


def _address(picture: Image.Image) -> Markup:
    buffer = io.BytesIO()
    quality = QUALITY if max(picture.size) >= SMALL else QUALITY_OF_SMALL
    picture.save(buffer, "WEBP", quality=quality, method=4)
    return Markup("data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii"))
