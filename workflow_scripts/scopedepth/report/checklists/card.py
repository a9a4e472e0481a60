"""A model's card: what a study has recorded of it, under the headings that readers of papers ask for.

Three lists: the sections of model cards (Mitchell et al. 2019, https://doi.org/10.1145/3287560.3287596), the 44 items
of CLAIM (2024 update, https://doi.org/10.1148/ryai.240300) and the parameters of a challenge's design in BIAS
(Maier-Hein et al. 2020, https://doi.org/10.1016/j.media.2020.101796). CLAIM's items have their numbers, all
have titles of our own. Where a study stores no fact, the card says `not recorded`: it argues and guesses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scopedepth.job.run import read_record
from scopedepth.report.checklists.items import BIAS, CLAIM
from scopedepth.report.html.remarks import cautions
from scopedepth.report.methods import fine_tuned, intervals, protocol_sentence, reference_variability
from scopedepth.report.results import Results
from scopedepth.report.words import (
    interval,
    listed,
    metric_label,
    metric_unit,
    metric_value,
    milliseconds,
    parameters,
    plural,
    preprocessing,
)
from scopedepth.vocabulary.lineage import DATASET, FRAMES, MEANINGS, NONE, PATIENT, SEQUENCE
from scopedepth.vocabulary.metrics import METRICS
from scopedepth.vocabulary.outputs import OUTPUT_MEANINGS
from scopedepth.vocabulary.strata import WEIGHTED

NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class Facts:
    """What a study has recorded of a model, a text each; empty where there is nothing."""

    results: Results
    model: str
    # Run records of its predictions.
    records: tuple[Path, ...] = ()
    weights_digest: str = ""

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.results.models[self.model]

    def stated(self, spec: Mapping[str, Any], *fields: str) -> str:
        """Return fields of an entry that say something, in words."""
        said = [f"{name} {spec[name]}" for name in fields if spec.get(name) not in (None, "", "unknown")]
        return "; ".join(said)

    def each(self, text: Any) -> str:
        """Return what is to be said of each dataset, after its title."""
        said = [(self.results.dataset_title(name), text(name)) for name in self.results.dataset_names]
        return " ".join(f"{title}: {what}." for title, what in said if what)

    def weights(self) -> str:
        """Where the weights come from; a folder of somebody's disk is not told."""
        given = self.spec["weights"]
        kind = given["kind"]
        if kind == "hub":
            where = f"{given['repo']} on the Hugging Face Hub" + (
                f", revision {given['revision']}" if given.get("revision") else ""
            )
        elif kind == "url":
            where = listed([str(one["url"]) for one in given["files"]])
        else:
            where = {"path": "files at hand", "none": "none"}.get(kind, "trained here")
        return where + (f" ({self.weights_digest})" if self.weights_digest else "")

    def network(self) -> str:
        output = self.spec["output"]
        said = [
            f"family {self.spec['family']}",
            f"output: {OUTPUT_MEANINGS[output['kind']].format(unit=output['unit'])}",
            f"precision {self.spec['precision']}",
            f"weights: {self.weights()}",
        ]
        if self.spec.get("parameters"):
            said.insert(1, f"{parameters(self.spec['parameters'])} parameters as published")
        return "; ".join(said)

    def sources(self) -> str:
        return self.each(
            lambda name: self.stated(self.results.datasets[name], "homepage", "licence", "citation")
        )

    def numbers(self) -> str:
        """Frames and sequences that have a number under the headline's protocol."""

        def counted(name: str) -> str:
            row = self.results.score(name, self.model)
            if row is None or row["value"] is None:
                return "no number"
            text = f"{plural(row['n_frames'], 'frame')} of {plural(row['n_sequences'], 'sequence')}"
            return text + (f", {row['n_failed']} more without a number" if row["n_failed"] else "")

        return self.each(counted)

    def chosen(self) -> str:
        """Which sequences and frames were chosen, where not all were."""

        def said(name: str) -> str:
            spec: Mapping[str, Any] = self.results.datasets[name]
            frames = spec.get("frames") or {}
            parts = [f"sequences {listed(spec['sequences'])}"] if spec.get("sequences") else []
            parts += [f"frames by a list ({key})" for key in ("list", "exclude") if frames.get(key)]
            if (frames.get("step") or 1) != 1 or frames.get("start") or frames.get("stop") is not None:
                parts.append(
                    f"frames from {frames.get('start', 0)} to {frames.get('stop') or 'the end'} in steps of "
                    f"{frames.get('step', 1)}"
                )
            return "; ".join(parts)

        return self.each(said)

    def reference(self) -> str:
        words = {"ct": "CT", "structured_light": "structured light"}

        def said(name: str) -> str:
            origin = (self.results.datasets[name].get("depth") or {}).get("origin", "unknown")
            return "" if origin == "unknown" else words.get(origin, origin)

        return self.each(said)

    def devices(self) -> str:
        def said(name: str) -> str:
            spec: Mapping[str, Any] = self.results.datasets[name]
            given = (spec.get("provenance") or {}).get("device") or {}
            return listed(list(dict.fromkeys(map(str, given.values()))))

        return self.each(said)

    def level(self, dataset: str) -> str:
        """The closest that the model is stated to have seen of a dataset; empty where it was not scored on it."""
        scored = any(self.results.score(dataset, self.model, one) for one in self.results.protocol_names)
        return self.results.seen(dataset, self.model) if scored else ""

    def seen(self) -> str:
        return self.each(lambda name: MEANINGS.get(self.level(name), ""))

    def evaluated(self, *levels: str) -> str:
        """The datasets of which the model's stated training data hold what these levels say."""
        return self.each(lambda name: MEANINGS[self.level(name)] if self.level(name) in levels else "")

    def scores(self) -> str:
        def said(name: str) -> str:
            rows = (
                (one, self.results.score(name, self.model, None, one)) for one in self.results.metric_names
            )
            return "; ".join(
                f"{metric_label(one)} {metric_value(row['value'], one)}"
                + (f" {metric_unit(one)}" if metric_unit(one) not in ("", "1") else "")
                + (
                    f" (95 % {interval(row['ci_low'], row['ci_high'], one)})"
                    if row["ci_low"] is not None
                    else ""
                )
                for one, row in rows
                if row and row["value"] is not None
            )

        text = self.each(said)
        return f"Under {self.results.protocol}: {text}" if text else ""

    def ranks(self) -> str:
        def said(name: str) -> str:
            row = self.results.rank(name, self.model)
            if row is None or row["rank_by_value"] is None:
                return ""
            return (
                f"{row['rank_by_value']} (between {row['rank_low']} and {row['rank_high']} by significance)"
            )

        return self.each(said)

    def speed(self) -> str:
        row = self.results.speed.get(self.model)
        if not row or row["forward_median"] is None:
            return ""
        where = row["hardware"] or row["device"]
        return (
            f"{milliseconds(row['forward_median'])} a forward pass of {row['batch']} at {row['input_size']} on "
            f"{where} ({row['precision']})"
        )

    def software(self) -> str:
        found: dict[str, set[str]] = {}
        for path in self.records:
            record = read_record(path)
            for library, version in (record.get("versions") or {}).items():
                found.setdefault(str(library), set()).add(str(version))
        return ", ".join(
            f"{name} {' and '.join(sorted(versions))}" for name, versions in sorted(found.items())
        )

    def metrics(self) -> str:
        known = [METRICS[name] for name in self.results.metric_names if name in METRICS]
        return "; ".join(f"{one.label} = {one.formula}" for one in known)

    def protocols(self) -> str:
        return " ".join(protocol_sentence(self.results, name) for name in self.results.protocol_names)

    def training(self) -> str:
        title = self.results.model_title(self.model)
        return " ".join(one for one in fine_tuned(self.results) if one.startswith(f"{title} was fine-tuned"))

    def robustness(self) -> str:
        said = []
        if len(self.results.protocol_names) > 1 and self.results.sensitivity:
            said.append(
                f"Scored under {plural(len(self.results.protocol_names), 'protocol')} ({self.protocols_named()})."
            )
        kinds = {row["kind"] for row in self.results.robustness if row["kind"] != "clean"}
        if kinds:
            said.append(f"Under corruptions of the image: {listed(sorted(kinds))}.")
        return " ".join(said)

    def protocols_named(self) -> str:
        return ", ".join(self.results.protocol_names)

    def failures(self) -> str:
        """Frames without a number, and where in the image the model fails, as far as that was looked at."""

        def said(name: str) -> str:
            row = self.results.score(name, self.model)
            parts = (
                [f"{plural(row['n_failed'], 'frame')} without a number"] if row and row["n_failed"] else []
            )
            strata = [
                one["stratum"]
                for one in self.results.strata
                if (one["dataset"], one["model"]) == (name, self.model)
                and (one["partition"], one["stratum"]) != WEIGHTED
            ]
            if strata:
                parts.append(f"errors were told apart by {listed(list(dict.fromkeys(strata)))}")
            return "; ".join(parts)

        return self.each(said)

    def limits(self) -> str:
        return " ".join(str(cautions(self.results).striptags()).split())

    def availability(self) -> str:
        own = self.stated(self.spec, "licence", "homepage", "citation")
        said = [f"Model: {own}."] if own else []
        return " ".join([*said, self.sources()]).strip()


def card(facts: Facts) -> str:
    """Return the card as Markdown."""
    results, title = facts.results, facts.results.model_title(facts.model)
    of_claim, of_bias = claim(facts), bias(facts)
    study = results.study.get("title") or results.study["name"]
    sections = {
        "Model": facts.network(),
        "Terms and source": facts.stated(facts.spec, "licence", "homepage", "citation"),
        "Intended use": "",
        "Factors (groups, instruments, environments)": facts.devices(),
        "Metrics": facts.metrics(),
        "Evaluation data": " ".join(filter(None, [facts.sources(), facts.numbers()])),
        "Preprocessing": preprocessing(facts.spec),  # type: ignore[arg-type]
        "Training data": facts.training(),
        "Seen in training, at the closest": facts.seen(),
        "Results": facts.scores(),
        "Place by the headline's metric": facts.ranks(),
        "Speed": facts.speed(),
        "Ethical considerations": "",
        "Caveats": facts.limits(),
    }
    lines = [
        f"# {_plain(title)}",
        "",
        f"What the study {_plain(str(study))} has recorded of this model. `{NOT_RECORDED}` means that the study stores "
        "no such fact: write it, or leave it out. Numbers are the study's, under the protocols named.",
        "",
        "## Model card",
        "",
        *_table({name: ("", text) for name, text in sections.items()}, "section"),
        "",
        "## CLAIM, 2024 update",
        "",
        *_table({str(n): (what, of_claim.get(n, "")) for n, what in CLAIM.items()}, "item", "what"),
        "",
        "## BIAS, design of a comparison",
        "",
        *_table({what: ("", of_bias.get(what, "")) for what in BIAS}, "parameter"),
    ]
    return "\n".join(lines) + "\n"


def claim(facts: Facts) -> dict[int, str]:
    """Return what is recorded of CLAIM's items, by number."""
    results = facts.results
    reference_error = " ".join(reference_variability(results))
    return {
        1: f"Monocular depth estimation by the model family {facts.spec['family']}.",
        6: _compares(results),
        7: facts.sources(),
        9: f"Frames: {preprocessing(facts.spec)}.",  # type: ignore[arg-type]
        10: facts.chosen(),
        13: facts.devices(),
        14: facts.reference(),
        20: facts.seen(),
        22: facts.network(),
        23: facts.software(),
        24: facts.training(),
        25: facts.training(),
        26: facts.training(),
        28: facts.metrics(),
        29: " ".join(intervals(results)),
        30: " ".join(filter(None, [facts.robustness(), reference_error if results.reference else ""])),
        # What stated training data hold of the test data: these, or nothing.
        32: facts.evaluated(FRAMES, SEQUENCE, PATIENT, DATASET),
        33: facts.evaluated(NONE),
        35: facts.numbers(),
        37: facts.scores(),
        39: facts.failures(),
        40: facts.limits(),
        42: facts.protocols(),
        43: facts.availability(),
    }


def bias(facts: Facts) -> dict[str, str]:
    """Return what is recorded of BIAS's parameters, by their titles in `BIAS`."""
    results = facts.results
    return {
        "name": str(results.study.get("title") or results.study["name"]),
        "terms of the data": facts.each(lambda name: facts.stated(results.datasets[name], "licence")),
        "kind of task": "Monocular depth estimation.",
        "what is assessed": f"{metric_label(results.metric)} under {results.protocol}, the headline.",
        "data sources": facts.sources(),
        "training and test cases": facts.numbers(),
        "annotation": facts.reference(),
        "preprocessing of the data": facts.chosen(),
        "sources of error": " ".join(reference_variability(results)),
        "metrics": facts.metrics(),
        "ranking": f"By {metric_label(results.metric)}; models whose difference is not significant share places.",
        "statistics": " ".join(intervals(results)),
        "further analyses": facts.robustness(),
    }


def _compares(results: Results) -> str:
    return (
        f"A comparison of {plural(len(results.model_names), 'model')} on "
        f"{plural(len(results.dataset_names), 'dataset')} under {plural(len(results.protocol_names), 'protocol')}."
    )


def _table(rows: Mapping[str, tuple[str, str]], *heads: str) -> list[str]:
    """Return rows of Markdown; a row's name, what it asks for where there are two heads, what is recorded."""
    head = [*heads, "recorded"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, (what, text) in rows.items():
        cells = [name, *([what] if len(heads) > 1 else []), _plain(text).strip() or f"*{NOT_RECORDED}*"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _plain(text: str) -> str:
    """Return text as one line that Markdown shows as it is: what others wrote is no markup."""
    text = " ".join(text.split())
    for sign in "\\`*_{}[]<>|#":
        text = text.replace(sign, "\\" + sign)
    return text
