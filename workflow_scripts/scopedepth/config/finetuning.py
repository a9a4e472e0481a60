"""What config.yaml may say of a model that is fine-tuned here: a recipe, and the entry that names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from scopedepth.config.base import Name, Spec
from scopedepth.config.citations import Citation
from scopedepth.config.provenance import TrainedOn
from scopedepth.job import extensions
from scopedepth.vocabulary.weights import FINETUNED, FORMATS

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

TRAINABLE = extensions.names_in(FORMATS)
Amount = Annotated[int, Field(ge=1)]


def _by(stated: Any) -> Any:
    return {"by": stated} if isinstance(stated, str) else stated


class RecipeSpec(Spec):
    """How a network is fine-tuned: which of its parts learn, and how long."""

    title: str = Field("", description="what it does, in a line")
    trains: list[Literal["adapters", "neck", "head", "all"]] = Field(
        min_length=1,
        description="what learns: low-rank adapters of the backbone (LoRA), the neck, the head, or all of the network",
    )
    rank: int = Field(4, ge=1, description="rank of the adapters, whose strength is twice their rank")
    learning_rate: float = Field(gt=0, description="the highest, after the first tenth of the steps")
    weight_decay: float = Field(0.01, ge=0, description="of AdamW")
    steps: int = Field(400, ge=1, description="batches")
    batch: int = Field(8, ge=1, description="frames in a batch")
    check_every: int = Field(
        20, ge=1, description="steps between looks at the frames held out, of which the best decides"
    )
    flip: bool = Field(True, description="mirror frames at random, from left to right and from top to bottom")
    gain: float = Field(
        0.12, ge=0, lt=1, description="each colour is made brighter or darker by up to this share"
    )
    gamma: float = Field(0.25, ge=0, lt=1, description="gamma is drawn between 1 - this and 1 + this")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="arithmetic of the forward pass")
    gradient_checkpointing: bool = Field(
        False, description="compute activations twice and hold fewer of them, where the network's class can"
    )

    @model_validator(mode="after")
    def _all_is_all(self) -> RecipeSpec:
        if "all" in self.trains and len(self.trains) > 1:
            raise ValueError("`all` holds the other parts; name it alone")
        return self


class TrainOn(Spec):
    """Sequences of a dataset that a model is fine-tuned on."""

    dataset: Name = Field(description="name of the dataset in the configuration")
    sequences: list[str] | None = Field(
        None, description="names or patterns of the sequences; null means all"
    )
    frames: Annotated[int, Field(ge=1)] | Annotated[list[Amount], Field(min_length=1)] | None = Field(
        None,
        description="at most so many frames of them, evenly spaced; null means all; of a list, a model is made for "
        "each number, and named after all frames that it learns from",
    )


class Holdout(Spec):
    """Training sequences that nothing is learnt from: the checkpoint is chosen by them. They count as seen."""

    by: Literal["sequence", "patient"] = Field("sequence", description="what is held out as a whole")
    share: float = Field(0.2, gt=0, lt=1, description="share of the sequences or patients, at least one")


class Folds(Spec):
    """One network for each fold of the training data, for which the fold is kept apart: it predicts the fold alone."""

    by: Literal["sequence", "patient"] = Field("sequence", description="what stays together in a fold")
    count: int | None = Field(
        None, ge=2, description="how many folds; null: one for each sequence or patient"
    )


class TunedSpec(Spec):
    """A model that is made here from another one. What is not said is as of that one."""

    title: str = Field("", description="name shown in reports")
    made_from: Name = Field(alias="from", description="the model that it is made from")
    recipe: Name = Field(description="one of `recipes`")
    train: list[TrainOn] = Field(min_length=1, description="what it is fine-tuned on")
    holdout: Holdout | None = Field(
        None, description="for choosing the checkpoint; null: the last step's is taken"
    )
    folds: Annotated[Folds, BeforeValidator(_by)] | None = Field(
        None,
        description="train a network for each fold and predict each sequence with the one that has not seen it; "
        "`sequence` is short for `{by: sequence}`",
    )
    seed: int = Field(0, ge=0, description="of the order of frames, their changes and the adapters' start")
    licence: str | None = Field(None, description="terms of the weights; null: as of what it is made from")
    citation: Citation = Field("", description="keys of citations.bib (@key; @key), BibTeX, or words")
    homepage: str = Field("", description="where the model is described")


def seen_by(spec: TunedSpec) -> list[TrainedOn]:
    """Return what a model has seen in its own training. Frames held out for choosing the checkpoint are among it."""
    apart = None if spec.folds is None else spec.folds.by
    return [TrainedOn(dataset=one.dataset, sequences=one.sequences, held_out=apart) for one in spec.train]


def by_amount(configuration: Any) -> Any:
    """Return a configuration in which an entry with a list of `frames` is one entry for each number of the list.

    They are named after the frames that they learn from, NAME_50 and NAME_250, and stand in studies where NAME stood.
    What is not as it should be is left to the validation.
    """
    models = configuration.get("models") if isinstance(configuration, dict) else None
    if not isinstance(models, dict):
        return configuration
    several = {name: found for name, spec in models.items() if (found := _amounts(name, spec))}
    if not several:
        return configuration
    made = [key for found in several.values() for key in found]
    for key in made:
        if key in models or made.count(key) > 1:
            raise ValueError(
                f"models.{key}: a model of this name is made by a list of `frames`; name it otherwise"
            )
    changed = {
        key: value for name in models for key, value in several.get(name, {name: models[name]}).items()
    }
    studies = configuration.get("studies")
    if isinstance(studies, dict):
        studies = {name: _with_each(study, several) for name, study in studies.items()}
    return {**configuration, "models": changed, "studies": studies}


def _with_each(study: Any, several: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return a study that names the models that stand for one where it named that one."""
    named = study.get("models") if isinstance(study, dict) else None
    if not isinstance(named, list):
        return study
    each = [several.get(one, [one]) if isinstance(one, str) else [one] for one in named]
    return {**study, "models": [name for names in each for name in names]}


def _amounts(name: str, spec: Any) -> dict[str, Any]:
    """Return the entries that an entry with lists of frames stands for; none where it has none."""
    train = spec.get("train") if isinstance(spec, dict) else None
    if not isinstance(train, list):
        return {}
    stated = [one.get("frames") if isinstance(one, dict) else None for one in train]
    lists = [counts for counts in stated if isinstance(counts, list)]
    if not lists:
        return {}
    if not all(isinstance(count, int) for one in lists for count in one):
        raise ValueError(f"models.{name}.train: a list of `frames` holds whole numbers")
    if len({len(one) for one in lists}) > 1:
        raise ValueError(
            f"models.{name}.train: the lists of `frames` have unlike lengths; first goes with first"
        )
    made = {}
    for at in range(len(lists[0])):
        now = [counts[at] if isinstance(counts, list) else counts for counts in stated]
        chosen = [
            {**one, "frames": count} if isinstance(counts, list) else one
            for one, counts, count in zip(train, stated, now, strict=True)
        ]
        total = sum(count for count in now if isinstance(count, int))
        words = {"title": f"{spec['title']}, {total} frames"} if spec.get("title") else {}
        made[f"{name}_{total}"] = {**spec, **words, "train": chosen}
    if len(made) < len(lists[0]):
        raise ValueError(f"models.{name}.train: a number of `frames` is named twice; name it once")
    return made


def _told(spec: TunedSpec) -> list[str]:
    """Return what tells models of one base and recipe apart."""
    counts = [one.frames for one in spec.train if isinstance(one.frames, int)]
    amount = [f"{sum(counts)} frames"] if len(counts) == len(spec.train) else []
    return [*amount, *([] if spec.folds is None else ["folds"])]


def resolved_tuned(name: str, spec: TunedSpec, base: specs.Model, recipe: RecipeSpec) -> specs.Model:
    """Return the plain spec of a fine-tuned model: that of its base, with weights of its own.

    `base`: the base's plain spec. The weights say all that decides them beside the base's weights and the data.
    """
    tuned: Any = {
        **base,
        "name": name,
        "title": spec.title or ", ".join([base["title"] or spec.made_from, spec.recipe, *_told(spec)]),
        "weights": {
            "kind": FINETUNED,
            "base": spec.made_from,
            "recipe": {"name": spec.recipe, **recipe.model_dump(mode="json")},
            "train": [one.model_dump(mode="json") for one in spec.train],
            "holdout": None if spec.holdout is None else spec.holdout.model_dump(mode="json"),
            "folds": None if spec.folds is None else spec.folds.model_dump(mode="json"),
            "seed": spec.seed,
        },
        "made_from": spec.made_from,
        "trained_on": [one.model_dump(mode="json") for one in seen_by(spec)],
        "licence": spec.licence or base["licence"],
        "citation": spec.citation or base["citation"],
        "homepage": spec.homepage or base["homepage"],
    }
    return tuned
