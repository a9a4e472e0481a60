"""What a protocol means for one sequence and one kind of output: the terms that fits and scores follow.

A protocol is a plain mapping (config/protocols.py says what it may hold). `terms_for` settles everything that
does not depend on a frame: which way the output must be turned, which depths and pixels count, the limits in
numbers, and which metrics the output's claim permits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from scopedepth.errors import ScopeDepthError
from scopedepth.job import extensions
from scopedepth.vocabulary import flags
from scopedepth.vocabulary.alignments import alignment
from scopedepth.vocabulary.metrics import METRICS
from scopedepth.vocabulary.outputs import DISPARITY_KINDS, METRIC_KINDS, OUTPUT_KINDS, SHIFTED_KINDS

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

DEPTH, DISPARITY, LOG_DEPTH = 0, 1, 2
SPACES = {"depth": DEPTH, "disparity": DISPARITY, "log_depth": LOG_DEPTH}

MILLIMETRES = {None: 1.0, "mm": 1.0, "cm": 10.0, "m": 1000.0}

# Stands for "no limit" in the kernels, which compare doubles.
NO_LIMIT = math.inf


class Source(NamedTuple):
    """How an output's number becomes a number of the alignment's space (see kernels.to_space).

    times unit, cut to [low, high], inverted if flip, then its logarithm if log. Inverted is
    1 / (max(v, 0) + epsilon), or 1 / (v + epsilon) if negative: then what is below zero stays below zero.
    """

    unit: float
    low: float
    high: float
    flip: bool
    epsilon: float
    log: bool
    negative: bool = False


class Limits(NamedTuple):
    """What is done to an aligned value on its way to depth (see kernels.to_depth).

    disparity: least disparity before inversion. low, high: limits of depth.
    """

    space: int
    disparity: float
    low: float
    high: float


@dataclass(frozen=True)
class Terms:
    """Everything about a protocol that is settled before the first frame of a sequence is read."""

    method: str
    given: Mapping[str, Any]
    """The alignment's own options, as the protocol states them."""
    space: int
    scope: str
    pool: str
    weighted: bool
    min_pixels: int
    score_negative: bool
    source: Source
    limits: Limits
    floor_from_frame: bool
    """Least disparity is 1 / greatest valid depth of the frame."""
    limits_from_frame: bool
    """Limits of depth are the least and greatest valid depth of the frame."""
    depth_low: float
    depth_high: float
    """Reference depths that count."""
    ends_count: bool
    """Whether the two ends themselves count; 0 never does."""
    window: tuple[int, int, int, int]
    """top, bottom, left, right."""
    flag_bits: int
    grey_above: float | None
    rgb_sum_below: float | None
    erode: int
    nearest: bool
    align_corners: bool
    turned: bool
    """The output grows where depth falls."""
    constant_claimed: bool
    """The model says that it is a baseline, so a constant map is its answer and not a failure."""
    metrics: tuple[str, ...]
    """What is computed; empty: the output permits nothing (not_applicable)."""
    fit_above: float
    """Outputs above this enter the fit."""
    depth_epsilon: float
    """Added to the reference depth, mm, before it is inverted for a fit."""
    score_constant: bool
    """A constant output is scored as the mean of the reference."""
    error_epsilon: float
    """Added to the reference depth, mm, that abs_rel and median_rel divide by."""
    resample_inverse: bool
    resample_epsilon: float
    """Whether the inverse of depth is resampled, and what is added before each inversion."""
    leaves_uncovered: bool
    """Pixels without an answer are left out; else a frame with one that counts has no number."""
    ordinal_pairs: int
    ordinal_ratio: float
    ordinal_seed: int

    @cached_property
    def alignment(self) -> Any:
        """The alignment's file, imported."""
        return extensions.load(extensions.ALIGNMENTS, self._named)

    @cached_property
    def options(self) -> Any:
        """The alignment's own options, as its class `Options`."""
        return extensions.read_options(self._named, getattr(self.alignment, "Options", extensions.NoOptions))

    @property
    def _named(self) -> dict[str, Any]:
        return {"method": self.method, "options": self.given}

    @property
    def needs_rgb(self) -> bool:
        masked = self.grey_above is not None or self.rgb_sum_below is not None
        return masked or any(METRICS[name].rgb for name in self.metrics)

    @cached_property
    def pairs_frames(self) -> bool:
        """Whether a metric compares a frame with the one before."""
        return any(METRICS[name].pair for name in self.metrics)


def terms_for(
    protocol: specs.Protocol,
    *,
    dataset: str,
    sequence: str,
    size: tuple[int, int],
    units: str,
    output_kind: str,
    output_unit: str | None,
    family: str = "",
    output_greatest: float | None = None,
) -> Terms:
    """Return the terms of `protocol` for one sequence.

    size: height, width of the reference. units: "mm" or "relative", of the reference's depth.
    output_kind, output_unit, family: what the prediction store claims. Unknown kinds and units are `ScopeDepthError`.
    output_greatest: of a metric_disparity, the depth in its unit at which its authors cut, once it is resampled.
    """
    if output_kind not in OUTPUT_KINDS:
        raise ScopeDepthError(
            f"output kind {output_kind!r} is not known; allowed: {', '.join(OUTPUT_KINDS)}."
        )
    if output_unit not in MILLIMETRES:
        raise ScopeDepthError(f"output unit {output_unit!r} is not known; allowed: mm, cm, m.")
    fit = protocol["alignment"]
    space = SPACES[fit["space"]]
    metric = units == "mm"
    low, high = _range(protocol["depth_range"], dataset) if metric else (0.0, NO_LIMIT)
    masks = protocol["masks"]
    ordinal = protocol["ordinal"]
    metrics = permitted_metrics(protocol, output_kind, units)
    fitted = fit["method"] != "none" and _needs_fit(metrics, output_kind)
    # Limits mean something only where the prediction is on the reference's scale.
    on_scale = fitted or (metric and output_kind in METRIC_KINDS)
    limits = (
        _limits(protocol, space, metric, dataset)
        if on_scale
        else Limits(space, -NO_LIMIT, -NO_LIMIT, NO_LIMIT)
    )
    return Terms(
        method=fit["method"] if fitted else "none",
        given=fit["options"] if fitted else {},
        space=space,
        scope=fit["scope"],
        pool=fit["pool"],
        weighted=fit["weight"] == "inverse_depth",
        min_pixels=fit["min_pixels"],
        score_negative=fit["negative_scale"] == "score",
        source=_own_limit(
            _source(protocol, space, output_kind, output_unit, metric, dataset), output_unit, output_greatest
        ),
        limits=limits,
        floor_from_frame=on_scale and space == DISPARITY and _floor_from_frame(protocol, metric),
        limits_from_frame=on_scale
        and not metric
        and _cuts_depth(protocol)
        and protocol["unit_unknown"] == "reference",
        depth_low=low,
        depth_high=high,
        ends_count=protocol["depth_range"]["inclusive"],
        window=_window(protocol["crops"], dataset, sequence, size),
        flag_bits=flags.NO_DEPTH | sum(flags.FLAG_MEANINGS[name] for name in masks["exclude"]),
        grey_above=masks["grey_above"],
        rgb_sum_below=masks["rgb_sum_below"],
        erode=masks["erode"],
        nearest=protocol["interpolation"]["method"] == "nearest",
        align_corners=protocol["interpolation"]["align_corners"],
        turned=output_kind in DISPARITY_KINDS,
        constant_claimed=family == "baseline",
        metrics=metrics,
        fit_above=-NO_LIMIT if fit["fit_above"] is None else fit["fit_above"],
        depth_epsilon=fit["depth_epsilon"] if metric else 0.0,
        score_constant=fit["constant"] == "score",
        error_epsilon=protocol["error_epsilon"] if metric else 0.0,
        # A depth on an unknown shift has no inverse that means anything.
        resample_inverse=protocol["interpolation"]["space"] == "disparity" and output_kind != "affine_depth",
        resample_epsilon=protocol["interpolation"]["epsilon"],
        leaves_uncovered=protocol.get("uncovered") == "leave_out",
        ordinal_pairs=ordinal["pairs"],
        ordinal_ratio=ordinal["min_ratio"],
        ordinal_seed=ordinal["seed"],
    )


def permitted_metrics(protocol: specs.Protocol, output_kind: str, units: str) -> tuple[str, ...]:
    """Return the protocol's metrics that an output's claim and the reference's unit permit, in registry order.

    A metric of depth wants every unknown of the output to be found by the fit: the factor of all but
    the metric kinds, and the offset of a disparity or a depth known up to scale and shift, which only a fit in its own
    space finds (or the protocol takes that of a disparity as zero in so many words). A metric of order wants no fit.
    """
    fit = protocol["alignment"]
    if units != "mm" and protocol["unit_unknown"] == "refuse":
        return ()
    aligned = fit["method"] != "none"
    if output_kind in SHIFTED_KINDS:
        finds_shift = fit["space"] == SHIFTED_KINDS[output_kind] and alignment(fit["method"]).parameters == 2
        taken = output_kind == "disparity" and fit["affine_disparity"] != "refuse"
        shape = aligned and finds_shift
        depth = aligned and (finds_shift or taken)
        ratio = depth  # a shift changes the ratios of depth
    elif output_kind in METRIC_KINDS:
        shape = depth = aligned or units == "mm"
        ratio = True
    else:
        shape = depth = aligned
        ratio = True
    allowed = {"depth": depth, "shape": shape, "ratio": ratio, "order": True}
    return tuple(
        name
        for name, metric in METRICS.items()
        if name in protocol["metrics"] and allowed[metric.needs] and (units == "mm" or not metric.has_unit)
    )


def _limits_for(depth_range: specs.DepthRange, dataset: str) -> specs.DepthRange | specs.RangeFor:
    """Return the limits of a dataset: its own, or the common ones."""
    for own in depth_range["per_dataset"]:
        if _matches(own["datasets"], dataset):
            return own
    return depth_range


def _range(depth_range: specs.DepthRange, dataset: str) -> tuple[float, float]:
    """Return the ends of the depths that count."""
    limits = _limits_for(depth_range, dataset)
    return limits["min"] or 0.0, limits["max"] or NO_LIMIT


def _depth_limits(protocol: specs.Protocol, dataset: str) -> tuple[float, float]:
    """Return what predictions are cut to, in mm."""
    depth = protocol["clamp"]["depth"]
    if depth is None:
        return -NO_LIMIT, NO_LIMIT
    if depth != "range":
        return float(depth[0]), float(depth[1])
    limits = _limits_for(protocol["depth_range"], dataset)
    low = limits["min"]
    return -NO_LIMIT if low is None else float(low), NO_LIMIT if limits["max"] is None else float(
        limits["max"]
    )


def _limits(protocol: specs.Protocol, space: int, metric: bool, dataset: str) -> Limits:
    floor = -NO_LIMIT
    if space == DISPARITY and metric:
        wanted = protocol["clamp"]["disparity"]
        if wanted == "inverse_range_max":
            # Without a greatest depth such a protocol is refused.
            floor = 1.0 / _limits_for(protocol["depth_range"], dataset)["max"]  # type: ignore[operator]
        elif isinstance(wanted, int | float):
            floor = float(wanted)
    low, high = -NO_LIMIT, NO_LIMIT
    if metric and protocol["clamp"]["when"] == "after":
        low, high = _depth_limits(protocol, dataset)
    return Limits(space, floor, low, high)


def _floor_from_frame(protocol: specs.Protocol, metric: bool) -> bool:
    wanted = protocol["clamp"]["disparity"]
    if wanted is None:
        return False
    return wanted == "inverse_max_depth" or (not metric and protocol["unit_unknown"] == "reference")


def _cuts_depth(protocol: specs.Protocol) -> bool:
    return protocol["clamp"]["when"] == "after" and protocol["clamp"]["depth"] is not None


def _needs_fit(metrics: tuple[str, ...], output_kind: str) -> bool:
    """Whether any metric depends on a fit: those of depth, and those of ratios where a shift is unknown."""
    needs = {METRICS[name].needs for name in metrics}
    return bool(needs & {"depth", "shape"}) or (output_kind in SHIFTED_KINDS and "ratio" in needs)


def _source(
    protocol: specs.Protocol, space: int, kind: str, unit: str | None, metric: bool, dataset: str
) -> Source:
    """Return how this kind of output enters the alignment's space."""
    fit = protocol["alignment"]
    disparity_kind = kind in DISPARITY_KINDS
    raw = kind == "disparity" and fit["affine_disparity"] == "raw"
    flip = (disparity_kind != (space == DISPARITY)) and not raw
    low, high = -NO_LIMIT, NO_LIMIT
    if metric and protocol["clamp"]["when"] == "before":
        low, high = _depth_limits(protocol, dataset)
        if disparity_kind and not raw:
            low, high = 1.0 / high, 1.0 / low if low > 0 else NO_LIMIT
    factor = _factor(kind, unit)
    least, greatest = fit["output_limits"]
    if least is not None:
        low = max(low, least * factor)
    if greatest is not None:
        high = min(high, greatest * factor)
    return Source(
        factor,
        low,
        high,
        flip,
        float(fit["invert_epsilon"]),
        space == LOG_DEPTH,
        fit["negative_disparity"] == "inverted",
    )


def _factor(kind: str, unit: str | None) -> float:
    """Return what an output is multiplied with: to millimetres, or to their inverse."""
    return 1.0 / MILLIMETRES[unit] if kind == "metric_disparity" else MILLIMETRES[unit]


def _own_limit(source: Source, unit: str | None, greatest: float | None) -> Source:
    """Return `source` with the output's own greatest depth, which is a least inverse depth."""
    if greatest is None:
        return source
    return source._replace(low=max(source.low, 1.0 / (greatest * MILLIMETRES[unit])))


def _window(
    crops: list[specs.Crop], dataset: str, sequence: str, size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Return top, bottom, left, right of what counts, cut to the frame."""
    height, width = size
    for crop in crops:
        if _matches(crop["datasets"], dataset) and _matches(crop["sequences"], sequence):
            if crop["before_network"] and size == _size_of(crop):
                break
            bottom = height if crop["bottom"] is None else min(crop["bottom"], height)
            right = width if crop["right"] is None else min(crop["right"], width)
            return min(crop["top"], bottom), bottom, min(crop["left"], right), right
    return 0, height, 0, width


def _size_of(crop: specs.Crop) -> tuple[int, int]:
    """Return height and width of a crop with four edges."""
    return crop["bottom"] - crop["top"], crop["right"] - crop["left"]  # type: ignore[operator]


def _matches(patterns: list[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
