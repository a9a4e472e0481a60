"""Which comparisons of models withstand the stated error of the reference.

The reference that was measured is the truth and one draw of its error. A further draw on top of it moves a difference
of two models about as far as the first one did: local error is reversed, 2 * observed - mean of redraws. What frames
share (calibration, pose) has a few dimensions and is not reversed: its draws are spread about what was observed. The
interval is the hull of both, with Student's quantile after Bonferroni over the pairs. docs/reference-error.md has the
derivation, and how often it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit

from scopedepth.statistics.average import sequence_weights
from scopedepth.statistics.comparisons import SIGNIFICANCE
from scopedepth.tables.io import read_table
from scopedepth.tables.redraws import REDRAWS
from scopedepth.vocabulary.reference import (
    FAILED_DRAWS,
    LOCAL,
    NO_TRUSTED,
    NOT_ASSESSED,
    OBSERVED,
    REDRAWN,
    RESOLVED,
    SHARED,
    TRUSTED,
    UNTRUSTED,
    WITHIN_ERROR,
    WITHIN_SAMPLING,
)

Row = dict[str, Any]
# A difference on trusted pixels is to be this share of that on all pixels at least.
MARGIN = 0.25
# Fewer draws say too little of a spread.
LEAST_DRAWS = 10


@dataclass(frozen=True)
class Redraws:
    """A model's metric: as it is, on trusted pixels, and for each draw of local and of shared error; NaN: none."""

    observed: float
    trusted: float
    local: np.ndarray
    shared: np.ndarray

    def less(self, other: Redraws) -> Redraws:
        """Return this less another model's, draw by draw."""
        return Redraws(
            self.observed - other.observed,
            self.trusted - other.trusted,
            self.local - other.local,
            self.shared - other.shared,
        )


@dataclass(frozen=True)
class Verdict:
    """What the reference's error leaves of a difference: its ends, and why it is not resolved (`RESOLVED`: it is)."""

    low: float
    high: float
    reason: str


def verdict(difference: float, drawn: Redraws, pairs: int) -> Verdict:
    """Return what the reference's error leaves of a difference, before sampling.

    difference: on all frames and pixels. drawn: on those that were looked at, as differences. pairs: compared at once.
    """
    draws = [one for one in (drawn.local, drawn.shared) if len(one)]
    known = [np.isfinite(one).sum() for one in draws]
    if not draws or min(known) < LEAST_DRAWS:
        return Verdict(np.nan, np.nan, FAILED_DRAWS)
    local, shared = (one[np.isfinite(one)] - drawn.observed for one in (drawn.local, drawn.shared))
    half = float(np.hypot(_half(local, pairs), _half(shared, pairs)))
    ends = (
        difference - (local.mean() if len(local) else 0.0),
        difference + (shared.mean() if len(shared) else 0.0),
    )
    low, high = float(min(ends) - half), float(max(ends) + half)
    if low <= 0 <= high:
        return Verdict(low, high, WITHIN_ERROR)
    # Edges, rims and what is far are where a stated error is least to be trusted.
    if np.isnan(drawn.trusted):
        return Verdict(low, high, NO_TRUSTED)
    agrees = drawn.trusted * np.sign(difference) >= MARGIN * abs(difference)
    return Verdict(low, high, RESOLVED if agrees else UNTRUSTED)


def _half(moved: np.ndarray, pairs: int) -> float:
    """Return half of the interval of one more draw, and of the mean of these; 0 without draws."""
    n = len(moved)
    if n == 0:
        return 0.0
    factor = stdtrit(n - 1, 1 - SIGNIFICANCE / (2 * max(pairs, 1)))
    return float(factor * moved.std(ddof=1) * np.sqrt(1 + 1 / n))


def reference_rows(
    comparisons: Iterable[Row], protocols: Mapping[str, Any], redraws: Sequence[Path]
) -> list[Row]:
    """Return the rows of the table `reference`: of the comparisons of datasets that have redraws.

    comparisons: the rows of that table. redraws: tables of `tables.redraws`.
    """
    drawn = read_redraws(redraws, {name: spec["averaging"] for name, spec in protocols.items()})
    assessed = {dataset for dataset, *_ in drawn}
    compared = [row for row in comparisons if row["metric"] in REDRAWN and row["dataset"] in assessed]
    counts: dict[tuple[str, str, str], int] = {}
    for row in compared:
        key = row["dataset"], row["protocol"], row["metric"]
        counts[key] = counts.get(key, 0) + (row.get("difference") is not None)
    rows = []
    for row in compared:
        dataset, protocol, metric = row["dataset"], row["protocol"], row["metric"]
        made: Row = {
            **{name: row[name] for name in ("dataset", "protocol", "metric", "model_a", "model_b")},
            "difference": row.get("difference"), "resolvable": False, "reason": row["status"],
        }  # fmt: skip
        sides = [drawn.get((dataset, row[model], protocol, metric)) for model in ("model_a", "model_b")]
        if row.get("difference") is not None:
            made["reason"] = NOT_ASSESSED
            if sides[0] is not None and sides[1] is not None:
                made |= _judged(row, sides[0].less(sides[1]), counts[dataset, protocol, metric])
        rows.append(made)
    return rows


def _judged(row: Row, drawn: Redraws, pairs: int) -> Row:
    found = verdict(row["difference"], drawn, pairs)
    sampled = row["p_holm"] is not None and row["p_holm"] < SIGNIFICANCE
    reason = WITHIN_SAMPLING if found.reason == RESOLVED and not sampled else found.reason
    ends = {"reference_low": found.low, "reference_high": found.high, "trusted_difference": drawn.trusted}
    return {
        **{name: None if np.isnan(end) else float(end) for name, end in ends.items()},
        "resolvable": reason == RESOLVED,
        "reason": reason,
    }


def read_redraws(
    paths: Sequence[Path], averaging: Mapping[str, str]
) -> dict[tuple[str, str, str, str], Redraws]:
    """Return the redraws by dataset, model, protocol and metric, averaged over sequences as protocols say."""
    tables: dict[tuple[str, str, str], list[Row]] = {}
    for path in paths:
        for row in read_table(path, schema=REDRAWS).to_pylist():
            if row["n_looked_at"]:
                tables.setdefault((row["dataset"], row["model"], row["protocol"]), []).append(row)
    found = {}
    for (dataset, model, protocol), rows in tables.items():
        for metric in REDRAWN:
            values: dict[tuple[str, int], float] = {}
            by_draw: dict[tuple[str, int], list[Row]] = {}
            for row in rows:
                by_draw.setdefault((row["part"], row["draw"]), []).append(row)
            for key, every in by_draw.items():
                values[key] = _mean(every, metric, averaging[protocol])
            if np.isfinite(values[OBSERVED, 0]):
                found[dataset, model, protocol, metric] = Redraws(
                    values[OBSERVED, 0],
                    values[TRUSTED, 0],
                    *(
                        np.array([values[key] for key in sorted(values) if key[0] == part])
                        for part in (LOCAL, SHARED)
                    ),
                )
    return found


def _mean(rows: Sequence[Row], metric: str, averaging: str) -> float:
    """Return the mean over sequences, whose parts may stand in several rows; NaN where one has no number."""
    sequences: dict[str, list[Row]] = {}
    for row in rows:
        sequences.setdefault(row["sequence"], []).append(row)
    counts = np.array([sum(row["n_frames"] for row in parts) for parts in sequences.values()], np.float64)
    means = []
    for parts in sequences.values():
        values = [np.nan if row[metric] is None else row[metric] for row in parts]
        means.append(np.average(values, weights=[row["n_frames"] for row in parts]))
    return float(np.dot(sequence_weights(counts, averaging), means))
