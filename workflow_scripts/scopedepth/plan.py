"""What each stage of a study needs: the parameters and inputs of every job, from its wildcards alone.

The rules take their parameters and inputs from a `Plan`, and so does the command that explains why a result is
stale: the two cannot disagree. A parameter is one canonical string; what is left out of it makes nothing stale.
The `wildcards` of the methods are any object with the attributes dataset, unit, model, protocol or timing.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from typing import Any

from scopedepth.config.load import DATASET_WORDS, MODEL_WORDS, PROTOCOL_WORDS, STUDY_WORDS, Study, without
from scopedepth.identity import canonical_json, file_digests, module_digests
from scopedepth.signatures import signed

STUDY_TABLES = (
    "frames", "summary", "comparisons", "ranks", "sensitivity", "depth_error", "drift", "timing",
)  # fmt: skip

# What comes after a stage is no part of what decides it.
NOT_FOR_PREPARE = frozenset({"source", "split", "cut"})
NOT_FOR_PREDICT = frozenset({"weights"})
NOT_FOR_SCORES = frozenset({"averaging"})


@signed
class Plan:
    """A study's jobs. `scripts` is the folder of the rules' scripts."""

    def __init__(self, study: Study, scripts: Path) -> None:
        self.study = study
        self.scripts = scripts
        # The same few scripts and protocols stand behind thousands of jobs.
        self._code = functools.cache(self._digest_code)
        self._protocol_spec = functools.cache(self._without_averaging)

    def code(self, script: str, *modules: str) -> str:
        """Return what code is behind a script and the modules that it loads by name: a digest a module, as JSON."""
        return self._code(script, modules)

    def _digest_code(self, script: str, modules: tuple[str, ...]) -> str:
        return canonical_json(module_digests(self.scripts / f"{script}.py", modules))

    # Names.

    def dataset(self, wildcards: Any) -> dict[str, Any]:
        """Return the spec of the dataset that a job's unit belongs to."""
        return self.study.datasets[self.study.units[wildcards.unit].dataset]

    def model(self, wildcards: Any) -> dict[str, Any]:
        """Return the spec of a job's model."""
        return self.study.models[wildcards.model]

    # fetch_dataset

    def source_spec(self, wildcards: Any) -> str:
        """What decides the files of a dataset: its source alone."""
        spec = self.study.datasets[wildcards.dataset]
        return canonical_json({"name": spec["name"], "source": spec["source"]})

    def source_code(self, wildcards: Any) -> str:
        """Rendered data follow from our code; published data do not, and are not fetched again when it changes."""
        rendered = self.study.datasets[wildcards.dataset]["source"]["kind"] == "phantom"
        return self.code("fetch_dataset", "scopedepth.phantom") if rendered else "as published"

    def source_files(self, wildcards: Any) -> str:
        """Names and sizes of data used in place, so that added, removed and replaced files are noticed.

        Times do not count: copying or touching a folder changes nothing in it.
        """
        source = self.study.datasets[wildcards.dataset]["source"]
        if source["kind"] not in ("path", "registration"):
            return "as published"
        root = Path(source["path"]).expanduser()
        listing = sorted(
            (str(Path(folder, name).relative_to(root)), Path(folder, name).stat().st_size)
            for folder, _, names in os.walk(root)
            for name in names
            if Path(folder, name).is_file()
        )
        return hashlib.sha256(repr(listing).encode()).hexdigest()

    # prepare

    def raw(self, wildcards: Any) -> str:
        """Return the folder of a unit's raw files."""
        return f"results/raw/{self.dataset(wildcards)['name']}"

    def raw_manifest(self, wildcards: Any) -> str:
        """Return the manifest of a unit's raw files."""
        return self.raw(wildcards) + ".json"

    def prepare_spec(self, wildcards: Any) -> str:
        """What decides a store: not where its files come from, for their digest stands for them.

        Nor the other sequences of a dataset that is split: adding one makes nothing else anew.
        """
        spec = without(self.dataset(wildcards), DATASET_WORDS, NOT_FOR_PREPARE)
        unit = self.study.units[wildcards.unit]
        if unit.sequence is not None:
            spec["sequences"] = [unit.sequence]
        if unit.frames is not None:
            spec["part"] = unit.frames
        return canonical_json(spec)

    def prepare_code(self, wildcards: Any) -> str:
        """The dataset's own loader: another loader's code is no part of it."""
        return self.code("prepare", f"scopedepth.datasets.{self.dataset(wildcards)['loader']}")

    # fetch_weights

    def weights_spec(self, wildcards: Any) -> str:
        """What decides the files of a model's weights: their source alone."""
        spec = self.model(wildcards)
        return canonical_json({"name": spec["name"], "weights": spec["weights"]})

    def local_weights(self, wildcards: Any) -> list[str]:
        """The files of weights that lie on disk, so that an edit is noticed. fetch_weights says what is missing."""
        source = self.model(wildcards)["weights"]
        if source["kind"] != "path":
            return []
        path = Path(source["path"])
        try:
            return sorted(str(file) for file in [path, *path.rglob("*")] if file.is_file())
        except OSError:  # a name that no file can have
            return []

    # predict

    def weights(self, wildcards: Any) -> list[str]:
        """Return the manifest of a model's weights, for a model that has any."""
        has_weights = self.model(wildcards)["weights"]["kind"] != "none"
        return [f"results/weights/{wildcards.model}.json"] if has_weights else []

    def weights_folder(self, wildcards: Any) -> list[str]:
        """Return the folder of a model's weights, for a model that has any."""
        return [path.removesuffix(".json") for path in self.weights(wildcards)]

    def predict_spec(self, wildcards: Any) -> str:
        """What decides a prediction: not where its weights come from, for their digest stands for them."""
        return canonical_json(without(self.model(wildcards), MODEL_WORDS, NOT_FOR_PREDICT))

    def predict_code(self, wildcards: Any) -> str:
        """The engine and the model's own family: another family's code is no part of it."""
        return self.code("predict", f"scopedepth.models.{self.model(wildcards)['family']}")

    # align, score

    def protocol_spec(self, wildcards: Any) -> str:
        """What decides a frame's fit and metrics: not how they are averaged, which comes after them."""
        return self._protocol_spec(wildcards.protocol)

    def _without_averaging(self, protocol: str) -> str:
        return canonical_json(without(self.study.protocols[protocol], PROTOCOL_WORDS, NOT_FOR_SCORES))

    def fitted_together(self, wildcards: Any) -> list[str]:
        """Return the units that share one fit, the job's own first.

        More than one where the fit spans a dataset that is split, or a sequence that is cut.
        """
        scope = self.study.protocols[wildcards.protocol]["alignment"]["scope"]
        own = self.study.units[wildcards.unit]
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

    # time

    def timing_settings(self, _wildcards: Any) -> str:
        """What decides a measurement: its settings."""
        return canonical_json(without(self.study.timing or {}, STUDY_WORDS))

    def timing_code(self, wildcards: Any) -> str:
        """The clocks and the model's own family."""
        return self.code("measure_time", f"scopedepth.models.{self.model(wildcards)['family']}")

    # summarise, report

    def tables(self, study: str) -> dict[str, str]:
        """Return the tables of a study, by name."""
        return {name: f"results/studies/{study}/{name}.parquet" for name in STUDY_TABLES}

    # Functions of wildcards without need: in a plain string Snakemake would take {braces} for wildcards.

    def summary_specs(self, kind: str) -> Callable[[Any], str]:
        """Return what a study's tables follow from: the study, its datasets, models or protocols, without words."""
        return lambda _wildcards: canonical_json(self._without_words(kind))

    def _without_words(self, kind: str) -> dict[str, Any]:
        if kind == "spec":
            return without(self.study.spec, STUDY_WORDS)
        # Whether a model has seen a dataset is said in the tables.
        words = {
            "datasets": DATASET_WORDS,
            "models": MODEL_WORDS - {"trained_on"},
            "protocols": PROTOCOL_WORDS,
        }[kind]
        return {name: without(spec, words) for name, spec in getattr(self.study, kind).items()}

    def report_specs(self, kind: str) -> Callable[[Any], str]:
        """Return what a report shows: the specs of the study, its datasets, models or protocols, words and all."""
        return lambda _wildcards: canonical_json(getattr(self.study, kind))

    def report_code(self) -> str:
        """The report's modules, and the templates, styles and scripts that they put into the page."""
        modules = module_digests(self.scripts / "report.py")
        return canonical_json({**modules, **file_digests("report/templates", "report/static")})

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
