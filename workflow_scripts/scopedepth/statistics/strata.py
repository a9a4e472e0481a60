"""Where models fail: values by strata of the image, each against the model's own whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from scopedepth.statistics.analysis import estimate
from scopedepth.statistics.average import sequence_weights
from scopedepth.statistics.comparisons import SIGNIFICANCE, holm, two_sided_p
from scopedepth.statistics.panel import Panel, group_paths, sequence_names
from scopedepth.tables.frames import STRATA_SUMS, STRATUM_SUMS
from scopedepth.tables.io import read_table
from scopedepth.vocabulary.metrics import METRICS
from scopedepth.vocabulary.strata import STRATA, WEIGHTED

Row = dict[str, Any]
# A frame says something of a stratum that has this share of its pixels or more.
LEAST_SHARE = 0.001

Means = Mapping[str, np.ndarray]
# Each metric of a set of pixels from the means of what is summed over them (evaluation.metrics.pixel_metrics).
FORMULAS: dict[str, Callable[[Means], np.ndarray]] = {
    "abs_rel": lambda means: means["relative"],
    "rmse": lambda means: np.sqrt(means["square"]),
    "mae": lambda means: means["absolute"],
    "delta1": lambda means: means["within"],
}


def strata_metrics(protocol: Mapping[str, Any], metrics: Iterable[str]) -> list[str]:
    """Return those of some metrics that have values by strata: what sums over pixels give, as the protocol has it."""
    left_out = {"abs_rel"} if protocol["error_epsilon"] else set()
    return [name for name in metrics if name in FORMULAS and name not in left_out]


class StrataPanel:
    """The sums of all models on the frames of a panel: `n` (stratum, model, frame), sums by name alike.

    `paths`: tables of STRATA_SUMS by model, of the panel's dataset and protocol. Frames without a row have 0 pixels.
    """

    def __init__(self, panel: Panel, paths: Mapping[str, Sequence[Path]]) -> None:
        shape = len(STRATA), len(panel.models), panel.n_frames
        self.panel = panel
        self.n = np.zeros(shape)
        self.sums = {name: np.zeros(shape) for name in STRATUM_SUMS}
        place = {stratum: number for number, stratum in enumerate(STRATA)}
        sequence = {name: number for number, name in enumerate(panel.sequences)}
        for row, model in enumerate(panel.models):
            for path in paths.get(model, ()):
                table = read_table(path, schema=STRATA_SUMS)
                if not table.num_rows:
                    continue
                of_sequence = np.array([sequence[name] for name in sequence_names(table)])
                strata = zip(
                    *(table[key].cast(pa.string()).to_pylist() for key in ("partition", "stratum")),
                    strict=True,
                )
                which = np.array([place[stratum] for stratum in strata])
                at = _places(panel, of_sequence, table["frame"].to_numpy())
                self.n[which, row, at] = table["n_pixels"].to_numpy()
                for name, sums in self.sums.items():
                    sums[which, row, at] = table[name].to_numpy()

    def values(self, metric: str) -> np.ndarray:
        """Return a metric of each frame's strata, (stratum, model, frame), NaN where there is none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            values = FORMULAS[metric]({name: sums / self.n for name, sums in self.sums.items()})
        values[~np.isfinite(values)] = np.nan
        return values

    def shares(self) -> np.ndarray:
        """Return the share of the frame's pixels that each stratum has, (stratum, model, frame); NaN without any."""
        return np.divide(self.n, self.n[0], out=np.full_like(self.n, np.nan), where=self.n[0] > 0)


def _places(panel: Panel, sequence: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Return the places in a panel of some frames, which it has."""
    own = np.repeat(np.arange(len(panel.sequences)), np.diff(panel.starts)).astype(np.int64)
    keys = own << 32 | panel.frames
    found: np.ndarray = np.searchsorted(keys, sequence.astype(np.int64) << 32 | frame)
    return found


def by_model(paths: Sequence[Path]) -> dict[tuple[str, str], dict[str, list[Path]]]:
    """Return tables of strata by dataset and protocol, and by model. Tables without a row are left out."""
    found: dict[tuple[str, str], dict[str, list[Path]]] = {}
    full = [path for path in paths if read_table(path, ["frame"], STRATA_SUMS).num_rows]
    for (dataset, model, protocol), of_cell in group_paths(full, STRATA_SUMS).items():
        found.setdefault((dataset, protocol), {})[model] = of_cell
    return found


def strata_rows(
    study: Mapping[str, Any], protocol: Mapping[str, Any], metrics: Sequence[str], strata: StrataPanel
) -> list[Row]:
    """Return the rows of the table `strata` for one dataset and protocol.

    A row a metric, model and stratum that some frame has enough pixels of; p values are adjusted over all models and
    strata of a metric.
    """
    rows = []
    for metric in strata_metrics(protocol, metrics):
        made = _metric_rows(study, protocol, metric, strata)
        adjusted = holm(np.array([row.pop("p", np.nan) for row in made]))
        for row, p in zip(made, adjusted, strict=True):
            rows.append(row | {"p_holm": _number(p)})
    return rows


def _metric_rows(
    study: Mapping[str, Any], protocol: Mapping[str, Any], metric: str, strata: StrataPanel
) -> list[Row]:
    panel, averaging = strata.panel, protocol["averaging"]
    values, shares = strata.values(metric), strata.shares()
    known = ~np.isnan(values) & ~np.isnan(values[:1]) & (shares >= LEAST_SHARE)
    series: dict[bytes, list[tuple[int, int]]] = {}
    for number, model in np.argwhere(known.any(axis=2)):
        series.setdefault(known[number, model].tobytes(), []).append((int(number), int(model)))
    found: dict[tuple[int, int], Row] = {}
    for mask, cells in series.items():
        frames = np.frombuffer(mask, bool)
        own = np.stack([values[cell] for cell in cells])
        whole = np.stack([values[0, model] for _, model in cells])
        of_own, of_whole = (_mean(panel, one, frames, averaging) for one in (own, whole))
        ratio = np.divide(of_own, of_whole, out=np.full(len(cells), np.nan), where=of_whole > 0)
        # A ratio of means, linear in the frames about its value: their mean is the ratio (Cochran, Sampling
        # Techniques, 1977, ch. 6).
        with np.errstate(invalid="ignore", divide="ignore"):
            linear = ratio[:, None] + (own - ratio[:, None] * whole) / of_whole[:, None]
        linear[np.isnan(ratio)] = 0.0
        drawn = study["bootstrap"]["replicates"], study["bootstrap"]["seed"]
        both = estimate(panel, np.concatenate([own, linear]), frames, averaging, *drawn)
        p = two_sided_p(both.value - 1, both.error, both.df)
        for place, (number, model) in enumerate(cells):
            partition, stratum = STRATA[number]
            share = float(_mean(panel, shares[number, [model]], ~np.isnan(shares[0, model]), averaging)[0])
            row: Row = {
                "dataset": panel.dataset, "model": panel.models[model], "protocol": panel.protocol, "metric": metric,
                "partition": partition, "stratum": stratum, "pixel_share": share, "n_frames": int(frames.sum()),
                "n_pixels": int(strata.n[number, model].sum()), "value": _number(both.value[place]),
                "ci_low": _number(both.low[place]), "ci_high": _number(both.high[place]),
            }  # fmt: skip
            at = len(cells) + place
            # A stratum that has all pixels is the whole: there is nothing to test.
            weighted = STRATA[number] == WEIGHTED
            is_whole = row["n_pixels"] == int(strata.n[0, model].sum()) and not weighted
            if not is_whole and not np.isnan(ratio[place]):
                row |= {
                    "ratio": _number(ratio[place]), "ratio_ci_low": _number(both.low[at]),
                    "ratio_ci_high": _number(both.high[at]),
                }  # fmt: skip
                # Weights are no place where a model could fail.
                if not weighted:
                    worse = -1 if METRICS[metric].higher_is_better else 1
                    row |= {"p": p[at], "excess": _number(worse * share * (ratio[place] - 1))}
            found[number, model] = row
    return [found[key] for key in sorted(found, key=lambda key: key[::-1])]


def _mean(panel: Panel, series: np.ndarray, frames: np.ndarray, averaging: str) -> np.ndarray:
    """Return the mean of each of `series` (series, frame) on the frames where `frames`, as the protocol averages."""
    counts = np.add.reduceat(frames.astype(np.float64), panel.starts[:-1])
    sums = np.add.reduceat(np.where(frames, series, 0.0), panel.starts[:-1], axis=1)
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    mean: np.ndarray = (means * sequence_weights(counts, averaging)).sum(axis=1)
    return mean


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def named_first(rows: Iterable[Row]) -> Row | None:
    """Return, of one model's rows of one metric, the stratum to name first; None where none is significantly worse.

    Of the strata that are significantly worse than the whole, the one with the greatest excess. The excess of a
    stratum, share * (ratio - 1), is the covariance of being in it with the error, by the whole's error: of a weakness
    that is one stratum's own, it is greatest for that stratum, and less for any that holds it or lies in it.
    """
    worse = [
        row
        for row in rows
        if (row.get("excess") or 0) > 0 and row["p_holm"] is not None and row["p_holm"] < SIGNIFICANCE
    ]
    return max(worse, key=lambda row: row["excess"], default=None)
