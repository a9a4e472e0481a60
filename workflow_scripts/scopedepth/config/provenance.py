"""What config.yaml may say of where a dataset's frames come from, and of what a model has seen of them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from scopedepth.config.base import Name, Spec


def _with_one_group(given: str | dict[str, str] | None) -> str | dict[str, str] | None:
    if isinstance(given, str):
        try:
            groups = re.compile(given).groups
        except re.error as error:
            raise ValueError(f"{given!r:.100} is no regular expression ({error})") from None
        if groups != 1:
            raise ValueError(f"{given!r:.100} has {groups} groups; a pattern has one, around what is meant")
    return given


Rule = Annotated[str | dict[str, str] | None, AfterValidator(_with_one_group)]


class Edition(Spec):
    """Another dataset that shows the same videos."""

    dataset: Name = Field(description="the other dataset")
    sequences: Rule = Field(
        None,
        description="{own name: name there}, or a regular expression of own names whose one group is the name there; "
        "null: all of them, under the same names",
    )


def _as_editions(given: Any) -> Any:
    """Return what editions are short for: a name is a dataset with the same names, one alone a list of one."""
    several = given if isinstance(given, list) else [given]
    return [{"dataset": one} if isinstance(one, str) else one for one in several]


class Provenance(Spec):
    """Where a dataset's frames come from: whose they are, and what else shows them."""

    patient: Rule = Field(
        None,
        description="patient, animal, phantom or organ of a sequence: {name or glob pattern: patient}, or a regular "
        "expression of the sequence's name whose one group is the patient; null: not known",
    )
    device: Annotated[
        dict[str, str],
        BeforeValidator(
            lambda given: {"*": given} if isinstance(given, str) else given,
            json_schema_input_type=str | dict[str, str],
        ),
    ] = Field({}, description="what took the frames: one word for all, or {name or glob pattern: device}")
    same_as: Annotated[
        list[Edition],
        BeforeValidator(_as_editions, json_schema_input_type=Name | Edition | list[Name | Edition]),
    ] = Field(
        [], description="other datasets with the same videos; of several the first that a sequence is in"
    )


class TrainedOn(Spec):
    """Data that a model has seen in training: of a dataset of the configuration, of a device, or not known."""

    dataset: Name | None = Field(None, description="name of the dataset in the configuration")
    sequences: list[str] | None = Field(
        None, description="names or patterns of the sequences; null means all"
    )
    held_out: Literal["sequence", "patient"] | None = Field(
        None,
        description="each of these sequences is predicted by a network that has seen the others, but not it, or "
        "nothing of its patient",
    )
    device: str | None = Field(
        None,
        description="instead of a dataset: data that are not in the configuration, taken with this device",
    )

    unknown: bool = Field(
        False, description="instead of a dataset: data that are not known; the word `unknown` is short for it"
    )

    @model_validator(mode="after")
    def _one_of_three(self) -> TrainedOn:
        if (self.dataset is not None) + (self.device is not None) + self.unknown != 1:
            raise ValueError(
                "an entry names a dataset of the configuration, or the device of other data, or is the word unknown"
            )
        if self.dataset is None and (self.sequences is not None or self.held_out is not None):
            raise ValueError("sequences and held_out are of a dataset, and no dataset is named")
        return self
