"""The verdict in words, made from the statistics and never stronger than they are.

A model is "the most accurate" only where its difference from every other model is significant after Holm's
correction; otherwise it "has the lowest error" and the sentence says from which models it cannot be told apart.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from markupsafe import Markup, escape

from scopedepth.report.results import Results, latency
from scopedepth.report.words import (
    higher_is_better,
    interval,
    listed,
    metric_label,
    metric_value,
    milliseconds,
    plural,
    small,
)

NEW_SEQUENCES, THESE_SEQUENCES = "new sequences", "these sequences"


@dataclass(frozen=True)
class Remark:
    """One point of the verdict: what it is about, and its sentences."""

    about: str
    text: Markup


@dataclass(frozen=True)
class Leader:
    """Who stands first on a dataset, and from whom it cannot be told apart (networks and baselines alike)."""

    model: str
    tied: tuple[str, ...]
    alone: bool  # significantly better than every other ranked model
    rivals: int


def leader(results: Results, dataset: str, protocol: str | None = None) -> Leader | None:
    """Return the first of a ranking, or None where there is no ranking."""
    ranked = results.ranked(dataset, protocol)
    if not ranked:
        return None
    row = results.rank(dataset, ranked[0], protocol)
    assert row is not None
    tied = tuple(name for name in ranked[1:] if name in (row["tied_with"] or ()))
    equal = [
        name
        for name in ranked[1:]
        if (results.rank(dataset, name, protocol) or {}).get("rank") == row["rank"]
    ]
    tied = tuple(dict.fromkeys([*equal, *tied]))
    tested = _tested(results, dataset, protocol or results.protocol)
    # A pair without a test is no proof of a difference.
    untested = tuple(
        name for name in ranked[1:] if frozenset((ranked[0], name)) not in tested and name not in tied
    )
    tied += untested
    return Leader(ranked[0], tied, not tied and len(ranked) > 1, len(ranked) - 1)


def _tested(results: Results, dataset: str, protocol: str) -> set[frozenset[str]]:
    return {
        frozenset((row["model_a"], row["model_b"]))
        for row in results.comparisons
        if (row["dataset"], row["protocol"], row["metric"]) == (dataset, protocol, results.metric)
        and row["p_holm"] is not None
    }


def bold(text: str) -> Markup:
    return Markup("<b>{}</b>").format(text)


def names(results: Results, models: list[str] | tuple[str, ...], last: str = "and") -> Markup:
    """Return models' titles as a list in words, each safe to stand in the page."""
    return Markup(listed([str(escape(results.model_title(name))) for name in models], last))


def headline(results: Results) -> Markup:
    """Return the one sentence at the top of the page."""
    leaders = {dataset: leader(results, dataset) for dataset in results.dataset_names}
    found = {dataset: first for dataset, first in leaders.items() if first}
    if not found:
        return Markup("No model has a complete score, so there is no ranking.")
    firsts = {first.model for first in found.values()}
    where = "" if len(found) == len(leaders) else Markup(" that could be ranked")
    extreme = (
        f"the {'highest' if higher_is_better(results.metric) else 'lowest'} {metric_label(results.metric)}"
    )
    if len(firsts) > 1:
        return Markup("No model is first on every dataset: {}.").format(
            Markup(
                listed(
                    [
                        str(
                            Markup("{} on {}").format(
                                bold(results.model_title(first.model)), results.dataset_title(dataset)
                            )
                        )
                        for dataset, first in found.items()
                    ]
                )
            )  # fmt: skip
        )
    model = bold(results.model_title(next(iter(firsts))))
    place = (
        Markup("on {}").format(results.dataset_title(next(iter(found))))
        if len(leaders) == 1
        else Markup("on every dataset{}").format(where) if len(found) > 1 else Markup("on the only dataset{}").format(where)
    )  # fmt: skip
    if all(first.rivals == 0 for first in found.values()):
        return Markup("{} is the only model with a complete score {}.").format(model, place)
    if all(first.alone for first in found.values()):
        return Markup("{} is the most accurate model {}.").format(model, place)
    others = list(dict.fromkeys(name for first in found.values() for name in first.tied))
    networks = [name for name in others if not results.is_baseline(name)] or others
    if len(networks) > 3:
        rivals = Markup("those of {} other models").format(small(len(networks)))
    else:
        rivals = names(results, networks, "or")
    return Markup("{} has {} {}, though not clearly {} than {}{}.").format(
        model,
        extreme,
        place,
        "higher" if higher_is_better(results.metric) else "lower",
        "" if len(networks) > 3 else "that of ",
        rivals,
    )


def remarks(results: Results) -> list[Remark]:
    """Return the points that follow the headline, those without anything to say left out."""
    made = [
        *(
            Remark(results.dataset_title(dataset), _accuracy(results, dataset))
            for dataset in results.dataset_names[:4]
        ),
        Remark("How sure", _certainty(results)),
        Remark("Another protocol", _protocols(results)),
        Remark("Speed", _speed(results)),
        Remark("Read with care", _cautions(results)),
    ]
    return [remark for remark in made if remark.text]


def _accuracy(results: Results, dataset: str) -> Markup:
    first = leader(results, dataset)
    metric = results.metric
    if not first:
        return Markup("No model has a complete score here.")
    row = results.score(dataset, first.model) or {}
    title = results.model_title(first.model)
    value = f"{metric_label(metric)} {metric_value(row.get('value'), metric)}"
    if row.get("ci_low") is not None:
        value += f", 95 % interval {interval(row['ci_low'], row['ci_high'], metric)}"
    sentences = [Markup("{} comes first ({}).").format(title, value)]
    if first.rivals == 0:
        sentences.append(Markup("No other model has a complete score."))
    elif first.alone:
        sentences.append(Markup("Its lead over every other model is significant after Holm’s correction."))
    else:
        told = [name for name in results.ranked(dataset)[1:] if name not in first.tied]
        text = Markup("The data do not separate it from {}.").format(names(results, first.tied, "or"))
        if told:
            text += Markup(" It is significantly better than {}.").format(names(results, told))
        sentences.append(text)
    baseline = results.best_baseline(dataset)
    if baseline and not results.is_baseline(first.model):
        beaten = [
            name for name in results.networks
            if (score := results.score(dataset, name)) and score["skill"] is not None and score["skill"] <= 0
        ]  # fmt: skip
        skill = row.get("skill")
        if skill is not None:
            sentences.append(
                Markup("Its error is {:.0f} % below that of the better trivial baseline, {}.").format(
                    100 * skill, results.model_title(baseline)
                )
                if skill > 0
                else Markup("It does not beat the better trivial baseline, {}.").format(
                    results.model_title(baseline)
                )
            )
        beaten = [name for name in beaten if name != first.model]
        if beaten:
            sentences.append(
                Markup("{} {} no better than that baseline.").format(
                    names(results, beaten), "is" if len(beaten) == 1 else "are"
                )
            )
    elif results.is_baseline(first.model):
        sentences.append(Markup("{} is a trivial baseline: no network is ahead of it here.").format(title))
    return Markup(" ").join(sentences)


def _certainty(results: Results) -> Markup:
    sentences = []
    by_scope: dict[str, list[str]] = {}
    for dataset in results.dataset_names:
        row = next(
            (
                r
                for m in results.in_order(dataset)
                if (r := results.score(dataset, m)) and r["value"] is not None
            ),
            None,
        )
        if row:
            by_scope.setdefault(str(row["ci_scope"]), []).append(
                str(Markup("{} ({}, {})").format(
                    results.dataset_title(dataset), plural(row["n_sequences"], "sequence"), plural(row["n_frames"], "frame")
                ))
            )  # fmt: skip
    for scope, where in by_scope.items():
        places = Markup(listed(where))
        if scope == NEW_SEQUENCES:
            sentences.append(
                Markup("On {} the intervals cover new sequences of the same kind.").format(places)
            )
        elif scope == THESE_SEQUENCES:
            sentences.append(
                Markup(
                    "On {} there are too few sequences to speak of others: intervals and tests hold for these "
                    "sequences only, and a new patient may turn the order round."
                ).format(places)
            )
        else:
            sentences.append(
                Markup("On {} there are too few frames for an interval or a test.").format(places)
            )
    return Markup(" ").join(sentences)


def _protocols(results: Results) -> Markup:
    others = [name for name in results.protocol_names if name != results.protocol]
    if not others:
        return Markup("Only one protocol was run, so nothing is known of any other.")
    sentences = []
    for dataset in results.dataset_names:
        first = leader(results, dataset)
        if not first:
            continue
        firsts = {
            protocol: found.model for protocol in others if (found := leader(results, dataset, protocol))
        }
        if not firsts:
            continue
        kept = [protocol for protocol, model in firsts.items() if model == first.model]
        where = results.dataset_title(dataset)
        title = results.model_title(first.model)
        if len(kept) == len(firsts):
            sentences.append(
                Markup("On {} {} stays first under {}.").format(
                    where, title, _all_of(len(firsts), "other protocol")
                )
            )
        else:
            winners = Counter(model for model in firsts.values() if model != first.model)
            sentences.append(
                Markup("On {} {} stays first under {} of {}; otherwise {} leads.").format(
                    where, title, small(len(kept)), plural(len(firsts), "other protocol"),
                    names(results, [model for model, _ in winners.most_common()], "or"),
                )
            )  # fmt: skip
        rows = [row for protocol in others if (row := results.flips(results.protocol, protocol, dataset))]
        flips, certain = (
            sum(row["n_flips"] or 0 for row in rows),
            sum(row["n_significant_flips"] or 0 for row in rows),
        )
        if flips:
            text = Markup("{} of models {} order").format(
                plural(flips, "pair").capitalize(), "changes" if flips == 1 else "change"
            )
            if certain == flips:
                sentences.append(text + Markup(", significantly under both protocols."))
            else:
                sentences.append(text + Markup(", {} of them significantly under both protocols.").format(
                    small(certain) if certain else "none"))  # fmt: skip
        elif rows:
            sentences.append(Markup("No pair of models changes order."))
    return Markup(" ").join(sentences)


def _all_of(n: int, noun: str) -> str:
    return f"the {noun}" if n == 1 else f"both {noun}s" if n == 2 else f"all {small(n)} {noun}s"


def _speed(results: Results) -> Markup:
    times = {
        model: ms for model in results.networks if (row := results.speed.get(model)) and (ms := latency(row))
    }
    if not times:
        return Markup("Speed was not measured.") if not results.timing else Markup("")
    fastest = min(times, key=lambda name: times[name])
    row = results.speed[fastest]
    sentences = [
        Markup("{} is the fastest network: {} a frame on {}.").format(
            results.model_title(fastest),
            milliseconds(times[fastest]),
            row["hardware"] or row["device"] or "unknown hardware",
        )
        if len(times) > 1
        else Markup("{} takes {} a frame on {}.").format(
            results.model_title(fastest),
            milliseconds(times[fastest]),
            row["hardware"] or row["device"] or "unknown hardware",
        )
    ]
    rate = row["realtime_fps"]
    if rate:
        quick = [model for model, ms in times.items() if ms <= 1000 / rate]
        if len(quick) == len(times) and len(times) > 1:
            sentences.append(
                Markup("All networks keep up with {:g} frames a second on the median frame.").format(rate)
            )
        elif quick and len(times) > 1:
            slow = [model for model in times if model not in quick]
            sentences.append(Markup("{} {} not keep up with {:g} frames a second.").format(
                names(results, slow), "does" if len(slow) == 1 else "do", rate))  # fmt: skip
        elif not quick:
            sentences.append(Markup("No network keeps up with {:g} frames a second.").format(rate))
    disturbed = [model for model in times if results.speed[model]["disturbed"] not in (None, "no", "")]
    if disturbed:
        sentences.append(Markup("Something else was running while {} {} timed.").format(
            names(results, disturbed), "was" if len(disturbed) == 1 else "were"))  # fmt: skip
    return Markup(" ").join(sentences)


def _cautions(results: Results) -> Markup:
    sentences = [
        Markup("{}").format(note if note.endswith((".", "!", "?")) else note + ".")
        for note in results.study.get("notes", [])
    ]
    for dataset in results.dataset_names:
        seen = [model for model in results.model_names if results.seen(dataset, model) != "no"]
        if seen:
            sentences.append(
                Markup(
                    "{} {} trained on data of {} (marked †); such a score says nothing of new data."
                ).format(
                    names(results, seen), "was" if len(seen) == 1 else "were", results.dataset_title(dataset)
                )
            )
        without = [
            model for model in results.model_names
            if not (row := results.score(dataset, model)) or row["value"] is None
        ]  # fmt: skip
        if without:
            sentences.append(
                Markup("{} {} no score on {} under this protocol.").format(
                    names(results, without),
                    "has" if len(without) == 1 else "have",
                    results.dataset_title(dataset),
                )
            )
        failed = [
            (model, row["n_failed"]) for model in results.model_names
            if (row := results.score(dataset, model)) and row["value"] is not None and row["n_failed"]
        ]  # fmt: skip
        for model, n in failed:
            sentences.append(
                Markup("{} has no number on {} of {}.").format(
                    results.model_title(model), plural(n, "frame"), results.dataset_title(dataset)
                )
            )
    warning = results.protocols.get(results.protocol, {}).get("not_comparable")
    if warning:
        sentences.append(
            Markup("Under this protocol numbers are not comparable with those of others: {}").format(warning)
        )
    return Markup(" ").join(sentences)
