"""The views that a study's `robustness` stands for: one for each of its datasets, kinds and severities."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scopedepth.config.base import NAME_PATTERN
from scopedepth.config.datasets import Corrupt, DatasetSpec, ViewSpec
from scopedepth.config.studies import StudySpec
from scopedepth.errors import ScopeDepthError
from scopedepth.vocabulary.corruptions import CORRUPTIONS


def corrupted(
    where: str, study: StudySpec, datasets: Mapping[str, DatasetSpec | ViewSpec]
) -> dict[str, ViewSpec]:
    """Return the views by name, in the order of datasets, kinds and severities; `where` is the study's place.

    Studies with the same kind, severity and seed share views of a name, and so all that is made of them.
    """
    asked = study.robustness
    if asked is None:
        return {}
    views: dict[str, ViewSpec] = {}
    for dataset in asked.datasets or study.datasets:
        base = datasets[dataset]
        title = base.title or dataset
        for kind in asked.kinds:
            for severity in asked.severities:
                name = f"{dataset}_{kind}_{severity}" + (f"_seed{asked.seed}" if asked.seed else "")
                if name in datasets:
                    raise ScopeDepthError(
                        f"{where}.robustness: {name} is what the corrupted view is called. Rename datasets.{name}."
                    )
                if not re.match(NAME_PATTERN, name):
                    raise ScopeDepthError(
                        f"{where}.robustness: {name} is too long for a name. Give datasets.{dataset} a shorter one."
                    )
                views[name] = ViewSpec(
                    view_of=dataset,
                    title=f"{title}, {CORRUPTIONS[kind].label.lower()} {severity}",
                    corrupt=Corrupt(kind=kind, severity=severity, seed=asked.seed),
                )
    return views


def plain_robustness(study: StudySpec, views: Mapping[str, ViewSpec]) -> dict[str, Any] | None:
    """Return what a study says of robustness with all defaults, and beside it `views`: of each what it shows."""
    asked = study.robustness
    if asked is None:
        return None
    shown = {}
    for name, view in views.items():
        assert view.corrupt is not None
        shown[name] = {"dataset": view.view_of, "kind": view.corrupt.kind, "severity": view.corrupt.severity}
    return {
        **asked.model_dump(mode="json"),
        "datasets": list(asked.datasets or study.datasets),
        "baseline": asked.baseline or study.models[0],
        "views": shown,
    }
