"""What corruptions do to a ranking: scores against severity, mCE, mRR and DERS, what costs the first place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scopedepth.statistics.analysis import Analysis, estimate
from scopedepth.statistics.panel import Panel
from scopedepth.vocabulary.corruptions import SEVERITIES

Row = dict[str, Any]
CLEAN = "clean"
# What DEE is made of.
ERROR, ACCURACY = "abs_rel", "delta1"
# What DERS is made of: errors, and accuracies with their weights.
DERS_ERRORS = ("abs_rel", "sq_rel", "rmse", "rmse_log")
DERS_ACCURACIES = {"delta1": 0.5, "delta2": 0.3, "delta3": 0.2}
DERS_METRICS = (*DERS_ERRORS, *DERS_ACCURACIES)
OK = "ok"
# Why there is no DERS, beside the statuses of values: a metric or a severity is not computed; a division by zero.
NO_METRIC, NO_SEVERITY, UNDEFINED = "no_metric", "no_severity", "undefined"


@dataclass(frozen=True)
class Corrupted:
    """The corrupted view of a dataset."""

    view: str
    kind: str
    severity: int


def corrupted_of(study: Mapping[str, Any], dataset: str) -> list[Corrupted]:
    """Return a dataset's corrupted views in a study."""
    stated = (study.get("robustness") or {}).get("views", {})
    return [
        Corrupted(view, one["kind"], one["severity"])
        for view, one in stated.items()
        if one["dataset"] == dataset
    ]


def robustness_rows(
    study: Mapping[str, Any],
    protocol: Mapping[str, Any],
    metric: str,
    clean: Panel,
    views: Sequence[tuple[Corrupted, Panel]],
    analysed: Callable[[Panel], tuple[Analysis, Sequence[str]]],
) -> list[Row]:
    """Return the rows of the table `robustness` for one metric of one dataset under one protocol.

    clean, views: all models on the frames as they are, and as the views show them. `analysed` returns a panel's
    statistics and what is said of each model's value. Intervals of the views are drawn as those of the clean frames.
    """
    rows: list[Row] = []
    first = Corrupted(clean.dataset, CLEAN, 0)
    for corrupted, shown in [(first, clean), *views]:
        panel = replace(shown, dataset=clean.dataset)
        analysis, statuses = analysed(panel)
        changes: list[Row] = [{} for _ in panel.models]
        if corrupted.kind != CLEAN:
            changes = _changes(study, protocol, panel.values[metric] - clean.values[metric], clean)
        for index, model in enumerate(panel.models):
            row: Row = {
                "dataset": clean.dataset, "kind": corrupted.kind, "severity": corrupted.severity,
                "view": corrupted.view, "model": model, "protocol": clean.protocol, "metric": metric,
                "n_frames": int(analysis.n_frames[index]), "status": statuses[index],
            }  # fmt: skip
            found = analysis.estimates[index]
            if found is not None:
                row |= _ends("", found.value[0], found.low[0], found.high[0])
            if analysis.complete[index]:
                ranking = analysis.ranking
                row |= {
                    "rank_by_value": int(ranking.rank[index]),
                    "rank_low": int(ranking.low[index]),
                    "rank_high": int(ranking.high[index]),
                }
            rows.append(row | (changes[index] if found is not None else {}))
    return rows


def _changes(
    study: Mapping[str, Any], protocol: Mapping[str, Any], series: np.ndarray, clean: Panel
) -> list[Row]:
    """Return the mean of each series of differences (model, frame) with its interval; nothing of one without any."""
    drawn = study["bootstrap"]["replicates"], study["bootstrap"]["seed"]
    rows: list[Row] = [{} for _ in series]
    known = ~np.isnan(series)
    # Those with the same frames together.
    masks, which = np.unique(known, axis=0, return_inverse=True)
    for number, mask in enumerate(masks):
        alike = np.flatnonzero(which.ravel() == number)
        if mask.any():
            found = estimate(clean, series[alike], mask, protocol["averaging"], *drawn)
            for place, model in enumerate(alike):
                rows[model] = _ends("change", found.value[place], found.low[place], found.high[place])
    return rows


def _ends(name: str, value: float, low: float, high: float) -> Row:
    names = (name or "value", f"{name}_ci_low".lstrip("_"), f"{name}_ci_high".lstrip("_"))
    return {
        key: None if np.isnan(number) else float(number)
        for key, number in zip(names, (value, low, high), strict=True)
    }


# mCE and mRR, after RoboDepth; DERS.


def depth_estimation_error(abs_rel: float, delta1: float) -> float:
    """Return RoboDepth's DEE of one set of frames: (AbsRel - delta1 + 1) / 2."""
    return (abs_rel - delta1 + 1) / 2


def corruption_error(error: Sequence[float], baseline: Sequence[float]) -> float:
    """Return CE of one kind, percent: the sum of DEE over the severities by that of the baseline."""
    return 100 * sum(error) / sum(baseline)


def resilience_rate(error: Sequence[float], clean: float) -> float:
    """Return RR of one kind, percent: the mean over the severities of 1 - DEE, by 1 - DEE of the clean frames."""
    return 100 * sum(1 - one for one in error) / (len(error) * (1 - clean))


def robustness_score(found: Sequence[Mapping[str, float]]) -> float | None:
    """Return DERS of one kind, E / A exp(-R), as a public implementation computes it; None where E or A has no number.

    found: the seven metrics (`DERS_METRICS`, with a unit: mm) at severities 0 to 5, 0 being the clean frames.
    E: sum over the errors of the mean of severities 1 to 5 by that of the clean frames. A: the accuracies' means over
    severities 0 to 5, weighted. R: mean over the seven of the standard deviation (population) over severities 1 to 5.

    Not monotone: worse errors and accuracies raise it, and a wider spread lowers it, so neither direction is better.
    Named by Wang et al. (arXiv 2409.16063), whose formula was not at hand.
    """
    of = {name: [one[name] for one in found] for name in DERS_METRICS}
    accuracy = sum(weight * math.fsum(of[name]) / len(found) for name, weight in DERS_ACCURACIES.items())
    if not accuracy > 0 or any(of[name][0] <= 0 for name in DERS_ERRORS):
        return None
    error = sum(math.fsum(of[name][1:]) / (len(found) - 1) / of[name][0] for name in DERS_ERRORS)
    spread = sum(float(np.std(of[name][1:])) for name in DERS_METRICS) / len(DERS_METRICS)
    return error / accuracy * math.exp(-spread)


def resilience_rows(rows: Iterable[Row], baseline: str) -> list[Row]:
    """Return the rows of the table `resilience` from those of `robustness`.

    One a dataset, protocol and model, where the protocol has both metrics of DEE. A model that lacks a value under one
    severity has no number, and all of them lack mCE where the baseline does. A CE whose baseline has no error, and an
    RR whose model has no accuracy to lose, are null. DERS needs more metrics and all severities: `ders_status`.
    """
    values: dict[tuple[str, str, str], dict[tuple[str, int], dict[str, Row]]] = {}
    for row in rows:
        if row["metric"] in DERS_METRICS:
            of_model = values.setdefault((row["dataset"], row["protocol"], row["model"]), {})
            of_model.setdefault((row["kind"], row["severity"]), {})[row["metric"]] = row
    errors = {key: _errors(found) for key, found in values.items()}
    made = []
    for (dataset, protocol, model), (own, status) in errors.items():
        against, _ = errors.get((dataset, protocol, baseline), ({}, ""))
        if own is None:
            continue
        at = values[dataset, protocol, model]
        kinds = list(dict.fromkeys(kind for kind, _ in at if kind != CLEAN))
        severities = sorted({severity for _, severity in at} - {0})
        row = {
            "dataset": dataset, "protocol": protocol, "model": model, "baseline": baseline, "kinds": kinds,
            "severities": severities, "status": status, **_ders(at, kinds),
        }  # fmt: skip
        if status == OK:
            clean = own[CLEAN, 0]
            by_kind = {kind: [own[kind, severity] for severity in severities] for kind in kinds}
            ce: list[float | None] = [None] * len(kinds)
            if against:
                of_baseline = [[against[kind, severity] for severity in severities] for kind in kinds]
                ce = [
                    corruption_error(by_kind[kind], base) if sum(base) > 0 else None
                    for kind, base in zip(kinds, of_baseline, strict=True)
                ]
            rr = [resilience_rate(by_kind[kind], clean) if clean < 1 else None for kind in kinds]
            row |= {
                "dee_clean": clean,
                "dee": [sum(one) / len(one) for one in by_kind.values()],
                "ce": ce,
                "rr": rr,
                "mce": _mean(ce),
                "mrr": _mean(rr),
            }
        made.append(row)
    return made


def _errors(
    found: Mapping[tuple[str, int], Mapping[str, Row]],
) -> tuple[dict[tuple[str, int], float] | None, str]:
    """Return DEE by kind and severity, and ok or why it lacks; None where a protocol lacks one of its metrics."""
    errors = {}
    for key, by_metric in found.items():
        if not by_metric.keys() >= {ERROR, ACCURACY}:
            return None, ""
        for row in (by_metric[ERROR], by_metric[ACCURACY]):
            if row["status"] != OK:
                return {}, str(row["status"])
        errors[key] = depth_estimation_error(by_metric[ERROR]["value"], by_metric[ACCURACY]["value"])
    return errors, OK


def _ders(found: Mapping[tuple[str, int], Mapping[str, Row]], kinds: Sequence[str]) -> Row:
    """Return the columns of DERS, from rows by kind and severity and by metric: numbers, or why there are none."""
    at = {kind: [(CLEAN, 0), *((kind, severity) for severity in SEVERITIES)] for kind in kinds}
    every = [key for keys in at.values() for key in keys]
    if any(key not in found for key in every):
        return {"ders_status": NO_SEVERITY}
    if any(name not in found[key] for key in every for name in DERS_METRICS):
        return {"ders_status": NO_METRIC}
    statuses = [str(found[key][name]["status"]) for key in every for name in DERS_METRICS]
    if lacks := next((status for status in statuses if status != OK), None):
        return {"ders_status": lacks}
    each = [
        robustness_score([{name: found[key][name]["value"] for name in DERS_METRICS} for key in keys])
        for keys in at.values()
    ]
    whole = _mean(each)
    return {"ders_by_kind": each, "ders": whole, "ders_status": OK if whole is not None else UNDEFINED}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if values and len(known) == len(values) else None


# What costs the first place.


@dataclass(frozen=True)
class FirstPlace:
    """How long the best model of the clean frames stays the best as one kind of corruption grows.

    kept: the greatest severity up to which it is first, 0 for none. lost: the first severity at which it is not, None
    where it is at all that were looked at; to: who is first there. beaten: the first severity at which another model is
    significantly better, None where none is.
    """

    kind: str
    winner: str
    kept: int
    lost: int | None
    to: str
    beaten: int | None


def first_places(rows: Sequence[Row]) -> list[FirstPlace]:
    """Return what each kind does to the first place, from the rows of one dataset, protocol and metric.

    Nothing where no model is ranked on the clean frames. A winner that is not ranked at a severity is not first there.
    """
    ranked = {(row["kind"], row["severity"], row["model"]): row for row in rows if row.get("rank_by_value")}
    first = {
        (kind, severity): model
        for (kind, severity, model), row in reversed(ranked.items())
        if row["rank_by_value"] == 1
    }
    winner = first.get((CLEAN, 0))
    if winner is None:
        return []
    found = []
    for kind in dict.fromkeys(row["kind"] for row in rows if row["kind"] != CLEAN):
        severities = sorted({row["severity"] for row in rows if row["kind"] == kind})
        own = {severity: ranked.get((kind, severity, winner)) for severity in severities}
        lost = next((at for at, row in own.items() if row is None or row["rank_by_value"] > 1), None)
        beaten = next((at for at, row in own.items() if row is not None and row["rank_low"] > 1), None)
        kept = max((at for at in severities if lost is None or at < lost), default=0)
        to = "" if lost is None else first.get((kind, lost), "")
        found.append(FirstPlace(kind, winner, kept, lost, to, beaten))
    return found
