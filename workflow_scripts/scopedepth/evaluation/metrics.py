"""From one frame's valid pixels to its metrics (vocabulary.metrics says what they are)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation import kernels as k
from scopedepth.evaluation.alignment import Fit
from scopedepth.evaluation.boundary import boundary_f1
from scopedepth.evaluation.frames import Pixels
from scopedepth.evaluation.order import ordinal_accuracy, spearman
from scopedepth.evaluation.protocol import Limits, Plan, Source
from scopedepth.evaluation.selection import middle
from scopedepth.metrics import AlignedFrame, computed
from scopedepth.vocabulary.metrics import METRICS, PIXEL_METRICS


def frame_metrics(plan: Plan, pixels: Pixels, fit: Fit) -> dict[str, float | None]:
    """Return the plan's metrics of one frame, whose fit has succeeded."""
    limits = frame_limits(plan, pixels.y)
    wanted = set(plan.metrics)
    values: dict[str, float | None] = {}
    if wanted & set(PIXEL_METRICS):
        values = pixel_metrics(
            pixels.x, pixels.y, fit.scale, fit.shift, plan.source, limits, "nrmse" in wanted
        )
    if "median_rel" in wanted or ("abs_rel" in wanted and plan.error_epsilon):
        errors = relative_errors(
            pixels.x, pixels.y, fit.scale, fit.shift, plan.source, limits, plan.error_epsilon
        )
        values["median_rel"] = median_error(errors) if "median_rel" in wanted else None
        if plan.error_epsilon:
            values["abs_rel"] = _finite(errors.mean())
    if "spearman" in wanted:
        rank = spearman(pixels.x, pixels.y)
        values["spearman"] = -rank if rank is not None and plan.turned else rank
    if "ordinal" in wanted:
        values["ordinal"] = ordinal_accuracy(
            pixels.output,
            pixels.depth,
            pixels.valid,
            turned=plan.turned,
            pairs=plan.ordinal_pairs,
            min_ratio=plan.ordinal_ratio,
            seed=plan.ordinal_seed,
            frame=pixels.frame,
        )
    if "boundary_f1" in wanted:
        prediction = aligned_map(plan, pixels, fit)
        values["boundary_f1"] = boundary_f1(prediction, pixels.depth, pixels.valid & (prediction > 0))
    files = dict.fromkeys(METRICS[name].file for name in plan.metrics if METRICS[name].file)
    if files:
        frame = AlignedFrame(
            pixels.y,
            pixels.depth,
            pixels.valid,
            pixels.output,
            plan.turned,
            lambda: aligned_map(plan, pixels, fit),
        )
        values |= computed(frame, files)
    return {name: values.get(name) for name in plan.metrics}


def frame_limits(plan: Plan, y: NDArray[np.floating]) -> Limits:
    """Return the limits of one frame's predictions, `y` being its valid reference depths (n,), n >= 1."""
    limits = plan.limits
    if plan.floor_from_frame:
        limits = limits._replace(disparity=1.0 / float(y.max()))
    if plan.limits_from_frame:
        limits = limits._replace(low=float(y.min()), high=float(y.max()))
    return limits


def aligned_map(plan: Plan, pixels: Pixels, fit: Fit) -> NDArray[np.float64]:
    """Return the whole aligned prediction of one frame, as it is scored: depth (h, w), NaN where not finite."""
    output = np.ascontiguousarray(pixels.output).ravel()
    depth = np.empty(output.size)
    # The kernels take finite numbers only.
    k.aligned_depths(
        np.nan_to_num(output), plan.source, fit.scale, fit.shift, frame_limits(plan, pixels.y), depth
    )
    depth[~np.isfinite(output)] = np.nan
    return depth.reshape(pixels.output.shape)


def relative_errors(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    scale: float,
    shift: float,
    source: Source,
    limits: Limits,
    epsilon: float = 0.0,
) -> NDArray[np.float64]:
    """Return |p - g| / (g + epsilon) of every pixel (n,), epsilon in mm. Other arguments as of pixel_metrics."""
    error = np.empty(x.size)
    k.aligned_depths(x, source, scale, shift, limits, error)
    error -= y
    np.abs(error, out=error)
    error /= y + np.float64(epsilon) if epsilon else y
    return error


def median_error(values: NDArray[np.float64]) -> float | None:
    """Return the median of `values` (n,), n >= 1, None where one of them is not finite."""
    if not np.isfinite(values).all():
        return None
    low, high = middle(values, np.empty(values.size))
    return 0.5 * (low + high)


def pixel_metrics(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    scale: float,
    shift: float,
    source: Source,
    limits: Limits,
    nrmse: bool = True,
) -> dict[str, float | None]:
    """Return every metric that one pass over the pixels gives, None where it has no value.

    x: outputs (n,), y: reference depths in mm (n,), of one dtype, valid pixels only, n >= 1. scale, shift: the
    fit in the alignment's space. nrmse: whether that one is wanted, which takes a pass of its own.
    Metrics with a logarithm or an inverse are None where an aligned depth is not positive, which only a
    protocol without a lower limit lets happen.
    """
    n = x.size
    sums, pivot = k.error_sums(x, y, source, scale, shift, limits)
    mean = sums / n
    square_log = mean[k.LOG_SQUARE] + pivot * (2 * mean[k.LOG] + pivot)
    variance = max(mean[k.LOG_SQUARE] - mean[k.LOG] ** 2, 0.0)
    rmse = math.sqrt(mean[k.SQUARE])
    width = float(y.max()) - float(y.min()) if nrmse else 0.0
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
        "nrmse": rmse / width if width > 0 else None,
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
