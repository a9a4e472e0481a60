"""Masks found from the image: the border outside the endoscope's image circle, and specular highlights."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

# Brighter than this somewhere in the sampled frames is picture (8-bit luma; JPEG leaves up to about 10 in black).
DARK = 16
# Bright lines at the rim thinner than this (pixels) are an artefact of the recorder, not picture.
THIN = 5
# Bright spots outside of the picture smaller than this share of the frame are lettering or a recorder's mark.
LEAST_PICTURE = 0.02
# A border below this share of the frame is a dark corner, not a border.
LEAST_SHARE = 0.002
# Highlights: bright in every channel, so nearly colourless, and grown by a pixel where they bleed.
HIGHLIGHT = 230
# A channel this bright is clipped: JPEG and video blur 255 by a few levels.
CLIPPED = 250


def find_border(images: Iterable[NDArray[np.uint8]]) -> NDArray[np.bool_] | None:
    """Return where frames of one sequence never show picture, bool (h, w), from a few of them, uint8 (h, w, 3).

    The border is what is dark in all images and connected to the frame's rim. A dark lumen inside the picture is
    not connected to the rim; one that touches it in every image would be taken for border. None without images.
    """
    brightest: NDArray[np.uint8] | None = None
    for image in images:
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        brightest = grey if brightest is None else np.maximum(brightest, grey)
    if brightest is None:
        return None
    picture = (brightest > DARK).astype(np.uint8)
    # Outside the frame all is dark: the rim itself then opens like any edge, and lines along it vanish.
    margin = THIN
    framed = cv2.copyMakeBorder(picture, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
    framed = cv2.morphologyEx(framed, cv2.MORPH_OPEN, np.ones((THIN, THIN), np.uint8))
    count, parts, sizes, _ = cv2.connectedComponentsWithStats(framed, connectivity=4)
    for part in range(1, count):
        if sizes[part, cv2.CC_STAT_AREA] < LEAST_PICTURE * picture.size:
            framed[parts == part] = 0
    _, labels = cv2.connectedComponents((framed == 0).astype(np.uint8), connectivity=4)
    outside = labels == labels[0, 0]
    border = np.asarray(outside[margin:-margin, margin:-margin])
    return border if border.mean() >= LEAST_SHARE else np.zeros_like(border)


def find_specular(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the specular highlights of one frame, bool (h, w): saturated, nearly white, and a pixel around."""
    # Channels from 230 to 255 differ by 25 at most: what is as bright has next to no colour.
    bright = cv2.inRange(image, (HIGHLIGHT,) * 3, (255,) * 3)
    return np.asarray(cv2.dilate(bright, np.ones((3, 3), np.uint8)) > 0)


def find_clipped(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where an image is over-exposed, bool (h, w): a channel is clipped, white or not.

    Tissue close to the lamp loses its red first. It stays coloured, so that it is no highlight (`find_specular`), and
    its texture is gone all the same.
    """
    return np.asarray(image.max(axis=2) >= CLIPPED)
