"""One frame under one protocol, for notebooks, documents and tests; the workflow's jobs go over stores instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation.alignment import Fit, fit_frame, no_fit
from scopedepth.evaluation.pixels import Workspace, single
from scopedepth.evaluation.protocol import terms_for
from scopedepth.evaluation.score import score_frame
from scopedepth.vocabulary import status as codes

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs


def evaluate_frame(
    protocol: specs.Protocol,
    prediction: NDArray[np.floating],
    depth: NDArray[np.floating],
    *,
    output_kind: str,
    output_unit: str | None = None,
    units: str = "mm",
    flags: NDArray[np.uint8] | None = None,
    rgb: NDArray[np.uint8] | None = None,
    dataset: str = "",
    sequence: str = "",
    output_greatest: float | None = None,
) -> tuple[dict[str, float | None], Fit, str]:
    """Return metrics, fit and status of one frame; a sequence's protocol sees a sequence of this one frame.

    protocol: the spec. prediction: (v, u) of `output_kind`. depth: (h, w), NaN where missing, in mm unless
    units is "relative". flags, rgb: uint8 (h, w) and (h, w, 3), where the protocol looks at them.
    output_greatest: the output's own limit of depth (see `terms_for`).
    """
    terms = terms_for(
        protocol,
        dataset=dataset,
        sequence=sequence,
        size=(depth.shape[0], depth.shape[1]),
        units=units,
        output_kind=output_kind,
        output_unit=output_unit,
        output_greatest=output_greatest,
    )
    if not terms.metrics:
        return {}, no_fit(0, codes.NOT_APPLICABLE), codes.STATUSES[codes.NOT_APPLICABLE]
    marks = np.zeros(depth.shape, np.uint8) if flags is None else flags
    output = np.ascontiguousarray(prediction, depth.dtype)
    frame = single(terms, 0, output, np.ascontiguousarray(depth), marks, rgb, Workspace())
    pixels, status = frame.pixels(0), frame.status(0)
    fit = fit_frame(terms, pixels) if status == codes.OK else no_fit(pixels.x.size, status)
    score = score_frame(terms, pixels, fit)
    return dict(score.metrics), fit, codes.STATUSES[score.status]
