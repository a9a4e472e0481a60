"""What each stage of a study needs: the jobs, what decides each, the inputs of every rule, from its wildcards alone.

The rules take their inputs and parameters from a `Plan`, and so do the commands that say what is stale: they cannot
disagree. What decides a job is one canonical string for its spec and one for its code; what is left out of them makes
nothing stale. The `wildcards` of the methods are any object with the attributes dataset, unit, model, protocol, timing.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from scopedepth.config.frame_lists import FETCHED, fetched_lists, listed_files
from scopedepth.config.load import (
    DATASET_WORDS,
    MODEL_WORDS,
    PROTOCOL_WORDS,
    STUDY_WORDS,
    Study,
    Unit,
    without,
)
from scopedepth.errors import without_secrets
from scopedepth.job import extensions
from scopedepth.job.identity import canonical_json, declared, file_digests, module_digests
from scopedepth.job.leaves import Leaf
from scopedepth.study.layout import STUDY_TABLES, Job
from scopedepth.study.signatures import signed
from scopedepth.views import kinds_of, step_module
from scopedepth.vocabulary.metrics import METRICS, standing_for

# What comes after a stage is no part of what decides it.
NOT_FOR_PREPARE = frozenset({"source", "split", "cut"})
NOT_FOR_PREDICT = frozenset({"weights"})
NOT_FOR_SCORES = frozenset({"averaging"})
IN_PLACE = ("path", "registration")
# Published files do not follow from our code: they are not fetched again when it changes.
AS_PUBLISHED = "{}"


@signed
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

    def dataset(self, wildcards: Any) -> dict[str, Any]:
        """Return the spec of the dataset that a job's unit belongs to."""
        return self.study.dataset(self.study.unit(wildcards.unit).dataset)

    def model(self, wildcards: Any) -> dict[str, Any]:
        """Return the spec of a job's model."""
        return self.study.models[wildcards.model]

    def has_weights(self, model: str) -> bool:
        """Say whether a model has weights to fetch."""
        return bool(self.study.models[model]["weights"]["kind"] != "none")

    # Jobs.

    def jobs(self) -> Iterator[Job]:
        """Yield every job of the study, each after those that it needs."""
        study = self.study
        yield from (Job("fetch_dataset", (name,)) for name in study.stored())
        yield from (Job("fetch_list", (digest,)) for digest in self.fetched_lists())
        yield from (Job("fetch_weights", (name,)) for name in study.models if self.has_weights(name))
        # The stores that views are made from come before them.
        yield from (Job("prepare", (unit,)) for unit in {**study.base_units, **study.units})
        yield from (Job("predict", key) for key in product(study.units, study.models))
        for rule in ("align", "score"):
            yield from (Job(rule, key) for key in product(study.units, study.models, study.protocols))
        if study.timing is not None:
            yield from (Job("time", (study.timing["name"], model)) for model in study.models)
        yield Job("summarise", (study.name,))
        yield Job("report", (study.name,))

    def has(self, job: Job) -> bool:
        """Say whether the study has such a job."""
        known: dict[str, Collection[str]] = {
            "dataset": self.study.stored(),
            "digest": self.fetched_lists(),
            "unit": {**self.study.base_units, **self.study.units}
            if job.rule == "prepare"
            else self.study.units,
            "model": self.study.models,
            "protocol": self.study.protocols,
            "timing": () if self.study.timing is None else (self.study.timing["name"],),
            "study": (self.study.name,),
        }
        values = vars(job.wildcards)
        weightless = job.rule == "fetch_weights" and values["model"] in known["model"]
        return all(value in known[name] for name, value in values.items()) and not (
            weightless and not self.has_weights(values["model"])
        )

    def needed_by(self, job: Job) -> list[Job]:
        """Return the jobs whose results a job reads."""
        study, values = self.study, job.values
        if job.rule == "prepare":
            unit = study.unit(values[0])
            if unit.base is not None:
                return [Job("prepare", (unit.base,))]
            lists = fetched_lists(study.dataset(unit.dataset))
            return [Job("fetch_dataset", (unit.dataset,)), *(Job("fetch_list", (one,)) for one in lists)]
        if job.rule in ("predict", "time"):
            first = self._prepared(values[0]) if job.rule == "predict" else []
            return first + [Job("fetch_weights", values[1:])] * self.has_weights(values[1])
        if job.rule == "align":
            units = self.fitted_together(job.wildcards)
            prepared = dict.fromkeys(one for unit in units for one in self._prepared(unit))
            return [*prepared, *(Job("predict", (unit, values[1])) for unit in units)]
        if job.rule == "score":
            return [*self._prepared(values[0]), Job("predict", values[:2]), Job("align", values)]
        if job.rule == "summarise":
            rules: tuple[str, ...] = ("prepare", "predict", "align", "score", "time")
            return [one for one in self.jobs() if one.rule in rules]
        if job.rule == "report":
            rules = ("prepare", "predict", "align", "time", "summarise")
            return [one for one in self.jobs() if one.rule in rules]
        return []

    def _prepared(self, unit: str) -> list[Job]:
        """Return the jobs that make a unit's store, and of a view the one that holds its pixels."""
        base = self.study.unit(unit).base
        return [Job("prepare", (unit,)), *([] if base is None else [Job("prepare", (base,))])]

    def fetched_lists(self) -> dict[str, str]:
        """Return the address of each list of frames that is to be fetched, by its digest."""
        lists = [fetched_lists(self.study.dataset(name)) for name in self.study.stored()]
        return {digest: url for one in lists for digest, url in one.items()}

    # What decides a job, as canonical JSON.

    def spec(self, job: Job) -> str:
        """Return the part of the configuration that decides a job."""
        if job.rule in ("summarise", "report"):
            return self._spec(job.rule, ())
        keys = {
            "predict": job.values[1:],
            "time": job.values[1:],
            "align": job.values[2:],
            "score": job.values[2:],
        }
        return self._spec(job.rule, keys.get(job.rule, job.values))

    def _write_spec(self, rule: str, key: tuple[str, ...]) -> str:
        study = self.study
        if rule == "fetch_dataset":
            spec = study.dataset(key[0])
            decides = {"name": spec["name"], "source": spec["source"]}
            if spec["source"]["kind"] in IN_PLACE:
                # Which files count is told to those who read them in place.
                decides["reads"] = self.reads_of_loader(key[0])
            return without_secrets(canonical_json(decides))
        if rule == "fetch_list":
            return without_secrets(canonical_json({"url": self.fetched_lists()[key[0]], "sha256": key[0]}))
        if rule == "fetch_weights":
            spec = study.models[key[0]]
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
        if rule == "predict":
            # Not where its weights come from, for their digest stands for them.
            return canonical_json(without(study.models[key[0]], MODEL_WORDS, NOT_FOR_PREDICT))
        if rule in ("align", "score"):
            # Not how frames are averaged, which comes after them.
            spec = without(study.protocols[key[0]], PROTOCOL_WORDS, NOT_FOR_SCORES)
            if rule == "align":
                return canonical_json({**spec, "metrics": standing_for(spec["metrics"])})
            # What the registry says of them beside words; it is left out of the code, for it holds all metrics.
            facts = {name: [METRICS[name].needs, METRICS[name].unit] for name in spec["metrics"]}
            return canonical_json({**spec, "metric_facts": facts})
        if rule == "time":
            model = without(study.models[key[0]], MODEL_WORDS, NOT_FOR_PREDICT)
            return canonical_json({"model": model, "settings": without(study.timing or {}, STUDY_WORDS)})
        if rule == "summarise":
            # Whether a model has seen a dataset is said in the tables.
            return canonical_json(
                {
                    "study": {**without(study.spec, STUDY_WORDS), **self._found_metrics()},
                    "datasets": _without_words(study.datasets, DATASET_WORDS),
                    "models": _without_words(study.models, MODEL_WORDS - {"trained_on"}),
                    "protocols": _without_words(study.protocols, PROTOCOL_WORDS),
                }
            )
        # A report shows everything, words and all.
        return canonical_json(
            {
                "study": {**study.spec, **self._found_metrics()},
                "datasets": study.datasets,
                "models": study.models,
                "protocols": study.protocols,
            }
        )

    def _found_metrics(self) -> dict[str, Any]:
        """What the files say of the study's metrics that are found by their files; others are known by the code."""
        wanted = {name for protocol in self.study.protocols.values() for name in protocol["metrics"]}
        facts = {name: asdict(METRICS[name]) for name in sorted(wanted) if METRICS[name].file}
        return {"metric_facts": facts} if facts else {}

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
                steps = kinds_of(self.dataset(job.wildcards)["steps"])
                return self._code("scopedepth/views/make", *map(step_module, steps))
            # The dataset's own loader: another loader's code is no part of it.
            return self._code(rule, f"scopedepth.datasets.loaders.{self.dataset(job.wildcards)['loader']}")
        if rule == "predict":
            # The engine and the model's own family.
            return self._code(rule, f"scopedepth.models.families.{self.model(job.wildcards)['family']}")
        if rule == "time":
            return self._code(
                "measure_time", f"scopedepth.models.families.{self.model(job.wildcards)['family']}"
            )
        if rule == "score":
            # And the files of the protocol's metrics, where they are found by their files.
            files = {METRICS[name].file for name in self.study.protocols[job.values[2]]["metrics"]} - {""}
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
            digests |= file_digests("report/html/templates", "report/html/static")
        return canonical_json(digests)

    # Leaves: what lies outside results/.

    def leaves(self, job: Job) -> list[Leaf]:
        """Return the files outside results/ that a job reads."""
        if job.rule == "fetch_dataset":
            source = self.study.dataset(job.values[0])["source"]
            if source["kind"] not in IN_PLACE:
                return []
            return [Leaf(f"raw/{job.values[0]}", at(source["path"]), self.reads_of_loader(job.values[0]))]
        if job.rule == "fetch_weights":
            source = self.model(job.wildcards)["weights"]
            if source["kind"] != "path":
                return []
            return [Leaf(f"weights/{job.values[0]}", at(source["path"]), self.reads_of_family(job.values[0]))]
        if job.rule == "prepare":
            if self.study.unit(job.values[0]).base is not None:
                return []
            spec = self.dataset(job.wildcards)
            # Those that were fetched are results.
            local = [path for path in listed_files(spec) if path.parent != FETCHED]
            return [Leaf(f"lists/{spec['name']}/{place}", path) for place, path in enumerate(local)]
        return []

    def reads_of_loader(self, dataset: str) -> list[str] | None:
        """Return the suffixes and names of the files that a dataset's loader reads; None: all may count."""
        return declared(f"scopedepth.datasets.loaders.{self.study.dataset(dataset)['loader']}", "READS")

    def reads_of_family(self, model: str) -> list[str] | None:
        """Return the suffixes and names of the files that a model's family reads; None: all may count."""
        return declared(f"scopedepth.models.families.{self.study.models[model]['family']}", "READS")

    def local_weights(self, wildcards: Any) -> list[str]:
        """The files of weights that lie on disk. fetch_weights says what is missing.

        Not those with braces in their path, which Snakemake would take for wildcards: what a job is made from tells of
        their content in any case.
        """
        try:
            found = self.leaves(Job("fetch_weights", (wildcards.model,)))
            paths = sorted(str(file) for leaf in found for file in leaf.files().values())
            return [path for path in paths if not set(path) & set("{}")]
        except OSError:  # a name that no file can have
            return []

    # Inputs.

    def raw(self, wildcards: Any) -> str:
        """Return the folder that a unit's store is made from: its raw files, or of a view the store behind it."""
        unit = self.study.unit(wildcards.unit)
        return f"results/raw/{unit.dataset}" if unit.base is None else f"results/datasets/{unit.base}.zarr"

    def raw_manifest(self, wildcards: Any) -> str:
        """Return the manifest of that folder."""
        return self.raw(wildcards).removesuffix(".zarr") + ".json"

    def lists_to_fetch(self, wildcards: Any) -> list[str]:
        """Return the lists of a unit's dataset that come from an address; a view reads none."""
        if self.study.unit(wildcards.unit).base is not None:
            return []
        return [f"{FETCHED}/{digest}.txt" for digest in fetched_lists(self.dataset(wildcards))]

    def bases(self, wildcards: Any) -> list[str]:
        """Return the store that holds a unit's pixels, where that is another unit's."""
        base = self.study.unit(wildcards.unit).base
        return [] if base is None else [f"results/datasets/{base}.zarr"]

    def bases_to_fit(self, wildcards: Any) -> list[str]:
        bases = (self.study.units[unit].base for unit in self.fitted_together(wildcards))
        return [f"results/datasets/{base}.zarr" for base in bases if base is not None]

    def every_base(self) -> list[str]:
        return [f"results/datasets/{unit}.zarr" for unit in self.study.base_units]

    def weights(self, wildcards: Any) -> list[str]:
        """Return the manifest of a model's weights, for a model that has any."""
        return [f"results/weights/{wildcards.model}.json"] if self.has_weights(wildcards.model) else []

    def weights_folder(self, wildcards: Any) -> list[str]:
        """Return the folder of a model's weights, for a model that has any."""
        return [path.removesuffix(".json") for path in self.weights(wildcards)]

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

    def stores_to_fit(self, wildcards: Any) -> list[str]:
        return [f"results/datasets/{unit}.zarr" for unit in self.fitted_together(wildcards)]

    def store_manifests_to_fit(self, wildcards: Any) -> list[str]:
        return [f"results/datasets/{unit}.json" for unit in self.fitted_together(wildcards)]

    def predictions_to_fit(self, wildcards: Any) -> list[str]:
        return [
            f"results/predictions/{unit}/{wildcards.model}.zarr" for unit in self.fitted_together(wildcards)
        ]

    def prediction_manifests_to_fit(self, wildcards: Any) -> list[str]:
        return [
            f"results/predictions/{unit}/{wildcards.model}.json" for unit in self.fitted_together(wildcards)
        ]

    # summarise, report

    def tables(self, study: str) -> dict[str, str]:
        """Return the tables of a study, by name."""
        return {name: f"results/studies/{study}/{name}.parquet" for name in STUDY_TABLES}

    # Functions of wildcards without need: in a plain string Snakemake would take {braces} for wildcards.

    def every_unit(self, pattern: str) -> list[str]:
        return [pattern.format(unit=unit) for unit in self.study.units]

    def every_prediction(self, pattern: str) -> list[str]:
        return [pattern.format(unit=u, model=m) for u, m in product(self.study.units, self.study.models)]

    def every_score(self, pattern: str) -> list[str]:
        pairs: Iterable[tuple[str, str, str]] = product(
            self.study.units, self.study.models, self.study.protocols
        )
        return [pattern.format(unit=u, model=m, protocol=p) for u, m, p in pairs]

    def every_timing(self, pattern: str) -> list[str]:
        if self.study.timing is None:
            return []
        return [pattern.format(timing=self.study.timing["name"], model=model) for model in self.study.models]


def at(path: str) -> Path:
    """Return a place of the configuration: ``~`` is the user's home, relative paths start at the workflow's folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # the home of a user whom this machine does not know
        return Path(path)


def _without_words(specs: dict[str, dict[str, Any]], words: frozenset[str]) -> dict[str, Any]:
    return {name: without(spec, words) for name, spec in specs.items()}
