"""The metrics: what each is called, its unit, direction, formula and source.

Tables, statistics and the report take the list of metrics from here. The first ones stand below; others are found in
the files of the folder metrics/, whose heads are read and not imported, so that reading this costs nothing.

Notation: p is the aligned predicted depth and g the reference depth of one pixel,
both in mm; means, medians and maxima run over the valid pixels of one frame;
e = ln p - ln g.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from scopedepth.errors import ScopeDepthError
from scopedepth.job import extensions

Need = Literal["depth", "shape", "ratio", "order"]


@dataclass(frozen=True)
class Metric:
    """One metric of one frame.

    name: column in the tables. label: what people call it.
    unit: "1" for a pure number, else the unit; a metric with a unit is null where the
    reference depth's unit is unknown.
    needs: what must be known of the prediction. "depth": depth after alignment;
    "shape": the same, with no unknown shift taken for zero, so that it has a shape in space;
    "ratio": depth up to one factor, so no alignment is needed for an output known up
    to scale; "order": only which pixel is nearer, so no alignment at all.
    chance: what a prediction without information gets, where that is a fixed number.
    file: the file of metrics/ that computes it, empty for those of the evaluation itself.
    in_mm: a pure number that wants millimetres all the same, for it has a threshold or a camera's way in them.
    pair: it compares a frame with the one before; the first frame has none. rgb: it looks at the image.
    """

    name: str
    label: str
    unit: str
    higher_is_better: bool
    formula: str
    source: str
    needs: Need = "depth"
    chance: float | None = None
    file: str = ""
    in_mm: bool = False
    pair: bool = False
    rgb: bool = False

    @property
    def has_unit(self) -> bool:
        return self.unit != "1" or self.in_mm


_EIGEN = "Eigen et al. 2014, as evaluated in monodepth2"

_ALL = (
    Metric("abs_rel", "AbsRel", "1", False, "mean(|p - g| / g)", _EIGEN),
    Metric("sq_rel", "SqRel", "mm", False, "mean((p - g)^2 / g)", _EIGEN),
    Metric("rmse", "RMSE", "mm", False, "sqrt(mean((p - g)^2))", _EIGEN),
    Metric("rmse_log", "RMSE log", "1", False, "sqrt(mean(e^2)), natural logarithm", _EIGEN),
    Metric("mae", "MAE", "mm", False, "mean(|p - g|)", "SimCol3D challenge (its L1)"),
    Metric("log10", "log10", "1", False, "mean(|log10 p - log10 g|)", "ZoeDepth, Marigold"),
    Metric(
        "silog",
        "SILog",
        "1",
        False,
        "100 sqrt(mean(e^2) - mean(e)^2): ZoeDepth's definition (100 times the standard deviation of e; "
        "others print the variance, or leave out the 100)",
        "ZoeDepth, UniDepth",
    ),
    Metric("irmse", "iRMSE", "1/mm", False, "sqrt(mean((1/p - 1/g)^2))", "Marigold (i_rmse)"),
    Metric("delta1", "δ < 1.25", "1", True, "share of pixels with max(p/g, g/p) < 1.25", _EIGEN),
    Metric("delta2", "δ < 1.25²", "1", True, "share of pixels with max(p/g, g/p) < 1.25^2", _EIGEN),
    Metric("delta3", "δ < 1.25³", "1", True, "share of pixels with max(p/g, g/p) < 1.25^3", _EIGEN),
    Metric(
        "spearman",
        "Spearman",
        "1",
        True,
        "Pearson's correlation of the ranks of prediction and depth, ties given their mean rank; "
        "a disparity is turned round first, so +1 is a perfect order",
        "Spearman 1904",
        needs="order",
        chance=0.0,
    ),
    Metric(
        "ordinal",
        "Ordinal accuracy",
        "1",
        True,
        "share of seeded pixel pairs (depth ratio above the protocol's) whose nearer pixel is told rightly; "
        "a tie in the prediction counts one half",
        "after DA-2K (Depth Anything V2), with drawn instead of annotated pairs",
        needs="order",
        chance=0.5,
    ),
    Metric(
        "boundary_f1",
        "Boundary F1",
        "1",
        True,
        "an edge is a ratio of neighbouring depths above t; F1 of precision and recall (each the mean of the four "
        "directions), averaged over 10 thresholds t = 1.05 ... 1.25 with weights proportional to t; "
        "null where the reference has no edge; only pairs of valid pixels count",
        "Depth Pro (apple/ml-depth-pro)",
        needs="ratio",
    ),
    Metric("median_rel", "Median relative error", "1", False, "median(|p - g| / g)", "SimCol3D challenge"),
    Metric(
        "nrmse",
        "RMSE / range",
        "1",
        False,
        "sqrt(mean((p - g)^2)) / (max g - min g); with a min-max alignment this is the RMSE of the two "
        "min-max-normalised maps",
        "Endo-SfMLearner (its depth notebook)",
    ),
)


def _found() -> Iterable[Metric]:
    """Yield the metrics of the files in metrics/."""
    known = {metric.name for metric in _ALL}
    for file in extensions.names_in(extensions.METRICS):
        path = extensions.file_of(extensions.METRICS, file)
        for metric in extensions.made_alone(path, "METRICS").get("METRICS") or [None]:
            if metric is None or metric.name in known:
                what = "no METRICS" if metric is None else f"{metric.name}, which is a metric already"
                raise ScopeDepthError(f"{path} says {what}. Correct the file, or remove it.")
            known.add(metric.name)
            yield replace(metric, file=file)


METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
# Behind the others, so that they stand for no other one's sort.
METRICS |= {metric.name: metric for metric in _found()}


def standing_for(names: Iterable[str]) -> list[str]:
    """Return, in the registry's order, the first metric of each sort among `names`.

    A sort is what a metric needs and whether it has a unit: a fit depends on nothing else of its protocol's metrics.
    """
    sorts = {(METRICS[name].needs, METRICS[name].has_unit) for name in names}
    first = {(metric.needs, metric.has_unit): metric.name for metric in reversed(METRICS.values())}
    chosen = {first[sort] for sort in sorts}
    return [name for name in METRICS if name in chosen]


PIXEL_METRICS: tuple[str, ...] = (
    "abs_rel", "sq_rel", "rmse", "rmse_log", "mae", "log10", "silog", "irmse", "delta1", "delta2", "delta3", "nrmse",
)  # fmt: skip
"""The metrics that one pass over the pixels gives."""
