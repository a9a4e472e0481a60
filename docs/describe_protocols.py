"""Writes the pages on protocols, metrics, options and the configuration, from the configuration, registry and files.

``python docs/describe_protocols.py`` from the repository; a test compares the files with what this gives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from describe_configuration import configuration_page
from describe_corruptions import robustness_page
from describe_options import options_page
from scopedepth.vocabulary.alignments import alignment
from scopedepth.vocabulary.metrics import METRICS, Metric

ROOT = Path(__file__).parents[1]

PROTOCOLS_HEAD = """\
# The protocols, side by side

Made from config.yaml by `python docs/describe_protocols.py`; edit that. Depths are in mm, also where a
source says metres. A dash is a field's default or its absence. What each field means: schemas/config.schema.json.

"""

METRICS_HEAD = """\
# The metrics

Made from the registry (workflow_scripts/scopedepth/vocabulary/metrics.py) by
`python docs/describe_protocols.py`; edit that.

Notation: $p$ is the aligned predicted depth and $g$ the reference depth of a pixel, both in mm; means, medians and
maxima run over the valid pixels of one frame; $e = \\ln\\,p - \\ln\\,g$. Sums are in float64, from float32 pixels.

- A metric with a unit is null where the reference depth has none.
- *needs* says what must be known of a prediction: `depth` after alignment, `shape` the same with
  no shift taken for zero ([space and time](space_time.md)), `ratio` depth up to one factor,
  `order` only which pixel is nearer. What the output claims and the protocol's fit leave unknown gives null.
- A frame's row is never left out. A number that could not be computed is null, and the row's status says why:
  no_depth (the frame has none), outside_range (none of it lies in the protocol's), no_valid_pixels (masks and crop
  leave none), too_few_pixels, constant_prediction, negative_scale, nonfinite_prediction (where a pixel
  counts; elsewhere it costs nothing), failed_prediction,
  unreadable_frame, not_applicable, degenerate_fit (no factor comes out, or zero, as with a constant reference). With
  status ok, null means that the reference of that frame
  does not define the metric (no depth edge, no pair of clearly different depths, no frame before, no camera or
  poses), or that a rank correlation has a constant prediction.
- Scale drift within a sequence, the standard deviation of the frames' log scales, belongs to the summary.

"""


# The formulas as they are set on the page; a formula that is not here stands in the registry's words.
# Without a bar sign, which would end a table's cell.
IN_LATEX = {
    "abs_rel": r"$\operatorname{mean}\left(\lvert p - g \rvert / g\right)$",
    "sq_rel": r"$\operatorname{mean}\left((p - g)^2 / g\right)$",
    "rmse": r"$\sqrt{\operatorname{mean}\left((p - g)^2\right)}$",
    "rmse_log": r"$\sqrt{\operatorname{mean}(e^2)}$, natural logarithm",
    "mae": r"$\operatorname{mean}\left(\lvert p - g \rvert\right)$",
    "log10": r"$\operatorname{mean}\left(\lvert \log_{10}\,p - \log_{10}\,g \rvert\right)$",
    "silog": r"$100 \sqrt{\operatorname{mean}(e^2) - \operatorname{mean}(e)^2}$: ZoeDepth's definition (100 times the "
    "standard deviation of $e$; others print the variance, or leave out the 100)",
    "irmse": r"$\sqrt{\operatorname{mean}\left((1/p - 1/g)^2\right)}$",
    "delta1": r"share of pixels with $\max(p/g,\ g/p) < 1.25$",
    "delta2": r"share of pixels with $\max(p/g,\ g/p) < 1.25^2$",
    "delta3": r"share of pixels with $\max(p/g,\ g/p) < 1.25^3$",
    "median_rel": r"$\operatorname{median}\left(\lvert p - g \rvert / g\right)$",
    "nrmse": r"$\sqrt{\operatorname{mean}\left((p - g)^2\right)} / (\max\,g - \min\,g)$; with a min-max alignment this "
    "is the RMSE of the two min-max-normalised maps",
}


CONFORMANCE_HEAD = """
## Beside their sources' own code

Each source's own evaluation was run, at the commit named, on arrays that a seed makes: ordinary ones, and awkward ones
with missing pixels, depths at the ends of the range and just beside them, outputs of zero and below, even and odd
numbers of pixels, constant maps, frames of one, three, nine and no pixels, and outputs on another grid than the
depth's. What it answered is kept as numbers in tests/conformance; tests/test_conformance.py makes the same arrays, runs
the functions that a job runs, and demands 1e-6 relative (differences below 1e-9 in the source's own units are
rounding). benchmarks/conformance.py describes how each was run, and runs them again beside their checkouts.
*Difference* is the power of ten that the largest relative difference stays below.
Where the public samples of C3VD and SimCol3D lie beside the repository, the same holds on their depths.

Where a source uses float32 throughout, its functions were given the same numbers in float64, but for the ends of the
range; *precision* says what they calculated in.

"""


def protocols_page(
    protocols: Mapping[str, Mapping[str, Any]], conformance: Mapping[str, Mapping[str, Any]] | None = None
) -> str:
    """Return docs/protocols.md for `protocols`, specs by name; `conformance`: rows made by the conformance test."""
    parts = [PROTOCOLS_HEAD, "## What they do\n\n", _table(protocols, _DOES)]
    parts += ["\n## What they look at\n\n", _table(protocols, _LOOKS)]
    parts += ["\n## What they report\n\n", _table(protocols, _REPORTS)]
    if conformance:
        parts += [CONFORMANCE_HEAD, _conformance_table(protocols, conformance)]
    parts += ["\n## Sources, what they do not say, and where we differ\n\n"]
    for name, spec in protocols.items():
        parts.append(f"**{name}** (version {spec['version']}): {spec['title']}. Source: {spec['source']}.")
        if spec["not_comparable"]:
            parts.append(f" Not comparable: {spec['not_comparable']}.")
        lines = [f"- differs: {text}\n" for text in spec["differs"]]
        lines += [f"- unknown: {text}\n" for text in spec["unknown"]]
        parts.append("\n" + "".join(lines) + "\n")
    return "".join(parts).rstrip() + "\n"


def _conformance_table(
    protocols: Mapping[str, Mapping[str, Any]], conformance: Mapping[str, Mapping[str, Any]]
) -> str:
    columns = (
        "protocol",
        "source at commit",
        "run",
        "precision",
        "cases",
        "numbers",
        "difference",
        "known to differ",
    )
    rows = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name, spec in protocols.items():
        if name in conformance:
            row = conformance[name]
            known = "; ".join(f"{what}: {size}" for what, size in row["known"].items()) or "–"
            run = f"{row['file']}: {row['functions']}; {row['how']}"
            cells = (row["source"], run, row["precision"], row["cases"], row["numbers"], row["below"], known)
            rows.append(f"| {name} | {' | '.join(map(str, cells))} |")
        elif spec["source"] != "ScopeDepth" and "after " not in spec["source"] and "@" in spec["source"]:
            rows.append(f"| {name} | {spec['source']} | not run | – | – | – | – | – |")
    return "\n".join(rows) + "\n"


def metrics_page() -> str:
    """Return docs/metrics.md."""
    rows = ["| name | label | unit | better | needs | formula | source |", "|---|---|---|---|---|---|---|"]
    rows += [f"| {' | '.join(_cells(metric))} |" for metric in METRICS.values()]
    return METRICS_HEAD + "\n".join(rows) + "\n"


def _cells(metric: Metric) -> tuple[str, ...]:
    better = "higher" if metric.higher_is_better else "lower"
    formula = IN_LATEX.get(metric.name) or metric.formula.replace("|", "\\|")
    return f"`{metric.name}`", metric.label, metric.unit, better, metric.needs, formula, metric.source


def _table(protocols: Mapping[str, Mapping[str, Any]], columns: Mapping[str, Any]) -> str:
    rows = ["| protocol | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, spec in protocols.items():
        rows.append(f"| {name} | " + " | ".join(cell(spec) or "–" for cell in columns.values()) + " |")
    return "\n".join(rows) + "\n"


def _method(spec: Mapping[str, Any]) -> str:
    fit = spec["alignment"]
    notes = []
    if fit["weight"] != "none":
        notes.append("weight 1/depth")
    notes += [f"{name} {value}" for name, value in fit["options"].items()]
    if fit["pool"] != "pixels":
        notes.append(fit["pool"])
    low, high = fit["output_limits"]
    if low is not None or high is not None:
        ends = ["" if end is None else _number(end) for end in (low, high)]
        notes.append(f"output cut to {ends[0]}..{ends[1]}")
    if fit["fit_above"] is not None:
        notes.append(f"fit to outputs above {_number(fit['fit_above'])}")
    if fit["depth_epsilon"]:
        notes.append(f"1/(g + {_number(fit['depth_epsilon'])})")
    if fit["constant"] == "score":
        notes.append("a constant is scored")
    return fit["method"] + (f" ({', '.join(notes)})" if notes else "")


def _unless_none(field: str) -> Any:
    return lambda spec: "" if spec["alignment"]["method"] == "none" else spec["alignment"][field]


def _affine_disparity(spec: Mapping[str, Any]) -> str:
    fit = spec["alignment"]
    if fit["method"] == "none":
        return "refuse"
    if fit["space"] == "disparity" and alignment(fit["method"]).parameters == 2:
        return "fitted"
    epsilon = f" (+{_number(fit['invert_epsilon'])})" if fit["invert_epsilon"] else ""
    negative = ", below zero a negative depth" if fit["negative_disparity"] == "inverted" else ""
    return fit["affine_disparity"] + epsilon + negative


def _limits(limits: Mapping[str, Any], inclusive: bool) -> str:
    low = "0" if limits["min"] is None else _number(limits["min"])
    high = "∞" if limits["max"] is None else _number(limits["max"])
    closed_low, closed_high = inclusive and limits["min"] is not None, inclusive and limits["max"] is not None
    return f"{'[' if closed_low else '('}{low}, {high}{']' if closed_high else ')'}"


def _range(spec: Mapping[str, Any]) -> str:
    depth = spec["depth_range"]
    own = [f"{_globs(r['datasets'])}: {_limits(r, depth['inclusive'])}" for r in depth["per_dataset"]]
    return "; ".join([_limits(depth, depth["inclusive"]), *own])


def _crops(spec: Mapping[str, Any]) -> str:
    texts = []
    for crop in spec["crops"]:
        where = _globs(crop["datasets"])
        if crop["sequences"] != ["*"]:
            where += " " + _globs(crop["sequences"])
        right, bottom = crop["right"] or "edge", crop["bottom"] or "edge"
        network = ", before the network" if crop["before_network"] else ""
        texts.append(f"{where}: x {crop['left']}–{right}, y {crop['top']}–{bottom}{network}")
    return "; ".join(texts)


def _masks(spec: Mapping[str, Any]) -> str:
    masks = spec["masks"]
    texts = [f"no {name}" for name in masks["exclude"]]
    if masks["grey_above"] is not None:
        texts.append(f"grey > {_number(masks['grey_above'])}")
    if masks["rgb_sum_below"] is not None:
        texts.append(f"R+G+B < {_number(masks['rgb_sum_below'])}")
    if masks["erode"] > 1:
        texts.append(f"eroded {masks['erode']}x{masks['erode']}")
    return ", ".join(texts)


def _disparity(spec: Mapping[str, Any]) -> str:
    least = spec["clamp"]["disparity"]
    words = {None: "", "inverse_max_depth": "≥ 1/max(g)", "inverse_range_max": "≥ 1/range max"}
    return words[least] if least in words else f"≥ {_number(least)}/mm"


def _clamp(spec: Mapping[str, Any]) -> str:
    clamp = spec["clamp"]
    if clamp["when"] == "never" or clamp["depth"] is None:
        return ""
    depth = clamp["depth"] if clamp["depth"] == "range" else " to ".join(map(_number, clamp["depth"]))
    return f"{depth}, {clamp['when']} the fit"


def _interpolation(spec: Mapping[str, Any]) -> str:
    how = spec["interpolation"]
    space = ", of inverse depth" if how["space"] == "disparity" else ""
    epsilon = f" (+{_number(how['epsilon'])})" if how["epsilon"] else ""
    return how["method"] + (", corners aligned" if how["align_corners"] else "") + space + epsilon


def _globs(patterns: list[str]) -> str:
    return ", ".join(f"`{pattern}`" for pattern in patterns)


def _number(value: float) -> str:
    return f"{value:g}"


_DOES = {
    "method": _method,
    "space": _unless_none("space"),
    "scope": _unless_none("scope"),
    "a disparity known up to scale and shift": _affine_disparity,
    "least disparity": _disparity,
    "clamp": _clamp,
    "negative factor": _unless_none("negative_scale"),
}
_LOOKS = {
    "depth range": _range,
    "crops": _crops,
    "masks": _masks,
    "least pixels": lambda spec: str(spec["alignment"]["min_pixels"]),
    "depth without a unit": lambda spec: spec["unit_unknown"],
    "interpolation": _interpolation,
}
_REPORTS = {
    "averaging": lambda spec: spec["averaging"],
    "metrics": lambda spec: ", ".join(name for name in METRICS if name in spec["metrics"]),
    "errors are divided by": lambda spec: (
        f"g + {_number(spec['error_epsilon'])} (AbsRel, median)" if spec["error_epsilon"] else "g"
    ),
}


def pages() -> dict[Path, str]:
    """Return every page made from the configuration of this repository."""
    import yaml

    from scopedepth.config.protocols import ProtocolSpec

    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    protocols = {
        name: {"name": name, **ProtocolSpec.model_validate(spec).model_dump(mode="json")}
        for name, spec in config["protocols"].items()
    }
    rows = json.loads((ROOT / "tests/conformance/table.json").read_text(encoding="utf-8"))
    return {
        ROOT / "docs/protocols.md": protocols_page(protocols, rows),
        ROOT / "docs/metrics.md": metrics_page(),
        ROOT / "docs/options.md": options_page(),
        ROOT / "docs/configuration.md": configuration_page(),
        ROOT / "docs/robustness.md": robustness_page(),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")
