"""From the path of a result to the job that makes it: its rule, its wildcards, its parameters, its run record."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from scopedepth.errors import ScopeDepthError
from scopedepth.plan import Plan

Parameter = Callable[[Plan, SimpleNamespace], str]


@dataclass(frozen=True)
class Stage:
    """One rule: the paths it makes, where its run record lies, and what decides its results."""

    rule: str
    path: re.Pattern[str]
    record: str
    params: dict[str, Parameter]


# Parameters of the last two rules, and the part of the study behind each.
_MEMBERS = {"study": "spec", "datasets": "datasets", "models": "models", "protocols": "protocols"}


def _specs(method: str, kind: str) -> Parameter:
    def parameter(plan: Plan, wildcards: SimpleNamespace) -> str:
        value: str = getattr(plan, method)(kind)(wildcards)
        return value

    return parameter


STAGES = (
    Stage(
        "fetch_dataset",
        re.compile(r"raw/(?P<dataset>[a-z0-9_]+)(\.json|\.run\.json|/.*)?"),
        "raw/{dataset}.run.json",
        {"spec": Plan.source_spec, "files": Plan.source_files, "code": Plan.source_code},
    ),
    Stage(
        "fetch_weights",
        re.compile(r"weights/(?P<model>[a-z0-9_]+)(\.json|\.run\.json|/.*)?"),
        "weights/{model}.run.json",
        {"spec": Plan.weights_spec},
    ),
    Stage(
        "prepare",
        re.compile(r"datasets/(?P<unit>[^/]+?)(\.zarr(/.*)?|\.page\.json|\.run\.json|\.json)"),
        "datasets/{unit}.run.json",
        {"spec": Plan.prepare_spec, "code": Plan.prepare_code},
    ),
    Stage(
        "predict",
        re.compile(r"predictions/(?P<unit>[^/]+)/(?P<model>[a-z0-9_]+)(\.zarr(/.*)?|\.run\.json|\.json)"),
        "predictions/{unit}/{model}.run.json",
        {"spec": Plan.predict_spec, "code": Plan.predict_code},
    ),
    Stage(
        "align",
        re.compile(
            r"alignments/(?P<unit>[^/]+)/(?P<model>[a-z0-9_]+)/(?P<protocol>[a-z0-9_]+)\.(parquet|run\.json)"
        ),
        "alignments/{unit}/{model}/{protocol}.run.json",
        {"protocol": Plan.protocol_spec, "code": lambda plan, _: plan.code("align")},
    ),
    Stage(
        "score",
        re.compile(
            r"scores/(?P<unit>[^/]+)/(?P<model>[a-z0-9_]+)/(?P<protocol>[a-z0-9_]+)\.(parquet|run\.json)"
        ),
        "scores/{unit}/{model}/{protocol}.run.json",
        {"protocol": Plan.protocol_spec, "code": lambda plan, _: plan.code("score")},
    ),
    Stage(
        "time",
        re.compile(r"timing/(?P<timing>[a-z0-9_]+)/(?P<model>[a-z0-9_]+)\.(parquet|run\.json)"),
        "timing/{timing}/{model}.run.json",
        {"spec": Plan.predict_spec, "settings": Plan.timing_settings, "code": Plan.timing_code},
    ),
    Stage(
        "report",
        re.compile(
            r"studies/(?P<study>[a-z0-9_]+)/(report\.html|report\.run\.json|ranking\.txt|paper(/.*)?)"
        ),
        "studies/{study}/report.run.json",
        {
            **{name: _specs("report_specs", kind) for name, kind in _MEMBERS.items()},
            "code": lambda plan, _: plan.report_code(),
        },
    ),
    Stage(
        "summarise",
        re.compile(r"studies/(?P<study>[a-z0-9_]+)/([a-z_]+\.parquet|summary\.run\.json)"),
        "studies/{study}/summary.run.json",
        {
            **{name: _specs("summary_specs", kind) for name, kind in _MEMBERS.items()},
            "code": lambda plan, _: plan.code("summarise"),
        },
    ),
)


@dataclass(frozen=True)
class Job:
    """The job behind one result."""

    stage: Stage
    wildcards: dict[str, str]
    record: Path

    def current_params(self, plan: Plan) -> dict[str, str] | None:
        """Return what the job's parameters are now, or None where the study has no such job any more."""
        wildcards = SimpleNamespace(**self.wildcards)
        try:
            return {name: value(plan, wildcards) for name, value in self.stage.params.items()}
        except KeyError:
            return None


def job_of(path: Path, results: Path = Path("results")) -> Job:
    """Return the job that makes `path`. A path that no rule makes is a `ScopeDepthError`."""
    try:
        inside = path.resolve().relative_to(results.resolve()).as_posix()
    except ValueError:
        raise ScopeDepthError(f"{path} is not in {results}/. Give the path of a result.") from None
    for stage in STAGES:
        match = stage.path.fullmatch(inside)
        if match:
            wildcards = match.groupdict()
            return Job(stage, wildcards, results / stage.record.format(**wildcards))
    raise ScopeDepthError(
        f"{path} is made by no rule. Give a store, a table or a report under {results}/, "
        f"for example {results}/studies/demo/report.html."
    )
