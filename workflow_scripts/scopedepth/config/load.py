"""Checking the configuration, and the one table of what a study consists of.

Everything that the workflow makes follows from `Study`: it is tabulated once, when the workflow is parsed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from fnmatch import filter as filter_names
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from scopedepth.config.base import plain_spec
from scopedepth.config.datasets import STORED, VIEW, ViewSpec
from scopedepth.config.finetuning import TRAINABLE, TunedSpec
from scopedepth.config.lineage import facts_for, facts_of, refuse_renamed, refuse_seen_frames
from scopedepth.config.models import PUBLISHED, TUNED, ModelSpec
from scopedepth.config.plain import unfit
from scopedepth.config.resolve import resolved_dataset, resolved_model, stored_name
from scopedepth.config.robustness import corrupted, plain_robustness
from scopedepth.config.studies import Configuration, StudySpec
from scopedepth.errors import ScopeDepthError
from scopedepth.lineage.footage import reached
from scopedepth.vocabulary.metrics import METRICS
from scopedepth.vocabulary.units import unit_name
from scopedepth.vocabulary.weights import FINETUNED

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# A sequence's name becomes part of a path where a dataset is split.
SEQUENCE_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

# Words about an entry: they reach the report, but no number depends on them, and so no result's identity. What is
# stated of a reference's error decides the redraws alone.
DATASET_WORDS = frozenset(
    {"title", "licence", "citation", "homepage", "published", "provenance", "reference_error"}
)
MODEL_WORDS = frozenset({"title", "licence", "citation", "homepage", "parameters", "made_from", "trained_on"})
PROTOCOL_WORDS = frozenset({"title", "source", "unknown", "differs", "not_comparable"})
RECIPE_WORDS = frozenset({"title", "name"})
STUDY_WORDS = frozenset({"title", "notes", "frame_pages"})


DRIFT = "scale_drift"
# What others call the kinds of output, where the nearest spelling means something else.
MEANT = {
    "inverse_depth": "disparity",
    "inverse": "disparity",
    "idepth": "disparity",
    "relative_inverse_depth": "disparity",
    "relative_disparity": "disparity",
    "metric_inverse_depth": "metric_disparity",
    "inverse_metric_depth": "metric_disparity",
    "affine_disparity": "disparity",
    "affine_invariant_disparity": "disparity",
    "affine_invariant_depth": "affine_depth",
    "relative_depth": "depth",
    "scaled_depth": "depth",
    "absolute_depth": "metric_depth",
    "metric": "metric_depth",
}


class ConfigError(ScopeDepthError):
    """The configuration says something that it may not; the message names the field and the remedy."""


@dataclass(frozen=True)
class Unit:
    """What one job works on: a whole dataset, or one sequence of a dataset that is split, or a range of its frames.

    `frames` are the range's first frame and the one past its last (None: to the end), counted in chosen frames;
    None for all of them. `base`: for a unit of a view, the one whose store holds the pixels.
    """

    name: str
    dataset: str
    sequence: str | None
    frames: tuple[int, int | None] | None = None
    base: str | None = None


@dataclass(frozen=True)
class Study:
    """One study with everything that it refers to, as plain specs with all defaults filled in.

    `datasets`: those that the study names, and the corrupted views of its `robustness`, which `spec["datasets"]` does
    not name: tables and report show them apart.
    `bases` and `base_units`: the datasets, and the units of them, whose stores are needed and not scored: the study's
    views are made from them, or its models are fine-tuned on them. They may stand among `datasets` and `units` as well.
    `base_models`: those that models of the study are fine-tuned from. `training`: by fine-tuned model the units that it
    learns from. `people`: what tells whose a sequence is, of the datasets of those.
    """

    name: str
    spec: specs.Study
    datasets: dict[str, specs.Dataset]
    models: dict[str, specs.Model]
    protocols: dict[str, specs.Protocol]
    timing: specs.Timing | None
    units: dict[str, Unit]
    execution: specs.Execution
    bases: dict[str, specs.Dataset]
    base_units: dict[str, Unit]
    base_models: dict[str, specs.Model]
    training: dict[str, list[str]]
    people: dict[str, dict[str, Any]]

    def dataset(self, name: str) -> specs.Dataset:
        """Return the spec of a dataset of the study, or of one that a view of the study is made from."""
        return self.datasets[name] if name in self.datasets else self.bases[name]

    def unit(self, name: str) -> Unit:
        """Return a unit of the study, or one that something of the study is made from."""
        return self.units[name] if name in self.units else self.base_units[name]

    def model(self, name: str) -> specs.Model:
        """Return the spec of a model of the study, or of one that a model of the study is fine-tuned from."""
        return self.models[name] if name in self.models else self.base_models[name]

    @property
    def parameters(self) -> dict[str, int | None]:
        """How many parameters each model has, 0 of a baseline, None where nobody has said."""
        return {
            name: 0 if model["family"] == "baseline" else model["parameters"]
            for name, model in self.models.items()
        }

    def stored(self) -> list[str]:
        """Return the names of the datasets that are fetched: of views those behind them."""
        every = [*self.datasets.values(), *self.bases.values()]
        return list(dict.fromkeys(stored_name(spec) for spec in every))

    @property
    def shown_datasets(self) -> dict[str, specs.Dataset]:
        """The datasets that the study names, without corrupted views."""
        return {name: self.datasets[name] for name in self.spec["datasets"]}

    @property
    def shown_units(self) -> list[str]:
        """The units of the datasets that the study names: without those of corrupted views."""
        return [unit.name for unit in self.units.values() if unit.dataset in self.spec["datasets"]]

    @property
    def assessed_units(self) -> list[str]:
        """The units of the datasets whose reference's error is stated, where the study asks for it."""
        if not self.spec["reference_error"]:
            return []
        stated = {name for name, spec in self.shown_datasets.items() if spec["reference_error"] is not None}
        return [unit.name for unit in self.units.values() if unit.dataset in stated]

    def units_of(self, dataset: str) -> list[str]:
        """Return the names of a dataset's units."""
        return [unit.name for unit in self.units.values() if unit.dataset == dataset]


def check(config: Mapping[str, Any]) -> Configuration:
    """Return the checked configuration. The first thing wrong is a `ConfigError` of one line."""
    wrong = unfit(dict(config))
    if wrong is not None:
        raise ConfigError(wrong)
    try:
        checked = Configuration.model_validate(dict(config))
    except ValidationError as error:
        raise ConfigError(_one_line(error, config)) from None
    for name in checked.datasets:
        _dataset(name, checked)
    for name, study in checked.studies.items():
        _check_references(f"studies.{name}", study, checked)
        _check_robustness(f"studies.{name}", study, checked)
    _known("study", checked.study, checked.studies)
    for name, model in checked.models.items():
        if isinstance(model, TunedSpec):
            _check_tuned(name, model, checked)
    _check_lineage(checked)
    return checked


def _check_tuned(name: str, model: TunedSpec, checked: Configuration) -> None:
    """Refuse a fine-tuned model whose base, recipe or data are not there, or whose base cannot be trained."""
    where = f"models.{name}"
    _known(f"{where}.recipe", model.recipe, checked.recipes)
    base: ModelSpec | TunedSpec = model
    above = [name]
    while isinstance(base, TunedSpec):
        _known(f"models.{above[-1]}.from", base.made_from, checked.models)
        if base.made_from in above:
            raise ConfigError(f"models.{above[-1]}.from: {base.made_from} is made from {above[-1]} itself.")
        above.append(base.made_from)
        base = checked.models[base.made_from]
    if base.family not in TRAINABLE:
        raise ConfigError(
            f"{where}.from: {model.made_from} is of the family {base.family}, which is not trained here. A base is of "
            f"the family {' or '.join(TRAINABLE)}."
        )
    for index, one in enumerate(model.train):
        _known(f"{where}.train[{index}].dataset", one.dataset, checked.datasets)
        spec = _dataset(one.dataset, checked)
        if spec["depth"]["kind"] == "none":
            raise ConfigError(
                f"{where}.train[{index}]: {one.dataset} has no depth to learn from (depth.kind: none)."
            )
        for sequence in one.sequences or []:
            if spec["sequences"] is not None and not filter_names(spec["sequences"], sequence):
                _known(f"{where}.train[{index}].sequences", sequence, spec["sequences"])


def _check_lineage(checked: Configuration) -> None:
    """Refuse what does not fit together about whose frames datasets show and what models have seen."""
    for name, dataset in checked.datasets.items():
        for index, edition in enumerate([] if isinstance(dataset, ViewSpec) else dataset.provenance.same_as):
            _known(f"datasets.{name}.provenance.same_as[{index}].dataset", edition.dataset, checked.datasets)
    for name, model in checked.models.items():
        if isinstance(model, TunedSpec):
            continue
        if model.made_from is not None:
            _known(f"models.{name}.from", model.made_from, checked.models)
        for index, entry in enumerate(model.trained_on or []):
            if entry.dataset is not None:
                _known(f"models.{name}.trained_on[{index}].dataset", entry.dataset, checked.datasets)
    try:
        facts = facts_of(checked.datasets, checked.models)
        for name, study in checked.studies.items():
            for key in study.models:
                model = checked.models[key]
                if isinstance(model, TunedSpec) and model.folds is not None:
                    learnt = [one.dataset for one in model.train]
                    refuse_renamed(f"studies.{name}", study.datasets, key, learnt, facts)
            if not study.allow_seen:
                refuse_seen_frames(f"studies.{name}", study.datasets, study.models, facts)
    except ScopeDepthError as error:
        raise ConfigError(str(error)) from None


def select_study(config: Mapping[str, Any], name: str | None = None) -> Study:
    """Return the study called `name`, or the one that the configuration chooses."""
    checked = check(config)
    chosen = name or checked.study
    _known("study", chosen, checked.studies)
    spec = checked.studies[chosen]
    views = corrupted(f"studies.{chosen}", spec, checked.datasets)
    checked = checked.model_copy(update={"datasets": {**checked.datasets, **views}})
    datasets = {key: _dataset(key, checked) for key in (*spec.datasets, *views)}
    models = {key: resolved_model(key, checked.models, checked.recipes) for key in spec.models}
    base_models: dict[str, specs.Model] = {}
    for model in models.values():
        while (weights := model["weights"])["kind"] == FINETUNED:
            base = weights["base"]
            model = base_models[base] = resolved_model(base, checked.models, checked.recipes)
    trained = {
        key: model["weights"]["train"]
        for key, model in {**base_models, **models}.items()
        if model["weights"]["kind"] == FINETUNED
    }
    learnt = {
        one["dataset"]: _dataset(one["dataset"], checked) for train in trained.values() for one in train
    }
    every = {**learnt, **datasets}
    stored = {base: _dataset(base, checked) for key in every if (base := stored_name(every[key])) != key}
    units = {unit.name: unit for key in datasets for unit in _units_of(key, datasets, stored)}
    lessons = {key: list(_units_of(key, learnt, stored)) for key in learnt}
    training = {
        key: [unit for one in train for unit in lessons[one["dataset"]] if takes(one, unit)]
        for key, train in trained.items()
    }
    taught = {unit.name: unit for chosen_units in training.values() for unit in chosen_units}
    behind = {unit.base for unit in {**taught, **units}.values()}
    facts = facts_of(checked.datasets, checked.models)
    timing = plain_spec(spec.timing, checked.timings[spec.timing]) if spec.timing else None
    lineage = facts_for(facts, spec.datasets, spec.models)
    plain: Any = {
        **plain_spec(chosen, spec),
        "timing": timing,
        "robustness": plain_robustness(spec, views),
        "lineage": lineage,
    }
    execution: Any = checked.execution.model_dump(mode="json")
    return Study(
        name=chosen,
        spec=plain,
        datasets=datasets,
        models=models,
        protocols={key: plain_spec(key, checked.protocols[key]) for key in spec.protocols},
        timing=timing,
        units=units,
        execution=execution,
        bases={**learnt, **stored},
        base_units={
            **{u.name: u for key in stored for u in _units(key, stored[key]) if u.name in behind},
            **taught,
        },
        base_models=base_models,
        training={key: list(dict.fromkeys(unit.name for unit in found)) for key, found in training.items()},
        people={
            key: {field: facts["datasets"][key][field] for field in ("same_as", "patient")}
            for key in reached(facts["datasets"], *learnt)
        },
    )


def takes(train: Mapping[str, Any], unit: Unit) -> bool:
    """Say whether a model that is fine-tuned on `train` may learn from a unit, as far as the unit's name tells."""
    wanted = train["sequences"]
    return unit.sequence is None or wanted is None or any(fnmatchcase(unit.sequence, one) for one in wanted)


def without(spec: Mapping[str, Any], *fields: Set[str]) -> dict[str, Any]:
    """Return `spec` without `fields`, so that they are no part of an identity."""
    left_out = frozenset().union(*fields)
    return {key: value for key, value in spec.items() if key not in left_out}


def dataset_spec(name: str, checked: Configuration) -> specs.Dataset:
    """Return the plain spec of a dataset or of a view; an unknown name is a `ConfigError`."""
    _known("datasets", name, checked.datasets)
    return _dataset(name, checked)


def _dataset(name: str, checked: Configuration) -> specs.Dataset:
    try:
        return resolved_dataset(name, checked.datasets)
    except ScopeDepthError as error:
        raise ConfigError(str(error)) from None


def _units_of(
    name: str, datasets: Mapping[str, specs.Dataset], bases: Mapping[str, specs.Dataset]
) -> Iterable[Unit]:
    """Return a dataset's units; a view's are those of the dataset behind it, each under a name of its own."""
    spec = datasets[name]
    base = stored_name(spec)
    if base == name:
        yield from _units(name, spec)
        return
    for unit in _units(base, bases[base]):
        if unit.sequence is None or unit.sequence in (spec["sequences"] or ()):
            own = name + unit.name.removeprefix(base)
            yield replace(unit, name=own, dataset=name, base=unit.name)


def _units(name: str, spec: specs.Dataset) -> Iterable[Unit]:
    if spec["split"] == "dataset":
        yield Unit(name, name, None)
        return
    for sequence in spec["sequences"] or ():
        if not SEQUENCE_PATTERN.fullmatch(sequence):
            raise ConfigError(
                f"datasets.{name}.sequences: {sequence!r} becomes part of a path; "
                "letters, digits, dot, hyphen and underscore are allowed with split: sequence."
            )
        edges = [0, *spec["cut"].get(sequence, [])]
        if len(edges) == 1:
            yield Unit(unit_name(name, sequence), name, sequence)
            continue
        for first, stop in zip(edges, [*edges[1:], None], strict=True):
            yield Unit(unit_name(name, sequence, first), name, sequence, (first, stop))


def _check_references(where: str, study: StudySpec, checked: Configuration) -> None:
    for field in ("datasets", "models", "protocols"):
        names = getattr(study, field)
        for index, name in enumerate(names):
            _known(f"{where}.{field}[{index}]", name, getattr(checked, field))
        _no_repeats(f"{where}.{field}", names)
    if study.timing is not None:
        _known(f"{where}.timing", study.timing, checked.timings)
    headline = study.headline
    if headline.protocol in checked.protocols and headline.protocol not in study.protocols:
        raise ConfigError(
            f"{where}.headline.protocol: {headline.protocol!r} is none of the study's protocols; add it to "
            f"{where}.protocols, or choose one of them: {', '.join(study.protocols)}."
        )
    _known(f"{where}.headline.protocol", headline.protocol, study.protocols)
    if headline.metric == DRIFT:
        raise ConfigError(f"{where}.headline.metric: {DRIFT} is a metric of a sequence, and no frame has it.")
    _known(f"{where}.headline.metric", headline.metric, METRICS)
    if METRICS[headline.metric].pair:
        raise ConfigError(
            f"{where}.headline.metric: {headline.metric} compares frames with one another and not with the reference: "
            "a constant map is the most consistent of all. Choose a metric of accuracy."
        )
    if headline.metric not in checked.protocols[headline.protocol].metrics:
        raise ConfigError(
            f"{where}.headline.metric: the protocol {headline.protocol} does not compute {headline.metric!r}; add it "
            f"to protocols.{headline.protocol}.metrics, or choose another."
        )
    for index, metric in enumerate(study.metrics or []):
        # Drift is a metric of a sequence, so that no frame has it.
        _known(f"{where}.metrics[{index}]", metric, [*METRICS, DRIFT])
    if study.metrics is not None and headline.metric not in study.metrics:
        raise ConfigError(
            f"{where}.metrics: the headline's metric {headline.metric!r} is not among them; add it, or choose another "
            f"as {where}.headline.metric."
        )


def _check_robustness(where: str, study: StudySpec, checked: Configuration) -> None:
    asked = study.robustness
    if asked is None:
        return
    for index, name in enumerate(asked.datasets or []):
        _known(f"{where}.robustness.datasets[{index}]", name, study.datasets)
    if asked.baseline is not None:
        _known(f"{where}.robustness.baseline", asked.baseline, study.models)
    try:
        views = corrupted(where, study, checked.datasets)
        for name in views:
            resolved_dataset(name, {**checked.datasets, **views})
    except ScopeDepthError as error:
        raise ConfigError(re.sub(r"^datasets\.\w+\.corrupt", f"{where}.robustness", str(error))) from None


def _no_repeats(where: str, names: list[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(f"{where}: {repeated[0]!r} is named twice; name it once.")


def _known(where: str, name: str, known: Iterable[str]) -> None:
    if name not in set(known):
        raise ConfigError(f"{where}: {name!r} is not known. {suggest(name, known)}")


def suggest(name: object, known: Iterable[str]) -> str:
    """Return what to write instead: the nearest name, and what there is to choose from."""
    names = sorted(str(choice) for choice in known)
    meant = MEANT.get(str(name).lower().replace(" ", "_").replace("-", "_"))
    near = [meant] if meant in names else difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    listed = ", ".join(names[:30]) + (", …" if len(names) > 30 else "")
    return (f"Did you mean {near[0]!r}? " if near else "") + f"Allowed: {listed}."


def _one_line(error: ValidationError, config: Mapping[str, Any]) -> str:
    """Return the first complaint of pydantic as one line that names the field, what is allowed and the remedy."""
    found = error.errors(include_url=False, include_context=True)
    first = found[0]
    if first["type"] == "missing":
        # A field is missing, and one of nearly its name is there: that is the one to speak of.
        beside = (
            one for one in found if one["type"] == "extra_forbidden" and one["loc"][:-1] == first["loc"][:-1]
        )
        first = next(
            (
                one
                for one in beside
                if difflib.get_close_matches(str(one["loc"][-1]), [str(first["loc"][-1])])
            ),
            first,
        )
    location = first["loc"]
    where = _where(location)
    kind = first["type"]
    if kind == "extra_forbidden":
        return f"{where}: unknown field. {suggest(location[-1], _fields_at(location[:-1]))}"
    if kind == "missing":
        return f"{where}: this field is needed and missing."
    given = _shown(first.get("input"))
    if kind == "literal_error":
        allowed = [text.strip("'") for text in re.findall(r"'[^']*'", first["ctx"]["expected"])]
        return f"{where}: {given} is not allowed. {suggest(first.get('input'), allowed)}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        allowed = [
            text.strip("'") for text in re.findall(r"'[^']*'", str(first["ctx"].get("expected_tags", "")))
        ]
        tag = first["ctx"].get("tag", "")
        wrong = f"{tag!r} is not a known kind." if tag else "`kind` is needed and missing."
        return f"{where}.kind: {wrong} {suggest(tag, allowed)}"
    if kind == "string_pattern_mismatch":
        named = "" if "[key]" in location else f"{given} is no name; "
        rule = "a name holds small letters, digits and underscores only, and starts with a letter or digit"
        return f"{where}: {named}{rule}."
    if kind == "value_error":
        return f"{where}: {first['ctx']['error']}." if location else f"{first['ctx']['error']}."
    if kind == "list_type" and isinstance(first.get("input"), str):
        return f"{where}: {given} is no list; write [{first['input']}]."
    message = first["msg"][0].lower() + first["msg"][1:]
    return f"{where}: {given} is not allowed ({message})."


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _where(location: tuple[int | str, ...]) -> str:
    parts = [part for index, part in enumerate(location) if part != "[key]" and not _is_tag(location, index)]
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".") or "config.yaml"


# Tags of discriminated unions stand in pydantic's locations although no one writes them there.
_TAGGED = {
    "source": {"phantom", "path", "hub", "url", "doi", "dataverse", "registration"},
    "weights": {"none", "path", "url", "hub"},
}


# Entries of two kinds, told apart by a field of theirs.
_ALTERNATIVES = {"datasets": (STORED, VIEW), "models": (PUBLISHED, TUNED)}


def _is_tag(location: tuple[int | str, ...], index: int) -> bool:
    if index == 2 and location[0] in _ALTERNATIVES:
        return location[2] in _ALTERNATIVES[str(location[0])]
    return index > 0 and location[index] in _TAGGED.get(str(location[index - 1]), ())


def _fields_at(location: tuple[int | str, ...]) -> list[str]:
    """Return the fields that are allowed at a location of the configuration."""
    schema = Configuration.model_json_schema()
    node: dict[str, Any] = schema
    for part in location:
        node = _step(schema, node, part)
    return list(_resolve(schema, node).get("properties", {}))


def _step(schema: dict[str, Any], node: dict[str, Any], part: int | str) -> dict[str, Any]:
    node = _resolve(schema, node)
    if "discriminator" in node:  # the part is a tag
        return {"$ref": node["discriminator"]["mapping"].get(part, "#/$defs/none")}
    tags = next((tags for tags in _ALTERNATIVES.values() if part in tags), None)
    if "oneOf" in node and tags is not None:
        return node["oneOf"][tags.index(str(part))]
    if isinstance(part, int):
        return node.get("items", {})
    properties = node.get("properties", {})
    if part in properties:
        return properties[part]
    patterns = node.get("patternProperties", {})
    return next(iter(patterns.values()), node.get("additionalProperties") or {})


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while True:
        if "$ref" in node:
            node = schema["$defs"].get(node["$ref"].rsplit("/", 1)[-1], {})
        elif "allOf" in node and len(node["allOf"]) == 1:
            node = node["allOf"][0]
        elif "anyOf" in node:
            node = next((option for option in node["anyOf"] if option.get("type") != "null"), {})
        else:
            return node
