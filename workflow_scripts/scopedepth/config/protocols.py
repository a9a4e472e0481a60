"""What config.yaml may say of a protocol: how a cached prediction becomes errors.

Depths are in millimetres here, also where a source states metres: the numbers are converted, so that the
protocol does the same to the same scene.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from scopedepth.config.base import GrownSpec, Spec
from scopedepth.config.options import check_options, options_of
from scopedepth.job import extensions
from scopedepth.vocabulary import alignments
from scopedepth.vocabulary.metrics import METRICS

Flag = Literal["border", "specular", "occluded", "tool", "doubtful"]
Globs = Annotated[list[str], Field(min_length=1)]


class Alignment(Spec):
    """How a prediction is fitted to the reference before the two are compared."""

    method: Literal[alignments.NAMES] = Field(  # type: ignore[valid-type]
        "median", description="how it is fitted; see docs/options.md"
    )
    options: dict[str, Any] = Field({}, description="the method's own options")
    space: alignments.Space = Field(
        "depth",
        description="what the fit is made in: depth, its inverse or its logarithm (where a factor on depth is an "
        "offset, so that `median` and `lsq_scale` fit the offset alone)",
    )
    scope: Literal["frame", "sequence", "dataset"] = Field("frame", description="what shares one fit")
    pool: Literal["pixels", "frame_means"] = Field(
        "pixels",
        description="what enters a fit over a sequence or dataset: every valid pixel, or one point a frame, its means",
    )
    affine_disparity: Literal["refuse", "zero_shift", "raw"] = Field(
        "refuse",
        description="what to do with an output known up to scale and shift of disparity where this fit does not find "
        "that shift: refuse (not_applicable); zero_shift: invert it as if the shift were zero; raw: fit the output to "
        "depth as it is, a mistake kept under its name",
    )
    invert_epsilon: float = Field(
        0.0,
        ge=0,
        description="added to an output before it is inverted, in the output's own numbers",
    )
    negative_disparity: Literal["far", "inverted"] = Field(
        "far",
        description="what an output below zero is when it is inverted: far (cut off at zero, so infinitely far with "
        "invert_epsilon 0; it ends at the greatest depth); inverted (1 / itself, a negative depth: the lowest in a "
        "median, and it ends at the least depth, as in monodepth2 and its descendants)",
    )
    output_limits: tuple[float | None, float | None] = Field(
        (None, None),
        description="least and greatest output, in the output's own numbers, set before anything else; null: none",
    )
    fit_above: float | None = Field(
        None,
        description="only pixels whose output, in its own numbers, is above this enter the fit; all valid pixels are "
        "scored; null: all enter",
    )
    depth_epsilon: float = Field(
        0.0,
        ge=0,
        description="mm added to the reference depth before it is inverted for a least-squares fit in disparity",
    )
    constant: Literal["refuse", "score"] = Field(
        "refuse",
        description="an output of one value under a fit of factor and offset by least squares: no number "
        "(constant_prediction), or the mean of the reference (score), the shortest of its least-squares solutions",
    )
    weight: Literal["none", "inverse_depth"] = Field(
        "none",
        description="weight of a pixel in fits by least squares or least absolute deviations: 1, or 1 / reference "
        "depth",
    )
    negative_scale: Literal["refuse", "score"] = Field(
        "refuse",
        description="metrics of a frame whose fitted factor is negative (an output that runs against depth): null, or "
        "computed all the same; the status is negative_scale and the table keeps the factor in both cases",
    )
    min_pixels: int = Field(10, ge=1, description="fewer valid pixels than this give no fit (too_few_pixels)")

    @model_validator(mode="after")
    def _method_takes_them(self) -> Self:
        head = alignments.alignment(self.method)
        for field in get_args(alignments.Takes):
            if field not in head.takes and getattr(self, field) != type(self).model_fields[field].default:
                raise ValueError(f"{field} is for {alignments.that_take(field)} only")
        if head.gathers == "frame" and self.scope != "frame":
            raise ValueError(f"scope: method {self.method} is for scope frame only")
        if self.space not in head.spaces:
            raise ValueError(f"space: method {self.method} is for {', '.join(head.spaces)} only")
        options = options_of(extensions.ALIGNMENTS, self.method)
        check_options(f"method {self.method}", options, self.options)
        if hasattr(options, "check_alignment"):
            options(**self.options).check_alignment(self.fit_above)
        return self


class DepthLimits(Spec):
    """A least and a greatest depth."""

    min: float | None = Field(None, ge=0, description="least depth, mm; null: anything above zero")
    max: float | None = Field(None, gt=0, description="greatest depth, mm; null: no limit")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError("min must be below max")
        return self


class RangeFor(DepthLimits):
    """A depth range of its own for some datasets."""

    datasets: Globs = Field(description="names of datasets, * and ? allowed")


class DepthRange(DepthLimits):
    """Which reference depths count, in mm."""

    inclusive: bool = Field(
        True,
        description="whether the two ends themselves count; they are compared in the depth's own precision",
    )
    per_dataset: list[RangeFor] = Field(
        [], description="other limits for some datasets; the first match counts"
    )


class Crop(Spec):
    """A window in pixels of the dataset's frame; nothing outside it counts."""

    datasets: Globs = Field(["*"], description="names of datasets, * and ? allowed")
    sequences: Globs = Field(["*"], description="names of sequences, * and ? allowed")
    left: int = Field(0, ge=0, description="first column")
    right: int | None = Field(None, gt=0, description="column after the last; null: the frame's edge")
    top: int = Field(0, ge=0, description="first row")
    bottom: int | None = Field(None, gt=0, description="row after the last; null: the frame's edge")
    before_network: bool = Field(
        False,
        description="the source cuts this window out before the network sees the image: frames of exactly its size "
        "are taken for that window already (a view of the dataset) and count whole",
    )

    @model_validator(mode="after")
    def _has_a_size(self) -> Self:
        if self.before_network and (self.right is None or self.bottom is None):
            raise ValueError("before_network needs right and bottom")
        return self


class Masks(Spec):
    """Which pixels count by what the image shows."""

    exclude: list[Flag] = Field([], description="flags whose pixels do not count")
    grey_above: float | None = Field(
        None,
        ge=0,
        lt=255,
        description="only pixels with a grey value (0.299 R + 0.587 G + 0.114 B) above this",
    )
    rgb_sum_below: float | None = Field(None, gt=0, description="only pixels with R + G + B below this")
    erode: int = Field(
        1,
        ge=1,
        le=101,
        description="odd side of the square that erodes the mask (flags, grey, missing depth; not range or crop)",
    )


class Clamp(Spec):
    """Limits set to predictions, and when."""

    when: Literal["after", "before", "never"] = Field(
        "after", description="after the alignment, before it (on the output, as depth), or never"
    )
    disparity: float | Literal["inverse_max_depth", "inverse_range_max"] | None = Field(
        None,
        description="least disparity after a fit in disparity: a number (1/mm), 1 / greatest valid depth of the frame, "
        "or 1 / depth_range.max; null: none; a negative disparity is then a negative depth, cut to the least",
    )
    depth: Literal["range"] | tuple[float, float] | None = Field(
        "range", description="limits of depth: the depth range, [min, max] in mm, or null for none"
    )


class Interpolation(Spec):
    """How a prediction is brought to the reference's grid, in the prediction's own space."""

    method: Literal["bilinear", "nearest"] = Field("bilinear", description="kind of interpolation")
    align_corners: bool = Field(
        False, description="whether corner pixels' centres coincide instead of the edges"
    )
    space: Literal["output", "disparity"] = Field(
        "output",
        description="what is resampled: the output as it is, or the inverse of its depth (depth is inverted, "
        "resampled and inverted again, also where the grids are the same)",
    )
    epsilon: float = Field(
        0.0,
        ge=0,
        description="with space disparity, added before each inversion, in the output's own numbers",
    )


class Ordinal(Spec):
    """The seeded point pairs of the ordinal metric."""

    pairs: int = Field(4096, ge=16, le=1 << 20, description="pixel pairs drawn a frame")
    min_ratio: float = Field(
        1.05, ge=1, description="pairs whose depths differ by a smaller ratio do not count"
    )
    seed: int = Field(0, ge=0, description="seed of the pairs; they are the same for every model")


class ProtocolSpec(GrownSpec):
    """One way to score a prediction; every number of ours names the protocol and version behind it."""

    LATER: ClassVar = ("uncovered",)

    version: int = Field(1, ge=1, description="raised when the numbers can change")
    title: str = Field(description="what it is, in a line")
    source: str = Field("ScopeDepth", description="where it is published, or ours")
    unknown: list[str] = Field(
        [], description="what the source's text and code do not say, and what was chosen instead"
    )
    differs: list[str] = Field(
        [],
        description="where this protocol does not do what its source's code does, and by how much that moves it",
    )
    not_comparable: str = Field(
        "", description="why its numbers must not stand beside those of other protocols; empty: they may"
    )
    alignment: Alignment = Field(Alignment(), description="fit of a prediction to the reference")
    depth_range: DepthRange = Field(DepthRange(), description="reference depths that count")
    crops: list[Crop] = Field([], description="windows by dataset and sequence; the first match counts")
    masks: Masks = Field(Masks(), description="pixels that count")
    clamp: Clamp = Field(Clamp(), description="limits set to predictions")
    interpolation: Interpolation = Field(Interpolation(), description="resampling of the prediction")
    error_epsilon: float = Field(
        0.0,
        ge=0,
        description="mm added to the reference depth where an error is divided by it, in abs_rel and median_rel",
    )
    unit_unknown: Literal["reference", "skip", "refuse"] = Field(
        "reference",
        description="where a dataset's depth has no unit, limits in mm mean nothing. The range is left out; limits of "
        "predictions become the frame's least and greatest valid depth (reference) or are left out too (skip); or the "
        "dataset is not scored (refuse)",
    )
    averaging: Literal["sequences", "frames"] = Field(
        "sequences",
        description="sequences: mean over a sequence's frames, then over sequences; frames: mean over all frames",
    )
    metrics: list[str] = Field(
        [
            "abs_rel", "sq_rel", "rmse", "rmse_log", "mae", "log10", "silog", "irmse", "delta1", "delta2", "delta3",
        ],
        min_length=1,
        description="what is computed; see docs/metrics.md",
    )  # fmt: skip
    ordinal: Ordinal = Field(Ordinal(), description="point pairs of the ordinal metric")
    uncovered: Literal["refuse", "leave_out"] = Field(
        "refuse",
        description="a frame whose prediction has no answer (NaN or an infinity) at a pixel that counts: no number "
        "(refuse, nonfinite_prediction), or fitted and scored on the other pixels (leave_out); the share of the pixels "
        "with an answer is the column coverage in both cases",
    )

    @model_validator(mode="after")
    def _metrics_are_known(self) -> Self:
        for name in self.metrics:
            if name not in METRICS:
                raise ValueError(f"metrics: {name!r} is not known; allowed: {', '.join(METRICS)}")
        return self

    def _stays_positive(self) -> bool:
        """Whether every aligned disparity ends as a positive depth."""
        if self.clamp.disparity is not None:
            return True
        depth = self.clamp.depth
        least = self.depth_range.min if depth == "range" else depth[0] if depth else None
        return self.clamp.when == "after" and bool(least)

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        fit = self.alignment
        if (
            alignments.alignment(fit.method).parameters == 2
            and fit.space == "disparity"
            and not self._stays_positive()
        ):
            raise ValueError(
                "clamp: an affine fit in disparity can give zero or less, which has no depth; set clamp.disparity, "
                "or clamp.depth with a least depth"
            )
        if fit.pool == "frame_means" and fit.scope == "frame":
            raise ValueError("alignment.pool: frame_means needs scope sequence or dataset")
        if fit.affine_disparity == "raw" and fit.space != "depth":
            raise ValueError(
                "alignment.affine_disparity: raw fits an output to depth, so space must be depth"
            )
        if fit.weight != "none" and fit.pool != "pixels":
            raise ValueError("alignment.weight is for pool pixels only")
        if fit.depth_epsilon and (fit.space != "disparity" or fit.weight != "none"):
            raise ValueError("alignment.depth_epsilon is for fits in disparity, without weight")
        if fit.negative_disparity == "inverted" and fit.invert_epsilon and fit.scope != "frame":
            raise ValueError(
                "alignment: negative_disparity inverted with invert_epsilon is for scope frame only"
            )
        for name in self.metrics:
            if METRICS[name].pair and fit.scope == "frame" and fit.method != "none":
                raise ValueError(
                    f"metrics: {name} compares a frame with the one before, and a fit of each frame by itself would "
                    "take the flicker away; set alignment.scope to sequence or dataset, or the method to none"
                )
        low, high = fit.output_limits
        if low is not None and high is not None and low >= high:
            raise ValueError("alignment.output_limits: the first must be below the second")
        if self.interpolation.epsilon and self.interpolation.space != "disparity":
            raise ValueError("interpolation.epsilon is for space disparity only")
        ranges = [self.depth_range, *self.depth_range.per_dataset]
        if self.clamp.disparity == "inverse_range_max" and any(limits.max is None for limits in ranges):
            raise ValueError("clamp.disparity: inverse_range_max needs depth_range.max")
        if self.masks.erode % 2 == 0:
            raise ValueError("masks.erode must be odd")
        return self
