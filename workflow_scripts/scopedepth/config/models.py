"""What config.yaml may say of a model."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from scopedepth.config.base import Name, Spec
from scopedepth.config.citations import Citation
from scopedepth.config.datasets import Download, HubSource
from scopedepth.config.finetuning import TunedSpec
from scopedepth.config.options import check_options, options_of
from scopedepth.config.provenance import TrainedOn
from scopedepth.job import extensions
from scopedepth.job.shipped import in_place
from scopedepth.vocabulary.outputs import METRIC_KINDS, OUTPUT_KINDS

FAMILIES = extensions.names_in(extensions.FAMILIES)


class NoWeights(Spec):
    """A model without weights."""

    kind: Literal["none"] = Field(description="the model has no weights")


class PathWeights(Spec):
    """Weights already on disk."""

    kind: Literal["path"] = Field(description="a file or folder already on disk")
    path: Annotated[str, AfterValidator(in_place)] = Field(
        description="file or folder; relative paths start at the folder of the run, else at the workflow's"
    )


class UrlWeights(Spec):
    """Weights at fixed addresses."""

    kind: Literal["url"] = Field(description="files at fixed addresses")
    files: list[Download] = Field(min_length=1, description="the files")
    unpack: bool = Field(True, description="unpack zip and tar archives")


Weights = Annotated[NoWeights | PathWeights | UrlWeights | HubSource, Field(discriminator="kind")]


class Output(Spec):
    """What the network's number means. Never guessed."""

    kind: Literal[OUTPUT_KINDS] = Field(  # type: ignore[valid-type]
        description="inverse depth up to scale and shift; inverse depth up to scale; inverse of depth in a unit; depth "
        "up to scale and shift; depth up to scale; depth in a unit"
    )
    unit: Literal["mm", "cm", "m"] | None = Field(
        None, description="unit of the depth of metric_depth and metric_disparity"
    )

    @model_validator(mode="after")
    def _unit_of_the_metric_kinds(self) -> Output:
        if (self.kind in METRIC_KINDS) != (self.unit is not None):
            raise ValueError("`unit` belongs to metric_depth and metric_disparity, and they need it")
        return self


def _as_trained_on(given: Any) -> Any:
    """Return what training data are short for: the word `unknown` is an entry, one alone a list of one."""
    several = [given] if isinstance(given, str) else given
    if not isinstance(several, list):
        return several
    return [{"unknown": True} if one == "unknown" else one for one in several]


class ModelSpec(Spec):
    """One model: its family, its weights, what its output means, what it was trained on."""

    title: str = Field("", description="name shown in reports")
    family: Literal[FAMILIES] = Field(description="how the model is loaded and run")  # type: ignore[valid-type]
    weights: Weights = Field(NoWeights(kind="none"), description="where the weights come from")
    output: Output = Field(description="what the network's number means")
    precision: Literal["fp32", "bf16", "fp16"] = Field("fp32", description="arithmetic of the forward pass")
    options: dict[str, Any] = Field({}, description="the family's own options")
    made_from: Name | None = Field(
        None, alias="from", description="the model that it was made from, whose training data it has seen too"
    )
    trained_on: Annotated[
        list[TrainedOn] | None,
        BeforeValidator(
            _as_trained_on,
            json_schema_input_type=list[TrainedOn | Literal["unknown"]] | Literal["unknown"] | None,
        ),
    ] = Field(
        None,
        description="data seen in training, so that its scores are marked; `unknown`, alone or beside others, for data "
        "that are not known; null: what it was made from has seen, else unknown, and nothing without weights",
    )
    parameters: int | None = Field(None, ge=0, description="parameters as published; null where unknown")
    licence: str = Field("unknown", description="terms of the weights")
    citation: Citation = Field("", description="keys of citations.bib (@key; @key), BibTeX, or words")
    homepage: str = Field("", description="where the model is described")

    @field_validator("options")
    @classmethod
    def _code_in_place(cls, options: dict[str, Any]) -> dict[str, Any]:
        """Let a folder of code, or a Python, be one in the workflow's folder, as weights may be."""
        places = {key: options[key] for key in ("folder", "python") if isinstance(options.get(key), str)}
        return {**options, **{key: in_place(place) for key, place in places.items()}}

    @model_validator(mode="after")
    def _known_options(self) -> ModelSpec:
        check_options(self.family, options_of(extensions.FAMILIES, self.family), self.options)
        return self

    @model_validator(mode="after")
    def _weights_and_output_fit(self) -> ModelSpec:
        options = options_of(extensions.FAMILIES, self.family)
        if hasattr(options, "check_model"):
            options(**self.options).check_model(self.weights.kind, self.output.kind)
        elif self.weights.kind == "none":
            raise ValueError(f"the family {self.family} needs weights")
        return self


# How the two stand in the locations of pydantic's errors.
PUBLISHED, TUNED = "published", "tuned"


def _kind(given: Any) -> str:
    tuned = {"recipe", "train"} & given.keys() if isinstance(given, dict) else isinstance(given, TunedSpec)
    return TUNED if tuned else PUBLISHED


ModelEntry = Annotated[
    Annotated[ModelSpec, Tag(PUBLISHED)] | Annotated[TunedSpec, Tag(TUNED)], Discriminator(_kind)
]
