"""The last word of a run: a short table for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from scopedepth.errors import one_line
from scopedepth.report.coverage import low_coverage
from scopedepth.report.passed_over import passed_over
from scopedepth.study.layout import STAGES
from scopedepth.tables.io import read_table
from scopedepth.tables.study import FRAMES, RANKS, SUMMARY
from scopedepth.tables.timing import TIMING
from scopedepth.timing.realtime import as_frames_come
from scopedepth.vocabulary.lineage import MARKS, legend
from scopedepth.vocabulary.metrics import METRICS
from scopedepth.vocabulary.reasons import WORDS

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# A frame's status, as the reason why a model has no number on it.
REASONS = (
    "failed_prediction", "nonfinite_prediction", "negative_scale", "constant_prediction", "degenerate_fit",
)  # fmt: skip


# Letters of a model's title in a line.
TITLE = 26


def write_ranking(
    study: specs.Study,
    datasets: Mapping[str, specs.Dataset],
    models: Mapping[str, specs.Model],
    protocols: Mapping[str, specs.Protocol],
    tables: Mapping[str, Path],
    stores: Mapping[str, Path],
    report: Path,
    out: Path,
) -> None:
    """Write the ranking of the study's headline protocol and metric, one block a dataset, as plain text."""
    protocol, metric = study["headline"]["protocol"], study["headline"]["metric"]
    rows = [
        row
        for row in read_table(tables["summary"], schema=SUMMARY).to_pylist()
        if row["protocol"] == protocol and row["metric"] == metric
    ]
    ranks = {
        (row["dataset"], row["model"]): row
        for row in read_table(tables["ranks"], schema=RANKS).to_pylist()
        if row["protocol"] == protocol and row["metric"] == metric
    }
    speeds: dict[str, float] = {}
    for row in read_table(tables["timing"], schema=TIMING).to_pylist():
        if as_frames_come(row) and row["frames_per_second"]:
            speeds.setdefault(row["model"], row["frames_per_second"])
    lines = []
    version = protocols[protocol]["version"]
    for dataset in datasets:
        lines += ["", f"{dataset}: {METRICS[metric].label} under {protocol} v{version}"]
        lines.append(f"  {'rank':<6}{'model':<28}{'value':>8}   {'95 % interval':<18}{'frames/s':>9}")
        here = [row for row in rows if row["dataset"] == dataset]
        here.sort(key=lambda row: _order(ranks.get((dataset, row["model"])), row))
        for row in here:
            lines.append(_line(row, ranks.get((dataset, row["model"])), models, speeds))
        said = legend({row["seen_in_training"] for row in here})
        lines += [f"  {said}"] if said else []
        if here and all(row["value"] is None for row in here):
            lines.append(
                f"  ! nothing could be scored on {dataset}: {why_nothing(tables['frames'], protocol, dataset)}"
            )
            of_it = [store for unit, store in stores.items() if unit.partition("@")[0] == dataset]
            lines += [f"    {one_line(said)}" for said in passed_over(of_it)]
    failed = list(failed_frames(tables["frames"], protocol, datasets, models))
    lines += ["", *failed] if failed else []
    lines += ["", f"The report: {report}", ""]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(lines), encoding="utf-8")


def why_nothing(frames: Path, protocol: str, dataset: str) -> str:
    """Return the reasons for which no frame of a dataset has a number, the most frequent first, and where to look."""
    read = read_table(frames, ["dataset", "protocol", "status"], FRAMES)
    table = pa.table({name: read[name].cast(pa.string()) for name in read.column_names})
    here = table.filter(pc.and_(pc.equal(table["protocol"], protocol), pc.equal(table["dataset"], dataset)))
    counts = Counter(here["status"].to_pylist()).most_common(3)
    said = ", ".join(f"{WORDS.get(status, status)} ({n / max(1, len(here)):.0%})" for status, n in counts)
    return f"{said}. `scopedepth check-dataset {dataset}` shows more"


def failed_frames(
    table_of_frames: Path,
    protocol: str,
    datasets: Mapping[str, specs.Dataset],
    models: Mapping[str, specs.Model],
) -> Iterator[str]:
    """Yield a line for every model that failed on frames of a dataset, for unreadable frames and those without depth.

    A mean over the other frames would hide them: a model that fails where it is hard looks better than it is. A
    model without a number on any frame is left out where its row in the ranking says so already.
    """
    columns = ["dataset", "model", "protocol", "status"]
    read = read_table(table_of_frames, [*columns, "coverage"], FRAMES)
    low = low_coverage(read.filter(pc.equal(pc.cast(read["protocol"], pa.string()), protocol)))
    # Decoded: the dictionaries of a table's parts may differ, which no grouping takes.
    table = pa.table({name: read[name].cast(pa.string()) for name in columns})
    table = table.filter(pc.equal(table["protocol"], protocol))
    counts: dict[tuple[str, str], Counter[str]] = {}
    grouped = table.group_by(columns).aggregate([([], "count_all")])
    for row in grouped.to_pylist():
        counts.setdefault((row["dataset"], row["model"]), Counter())[row["status"]] += row["count_all"]
    for dataset in datasets:
        here = [(model, counts[dataset, model]) for model in models if (dataset, model) in counts]
        unreadable = max((found["unreadable_frame"] for _, found in here), default=0)
        if unreadable:
            total = here[0][1].total()
            log = STAGES["prepare"].log.format(unit=f"{dataset}*")
            yield f"! {unreadable} of {total} frames of {dataset} could not be read: {log}"
        without = max((found["no_depth"] for _, found in here), default=0)
        frames = here[0][1].total() if here else 0
        if 0 < without < frames:
            yield f"! {without} of {frames} frames of {dataset} have no reference depth and count in no number"
        for model, found in here:
            reasons = {status: found[status] for status in REASONS if found[status]}
            said_in_its_row = set(reasons) == {"constant_prediction"} and found["ok"] == 0
            if reasons and not said_in_its_row:
                why = ", ".join(f"{count} × {WORDS[status]}" for status, count in reasons.items())
                log = f" ({STAGES['predict'].log.format(unit='*', model=model)})"
                log = log if "failed_prediction" in reasons else ""
                total = found.total()
                yield f"! {sum(reasons.values())} of {total} frames of {model} on {dataset} failed: {why}{log}"
            if (dataset, model) in low:
                share = f"{low[dataset, model]:.0%} of the pixels of {dataset} that count"
                yield f"! {model} answers on {share}; its number is of these alone"


def _order(rank: Mapping[str, Any] | None, row: Mapping[str, Any]) -> tuple[float, str]:
    number = rank["rank_by_value"] if rank and rank["rank_by_value"] is not None else float("inf")
    return number, row["model"]


def short_titles(models: Mapping[str, specs.Model]) -> dict[str, str]:
    """Return a title for each model that fits the column; where two are cut to the same, the models' names."""
    whole = {name: one_line(spec["title"] or name) for name, spec in models.items()}
    cut = {name: _cut(title) for name, title in whole.items()}
    told = list(cut.values())
    return {
        name: short if short == whole[name] or told.count(short) == 1 else _cut(name)
        for name, short in cut.items()
    }


def _cut(text: str) -> str:
    return text if len(text) <= TITLE else text[: TITLE - 1] + "…"


def _line(
    row: Mapping[str, Any],
    rank: Mapping[str, Any] | None,
    models: Mapping[str, specs.Model],
    speeds: Mapping[str, float],
) -> str:
    title = short_titles(models)[row["model"]]
    seen = MARKS[row["seen_in_training"]]
    number = "–" if rank is None or rank["rank_by_value"] is None else str(rank["rank_by_value"])
    if rank is not None and rank["tied_with"]:
        number += "="
    speed = speeds.get(row["model"])
    shown_speed = f"{speed:9.1f}" if speed is not None else f"{'–':>9}"
    if row["value"] is None:
        return f"  {number:<6}{title + seen:<28}{'–':>8}   {row['status']:<18}{shown_speed}"
    interval = f"{row['ci_low']:.3f} to {row['ci_high']:.3f}" if row["ci_low"] is not None else ""
    return f"  {number:<6}{title + seen:<28}{row['value']:8.3f}   {interval:<18}{shown_speed}"
