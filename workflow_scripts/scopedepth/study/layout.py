"""The results tree and the graph of the stages: what each rule makes, where that lies, and what it reads of whom.

This is the one place that spells a path of the tree. The rules take their outputs, logs and inputs from here, and so
does whoever looks at results beside them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from scopedepth.errors import ScopeDepthError
from scopedepth.job.leaves import FOLDER as LEAVES
from scopedepth.job.manifest import MANIFEST, PAGE, RECORD
from scopedepth.vocabulary.strata import PART
from scopedepth.vocabulary.weights import FINETUNED

RESULTS = Path("results")
LOGS = RESULTS / "logs"
# Where running jobs say how far they are, for the display of all of them.
RUNNING = LOGS / "running"
# The demonstration's networks, trained anew, and what they are trained on.
DEMO_WEIGHTS = RESULTS / "demo_weights"
# Changes of code that were accepted, by name below results/.
ACCEPTED = "accepted.json"
# Beside a study's tables: what there is of them after a run with failures, made anew each time.
INCOMPLETE = "incomplete"
# What lies below results/ and is no result: logs, digests kept to save reading, training data. What is half-made has
# the suffix.
NO_RESULTS = frozenset({LOGS.name, LEAVES, DEMO_WEIGHTS.name})
HALF_MADE = ".partial"

STUDY_TABLES = (
    "frames", "summary", "comparisons", "ranks", "sensitivity", "depth_error", "drift", "robustness", "resilience",
    "reference", "strata", "timing",
)  # fmt: skip
# What the names in them stand for; made with the report, for they hold its words.
NAME_TABLES = ("models", "metrics", "protocols")

_NAME = r"[a-z0-9_]+"
WILDCARDS = {
    "dataset": _NAME,
    "unit": r"[^/]+?",
    "model": _NAME,
    "protocol": f"{_NAME}(?:{re.escape(PART)})?",
    "timing": _NAME,
    "study": _NAME,
    "digest": r"[0-9a-f]+",
}

# What a job may read, and the rule that makes it: the one result of its own wildcards, or a list, which may be empty.
ONE = {"unit": "prepare", "prediction": "predict", "alignment": "align", "tables": "summarise"}
LISTS = {
    "raw": "fetch_dataset",
    "lists": "fetch_list",
    "weights": "fetch_weights",
    # The weights of models that are fine-tuned here.
    "tuned": "finetune",
    "units": "prepare",
    # The units whose stores hold the pixels of views.
    "bases": "prepare",
    "predictions": "predict",
    "scores": "score",
    # Of datasets that state the error of their reference.
    "redraws": "redraw",
    "strata": "score",
    "timings": "time",
}
MAKERS = {**ONE, **LISTS}
STORE = ("store", "manifest")
FILES = ("files", "manifest")


@dataclass(frozen=True)
class Stage:
    """One rule.

    `makes`: its outputs by name, as what follows `stem` in their paths below results/; those that end in a slash are
    folders. `record` among them, the last one, is the run record. A folder with a `manifest` beside it is vouched for
    by that. `reads`: by what it is to the rule (`MAKERS`), the outputs of another rule that it reads.
    `each`: the wildcard for all of whose values one job of the rule makes what is here: `Job` is a part of it then.
    """

    rule: str
    stem: str
    makes: Mapping[str, str]
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    each: str = ""

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The patterns of the outputs below results/, by name; those of folders end in a slash."""
        return {name: self.stem + rest for name, rest in self.makes.items()}

    @cached_property
    def wildcards(self) -> tuple[str, ...]:
        """The names of the rule's wildcards, in the order of its paths."""
        return tuple(re.findall(r"{(\w+)}", self.stem))

    @property
    def job_wildcards(self) -> tuple[str, ...]:
        """Those of the job that Snakemake runs: without the one that it takes all values of."""
        return tuple(name for name in self.wildcards if name != self.each)

    @cached_property
    def matchers(self) -> list[re.Pattern[str]]:
        """What matches each path that the rule makes, and what lies in its folders; longer ones first."""
        return [_matcher(output) for output in sorted(self.outputs.values(), key=len, reverse=True)]

    @property
    def log(self) -> str:
        """The pattern of a job's log."""
        return f"{LOGS}/{self.rule}/" + "/".join(f"{{{name}}}" for name in self.job_wildcards) + ".log"

    @property
    def done(self) -> str:
        """The pattern of the empty file that says that a job in parts has run."""
        return self.log.removesuffix(".log") + ".done"

    def pattern(self, output: str) -> str:
        """Return the pattern of an output's path."""
        return f"{RESULTS}/{self.outputs[output].rstrip('/')}"

    @property
    def folders(self) -> list[str]:
        """The names of the outputs that are folders."""
        return [name for name, path in self.makes.items() if path.endswith("/")]

    @property
    def vouched_for(self) -> list[str]:
        """What the rule reads and something else tells whether it changed.

        Of a folder its manifest, of a list its own name, of the parts that a job makes what each was made from.
        """
        return [
            f"{role}_{output}"
            for role, outputs in self.reads.items()
            for output in outputs
            if role == "lists"
            or output in STAGES[MAKERS[role]].folders
            or (self.each and STAGES[MAKERS[role]].each == self.each)
        ]

    def reads_of(self, rule: str) -> tuple[str, ...]:
        """Return the names of the outputs of another rule that this one reads."""
        found = (outputs for role, outputs in self.reads.items() if MAKERS[role] == rule)
        return tuple(dict.fromkeys(name for outputs in found for name in outputs))


def _matcher(output: str) -> re.Pattern[str]:
    text = re.escape(output.rstrip("/")).replace(r"\{", "{").replace(r"\}", "}")
    text = re.sub(r"{(\w+)}", lambda match: f"(?P<{match[1]}>{WILDCARDS[match[1]]})", text)
    return re.compile(text + ("(?:/.*)?" if output.endswith("/") else ""))


STAGES: dict[str, Stage] = {
    stage.rule: stage
    for stage in (
        Stage("fetch_dataset", "raw/{dataset}", {"files": "/", "manifest": MANIFEST, "record": RECORD}),
        Stage("fetch_list", "lists/{digest}", {"list": ".txt", "record": RECORD}),
        Stage("fetch_weights", "weights/{model}", {"files": "/", "manifest": MANIFEST, "record": RECORD}),
        Stage(
            "prepare",
            "datasets/{unit}",
            {"store": ".zarr/", "manifest": MANIFEST, "page": PAGE, "record": RECORD},
            # A view has no files of its own: it is made from the store of another unit.
            {"raw": FILES, "lists": ("list",), "bases": STORE},
        ),
        # Of the units that it learns from, and of the model that it begins with.
        Stage(
            "finetune",
            "finetuned/{model}",
            {"files": "/", "manifest": MANIFEST, "record": RECORD},
            {"units": STORE, "bases": ("store",), "weights": FILES, "tuned": FILES},
        ),
        Stage(
            "predict",
            "predictions/{unit}/{model}",
            {"store": ".zarr/", "manifest": MANIFEST, "record": RECORD},
            {"unit": STORE, "bases": ("store",), "weights": FILES, "tuned": FILES},
        ),
        Stage(
            "align",
            "alignments/{unit}/{model}/{protocol}",
            {"table": ".parquet", "record": RECORD},
            {"units": STORE, "bases": ("store",), "predictions": STORE},
            each="protocol",
        ),
        Stage(
            "score",
            "scores/{unit}/{model}/{protocol}",
            {"table": ".parquet", "record": RECORD},
            {"unit": STORE, "bases": ("store",), "prediction": STORE, "alignment": ("table",)},
            each="protocol",
        ),
        # The same with the reference redrawn within its stated error.
        Stage(
            "redraw",
            "redraws/{unit}/{model}/{protocol}",
            {"table": ".parquet", "record": RECORD},
            {"unit": STORE, "bases": ("store",), "prediction": STORE},
            each="protocol",
        ),
        # The record of a timing holds what was measured, beside the calls.
        Stage(
            "time",
            "timing/{timing}/{model}",
            {"table": ".parquet", "record": RECORD},
            {"weights": FILES, "tuned": FILES},
        ),
        Stage(
            "summarise",
            "studies/{study}/",
            {**{name: f"{name}.parquet" for name in STUDY_TABLES}, "record": "summary" + RECORD},
            # Of stores and predictions a sample of the frames, for the errors against depth.
            {
                "units": STORE,
                "bases": ("store",),
                "predictions": STORE,
                "scores": ("table",),
                "redraws": ("table",),
                "strata": ("table",),
                "timings": ("table", "record"),
            },
        ),
        Stage(
            "report",
            "studies/{study}/",
            {
                "html": "report.html",
                "ranking": "ranking.txt",
                "paper": "paper/",
                **{name: f"{name}.parquet" for name in NAME_TABLES},
                "record": "report" + RECORD,
            },
            {
                "units": (*STORE, "page", "record"),
                "bases": ("store",),
                "predictions": (*STORE, "record"),
                # How training went.
                "tuned": ("record",),
                "timings": ("record",),
                "tables": (*STUDY_TABLES, "record"),
            },
        ),
        # Beside the report, which links to them.
        Stage(
            "frame_pages",
            "studies/{study}/",
            {"pages": "frames/", "record": "frame_pages" + RECORD},
            {"units": STORE, "bases": ("store",), "predictions": STORE, "tables": ("frames",)},
        ),
    )
}


@dataclass(frozen=True)
class Job:
    """One job of a study: a rule and the values of its wildcards, in the order of `Stage.wildcards`.

    Of a rule that makes several tables in one go, each table is a part of a job: it has its own record, is stale by
    itself and made by itself; `whole` says which parts run together.
    """

    rule: str
    values: tuple[str, ...]

    @classmethod
    def of(cls, rule: str, wildcards: Any) -> Job:
        """Return the job of a rule for Snakemake's wildcards."""
        return cls(rule, tuple(str(getattr(wildcards, name)) for name in STAGES[rule].wildcards))

    @property
    def stage(self) -> Stage:
        """The job's rule."""
        return STAGES[self.rule]

    @property
    def named(self) -> dict[str, str]:
        """The values by the names of their wildcards."""
        return dict(zip(self.stage.wildcards, self.values, strict=True))

    @property
    def wildcards(self) -> SimpleNamespace:
        """The same, as Snakemake gives them."""
        return SimpleNamespace(**self.named)

    @property
    def name(self) -> str:
        """What the job's result is called: its paths below results/ as far as they agree."""
        return self.stage.stem.format(**self.named).rstrip("/")

    @property
    def whole(self) -> tuple[str, ...]:
        """The rule and the wildcards' values of the job that Snakemake runs."""
        return self.rule, *(self.named[name] for name in self.stage.job_wildcards)

    def path(self, output: str, results: Path = RESULTS) -> Path:
        """Return where one of the job's outputs lies."""
        return results / self.stage.outputs[output].format(**self.named).rstrip("/")

    def outputs(self, results: Path = RESULTS) -> dict[str, Path]:
        """Return where all of the job's outputs lie, by name."""
        return {name: self.path(name, results) for name in self.stage.makes}

    def places(self) -> list[str]:
        """Return the same below results/ as text: paths are slow to make, and a study has tens of thousands."""
        named = self.named
        return [f"{RESULTS.name}/{text.format(**named).rstrip('/')}" for text in self.stage.outputs.values()]

    def log(self) -> Path:
        """Return the job's log."""
        return Path(self.stage.log.format(**self.named))

    def __str__(self) -> str:
        return f"{self.rule}({', '.join(self.values)})"


def tables_of(study: str, folder: Path | None = None) -> dict[str, Path]:
    """Return where the tables of a study lie, by name; or would, in another folder."""
    made_by = {**dict.fromkeys(STUDY_TABLES, "summarise"), **dict.fromkeys(NAME_TABLES, "report")}
    paths = {name: Job(rule, (study,)).path(name) for name, rule in made_by.items()}
    return paths if folder is None else {name: folder / path.name for name, path in paths.items()}


def incomplete_folder(study: str) -> Path:
    """Return where a study's tables and report are made of what there is, after a run with failures."""
    return Job("report", (study,)).path("html").parent / INCOMPLETE


def weights_job(model: Mapping[str, Any]) -> Job | None:
    """Return the job that makes the weights of a model, by its spec; None for a model without weights."""
    kind = model["weights"]["kind"]
    if kind == "none":
        return None
    return Job("finetune" if kind == FINETUNED else "fetch_weights", (model["name"],))


def job_at(inside: str) -> Job | None:
    """Return the job that makes `inside`, a path below results/ in POSIX form, or None where no rule makes it."""
    for stage in STAGES.values():
        for matcher in stage.matchers:
            match = matcher.fullmatch(inside)
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
            f"for example {Job('report', ('demo',)).path('html', results)}."
        )
    return job
