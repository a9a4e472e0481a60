# The study, tabulated once. Every path and every parameter of the rules follows from STUDY.

import functools
import sys
from pathlib import Path

# The library lies beside the rules' scripts, so that a clone needs no installation.
LIBRARY = Path(workflow.basedir, "workflow_scripts")
sys.path.insert(0, str(LIBRARY))

from scopedepth.config.load import (
    DATASET_WORDS,
    MODEL_WORDS,
    PROTOCOL_WORDS,
    STUDY_WORDS,
    ConfigError,
    select_study,
    without,
)
from scopedepth.identity import canonical_json, code_digest

# Not imported from the tables themselves: pyarrow would slow every job down.
STUDY_TABLES = ("frames", "summary", "comparisons", "ranks", "sensitivity", "timing")

try:
    STUDY = select_study(config)
except ConfigError as error:
    sys.exit(f"scopedepth: error: {error}")


wildcard_constraints:
    dataset=r"[a-z0-9_]+",
    unit=r"[^/]+",
    model=r"[a-z0-9_]+",
    protocol=r"[a-z0-9_]+",
    study=r"[a-z0-9_]+",
    timing=r"[a-z0-9_]+",


# Code: what a rule's script imports, as a parameter, so that an edit reruns what depends on it and nothing else.


@functools.cache
def code(script, *modules):
    """Return the digest of the library code behind a script and the modules that it loads by name."""
    return code_digest(LIBRARY / f"{script}.py", modules)


# Data: from a unit, a model or a protocol to what a rule needs of it.


def dataset_of(wildcards):
    return STUDY.datasets[STUDY.units[wildcards.unit].dataset]


def model_of(wildcards):
    return STUDY.models[wildcards.model]


def has_weights(model):
    return STUDY.models[model]["weights"]["kind"] != "none"


def weights_of(wildcards):
    """The manifest of a model's weights, for a model that has any."""
    return f"results/weights/{wildcards.model}.json" if has_weights(wildcards.model) else []


def needs_gpu(wildcards):
    """Trivial baselines and everything on the processor leave the GPU to others."""
    return 0 if model_of(wildcards)["family"] == "baseline" else 1


# Products: every combination of the study's units, models and protocols.


def every_prediction(pattern):
    return expand(pattern, unit=STUDY.units, model=STUDY.models)


def every_score(pattern):
    return expand(pattern, unit=STUDY.units, model=STUDY.models, protocol=STUDY.protocols)


def every_timing(pattern):
    return expand(pattern, timing=STUDY.timing["name"], model=STUDY.models) if STUDY.timing else []


def study_tables(study=STUDY.name):
    """The tables of a study, by name."""
    return {name: f"results/studies/{study}/{name}.parquet" for name in STUDY_TABLES}


def show_ranking():
    """Print the last word of a run: the ranking, and where the report is."""
    ranking = Path(f"results/studies/{STUDY.name}/ranking.txt")
    if ranking.is_file():
        print(ranking.read_text(encoding="utf-8"))


# For rules/datasets.smk


def source_spec(wildcards):
    """What decides the files of a dataset: its source alone."""
    spec = STUDY.datasets[wildcards.dataset]
    return canonical_json({"name": spec["name"], "source": spec["source"]})


def source_code(wildcards):
    """Rendered data follow from our code; published data do not, and are not fetched again when it changes."""
    kind = STUDY.datasets[wildcards.dataset]["source"]["kind"]
    return code("fetch_dataset", "scopedepth.phantom") if kind == "phantom" else "as published"


def raw_of(wildcards):
    return "results/raw/{name}".format_map(dataset_of(wildcards))


def raw_manifest_of(wildcards):
    return "results/raw/{name}.json".format_map(dataset_of(wildcards))


def prepare_spec(wildcards):
    """What decides a store: not where its files come from, for their digest stands for them."""
    return canonical_json(without(dataset_of(wildcards), DATASET_WORDS, {"source", "split"}))


def prepare_code(wildcards):
    return code("prepare", "scopedepth.datasets.{loader}".format_map(dataset_of(wildcards)))


# For rules/predict.smk


def weights_spec(wildcards):
    """What decides the files of a model's weights: their source alone."""
    spec = model_of(wildcards)
    return canonical_json({"name": spec["name"], "weights": spec["weights"]})


def local_weights(wildcards):
    """The files of weights that lie on disk, so that an edit is noticed. fetch_weights says what is missing."""
    source = model_of(wildcards)["weights"]
    if source["kind"] != "path":
        return []
    path = Path(source["path"])
    return sorted(str(file) for file in [path, *path.rglob("*")] if file.is_file())


def predict_spec(wildcards):
    """What decides a prediction: not where its weights come from, for their digest stands for them."""
    return canonical_json(without(model_of(wildcards), MODEL_WORDS, {"weights"}))


def predict_code(wildcards):
    """The engine and the model's own family: another family's code is no part of it."""
    return code("predict", "scopedepth.models.{family}".format_map(model_of(wildcards)))


# For rules/align.smk, rules/score.smk


def align_spec(wildcards):
    """What decides a fit: not the metrics, which come after it."""
    return canonical_json(
        without(STUDY.protocols[wildcards.protocol], PROTOCOL_WORDS, {"averaging", "metrics", "ordinal"})
    )


def score_spec(wildcards):
    """What decides a frame's metrics: not how they are averaged, which comes after them."""
    return canonical_json(without(STUDY.protocols[wildcards.protocol], PROTOCOL_WORDS, {"averaging"}))


def units_to_fit(wildcards):
    """A protocol with one fit for the whole dataset needs all of it, the unit's own part first."""
    if STUDY.protocols[wildcards.protocol]["alignment"]["scope"] != "dataset":
        return [wildcards.unit]
    others = STUDY.units_of(STUDY.units[wildcards.unit].dataset)
    return sorted(others, key=lambda unit: (unit != wildcards.unit, unit))


def datasets_to_fit(pattern):
    return lambda wildcards: expand(pattern, unit=units_to_fit(wildcards))


def predictions_to_fit(pattern):
    return lambda wildcards: expand(pattern, unit=units_to_fit(wildcards), model=wildcards.model)


# For rules/timing.smk


def timing_spec(wildcards):
    return canonical_json(STUDY.timing)


def timing_code(wildcards):
    return code("measure_time", "scopedepth.models.{family}".format_map(model_of(wildcards)))


# For rules/report.smk


def study_spec(wildcards):
    return canonical_json(without(STUDY.spec, STUDY_WORDS))


def members(specs):
    """The specs that a summary needs to know, as one string."""
    return canonical_json(specs)
