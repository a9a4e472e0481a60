"""The verdict's points below the headline: how accurate, how sure, under another protocol, how fast, what to mind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from scopedepth.report.html.verdict import Leader, leader, said, titles
from scopedepth.report.passed_over import passed_over, read_page
from scopedepth.report.results import Results, latency
from scopedepth.report.words import FEW, interval, metric_label, metric_value, milliseconds, plural, small
from scopedepth.timing.realtime import SHARE_IN_TIME, realtime_verdicts
from scopedepth.vocabulary.intervals import (
    FEW_FRAMES_CAUTION,
    FEW_SEQUENCES_CAUTION,
    NEW_SEQUENCES,
    THESE_SEQUENCES,
)
from scopedepth.vocabulary.lineage import DATASET, FRAMES, MARKS, MEANINGS, PATIENT, SEQUENCE
from scopedepth.vocabulary.reasons import WORDS

_COUNTED = re.compile(r"[a-z]+ (models|datasets) ")


@dataclass(frozen=True)
class Remark:
    """One point of the verdict: what it is about, and its sentences."""

    about: str
    text: Markup
    of_dataset: bool = False


def remarks(results: Results) -> list[Remark]:
    """Return the points that follow the headline, those without anything to say left out."""
    made = [
        Remark("Seen in training", seen_frames(results)),
        *(
            Remark(results.dataset_title(name), accuracy(results, name), of_dataset=True)
            for name in results.dataset_names
            if len(results.dataset_names) <= FEW
        ),
        Remark("How sure", certainty(results)),
        Remark("Another protocol", other_protocols(results)),
        Remark("Speed", speed(results)),
        Remark("Read with care", cautions(results)),
    ]
    return [remark for remark in made if remark.text]


def _joined(sentences: list[Markup]) -> Markup:
    """Return sentences one after the other; one that begins with a number of models begins with a capital."""
    return Markup(" ").join(one[:1].upper() + one[1:] if _COUNTED.match(one) else one for one in sentences)


def seen_frames(results: Results) -> Markup:
    """Say which models are ranked on frames that they were trained on."""
    sentences = []
    for dataset in results.dataset_names:
        seen = [model for model in results.model_names if results.seen(dataset, model) == FRAMES]
        if seen:
            text = Markup("{} {} ranked on frames of {} that {} trained on (marked {}): {} of new data.")
            words = ("is", "it was", "its score says nothing") if len(seen) == 1 else (
                "are", "they were", "their scores say nothing")  # fmt: skip
            where = results.dataset_title(dataset)
            sentences.append(
                text.format(titles(results, seen), words[0], where, words[1], MARKS[FRAMES], words[2])
            )
    return _joined(sentences)


def accuracy(results: Results, dataset: str) -> Markup:
    """Say who leads on a dataset, ahead of whom, and by how much over a trivial baseline."""
    first = leader(results, dataset)
    if not first:
        return Markup("No model has a complete score here.")
    row = results.score(dataset, first.model) or {}
    metric = results.metric
    value = f"{metric_label(metric)} {metric_value(row.get('value'), metric)}"
    if row.get("ci_low") is not None:
        value += f", 95\u00a0% interval {interval(row['ci_low'], row['ci_high'], metric)}"
    sentences = [Markup("{} comes first ({}).").format(results.model_title(first.model), value)]
    if first.rivals == 0:
        sentences.append(Markup("No other model has a complete score."))
    elif first.alone:
        sentences.append(Markup("Its lead over every other model is significant after Holm’s correction."))
    else:
        sentences.append(
            Markup("The data do not separate it from {}.").format(titles(results, first.tied, "or"))
        )
        behind = [name for name in results.ranked(dataset)[1:] if name not in first.tied]
        if behind:
            sentences.append(Markup("It is significantly better than {}.").format(titles(results, behind)))
    return _joined(sentences + _against_baselines(results, dataset, first, row.get("skill")))


def _against_baselines(results: Results, dataset: str, first: Leader, skill: float | None) -> list[Markup]:
    if results.is_baseline(first.model):
        return [Markup("That is a trivial baseline: no network is ahead of it here.")]
    baseline = results.best_baseline(dataset)
    if baseline is None:
        return []
    name = results.model_title(baseline)
    sentences = []
    if skill is not None and skill > 0:
        text = Markup("Its error is {:.0f}\u00a0% below that of the better trivial baseline, {}.")
        sentences.append(text.format(100 * skill, name))
    elif skill is not None:
        sentences.append(Markup("It does not beat the better trivial baseline, {}.").format(name))
    behind = [
        model
        for model in results.networks
        if model != first.model
        and (score := results.score(dataset, model))
        and score["skill"] is not None
        and score["skill"] <= 0
    ]
    if behind:
        verb = "is" if len(behind) == 1 else "are"
        sentences.append(Markup("{} {} no better than that baseline.").format(titles(results, behind), verb))
    return sentences


def certainty(results: Results) -> Markup:
    """Say what the intervals and tests cover: new sequences, these sequences, or nothing."""
    places: dict[str, list[Markup]] = {}
    narrow: list[str] = []
    outweighed: list[Markup] = []
    for dataset in results.dataset_names:
        rows = (results.score(dataset, model) for model in results.in_order(dataset))
        row = next((row for row in rows if row and row["value"] is not None), None)
        if row:
            size = f"{plural(row['n_sequences'], 'sequence')}, {plural(row['n_frames'], 'frame')}"
            place = Markup("{} ({})").format(results.dataset_title(dataset), size)
            places.setdefault(str(row["ci_scope"]), []).append(place)
            if row["ci_caution"] == FEW_FRAMES_CAUTION:
                narrow.append(results.dataset_title(dataset))
            if row["ci_caution"] == FEW_SEQUENCES_CAUTION:
                few = Markup("{} ({} sequences count for as much as {:.1f} equal ones)")
                counts = row["n_sequences"], row["n_sequences_effective"]
                outweighed.append(few.format(results.dataset_title(dataset), *counts))
    words = {
        NEW_SEQUENCES: "On {} the intervals cover new sequences of the same kind.",
        THESE_SEQUENCES: "On {} there are too few sequences to speak of others: intervals and tests hold for these "
        "sequences only, and models that are equally good on average differ significantly on these few, too: a new "
        "patient may turn the order round.",
    }
    nothing = "On {} there are too few frames for an interval or a test."
    sentences = [
        Markup(words.get(scope, nothing)).format(_datasets(where)) for scope, where in places.items()
    ]
    if narrow:
        text = Markup("On {} successive frames are so alike that the intervals are likely too narrow.")
        sentences.append(text.format(_datasets(narrow)))
    if outweighed:
        text = Markup(
            "On {} a few long sequences outweigh the others: the intervals presume that a long sequence’s mean varies "
            "as a short one’s, which so few cannot show."
        )
        sentences.append(text.format(_datasets(outweighed)))
    return _joined(sentences)


def _datasets(where: Sequence[str]) -> Markup:
    """Return datasets as a list in words; of many their number."""
    return said(where) if len(where) <= FEW else Markup(f"{small(len(where))} datasets")


def other_protocols(results: Results) -> Markup:
    """Say whether the first place survives another protocol, and how many pairs of models change order."""
    others = [name for name in results.protocol_names if name != results.protocol]
    if not others:
        return Markup("Only one protocol was run, so nothing is known of any other.")
    if len(results.dataset_names) > FEW:
        return _protocols_counted(results, others)
    sentences = []
    for dataset in results.dataset_names:
        first = leader(results, dataset)
        firsts = [found.model for name in others if (found := leader(results, dataset, name))]
        if not first or not firsts:
            continue
        sentences.append(_first_place(results, dataset, first.model, firsts))
        sentences += _flips(results, dataset, others)
    return _joined(sentences)


def _protocols_counted(results: Results, others: list[str]) -> Markup:
    """Say on how many of many datasets the first place survives, and how many pairs change order."""
    firsts = {name: first.model for name in results.dataset_names if (first := leader(results, name))}
    kept = sum(
        all(found.model == model for one in others if (found := leader(results, name, one)))
        for name, model in firsts.items()
    )
    rows = [row for name in firsts for one in others if (row := results.flips(results.protocol, one, name))]
    sure = sum(row["n_significant_flips"] or 0 for row in rows)
    text = Markup(
        "The first place stays the same under all other protocols on {} of {}. {} order, {} of them "
    )
    said = text.format(
        small(kept), plural(len(firsts), "dataset"),
        plural(sum(row["n_flips"] or 0 for row in rows), "change of a pair’s", "changes of a pair’s"), sure or "none",
    )  # fmt: skip
    return said + Markup("significantly under both protocols.")


def _first_place(results: Results, dataset: str, model: str, firsts: list[str]) -> Markup:
    kept, n = firsts.count(model), len(firsts)
    where, title = results.dataset_title(dataset), results.model_title(model)
    if kept == n or n == 1:
        if not kept:
            text = Markup("On {} {} loses the first place to {} under the other protocol.")
            return text.format(where, title, titles(results, firsts))
        every = (
            "the other protocol" if n == 1 else f"{'both' if n == 2 else f'all {small(n)}'} other protocols"
        )
        return Markup("On {} {} stays first under {}.").format(where, title, every)
    winners = [name for name, _ in Counter(name for name in firsts if name != model).most_common()]
    share = f"{small(kept)} of {small(n)} other protocols" if n <= 10 else f"{kept} of {n} other protocols"
    text = Markup("On {} {} stays first under {}; otherwise {} leads.")
    return text.format(where, title, share, titles(results, winners, "or"))


def _flips(results: Results, dataset: str, others: list[str]) -> list[Markup]:
    rows = [row for name in others if (row := results.flips(results.protocol, name, dataset))]
    flips = sum(row["n_flips"] or 0 for row in rows)
    certain = sum(row["n_significant_flips"] or 0 for row in rows)
    if not rows:
        return []
    if not flips:
        return [Markup("No pair of models changes order.")]
    verb = "changes" if flips == 1 else "change"
    of_them = "" if certain == flips else f" {small(certain) if certain else 'none'} of them"
    text = Markup("{} of models {} order,{} significantly under both protocols.")
    return [text.format(plural(flips, "pair"), verb, of_them)]


def speed(results: Results) -> Markup:
    """Say which network is fastest, which keep up with the frame rate asked for, and where it was measured."""
    times = {
        name: ms for name in results.networks if (row := results.speed.get(name)) and (ms := latency(row))
    }
    if not times:
        return Markup("" if results.timing else "Speed was not measured.")
    fastest = min(times, key=lambda name: times[name])
    row = results.speed[fastest]
    says = "{} is the fastest network: {} a frame on {}." if len(times) > 1 else "{} takes {} a frame on {}."
    hardware = row["hardware"] or row["device"] or "unknown hardware"
    sentences = [Markup(says).format(results.model_title(fastest), milliseconds(times[fastest]), hardware)]
    sentences += _in_time(results, list(times))
    disturbed = [name for name in times if results.speed[name]["disturbed"] not in (None, "no", "")]
    if disturbed:
        verb = "was" if len(disturbed) == 1 else "were"
        text = Markup("The machine was disturbed while {} {} timed.")
        sentences.append(text.format(titles(results, disturbed), verb))
    return _joined(sentences)


def _in_time(results: Results, names: list[str]) -> list[Markup]:
    """Say which of the networks keep up with the frame rate asked for, at the smallest frames that were timed."""
    verdicts = [one for one in realtime_verdicts(results.timing) if one.model in names]
    if not verdicts:
        return []
    rate = verdicts[0].fps
    fast = {one.model for one in verdicts if one.share >= SHARE_IN_TIME}
    slow = [name for name in names if name not in fast]
    if not slow:
        who = "All networks keep up" if len(names) > 1 else "It keeps up"
        return [
            Markup("{} with {:g} frames a second: {:g} % come in time.").format(
                who, rate, 100 * SHARE_IN_TIME
            )
        ]
    if len(slow) == len(names):
        return [Markup("No network keeps up with {:g} frames a second.").format(rate)]
    verb = "does" if len(slow) == 1 else "do"
    return [Markup("{} {} not keep up with {:g} frames a second.").format(titles(results, slow), verb, rate)]


def cautions(results: Results) -> Markup:
    """Say what a reader must know: the study's notes, training data, models without a score, failed frames."""
    notes = [note.strip() for note in results.study.get("notes", [])]
    sentences = [
        Markup("{}").format(note if note.endswith((".", "!", "?")) else note + ".") for note in notes if note
    ]
    for dataset in results.dataset_names:
        sentences += _cautions_of(results, dataset)
    protocol = results.protocols.get(results.protocol)
    warning = protocol.get("not_comparable") if protocol else None
    if warning:
        sentences.append(Markup("Numbers under this protocol do not compare with others: {}").format(warning))
    return _joined(sentences)


def _why(results: Results, dataset: str) -> str:
    """Return the reasons for which frames of a dataset have no number, the most frequent first."""
    statuses = results.frames([], dataset=dataset, protocol=results.protocol)["status"].to_pylist()
    counts = Counter(status for status in statuses if status != "ok")
    models = max(1, len(results.model_names))
    said = [
        f"{WORDS.get(status, status)} ({plural(n // models, 'frame')})" for status, n in counts.most_common(3)
    ]
    return ": " + "; ".join(said) if said else ""


def _frames_without_depth(results: Results, dataset: str) -> int:
    pages = [page for unit in results.units_of(dataset) if (page := read_page(results.stores[unit]))]
    return sum(int(page.get("frames_without_depth") or 0) for page in pages)


def _doubts(results: Results, dataset: str) -> list[Markup]:
    """Return what prepare found doubtful in a dataset's depth: the first doubt, and how many sequences have one."""
    pages = [page for unit in results.units_of(dataset) if (page := read_page(results.stores[unit]))]
    sequences = [one for page in pages for one in page.get("sequences") or [] if one.get("doubts")]
    if not sequences:
        return []
    first, where = sequences[0], results.dataset_title(dataset)
    rest = f" ({plural(len(sequences) - 1, 'more sequence')} with a doubt)" if len(sequences) > 1 else ""
    text = Markup("The depth of {} is doubtful: in {}, {}{}.")
    return [text.format(where, str(first.get("name")), str(first["doubts"][0]), rest)]


def _cautions_of(results: Results, dataset: str) -> list[Markup]:
    where = results.dataset_title(dataset)
    scores = {model: results.score(dataset, model) for model in results.model_names}
    sentences = _doubts(results, dataset)
    for level in (SEQUENCE, PATIENT, DATASET):
        seen = [model for model in results.model_names if results.seen(dataset, model) == level]
        if seen:
            text = Markup("{} {} trained on {} of {} (marked {}).")
            verb = "was" if len(seen) == 1 else "were"
            meaning = MEANINGS[level].removesuffix(" of this dataset")
            sentences.append(text.format(titles(results, seen), verb, meaning, where, MARKS[level]))
    without = [model for model, row in scores.items() if not row or row["value"] is None]
    if len(without) == len(scores):
        sentences.append(Markup("Nothing could be scored on {}{}.").format(where, _why(results, dataset)))
        stores = [results.stores[unit] for unit in results.units_of(dataset)]
        sentences += [Markup("{}.").format(line) for line in passed_over(stores)]
    elif without:
        text = Markup("{} {} no score on {} under this protocol.")
        sentences.append(text.format(titles(results, without), "has" if len(without) == 1 else "have", where))
    if len(without) < len(scores) and (frames := _frames_without_depth(results, dataset)):
        text = Markup("{} of {} have no reference depth and count in no number.")
        sentences.append(text.format(plural(frames, "frame"), where))
    for model, row in scores.items():
        if row and row["value"] is not None and row["n_failed"]:
            text = Markup("{} has no number on {} of {} and stands outside the ranking.")
            sentences.append(text.format(results.model_title(model), plural(row["n_failed"], "frame"), where))
        if row and row["value"] is not None and (share := results.low_coverage.get((dataset, model))):
            text = Markup(
                "{} answers on {:.0f}\u00a0% of the pixels of {} that count; its number is of these alone."
            )
            sentences.append(text.format(results.model_title(model), 100 * share, where))
        if row and row["n_negative_scale"]:
            text = Markup("{} runs against depth on {} of {}.")
            turned = plural(row["n_negative_scale"], "frame")
            sentences.append(text.format(results.model_title(model), turned, where))
    return sentences
