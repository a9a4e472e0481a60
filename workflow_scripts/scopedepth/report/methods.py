"""The methods paragraph, generated from the specs: what was done, in words that may go into a paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from scopedepth.lineage.footage import reached
from scopedepth.report.results import Results
from scopedepth.report.words import listed, metric_label, plural, preprocessing, small, stated_words
from scopedepth.vocabulary.alignments import NAMES, alignment
from scopedepth.vocabulary.intervals import FEW_SEQUENCES_CAUTION, NEW_SEQUENCES, THESE_SEQUENCES
from scopedepth.vocabulary.lineage import LEVELS, MEANINGS
from scopedepth.vocabulary.reference import DRAWS
from scopedepth.vocabulary.weights import FINETUNED

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

SPACES = {"depth": "in depth", "disparity": "in disparity (inverse depth)", "log_depth": "in log depth"}
SCOPES = {
    "frame": "for each frame",
    "sequence": "once for each sequence",
    "dataset": "once for the whole dataset",
}


Cite = Callable[[str, str], str]


def methods_text(results: Results, cite: Cite = lambda kind, name: "") -> str:
    """Return the methods of a study as plain text. `cite`: what to put after a model's or dataset's title."""
    sentences = [compared(results, cite), *fine_tuned(results), *preprocessed(results)]
    sentences += [protocol_sentence(results, name) for name in results.protocol_names]
    sentences += intervals(results)
    sentences += reference_variability(results)
    sentences += timing_sentence(results)
    sentences += disjointness(results)
    return " ".join(sentences)


def disjointness(results: Results) -> list[str]:
    """Return what the networks had seen in training of each dataset: the level of disjointness (CLAIM's word)."""
    if not results.networks:
        return []
    said = []
    for dataset in results.dataset_names:
        titles: dict[str, list[str]] = {}
        for model in results.networks:
            titles.setdefault(results.seen(dataset, model), []).append(results.model_title(model))
        parts = [f"{MEANINGS[level]} ({listed(titles[level])})" for level in LEVELS if level in titles]
        said.append(f"of {results.dataset_title(dataset)}, {', '.join(parts)}")
    text = "Level of disjointness of training and test data, as the closest that a network is known to have seen: "
    datasets = results.study["lineage"]["datasets"]
    untold = [
        results.dataset_title(name)
        for name in results.dataset_names
        if not any(datasets[one]["patient"] for one in reached(datasets, name))
    ]
    sentences = [text + "; ".join(said) + "."]
    if untold:
        sentences.append(f"Which sequences show one patient is not stated of {listed(untold)}.")
    return sentences


def reference_variability(results: Results) -> list[str]:
    """Return how the error of the reference was assessed (CLAIM: reference variability), and where it was not."""
    assessed = [
        name for name in results.dataset_names if any(row["dataset"] == name for row in results.reference)
    ]
    said = []
    for name in assessed:
        stated = "; ".join(what for what, _ in stated_words(results.datasets[name]))
        said.append(
            f"The reference depth of {results.dataset_title(name)} was redrawn {DRAWS} times within its stated error "
            f"({stated}), and an order of two models called resolvable where it withstood that. Errors that a model "
            "shares with the reference are not covered."
        )
    others = [results.dataset_title(name) for name in results.dataset_names if name not in assessed]
    return said + ([f"The error of the reference of {listed(others)} was not assessed."] if others else [])


def compared(results: Results, cite: Cite) -> str:
    networks = [results.model_title(name) + cite("models", name) for name in results.networks]
    trivial = [
        results.model_title(name) + cite("models", name)
        for name in results.model_names
        if results.is_baseline(name)
    ]
    where = [dataset_words(results, name, cite) for name in results.dataset_names]
    text = f"We compared {listed(networks) or 'no network'}"
    if trivial:
        text += f" and the trivial {'baseline' if len(trivial) == 1 else 'baselines'} {listed(trivial)}"
    return (
        text
        + f" on {listed(where)}. Each model predicted every frame once, and every protocol was scored from that "
        "one prediction."
    )


def fine_tuned(results: Results) -> list[str]:
    """Return how each model was made that was fine-tuned here."""
    sentences = []
    for name in results.networks:
        weights = results.models[name]["weights"]
        if weights["kind"] != FINETUNED:
            continue
        recipe, holdout = weights["recipe"], weights["holdout"]
        data = listed([
            results.dataset_title(one["dataset"]) + (f" ({listed(one['sequences'])})" if one["sequences"] else "")
            for one in weights["train"]
        ])  # fmt: skip
        chosen = (
            "the last step was taken"
            if holdout is None
            else f"the step was chosen on {100 * holdout['share']:.0f} % of them, held out by {holdout['by']}"
        )
        sentences.append(
            f"{results.model_title(name)} was fine-tuned from {results.model_title(weights['base'])} on sequences of "
            f"{data} in {recipe['steps']} steps of {recipe['batch']} frames with a learning rate of "
            f"{recipe['learning_rate']:g} ({listed(recipe['trains'])} learnt); {chosen}."
        )
    return sentences


def preprocessed(results: Results) -> list[str]:
    """Return how the frames were made ready for each network."""
    titles: dict[str, list[str]] = {}
    for name in results.networks:
        titles.setdefault(preprocessing(results.models[name]), []).append(results.model_title(name))
    said = [f"{words} ({listed(names)})" for words, names in titles.items()]
    return [f"Frames were preprocessed in these ways: {'; '.join(said)}."] if said else []


def dataset_words(results: Results, dataset: str, cite: Cite) -> str:
    title = results.dataset_title(dataset) + cite("datasets", dataset)
    rows = [row for row in results.summary if row["dataset"] == dataset and row["value"] is not None]
    if not rows:
        return f"{title} (no result)"
    frames, sequences = max(row["n_frames"] for row in rows), max(row["n_sequences"] for row in rows)
    return f"{title} ({plural(frames, 'frame')} of {plural(sequences, 'sequence')})"


def protocol_sentence(results: Results, name: str) -> str:
    """Return what one protocol does, from its spec."""
    spec = results.protocols[name]
    fit: Mapping[str, Any] = spec.get("alignment") or {}
    method = str(fit.get("method", "unknown"))
    title = f"{name} (version {spec.get('version', '?')})"
    text = f"Under {title} predictions {alignment(method).sentence if method in NAMES else method}"
    if method != "none":
        text += f" {SPACES.get(str(fit.get('space')), '')} {SCOPES.get(str(fit.get('scope')), '')}"
    parts = [range_words(spec.get("depth_range") or {})]
    excluded = (spec.get("masks") or {}).get("exclude") or []
    if excluded:
        parts.append(
            f"pixels flagged {listed([str(flag).replace('_', ' ') for flag in excluded])} were left out"
        )
    averaging = spec.get("averaging")
    if averaging:
        parts.append(
            "frames were averaged within a sequence and then over sequences"
            if averaging == "sequences"
            else "all frames were averaged alike"
        )
    return text + "; " + "; ".join(part for part in parts if part) + "."


def range_words(limits: specs.DepthRange) -> str:
    low, high = limits.get("min"), limits.get("max")
    if low is None and high is None:
        return "no depth range was set"
    if high is None:
        return f"reference depths from {low:g} mm counted"
    if low is None:
        return f"reference depths up to {high:g} mm counted"
    return f"reference depths from {low:g} to {high:g} mm counted"


def intervals(results: Results) -> list[str]:
    scopes = {row["ci_scope"] for row in results.summary if row["ci_low"] is not None}
    if not scopes:
        return []
    replicates = (results.study.get("bootstrap") or {}).get("replicates")
    text = "Intervals are 95 % bootstrap intervals" + (f" of {replicates:,} replicates" if replicates else "")
    text += " that resample blocks of successive frames"
    if NEW_SEQUENCES in scopes:
        text += " and, where there are enough of them, sequences"
    if THESE_SEQUENCES in scopes:
        text += "; on datasets with few sequences they hold for these sequences only"
    outweighed = sorted({r["dataset"] for r in results.summary if r["ci_caution"] == FEW_SEQUENCES_CAUTION})
    if outweighed:
        where = listed([results.dataset_title(name) for name in outweighed])
        text += f"; on {where} a few long sequences outweigh the others"
    return [
        text + ".",
        "Pairs of models were compared on the same frames and replicates, with p values adjusted after Holm.",
    ]


def timing_sentence(results: Results) -> list[str]:
    if not results.timing:
        return []
    hardware = sorted({str(row["hardware"]) for row in results.timing if row["hardware"]})
    batches = sorted({row["batch"] for row in results.timing if row["batch"]})
    return [
        f"Time was measured on {listed(hardware) or 'hardware that was not recorded'} with "
        f"{listed([small(n) for n in batches], 'or')} {'frame' if batches == [1] else 'frames'} a call, "
        f"as the median of repeated calls. The headline metric is {metric_label(results.metric)}."
    ]
