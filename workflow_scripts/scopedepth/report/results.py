"""Everything a report is made from, read once and looked up by name.

A combination without a row is simply not found (`None`): nothing here fills a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from scopedepth.report.coverage import low_coverage
from scopedepth.report.words import higher_is_better
from scopedepth.statistics.drift import SUMMARY_METRICS
from scopedepth.tables.io import read_table
from scopedepth.tables.study import FRAMES, STUDY_TABLES
from scopedepth.vocabulary.lineage import MARKS, NONE, legend
from scopedepth.vocabulary.units import dataset_of

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

Row = dict[str, Any]


@dataclass(frozen=True)
class Results:
    """A study's specs, its tables and where its stores lie."""

    study: specs.Study
    datasets: Mapping[str, specs.Dataset]
    models: Mapping[str, specs.Model]
    protocols: Mapping[str, specs.Protocol]
    tables: Mapping[str, Path]
    stores: Mapping[str, Path] = field(default_factory=dict)
    predictions: Mapping[tuple[str, str], Path] = field(default_factory=dict)
    records: Sequence[Path] = ()

    # What the study is about.

    @property
    def protocol(self) -> str:
        """The headline protocol."""
        return str(self.study["headline"]["protocol"])

    @property
    def metric(self) -> str:
        """The headline metric."""
        return str(self.study["headline"]["metric"])

    @property
    def dataset_names(self) -> list[str]:
        return [name for name in self.study["datasets"] if name in self.datasets]

    @property
    def model_names(self) -> list[str]:
        """The models in the study's order, trivial baselines last."""
        names = [name for name in self.study["models"] if name in self.models]
        return sorted(names, key=self.is_baseline)

    @property
    def protocol_names(self) -> list[str]:
        """The protocols in the study's order, the headline's first."""
        names = [name for name in self.study["protocols"] if name in self.protocols]
        return sorted(names, key=lambda name: name != self.protocol)

    @cached_property
    def metric_names(self) -> list[str]:
        """The metrics that were summarised, the headline's first."""
        found = {row["metric"] for row in self.summary}
        known = [name for name in SUMMARY_METRICS if name in found]
        return sorted(known + sorted(found - set(known)), key=lambda name: name != self.metric)

    def is_baseline(self, model: str) -> bool:
        """Whether a model is one of the trivial ones that every table shows for comparison."""
        return self.models[model].get("family") == "baseline"

    @cached_property
    def networks(self) -> list[str]:
        return [name for name in self.model_names if not self.is_baseline(name)]

    def title(self, kind: str, name: str) -> str:
        """Return the title of a dataset, model or protocol; its name where it has none."""
        entries: Mapping[str, Any] = getattr(self, kind)
        return str(entries.get(name, {}).get("title") or name)

    def model_title(self, name: str) -> str:
        return self.title("models", name)

    def dataset_title(self, name: str) -> str:
        return self.title("datasets", name)

    def protocol_words(self, name: str) -> str:
        """Return what a protocol does, in a line. It is called by its name: this is too long for a label."""
        return self.title("protocols", name)

    def units_of(self, dataset: str) -> list[str]:
        """Return the units of a dataset that have a place for a store."""
        return [unit for unit in self.stores if dataset_of(unit) == dataset]

    # Rows of the tables.

    @cached_property
    def summary(self) -> list[Row]:
        return read_table(self.tables["summary"], schema=STUDY_TABLES["summary"]).to_pylist()

    @cached_property
    def comparisons(self) -> list[Row]:
        return read_table(self.tables["comparisons"], schema=STUDY_TABLES["comparisons"]).to_pylist()

    @cached_property
    def ranks(self) -> list[Row]:
        return read_table(self.tables["ranks"], schema=STUDY_TABLES["ranks"]).to_pylist()

    @cached_property
    def sensitivity(self) -> list[Row]:
        return read_table(self.tables["sensitivity"], schema=STUDY_TABLES["sensitivity"]).to_pylist()

    @cached_property
    def depth_error(self) -> list[Row]:
        return read_table(self.tables["depth_error"], schema=STUDY_TABLES["depth_error"]).to_pylist()

    @cached_property
    def drift(self) -> list[Row]:
        return read_table(self.tables["drift"], schema=STUDY_TABLES["drift"]).to_pylist()

    @cached_property
    def robustness(self) -> list[Row]:
        return read_table(self.tables["robustness"], schema=STUDY_TABLES["robustness"]).to_pylist()

    @cached_property
    def resilience(self) -> list[Row]:
        return read_table(self.tables["resilience"], schema=STUDY_TABLES["resilience"]).to_pylist()

    @cached_property
    def reference(self) -> list[Row]:
        return read_table(self.tables["reference"], schema=STUDY_TABLES["reference"]).to_pylist()

    @cached_property
    def strata(self) -> list[Row]:
        return read_table(self.tables["strata"], schema=STUDY_TABLES["strata"]).to_pylist()

    @cached_property
    def timing(self) -> list[Row]:
        return read_table(self.tables["timing"], schema=STUDY_TABLES["timing"]).to_pylist()

    def frames(self, columns: Sequence[str], **where: str) -> pa.Table:
        """Return columns of the frames' table where key columns have the values asked for."""
        keys = ["dataset", "sequence", "frame", "model", "protocol", "status"]
        wanted = list(dict.fromkeys([*keys, *columns]))
        # Read once for each choice of columns: the table holds every frame of every model and protocol.
        cache: dict[tuple[str, ...], pa.Table] = self.__dict__.setdefault("_frames", {})
        if tuple(wanted) not in cache:
            cache[tuple(wanted)] = read_table(self.tables["frames"], wanted, FRAMES)
        table = cache[tuple(wanted)]
        for key, value in where.items():
            # Decoded first: a dictionary column cannot be compared with a string in every version.
            table = table.filter(pc.equal(pc.cast(table[key], pa.string()), value))
        return table

    @cached_property
    def low_coverage(self) -> dict[tuple[str, str], float]:
        """By dataset and model the mean coverage under the headline's protocol, where it is low."""
        return low_coverage(self.frames(["coverage"], protocol=self.protocol))

    @cached_property
    def _summary_index(self) -> dict[tuple[str, str, str, str], Row]:
        return {(r["dataset"], r["model"], r["protocol"], r["metric"]): r for r in self.summary}

    @cached_property
    def tested(self) -> dict[tuple[str, str], set[frozenset[str]]]:
        """The pairs of models that were tested by the headline's metric, by dataset and protocol."""
        found: dict[tuple[str, str], set[frozenset[str]]] = {}
        metric = self.metric
        for row in self.comparisons:
            if row["metric"] == metric and row["p_holm"] is not None:
                pair = frozenset((row["model_a"], row["model_b"]))
                found.setdefault((row["dataset"], row["protocol"]), set()).add(pair)
        return found

    @cached_property
    def metrics_by_protocol(self) -> dict[str, set[str]]:
        """The metrics that each protocol has rows for."""
        found: dict[str, set[str]] = {}
        for row in self.summary:
            found.setdefault(row["protocol"], set()).add(row["metric"])
        return found

    @cached_property
    def _rank_index(self) -> dict[tuple[str, str, str, str], Row]:
        return {(r["dataset"], r["model"], r["protocol"], r["metric"]): r for r in self.ranks}

    def score(
        self, dataset: str, model: str, protocol: str | None = None, metric: str | None = None
    ) -> Row | None:
        """Return a row of the summary; the headline's protocol and metric where none is named."""
        return self._summary_index.get((dataset, model, protocol or self.protocol, metric or self.metric))

    def rank(
        self, dataset: str, model: str, protocol: str | None = None, metric: str | None = None
    ) -> Row | None:
        """Return a row of the ranks; the headline's protocol and metric where none is named."""
        return self._rank_index.get((dataset, model, protocol or self.protocol, metric or self.metric))

    def value(
        self, dataset: str, model: str, protocol: str | None = None, metric: str | None = None
    ) -> float | None:
        row = self.score(dataset, model, protocol, metric)
        return row["value"] if row else None

    def ranked(self, dataset: str, protocol: str | None = None, metric: str | None = None) -> list[str]:
        """Return the models that have a rank, best first."""
        found = []
        for model in self.model_names:
            row = self.rank(dataset, model, protocol, metric)
            if row and row["rank_by_value"] is not None:
                found.append((row["rank_by_value"], model))
        return [model for _, model in sorted(found, key=lambda pair: pair[0])]

    def in_order(self, dataset: str, protocol: str | None = None, metric: str | None = None) -> list[str]:
        """Return all models of the study, those with a rank first and best first."""
        ranked = self.ranked(dataset, protocol, metric)
        return ranked + [model for model in self.model_names if model not in ranked]

    def best_baseline(
        self, dataset: str, protocol: str | None = None, metric: str | None = None
    ) -> str | None:
        """Return the better trivial baseline, or None where none has a value."""
        values = [
            (value, model)
            for model in self.model_names
            if self.is_baseline(model) and (value := self.value(dataset, model, protocol, metric)) is not None
        ]
        if not values:
            return None
        return (max if higher_is_better(metric or self.metric) else min)(values)[1]

    def flips(self, protocol_a: str, protocol_b: str, dataset: str, metric: str | None = None) -> Row | None:
        """Return the row of the sensitivity table for two protocols, in either order."""
        return self._sensitivity_index.get(
            (dataset, metric or self.metric, frozenset((protocol_a, protocol_b)))
        )

    @cached_property
    def _sensitivity_index(self) -> dict[tuple[str, str, frozenset[str]], Row]:
        return {
            (r["dataset"], r["metric"], frozenset((r["protocol_a"], r["protocol_b"]))): r
            for r in self.sensitivity
        }

    def seen(self, dataset: str, model: str) -> str:
        """Return the closest level at which a model has seen a dataset in training (`vocabulary.lineage`)."""
        rows = (self.score(dataset, model, protocol, metric)
                for protocol in self.protocol_names for metric in self.metric_names)  # fmt: skip
        return next((str(row["seen_in_training"]) for row in rows if row), NONE)

    def mark(self, dataset: str, model: str) -> str:
        """Return the mark of what a model has seen of a dataset, empty where it is known to have seen nothing."""
        return MARKS[self.seen(dataset, model)]

    def legend(self, datasets: Iterable[str]) -> str:
        """Return one line on the marks that the models have on `datasets`, empty where there is none."""
        return legend({self.seen(dataset, model) for dataset in datasets for model in self.model_names})

    @cached_property
    def speed(self) -> dict[str, Row]:
        """One row of the timing a model: one frame a call, the first frame size, without noise where it can be had."""
        rows: dict[str, Row] = {}
        for row in self.timing:
            name = row["model"]
            if name not in rows or (row["batch"] or 0) < (rows[name]["batch"] or 0):
                rows[name] = row
        return rows


def latency(row: Row) -> float | None:
    """Return what a frame takes from camera image to depth, ms; the forward pass alone where that is all there is."""
    whole = row["end_to_end_median"] if row["end_to_end_median"] is not None else row["forward_median"]
    return None if whole is None else whole / max(1, row["batch"] or 1)


def latency_interval(row: Row) -> tuple[float | None, float | None]:
    """Return the 95 % interval of `latency`, ms."""
    clock = "end_to_end" if row["end_to_end_median"] is not None else "forward"
    ends = row[f"{clock}_ci_low"], row[f"{clock}_ci_high"]
    low, high = (None if end is None else end / max(1, row["batch"] or 1) for end in ends)
    return low, high
