"""From one frame's valid pixels to its metrics (vocabulary.metrics says what they are)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation import kernels as k
from scopedepth.evaluation.alignment import Fit
from scopedepth.evaluation.boundary import boundary_f1
from scopedepth.evaluation.order import ordinal_accuracy, spearman
from scopedepth.evaluation.pixels import Frame, Pixels
from scopedepth.evaluation.protocol import DISPARITY, Limits, Source, Terms
from scopedepth.evaluation.selection import middle
from scopedepth.metrics import AlignedFrame, Kept, Take, computed
from scopedepth.vocabulary.metrics import METRICS, PIXEL_METRICS


class Seen(NamedTuple):
    """What is known of a frame beside its pixels: its sequence, itself, and the place of its terms among others."""

    take: Take
    frame: Frame
    place: int


def take_of(sequence: Any, every: Iterable[Terms]) -> Take:
    """Return what the terms' metrics see of a `DatasetSequence`; without metrics that are files, nothing."""
    if not any(METRICS[name].file for terms in every for name in terms.metrics):
        return Take()
    poses = sequence.poses() if any(terms.pairs_frames for terms in every) else None
    return Take(sequence.name, sequence.first_frame, sequence.intrinsics, poses)


def frame_metrics(
    terms: Terms, pixels: Pixels, fit: Fit, seen: Seen | None = None
) -> dict[str, float | None]:
    """Return the terms' metrics of one frame, whose fit has succeeded."""
    aligned = aligned_for(terms, pixels, fit)
    wanted = set(terms.metrics)
    values = error_metrics(terms, pixels, aligned)
    if "spearman" in wanted:
        rank = pixels.once("spearman", lambda: spearman(pixels.x, pixels.y))
        values["spearman"] = -rank if rank is not None and terms.turned else rank
    if "ordinal" in wanted:
        values["ordinal"] = ordinal_accuracy(
            pixels.output,
            pixels.depth,
            pixels.valid,
            turned=terms.turned,
            pairs=terms.ordinal_pairs,
            min_ratio=terms.ordinal_ratio,
            seed=terms.ordinal_seed,
            frame=pixels.frame,
        )
    if "boundary_f1" in wanted:
        prediction = aligned_map(pixels, aligned)
        values["boundary_f1"] = boundary_f1(prediction, pixels.depth, pixels.valid & (prediction > 0))
    files = dict.fromkeys(METRICS[name].file for name in terms.metrics if METRICS[name].file)
    if files:
        frame = AlignedFrame(
            pixels.y,
            pixels.depth,
            pixels.valid,
            pixels.output,
            terms.turned,
            lambda: aligned_map(pixels, aligned),
        )
        if seen is not None:
            frame.take, frame.number, frame.rgb = seen.take, seen.frame.number, seen.frame.rgb
        if seen is not None and terms.pairs_frames:
            before: Kept | None = seen.frame.before.get(seen.place)
            frame.before = before if before is not None and before.number == frame.number - 1 else None
            seen.frame.before[seen.place] = frame.kept()
        values |= computed(frame, files)
    return {name: values.get(name) for name in terms.metrics}


def error_metrics(terms: Terms, pixels: Pixels, aligned: Aligned) -> dict[str, float | None]:
    """Return those of the terms' metrics that are of errors of single pixels, and others beside them; n >= 1."""
    wanted = set(terms.metrics)
    values = pixel_metrics(pixels, aligned) if wanted & set(PIXEL_METRICS) else {}
    if "median_rel" in wanted or ("abs_rel" in wanted and terms.error_epsilon):
        errors = relative_errors(pixels, aligned, terms.error_epsilon)
        values["median_rel"] = median_error(errors) if "median_rel" in wanted else None
        if terms.error_epsilon:
            values["abs_rel"] = _finite(errors.mean())
    return values


def aligned_for(terms: Terms, pixels: Pixels, fit: Fit) -> Aligned:
    """Return how a frame's outputs become depths under its fit."""
    return alike(aligned_as(terms, pixels, fit), pixels)


def aligned_as(terms: Terms, pixels: Pixels, fit: Fit) -> Aligned:
    """Return the same with all that the terms say, also what does nothing to these pixels."""
    return Aligned(terms.source, fit.scale, fit.shift, frame_limits(terms, pixels))


class Aligned(NamedTuple):
    """How an output becomes a depth in mm: its way into the alignment's space, the fit there, the limits after it."""

    source: Source
    scale: float
    shift: float
    limits: Limits


# Ends are told from limits with room for the last digit, which depends on the lane of a register.
ROOM = 1e-12


def alike(aligned: Aligned, pixels: Pixels) -> Aligned:
    """Return a way from outputs to depths without what does nothing to these pixels: ways that are alike become equal.

    Between the two ends of the outputs depths rise or fall throughout, unless an output or a disparity changes sign.
    """
    aligned = aligned._replace(source=pixels.source(aligned.source))
    space = aligned.limits.space
    if aligned.source.negative:
        return aligned
    without, depths = aligned._replace(limits=Limits(space, -np.inf, -np.inf, np.inf)), np.empty(2)
    k.aligned_depths(np.array(pixels.ends_x(), np.float64), *without, depths)
    least, greatest = sorted(depths.tolist())
    least, greatest = least * (1 - ROOM), greatest * (1 + ROOM)
    floor = aligned.limits.disparity * (1 + ROOM) if space == DISPARITY else -np.inf
    if least > max(aligned.limits.low, 0.0) and greatest < aligned.limits.high and floor * greatest <= 1.0:
        return without
    return aligned


def frame_limits(terms: Terms, pixels: Pixels) -> Limits:
    """Return the limits of one frame's predictions, from its valid reference depths where the terms say so; n >= 1."""
    limits = terms.limits
    if terms.floor_from_frame:
        limits = limits._replace(disparity=1.0 / pixels.ends_y()[1])
    if terms.limits_from_frame:
        limits = limits._replace(low=pixels.ends_y()[0], high=pixels.ends_y()[1])
    return limits


def aligned_map(pixels: Pixels, aligned: Aligned) -> NDArray[np.float64]:
    """Return the whole aligned prediction of one frame, as it is scored: depth (h, w), NaN where not finite."""
    output = np.ascontiguousarray(pixels.output).ravel()
    depth = np.empty(output.size)
    # The kernels take finite numbers only.
    k.aligned_depths(np.nan_to_num(output), *aligned, depth)
    depth[~np.isfinite(output)] = np.nan
    return depth.reshape(pixels.output.shape)


def relative_errors(pixels: Pixels, aligned: Aligned, epsilon: float = 0.0) -> NDArray[np.float64]:
    """Return |p - g| / (g + epsilon) of every pixel (n,), epsilon in mm."""
    error = np.empty(pixels.x.size)
    k.aligned_depths(pixels.x, *aligned, error)
    error -= pixels.y
    np.abs(error, out=error)
    error /= pixels.y + np.float64(epsilon) if epsilon else pixels.y
    return error


def median_error(values: NDArray[np.float64]) -> float | None:
    """Return the median of `values` (n,), n >= 1, None where one of them is not finite."""
    if not np.isfinite(values).all():
        return None
    low, high = middle(values, np.empty(values.size))
    return 0.5 * (low + high)


def pixel_metrics(pixels: Pixels, aligned: Aligned) -> dict[str, float | None]:
    """Return every metric that one pass over the pixels gives (n >= 1), None where it has no value.

    Metrics with a logarithm or an inverse are None where an aligned depth is not positive, which only a
    protocol without a lower limit lets happen.
    """
    sums, pivot = pixels.once(aligned, lambda: k.error_sums(pixels.x, pixels.y, *aligned))
    mean = (sums / pixels.x.size).tolist()
    square_log = mean[k.LOG_SQUARE] + pivot * (2 * mean[k.LOG] + pivot)
    variance = max(mean[k.LOG_SQUARE] - mean[k.LOG] ** 2, 0.0)
    rmse = math.sqrt(mean[k.SQUARE])
    least, greatest = pixels.ends_y()
    values: dict[str, float | None] = {
        "abs_rel": mean[k.ABS_REL],
        "sq_rel": mean[k.SQ_REL],
        "rmse": rmse,
        "rmse_log": math.sqrt(max(square_log, 0.0)),
        "mae": mean[k.ABSOLUTE],
        "log10": mean[k.LOG_ABSOLUTE] / math.log(10.0),
        "silog": 100.0 * math.sqrt(variance),
        "irmse": math.sqrt(mean[k.INVERSE_SQUARE]),
        "delta1": mean[k.WITHIN_1],
        "delta2": mean[k.WITHIN_2],
        "delta3": mean[k.WITHIN_3],
        "nrmse": rmse / (greatest - least) if greatest > least else None,
    }
    if sums[k.NOT_POSITIVE]:
        for name in ("rmse_log", "log10", "silog", "irmse"):
            values[name] = None
    return {name: _finite(value) for name, value in values.items()}


def scale_drift(log_scales: NDArray[np.float64]) -> float | None:
    """Return the standard deviation of a sequence's log scales (natural logarithm, divisor n - 1).

    What a tracker that trusts the model would suffer: 0.1 means factors that wander by about 10 %. Values that
    are not finite (frames without a positive factor) are left out; None with fewer than two left.
    """
    values = np.asarray(log_scales, np.float64)
    values = values[np.isfinite(values)]
    return float(values.std(ddof=1)) if values.size >= 2 else None


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
