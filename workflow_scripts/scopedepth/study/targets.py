"""Targets named on the command line: those that belong to another study are one clear error."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scopedepth.config.load import ConfigError, suggest
from scopedepth.job.shipped import runs_by
from scopedepth.study.layout import RESULTS, Job, job_at
from scopedepth.study.plan import Plan
from scopedepth.vocabulary.units import dataset_of

# A wildcard, and where the configuration names what it may be.
KINDS = {"dataset": "datasets", "unit": "datasets", "model": "models", "protocol": "protocols"}


def check_targets(words: Iterable[str], plan: Plan, config: Mapping[str, Any]) -> None:
    """Raise a `ConfigError` for the first of `words` that is a result, but none of the plan's study.

    The message names the study that has it and the command to use.
    """
    for word in words:
        if word.startswith("-"):
            continue
        try:
            inside = Path(os.path.abspath(word)).relative_to(os.path.abspath(RESULTS)).as_posix()
        except ValueError:
            continue
        job = job_at(inside)
        if job is not None and not plan.has(job):
            raise ConfigError(_where_it_belongs(word, job, plan, config))


def _where_it_belongs(word: str, job: Job, plan: Plan, config: Mapping[str, Any]) -> str:
    values = job.named
    chosen = plan.study.name
    if "study" in values:
        known = config["studies"]
        if values["study"] in known:
            return (
                f"{word} is of the study {values['study']}, and the study chosen is {chosen}. "
                f"Use: {runs_by()} {word} --config study={values['study']}"
            )
        return f"{word}: there is no study {values['study']!r}. {suggest(values['study'], known)}"
    if "digest" in values:
        return f"{word} is no list of the study {chosen}."
    names = {kind: dataset_of(values[kind]) for kind in KINDS if kind in values}
    for kind, name in names.items():
        known = config.get(KINDS[kind], {})
        if name not in known:
            word_for = "dataset" if kind == "unit" else kind
            return f"{word}: there is no {word_for} {name!r}. {suggest(name, known)}"
    studies = [
        name
        for name, spec in config["studies"].items()
        if all(value in spec.get(KINDS[kind], ()) for kind, value in names.items())
        and ("timing" not in values or spec.get("timing") == values["timing"])
    ]
    if chosen in studies:
        return f"{word}: the study {chosen} has no such part. Its units: {', '.join(list(plan.study.units)[:30])}."
    if studies:
        return (
            f"{word} is no part of the study chosen, {chosen}. "
            f"Use: {runs_by()} {word} --config study={studies[0]}"
        )
    return f"{word} is part of no study. Name {' and '.join(names.values())} in one under `studies` of config.yaml."
