"""The options of each family of models, with their types and ranges.

What checks a configuration must not import torch, so they stand here once more; a test holds names and defaults to
those of the families' modules, which say what the options mean.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, model_validator

from scopedepth.config.base import Spec

# Of the file systems in use.
LONGEST_NAME = 255
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Pixels = Annotated[int, Field(ge=1, le=16384)]
# Of the networks of monodepth2 and its descendants, whose coarsest map is 1/32 of the input and at least 2 pixels.
Sides = Annotated[int, Field(ge=64, le=16384, multiple_of=32)]
Three = Annotated[list[Finite], Field(min_length=3, max_length=3)]
ThreePositive = Annotated[list[Positive], Field(min_length=3, max_length=3)]


def short(text: str) -> str:
    """Refuse a path with a part that no file's name can be."""
    if max(len(part.encode()) for part in text.split("/")) > LONGEST_NAME:
        raise ValueError(f"a file's name has at most {LONGEST_NAME} bytes")
    return text


def below(text: str) -> str:
    """Refuse what leads out of a folder."""
    if text.startswith("/") or ".." in text.split("/"):
        raise ValueError("a place below the folder of weights is expected")
    return short(text)


File = Annotated[str, AfterValidator(below)]
Places = File | Annotated[dict[str, File], Field(min_length=1)]
Pillow = Literal["lanczos", "bilinear", "bicubic"]


class Options(Spec):
    """Options of a family: nothing is converted, for the family's code takes them as they are written."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, strict=True)


class BaselineOptions(Options):
    """Of `baseline`."""

    kind: Literal["constant", "brightness"] = "constant"
    exponent: Finite = 0.5
    gamma: Finite = 1.0


class Monodepth2Options(Options):
    """Of `monodepth2`."""

    checkpoint: Places = ""
    min_depth: Positive = 0.1
    max_depth: Positive = 100.0
    factor: Positive = 1.0
    saturate: Positive | None = None
    height: Sides | None = None
    width: Sides | None = None
    resample: Pillow = "lanczos"
    centred: bool | None = None

    @model_validator(mode="after")
    def _ends_in_order(self) -> Self:
        if self.min_depth >= self.max_depth:
            raise ValueError("min_depth must be less than max_depth")
        return self


class OnnxOptions(Options):
    """Of `onnx`."""

    file: File | None = None
    height: Pixels | None = None
    width: Pixels | None = None
    multiple: Pixels = 1
    mean: Three | None = Field([0.485, 0.456, 0.406])
    std: ThreePositive | None = Field([0.229, 0.224, 0.225])
    scale: Positive = 1 / 255
    channels: Literal["rgb", "bgr"] = "rgb"
    resample: Literal[Pillow, "opencv"] = "bicubic"
    output: Annotated[int, Field(ge=0)] | str = 0

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if self.std is None and self.mean is not None:
            raise ValueError("std is null and mean is not; give both, or mean: null and std: null for none")
        return self


class PythonOptions(Options):
    """Of `python`."""

    code: File | None = None
    options: dict[str, Any] = Field({})

    @model_validator(mode="after")
    def _has_code(self) -> Self:
        file, _, name = (self.code or "").partition(":")
        if not file.endswith(".py") or not name.isidentifier():
            raise ValueError(f'code must be "file.py:Class", not {self.code!r:.60}')
        return self


class ScSfmlearnerOptions(Options):
    """Of `sc_sfmlearner`."""

    checkpoint: Places | None = None
    alpha: Positive = 10.0
    beta: Positive = 0.01
    height: Sides | None = None
    width: Sides | None = None
    resample: Literal[Pillow, "skimage"] = "skimage"


class Size(Options):
    """Height and width of a processor."""

    height: Pixels
    width: Pixels


class ProcessorOptions(Options):
    """Settings that replace those of a checkpoint's processor; null stands for what is not given."""

    do_resize: bool | None = None
    size: Size | Pixels | None = None
    resample: Literal[2, 3] | None = None
    keep_aspect_ratio: bool | None = None
    ensure_multiple_of: Positive | None = None
    do_rescale: bool | None = None
    rescale_factor: Positive | None = None
    do_normalize: bool | None = None
    image_mean: Three | Finite | None = None
    image_std: ThreePositive | Positive | None = None
    do_pad: bool | None = None
    size_divisor: Pixels | None = None


class TransformersOptions(Options):
    """Of `transformers`."""

    preprocessing: Literal["hub", "authors"] | None = None
    flip: bool | None = None
    processor: ProcessorOptions = Field(ProcessorOptions(), validate_default=False)

    @model_validator(mode="after")
    def _one_preprocessing(self) -> Self:
        if self.preprocessing == "authors" and self.processor.model_fields_set:
            raise ValueError(
                "processor changes the Hub's settings, and preprocessing: authors takes none of them"
            )
        return self


OPTIONS: dict[str, type[Options]] = {
    "baseline": BaselineOptions,
    "monodepth2": Monodepth2Options,
    "onnx": OnnxOptions,
    "python": PythonOptions,
    "sc_sfmlearner": ScSfmlearnerOptions,
    "transformers": TransformersOptions,
}


def check_options(whose: str, kind: type[Options], given: dict[str, Any]) -> None:
    """Raise a ValueError of one line for the first of `given` that is no option of `whose`, or has no value of it."""
    known = tuple(kind.model_fields)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"no option {name!r}; {meant}{whose} has {', '.join(known) or 'none'}")
    try:
        kind.model_validate(given)
    except ValidationError as error:
        found = error.errors()
        # Where a value may be of several kinds, pydantic complains of each and names the kind behind the option.
        first = next((one for one in found if one["type"] == "value_error"), found[0])
        place = ".".join(str(part) for part in first["loc"] if str(part) in _names(given))
        said = first["msg"].removeprefix("Value error, ")
        shown = "" if first["type"] == "value_error" and not place else f" (found {first['input']!r:.60})"
        raise ValueError(f"options{'.' if place else ''}{place}: {said}{shown}") from None


def _names(given: Any) -> set[str]:
    """Return the keys of a mapping, and of those within it."""
    if not isinstance(given, dict):
        return set()
    return {str(key) for key in given}.union(*map(_names, given.values()))
