"""The stages of a study: what each rule makes, where that lies, and which job makes a path.

The rules in rules/ write the same paths, and a test holds the two together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

from scopedepth.errors import ScopeDepthError

RESULTS = Path("results")
STUDY_TABLES = (
    "frames", "summary", "comparisons", "ranks", "sensitivity", "depth_error", "drift", "timing",
)  # fmt: skip

_NAME = r"[a-z0-9_]+"
WILDCARDS = {
    "dataset": _NAME,
    "unit": r"[^/]+?",
    "model": _NAME,
    "protocol": _NAME,
    "timing": _NAME,
    "study": _NAME,
    "digest": r"[0-9a-f]+",
}


@dataclass(frozen=True)
class Stage:
    """One rule. `outputs`: what it makes, by name, as patterns below results/; those that end in a slash are folders.

    `record` among them is the run record. A folder with a `manifest` beside it is vouched for by that.
    `each`: the wildcard for all of whose values one job of the rule makes what is here: `Job` is a part of it then.
    """

    rule: str
    outputs: dict[str, str]
    log: str
    each: str = ""

    @cached_property
    def wildcards(self) -> tuple[str, ...]:
        """The names of the rule's wildcards, in the order of its paths."""
        return tuple(re.findall(r"{(\w+)}", self.outputs["record"]))

    @cached_property
    def patterns(self) -> list[re.Pattern[str]]:
        """What matches each path that the rule makes, and what lies in its folders; longer ones first."""
        return [_pattern(output) for output in sorted(self.outputs.values(), key=len, reverse=True)]


def _pattern(output: str) -> re.Pattern[str]:
    text = re.escape(output.rstrip("/")).replace(r"\{", "{").replace(r"\}", "}")
    text = re.sub(r"{(\w+)}", lambda match: f"(?P<{match[1]}>{WILDCARDS[match[1]]})", text)
    return re.compile(text + ("(?:/.*)?" if output.endswith("/") else ""))


STAGES: dict[str, Stage] = {
    stage.rule: stage
    for stage in (
        Stage(
            "fetch_dataset",
            {
                "files": "raw/{dataset}/",
                "manifest": "raw/{dataset}.json",
                "record": "raw/{dataset}.run.json",
            },
            "fetch_dataset/{dataset}.log",
        ),
        Stage(
            "fetch_list",
            {"list": "lists/{digest}.txt", "record": "lists/{digest}.run.json"},
            "fetch_list/{digest}.log",
        ),
        Stage(
            "fetch_weights",
            {
                "files": "weights/{model}/",
                "manifest": "weights/{model}.json",
                "record": "weights/{model}.run.json",
            },
            "fetch_weights/{model}.log",
        ),
        Stage(
            "prepare",
            {
                "store": "datasets/{unit}.zarr/",
                "manifest": "datasets/{unit}.json",
                "page": "datasets/{unit}.page.json",
                "record": "datasets/{unit}.run.json",
            },
            "prepare/{unit}.log",
        ),
        Stage(
            "predict",
            {
                "store": "predictions/{unit}/{model}.zarr/",
                "manifest": "predictions/{unit}/{model}.json",
                "record": "predictions/{unit}/{model}.run.json",
            },
            "predict/{unit}/{model}.log",
        ),
        Stage(
            "align",
            {
                "table": "alignments/{unit}/{model}/{protocol}.parquet",
                "record": "alignments/{unit}/{model}/{protocol}.run.json",
            },
            "align/{unit}/{model}.log",
            each="protocol",
        ),
        Stage(
            "score",
            {
                "table": "scores/{unit}/{model}/{protocol}.parquet",
                "record": "scores/{unit}/{model}/{protocol}.run.json",
            },
            "score/{unit}/{model}.log",
            each="protocol",
        ),
        Stage(
            "time",
            {"table": "timing/{timing}/{model}.parquet", "record": "timing/{timing}/{model}.run.json"},
            "time/{timing}/{model}.log",
        ),
        Stage(
            "summarise",
            {
                **{name: f"studies/{{study}}/{name}.parquet" for name in STUDY_TABLES},
                "record": "studies/{study}/summary.run.json",
            },
            "summarise/{study}.log",
        ),
        Stage(
            "report",
            {
                "html": "studies/{study}/report.html",
                "ranking": "studies/{study}/ranking.txt",
                "paper": "studies/{study}/paper/",
                "record": "studies/{study}/report.run.json",
            },
            "report/{study}.log",
        ),
    )
}


# What a rule reads of another one's outputs, where that is more or less than all but the run record and the page.
READ = {
    ("summarise", "time"): ("table", "record"),
    ("report", "prepare"): ("store", "manifest", "page", "record"),
    ("report", "predict"): ("store", "manifest", "record"),
    ("report", "time"): ("record",),
    ("report", "summarise"): (*STUDY_TABLES, "record"),
}


def read_outputs(reader: str, maker: str) -> tuple[str, ...]:
    """Return the names of the outputs of rule `maker` that rule `reader` reads."""
    every = (name for name in STAGES[maker].outputs if name not in ("record", "page"))
    return READ.get((reader, maker), tuple(every))


@dataclass(frozen=True)
class Job:
    """One job of a study: a rule and the values of its wildcards, in the order of `Stage.wildcards`.

    Of a rule that makes several tables in one go, each table is a part of a job: it has its own record, is stale by
    itself and made by itself; `whole` says which parts run together.
    """

    rule: str
    values: tuple[str, ...]

    @property
    def stage(self) -> Stage:
        """The job's rule."""
        return STAGES[self.rule]

    @property
    def wildcards(self) -> SimpleNamespace:
        """The wildcards by name, as Snakemake gives them."""
        return SimpleNamespace(**dict(zip(self.stage.wildcards, self.values, strict=True)))

    @property
    def whole(self) -> tuple[str, ...]:
        """The rule and the wildcards of the job that Snakemake runs: without the one that it takes all values of."""
        values = zip(self.stage.wildcards, self.values, strict=True)
        return self.rule, *(value for name, value in values if name != self.stage.each)

    def path(self, output: str, results: Path = RESULTS) -> Path:
        """Return where one of the job's outputs lies."""
        return results / self.stage.outputs[output].format(**vars(self.wildcards)).rstrip("/")

    def outputs(self, results: Path = RESULTS) -> dict[str, Path]:
        """Return where all of the job's outputs lie, by name."""
        return {name: self.path(name, results) for name in self.stage.outputs}

    def log(self, results: Path = RESULTS) -> Path:
        """Return the job's log."""
        return results / "logs" / self.stage.log.format(**vars(self.wildcards))

    def __str__(self) -> str:
        return f"{self.rule}({', '.join(self.values)})"


def job_at(inside: str) -> Job | None:
    """Return the job that makes `inside`, a path below results/ in POSIX form, or None where no rule makes it."""
    for stage in STAGES.values():
        for pattern in stage.patterns:
            match = pattern.fullmatch(inside)
            if match:
                return Job(stage.rule, tuple(match[name] for name in stage.wildcards))
    return None


def job_of(path: Path, results: Path = RESULTS) -> Job:
    """Return the job that makes `path`. A path that no rule makes is a `ScopeDepthError`."""
    try:
        inside = path.resolve().relative_to(results.resolve()).as_posix()
    except ValueError:
        raise ScopeDepthError(f"{path} is not in {results}/. Give the path of a result.") from None
    job = job_at(inside)
    if job is None:
        raise ScopeDepthError(
            f"{path} is made by no rule. Give a store, a table or a report under {results}/, "
            f"for example {results}/studies/demo/report.html."
        )
    return job
