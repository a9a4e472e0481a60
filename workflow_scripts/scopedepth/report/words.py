"""Numbers and lists as words, the same way everywhere in the report and in the tables for papers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scopedepth.statistics.drift import SUMMARY_METRICS

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

NOTHING = "–"
# More names than this are counted, not listed: a table has them.
FEW = 4

_DECIMALS = {"1": 3, "mm": 2, "1/mm": 5, "%": 2, "deg": 2}


def decimals(metric: str) -> int:
    """Return how many decimals a metric is printed with."""
    if metric == "silog":  # a hundredfold ratio
        return 2
    known = SUMMARY_METRICS.get(metric)
    return _DECIMALS.get(known.unit, 3) if known else 3


def metric_label(metric: str) -> str:
    """Return what people call a metric."""
    known = SUMMARY_METRICS.get(metric)
    return known.label if known else metric


def metric_unit(metric: str) -> str:
    """Return a metric's unit, empty for a pure number."""
    known = SUMMARY_METRICS.get(metric)
    return known.unit if known and known.unit != "1" else ""


def higher_is_better(metric: str) -> bool:
    """Return a metric's direction."""
    known = SUMMARY_METRICS.get(metric)
    return bool(known and known.higher_is_better)


# Options of a model that decide what its network sees of a frame.
_INPUT = (
    "height",
    "width",
    "multiple",
    "mean",
    "std",
    "scale",
    "channels",
    "resample",
    "centred",
    "flip",
    "processor",
)
_MAKERS = {"hub": "the Hub's processor", "authors": "the authors' own"}


def preprocessing(spec: specs.Model) -> str:
    """Return in a phrase how a model's frames are made ready for it, from its spec."""
    family, options = spec.get("family"), spec.get("options") or {}
    if family in ("baseline", "python"):
        return "none" if family == "baseline" else "its own code"
    # Without the option, a checkpoint of the Hub is fed as the Hub says.
    chosen = options.get("preprocessing") or ("hub" if family == "transformers" else "")
    own = [f"{name} {_plain(options[name])}" for name in _INPUT if options.get(name) not in (None, {}, [])]
    return ", ".join([_MAKERS.get(chosen, f"as the family {family} does it"), *own])


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return "with " + " and ".join(f"{name} {_plain(one)}" for name, one in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def number(value: float | None, places: int = 3) -> str:
    """Return a number with fixed decimals, a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    text = f"{value:.{places}f}"
    # A minus that rounding has emptied says nothing.
    return (text[1:] if text.startswith("-") and not text.strip("-0.") else text).replace("-", "−")


def metric_value(value: float | None, metric: str) -> str:
    """Return a metric's value with the metric's own number of decimals."""
    return number(value, decimals(metric))


def interval(low: float | None, high: float | None, metric: str) -> str:
    """Return ``0.06 to 0.08``, or a dash."""
    if low is None or high is None:
        return NOTHING
    return f"{metric_value(low, metric)} to {metric_value(high, metric)}"


def significant(value: float | None, digits: int = 3) -> str:
    """Return a number with so many significant digits and no exponent where people would not write one."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size >= 6 or size < -5:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    return f"{round(value, digits - 1 - size):,.{max(0, digits - 1 - size)}f}".replace("-", "−")


def milliseconds(value: float | None) -> str:
    """Return a duration with three significant digits, in ms."""
    return NOTHING if value is None else f"{significant(value)} ms"


def count(value: int | None) -> str:
    """Return an integer with a comma at the thousands."""
    return NOTHING if value is None else f"{value:,}"


def parameters(value: int | None) -> str:
    """Return a count of parameters as people say it: 24.8 M."""
    if value is None:
        return NOTHING
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{significant(value / size)} {letter}"
    return str(value)


def p_value(value: float | None) -> str:
    """Return a p value; small ones as a bound."""
    if value is None:
        return NOTHING
    return "< 0.001" if value < 0.001 else number(value, 3)


def listed(items: Sequence[str], last: str = "and") -> str:
    """Return ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def plural(n: int, one: str, many: str | None = None) -> str:
    """Return ``1 frame``, ``3 frames``."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def small(n: int) -> str:
    """Return a small count in letters."""
    return _SMALL[n] if 0 <= n < len(_SMALL) else str(n)


def stated_words(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a dataset states of its reference's error, and the source of each part; empty: not assessed."""
    error = spec.get("reference_error") or {}
    found = []
    for kind, unit in (("disparity", "px"), ("depth", "mm")):
        if law := error.get(kind):
            size = (
                f"σ {law['sigma']:g} {unit}"
                if law["sigma"]
                else plural(len(law["classes"]), "class", "classes")
            )
            blocks = f", in blocks of {law['grain']} px" if law["grain"] > 1 else ""
            found.append((f"{kind} of each pixel: {size}{blocks}", law["source"]))
    units = {"disparity": "px", "depth": "mm"}
    if steps := error.get("quantisation"):
        found.append((f"{steps['of']} in steps of {steps['step']:g} {units[steps['of']]}", steps["source"]))
    if shared := error.get("calibration"):
        unit = units[shared["of"]]
        said = f"off by σ {shared['offset']:g} {unit}, tilted by σ {shared['tilt']:g} {unit}"
        found.append((f"calibration: {shared['of']} {said}", shared["source"]))
    if shared := error.get("registration"):
        said = f"registration: shifted by σ {shared['shift']:g} px, turned by σ {shared['rotation']:g}°"
        found.append((said, shared["source"]))
    if shared := error.get("drift"):
        said = f"drift a frame: depth by σ {shared['depth']:g} mm, shift by σ {shared['shift']:g} px"
        found.append((said, shared["source"]))
    return found
