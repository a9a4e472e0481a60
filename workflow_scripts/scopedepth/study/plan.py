"""What each stage of a study needs: the jobs, what decides each, what it reads, from its wildcards alone.

The rules take their inputs and parameters from a `Plan`, and so do the commands that say what is stale: they cannot
disagree. What decides a job is one canonical string for its spec and one for its code; what is left out of them makes
nothing stale. The `wildcards` of the methods are any object with the attributes dataset, unit, model, protocol, timing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scopedepth.config.load import (
    DATASET_WORDS,
    MODEL_WORDS,
    PROTOCOL_WORDS,
    RECIPE_WORDS,
    STUDY_WORDS,
    Study,
    Unit,
    without,
)
from scopedepth.errors import ScopeDepthError, without_secrets
from scopedepth.job import extensions
from scopedepth.job.identity import canonical_json, declared, file_digests, module_digests
from scopedepth.job.leaves import Leaf
from scopedepth.lineage.footage import reached
from scopedepth.study.layout import MAKERS, ONE, RESULTS, STAGES, Job, weights_job
from scopedepth.views import modules_of, step_module
from scopedepth.vocabulary.alignments import alignment
from scopedepth.vocabulary.metrics import METRICS, standing_for
from scopedepth.vocabulary.reference import REDRAWN
from scopedepth.vocabulary.strata import PART, without_part
from scopedepth.vocabulary.weights import FORMATS, tuning_of

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# What comes after a stage is no part of what decides it.
NOT_FOR_PREPARE = frozenset({"source", "split", "cut"})
NOT_FOR_PREDICT = frozenset({"weights"})
NOT_FOR_SCORES = frozenset({"averaging"})
# What pages of frames show of a study.
SHOWN_IN_PAGES = ("name", "title", "datasets", "models", "protocols", "headline", "frame_pages")
IN_PLACE = ("path", "registration")
# Published files do not follow from our code: they are not fetched again when it changes.
AS_PUBLISHED = "{}"


class Plan:
    """A study's jobs. `scripts` is the folder of the rules' scripts."""

    def __init__(self, study: Study, scripts: Path) -> None:
        self.study = study
        self.scripts = scripts
        # The same few specs and scripts stand behind thousands of jobs.
        self._code = functools.cache(self._digest_code)
        self._spec = functools.cache(self._write_spec)
        self._together = functools.cache(self._find_together)

    # Names.

    def dataset(self, wildcards: Any) -> specs.Dataset:
        """Return the spec of the dataset that a job's unit belongs to."""
        return self.study.dataset(self.study.unit(wildcards.unit).dataset)

    def model(self, wildcards: Any) -> specs.Model:
        """Return the spec of a job's model."""
        return self.study.model(wildcards.model)

    # Jobs.

    def jobs(self) -> tuple[Job, ...]:
        """Return every job of the study, each after those that it needs."""
        return tuple(self._every)

    def has(self, job: Job) -> bool:
        """Say whether the study has such a job."""
        return job in self._every

    @functools.cached_property
    def _every(self) -> dict[Job, None]:
        """All that the study's report and pages need, stage by stage."""
        found: dict[Job, None] = {}

        def add(job: Job) -> None:
            if job not in found:
                for needed in self.needed_by(job):
                    add(needed)
                found[job] = None

        for last in self._last:
            add(last)
        place = {rule: number for number, rule in enumerate(STAGES)}
        return dict.fromkeys(sorted(found, key=lambda job: place[job.rule]))

    @property
    def _last(self) -> list[Job]:
        """The jobs whose results nobody else needs."""
        pages = ["frame_pages"] if self.study.spec["frame_pages"] else []
        return [Job(rule, (self.study.name,)) for rule in ("report", *pages)]

    def needed_by(self, job: Job) -> list[Job]:
        """Return the jobs whose results a job reads."""
        return list(dict.fromkeys(one for role in job.stage.reads for one in self.needs(job, role)))

    def needs(self, job: Job, role: str) -> list[Job]:
        """Return the jobs whose results are one of the things that a job reads (`layout.MAKERS`)."""
        if role in ("raw", "lists"):
            unit = self.study.unit(job.values[0])
            if unit.base is not None:
                return []
            if role == "raw":
                return [Job("fetch_dataset", (unit.dataset,))]
            return [
                Job("fetch_list", (digest,)) for digest in fetched_lists(self.study.dataset(unit.dataset))
            ]
        if role == "bases":
            bases = dict.fromkeys(self.study.unit(name).base for name in self._values(job, "unit"))
            return [Job("prepare", (base,)) for base in bases if base is not None]
        rule = MAKERS[role]
        if role in ("weights", "tuned"):
            made = (weights_job(self.study.model(model)) for model in self._begun_with(job))
            return [one for one in made if one is not None and one.rule == rule]
        return [
            Job(rule, key)
            for key in product(*(self._values(job, name, role) for name in STAGES[rule].wildcards))
        ]

    def _begun_with(self, job: Job) -> Collection[str]:
        """Return the models whose weights a job reads: its own; of one that is fine-tuned, what it is made from."""
        if job.rule == "finetune":
            return (tuning_of(self.model(job.wildcards))["base"],)
        return self._values(job, "model")

    def _values(self, job: Job, wildcard: str, role: str = "") -> Collection[str]:
        """Return the units, models and so on that a job is about: its own, or all of the study.

        Of corrupted views a study reads the scores alone.
        """
        study = self.study
        if wildcard == "unit" and job.rule == "align":
            return self.fitted_together(job.wildcards)
        if wildcard == "unit" and job.rule == "finetune":
            return self.study.training[job.values[0]]
        own = job.stage.wildcards
        if wildcard in own:
            return (without_part(job.values[own.index(wildcard)]),)
        if wildcard == "timing":
            return () if study.timing is None else (study.timing["name"],)
        every: dict[str, Collection[str]] = {
            "unit": {"scores": study.units, "redraws": study.assessed_units}.get(role, study.shown_units),
            "model": study.models,
            "protocol": self.by_strata if role == "strata" else study.protocols,
        }
        return every[wildcard]

    @functools.cached_property
    def by_strata(self) -> list[str]:
        """The parts of the score stage that sum errors by strata: of the headline's protocol, where the study asks."""
        return [self.study.spec["headline"]["protocol"] + PART] if self.study.spec["strata"] else []

    def _each_of(self, rule: str) -> list[str]:
        return [*self.study.protocols, *(self.by_strata if rule == "score" else ())]

    def fitted_together(self, wildcards: Any) -> list[str]:
        """Return the units that share one fit, the job's own first.

        More than one where the fit spans a dataset that is split, or a sequence that is cut.
        """
        return self._together(wildcards.unit, wildcards.protocol)

    def _find_together(self, unit: str, protocol: str) -> list[str]:
        scope = self.study.protocols[protocol]["alignment"]["scope"]
        own = self.study.units[unit]
        if scope == "frame" or (scope == "sequence" and own.frames is None):
            return [own.name]
        others = self.study.units_of(own.dataset)
        if scope == "sequence":
            others = [name for name in others if self.study.units[name].sequence == own.sequence]
        return sorted(others, key=lambda unit: (unit != own.name, unit))

    def fetched_lists(self) -> dict[str, str]:
        """Return the address of each list of frames that is to be fetched, by its digest."""
        lists = [fetched_lists(self.study.dataset(name)) for name in self.study.stored()]
        return {digest: url for one in lists for digest, url in one.items()}

    # The inputs of the rules.

    def parts(self, rule: str, wildcards: Any) -> list[Job]:
        """Return what one job of a rule makes, for its wildcards: one part a protocol, of align, score and redraw.

        And of score one for the sums by strata (`by_strata`).
        """
        stage = STAGES[rule]
        values = [
            self._each_of(rule) if name == stage.each else [str(getattr(wildcards, name))]
            for name in stage.wildcards
        ]
        return [Job(rule, key) for key in product(*values)]

    def each(self, rule: str, pattern: str) -> str | list[str]:
        """Return a pattern of paths as it is; of a rule that runs in parts once for each of a job's parts."""
        name = "{" + STAGES[rule].each + "}"
        return [pattern.replace(name, value) for value in self._each_of(rule)] if name in pattern else pattern

    def inputs(self, rule: str) -> dict[str, Any]:
        """Return what a rule reads, by role and output (``unit_store``): patterns, and functions of wildcards."""
        found: dict[str, Any] = {}
        for role, outputs in STAGES[rule].reads.items():
            for output in outputs:
                if (role == "bases" and not self.study.base_units) or (
                    role == "tuned" and not self.study.training
                ):
                    # Of thousands of jobs Snakemake would ask a function twice each.
                    paths: Any = []
                elif role in ONE:
                    paths = self.each(ONE[role], STAGES[ONE[role]].pattern(output))
                else:
                    paths = self._reader(rule, role, output)
                found[f"{role}_{output}"] = paths
        return found

    def _reader(self, rule: str, role: str, output: str) -> Callable[[Any], list[str]]:
        path = STAGES[MAKERS[role]].pattern(output)

        def paths(wildcards: Any) -> list[str]:
            # Of a job in parts only the scope of a part's fit decides what it reads: one part of each tells all.
            parts: dict[str | None, Job] = {}
            for part in self.parts(rule, wildcards):
                parts.setdefault(self._scope_of(part), part)
            needed = dict.fromkeys(job for part in parts.values() for job in self.needs(part, role))
            return [path.format(**job.named) for job in needed]

        return paths

    def _scope_of(self, part: Job) -> str | None:
        name = part.named.get("protocol")
        return None if name is None else str(self.study.protocols[without_part(name)]["alignment"]["scope"])

    def targets(self) -> list[str]:
        """Return what a run of the study makes at its end: its tables, its report."""
        every = (job.outputs() for job in (Job("summarise", (self.study.name,)), *self._last))
        return [str(path) for outputs in every for name, path in outputs.items() if name != "record"]

    def local_weights(self, wildcards: Any) -> list[str]:
        """The files of weights that lie on disk. fetch_weights says what is missing.

        Not those with braces in their path, which Snakemake would take for wildcards: what a job is made from tells of
        their content in any case.
        """
        return self._files(Job("fetch_weights", (wildcards.model,)))

    def own_code(self, rule: str) -> Callable[[Any], list[str]] | list[str]:
        """The files of models' own code that a rule reads beside their weights, as a function of wildcards."""
        if not any(map(self._code_folder, self.study.models.values())):
            # Of thousands of jobs Snakemake would ask a function twice each.
            return []

        def files(wildcards: Any) -> list[str]:
            return self._files(Job.of(rule, wildcards))

        return files

    def _files(self, job: Job) -> list[str]:
        try:
            paths = sorted(str(file) for leaf in self.leaves(job) for file in leaf.files().values())
            return [path for path in paths if not set(path) & set("{}")]
        except OSError:  # a name that no file can have
            return []

    @staticmethod
    def _code_folder(model: specs.Model) -> Path | None:
        """Return the folder of a model's own code that is not the weights'; None where it has none."""
        folder = model["options"].get("folder") if model["family"] == "python" else None
        if folder is None:
            return None
        place, results = at(folder).absolute().resolve(), RESULTS.absolute().resolve()
        if place.is_relative_to(results) or results.is_relative_to(place):
            raise ScopeDepthError(
                f"models.{model['name']}.options.folder: {folder} holds results, or lies among them, and what was "
                "fetched is not run as code. Name a folder of your own that holds the code alone."
            )
        return at(folder)

    def other_python(self, job: Job) -> str | None:
        """Return the Python of another environment that a job runs its model in; None where it has none."""
        if job.rule not in ("predict", "time"):
            return None
        model = self.model(job.wildcards)
        return model["options"].get("python") if model["family"] == "python" else None

    # What decides a job, as canonical JSON.

    def spec(self, job: Job) -> str:
        """Return the part of the configuration that decides a job."""
        if "study" in job.stage.wildcards:
            return self._spec(job.rule, ())
        keys = {
            "predict": job.values[1:],
            "time": job.values[1:],
            "align": job.values[2:],
            "score": job.values[2:],
            "redraw": job.values[::2],
        }
        return self._spec(job.rule, keys.get(job.rule, job.values))

    def _write_spec(self, rule: str, key: tuple[str, ...]) -> str:
        study = self.study
        spec: Any
        if rule == "fetch_dataset":
            spec = study.dataset(key[0])
            decides: dict[str, Any] = {"name": spec["name"], "source": spec["source"]}
            if spec["source"]["kind"] in IN_PLACE:
                # Which files count is told to those who read them in place.
                decides["reads"] = self.reads_of_loader(key[0])
            return without_secrets(canonical_json(decides))
        if rule == "fetch_list":
            return without_secrets(canonical_json({"url": self.fetched_lists()[key[0]], "sha256": key[0]}))
        if rule == "fetch_weights":
            spec = study.model(key[0])
            decides = {"name": spec["name"], "weights": spec["weights"]}
            if spec["weights"]["kind"] == "path":
                decides["reads"] = self.reads_of_family(key[0])
            return without_secrets(canonical_json(decides))
        if rule == "prepare":
            # Not where its files come from, for their digest stands for them; nor the other sequences of a dataset
            # that is split: adding one makes nothing else anew.
            unit = study.unit(key[0])
            if unit.base is not None:
                return canonical_json(self._view_spec(unit))
            spec = without(study.dataset(unit.dataset), DATASET_WORDS, NOT_FOR_PREPARE)
            if unit.sequence is not None:
                spec["sequences"] = [unit.sequence]
            if unit.frames is not None:
                spec["part"] = unit.frames
            return canonical_json(spec)
        if rule == "finetune":
            return canonical_json(self._tuning_spec(key[0]))
        if rule == "predict":
            # Not where its weights come from, for their digest stands for them.
            return canonical_json(without(study.models[key[0]], MODEL_WORDS, NOT_FOR_PREDICT))
        if rule in ("align", "score"):
            # Not how frames are averaged, which comes after them.
            protocol = without_part(key[0])
            spec = without(study.protocols[protocol], PROTOCOL_WORDS, NOT_FOR_SCORES)
            if key[0] != protocol:
                spec["strata"] = True
            if rule == "align":
                return canonical_json({**spec, "metrics": standing_for(spec["metrics"])})
            # What the registry says of them beside words; it is left out of the code, for it holds all metrics.
            facts = {name: [METRICS[name].needs, METRICS[name].unit] for name in spec["metrics"]}
            fitted = alignment(spec["alignment"]["method"]).parameters
            return canonical_json({**spec, "metric_facts": facts, "alignment_parameters": fitted})
        if rule == "redraw":
            spec = without(study.protocols[key[1]], PROTOCOL_WORDS, NOT_FOR_SCORES)
            spec["metrics"] = [name for name in spec["metrics"] if name in REDRAWN]
            # Where its numbers come from decides nothing.
            stated: Any = study.dataset(study.unit(key[0]).dataset)["reference_error"]
            error = {
                name: without(part, {"source"}) if isinstance(part, dict) else part
                for name, part in stated.items()
            }
            return canonical_json({"protocol": spec, "error": error})
        if rule == "time":
            model = without(study.models[key[0]], MODEL_WORDS, NOT_FOR_PREDICT)
            return canonical_json({"model": model, "settings": without(study.timing or {}, STUDY_WORDS)})
        if rule == "summarise":
            # What a model has seen of a dataset is said in the tables, as `lineage` of the study.
            return canonical_json(
                {
                    "study": {**without(study.spec, STUDY_WORDS), **self._facts()},
                    "datasets": _without_words(study.shown_datasets, DATASET_WORDS),
                    "models": _without_words(study.models, MODEL_WORDS),
                    "protocols": _without_words(study.protocols, PROTOCOL_WORDS),
                }
            )
        if rule == "frame_pages":
            # Names and titles, and what brings a prediction to the reference's scale.
            titles = {"name", "title"}
            return canonical_json(
                {
                    "study": {key: study.spec[key] for key in SHOWN_IN_PAGES},  # type: ignore[literal-required]
                    "datasets": _only(study.shown_datasets, titles),
                    "models": _only(study.models, titles | {"family"}),
                    "protocols": _without_words(study.protocols, PROTOCOL_WORDS - titles | NOT_FOR_SCORES),
                }
            )
        # A report shows everything, words and all.
        return canonical_json(
            {
                "study": {**study.spec, **self._facts()},
                "datasets": study.shown_datasets,
                "models": study.models,
                "protocols": study.protocols,
            }
        )

    def _tuning_spec(self, name: str) -> dict[str, Any]:
        """What decides how a model is fine-tuned, beside the base's weights and the data, which are known by digest.

        Which videos are the same, and whose they are, counts where some are held out or folds are made.
        """
        model = self.study.model(name)
        tuning = tuning_of(model)
        recipe = without(tuning["recipe"], RECIPE_WORDS)
        decide = reached(self.study.people, *(one["dataset"] for one in tuning["train"]))
        apart = tuning["holdout"] or tuning["folds"]
        return {
            **without(tuning, {"kind"}),
            "recipe": recipe,
            "model": without(model, MODEL_WORDS, NOT_FOR_PREDICT),
            "people": {name: self.study.people[name] for name in sorted(decide)} if apart else {},
        }

    def _facts(self) -> dict[str, Any]:
        """What files say of the study's alignments and metrics; metrics without a file are known by the code."""
        methods = {protocol["alignment"]["method"] for protocol in self.study.protocols.values()}
        wanted = {name for protocol in self.study.protocols.values() for name in protocol["metrics"]}
        facts = {name: asdict(METRICS[name]) for name in sorted(wanted) if METRICS[name].file}
        fits = {name: asdict(alignment(name)) for name in sorted(methods)}
        return {"metric_facts": facts, "alignment_facts": fits}

    def _view_spec(self, unit: Unit) -> dict[str, Any]:
        """What decides a view beside the store it is made from: its name, its lineage, and what it changes."""
        spec = self.study.dataset(unit.dataset)
        view = {key: spec[key] for key in ("name", "lineage", "steps")}
        return {**view, "view_of": unit.base, "whole": unit.sequence is None}

    def code(self, job: Job) -> str:
        """Return what code is behind a job: a digest a module."""
        rule = job.rule
        if rule == "fetch_dataset":
            rendered = self.study.dataset(job.values[0])["source"]["kind"] == "phantom"
            return self._code(rule, "scopedepth.phantom") if rendered else AS_PUBLISHED
        if rule in ("fetch_weights", "fetch_list"):
            return AS_PUBLISHED
        if rule == "prepare":
            if self.study.unit(job.values[0]).base is not None:
                steps = modules_of(self.dataset(job.wildcards)["steps"])
                loaded = (name for kind, names in steps.items() for name in (step_module(kind), *names))
                return self._code("scopedepth/datasets/view", *loaded)
            # The dataset's own loader: another loader's code is no part of it.
            return self._code(rule, f"scopedepth.datasets.loaders.{self.dataset(job.wildcards)['loader']}")
        if rule == "finetune":
            family = self.model(job.wildcards)["family"]
            modules = [extensions.module_of(folder, family) for folder in (extensions.FAMILIES, FORMATS)]
            return self._code(rule, *modules)
        if rule == "predict":
            # The engine and the model's own family.
            return self._code(rule, f"scopedepth.models.families.{self.model(job.wildcards)['family']}")
        if rule == "time":
            return self._code(
                "measure_time", f"scopedepth.models.families.{self.model(job.wildcards)['family']}"
            )
        if rule in ("align", "redraw"):
            # The protocol's own alignment.
            method = self.study.protocols[job.values[2]]["alignment"]["method"]
            return self._code(rule, extensions.module_of(extensions.ALIGNMENTS, method))
        if rule == "score":
            # And the files of the protocol's metrics, where they are found by their files.
            files = {
                METRICS[name].file for name in self.study.protocols[without_part(job.values[2])]["metrics"]
            } - {""}
            return self._code(
                rule, *(extensions.module_of(extensions.METRICS, file) for file in sorted(files))
            )
        return self._code(rule)

    def _digest_code(self, script: str, *modules: str) -> str:
        digests = module_digests(self.scripts / f"{script}.py", modules)
        if script in ("align", "score"):
            del digests["scopedepth.vocabulary.metrics"]
        if script == "report":
            # The templates, styles and scripts that it puts into the page.
            digests |= file_digests("report/html/templates", "report/html/static", "report/colours")
        if script == "frame_pages":
            digests |= file_digests("report/frames/static", "report/colours")
        return canonical_json(digests)

    # Leaves: what lies outside results/.

    def leaves(self, job: Job) -> list[Leaf]:
        """Return the files outside results/ that a job reads."""
        if job.rule == "fetch_dataset":
            source: Any = self.study.dataset(job.values[0])["source"]
            if source["kind"] not in IN_PLACE:
                return []
            return [Leaf(job.name, at(source["path"]), self.reads_of_loader(job.values[0]))]
        if job.rule == "fetch_weights":
            source = self.model(job.wildcards)["weights"]
            if source["kind"] != "path":
                return []
            return [Leaf(job.name, at(source["path"]), self.reads_of_family(job.values[0]))]
        if job.rule == "prepare":
            if self.study.unit(job.values[0]).base is not None:
                return []
            dataset = self.study.unit(job.values[0]).dataset
            # Those that were fetched are results.
            local = [at(source["path"]) for source in lists_of(self.study.dataset(dataset)) if source["path"]]
            kept = Job("fetch_dataset", (dataset,)).name
            return [Leaf(f"{kept}.lists/{place}", path) for place, path in enumerate(local)]
        if job.rule in ("predict", "time"):
            model = self.model(job.wildcards)
            folder = self._code_folder(model)
            kept = Job("fetch_weights", (model["name"],)).name
            return [] if folder is None else [Leaf(f"{kept}.code", folder)]
        return []

    def reads_of_loader(self, dataset: str) -> list[str] | None:
        """Return the suffixes and names of the files that a dataset's loader reads; None: all may count."""
        return declared(f"scopedepth.datasets.loaders.{self.study.dataset(dataset)['loader']}", "READS")

    def reads_of_family(self, model: str) -> list[str] | None:
        """Return the suffixes and names of the files that a model's family reads; None: all may count."""
        return declared(f"scopedepth.models.families.{self.study.model(model)['family']}", "READS")


def lists_of(spec: specs.Dataset) -> list[specs.FrameList]:
    """Return the lists whose lines decide which frames of a dataset take part."""
    return [given for name in ("list", "exclude") if (given := spec["frames"][name]) is not None]


def fetched_lists(spec: specs.Dataset) -> dict[str, str]:
    """Return the address of each list that is to be fetched, by the digest that it must have."""
    return {str(source["sha256"]): source["url"] for source in lists_of(spec) if source["url"]}


def at(path: str) -> Path:
    """Return a place of the configuration: ``~`` is the user's home, relative paths start at the workflow's folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # the home of a user whom this machine does not know
        return Path(path)


def _only(entries: Mapping[str, Mapping[str, Any]], keys: Collection[str]) -> dict[str, Any]:
    return {name: {key: spec[key] for key in keys if key in spec} for name, spec in entries.items()}


def _without_words(entries: Mapping[str, Mapping[str, Any]], words: frozenset[str]) -> dict[str, Any]:
    return {name: without(spec, words) for name, spec in entries.items()}
