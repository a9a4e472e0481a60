"""The options of loaders, families of models and alignments: read from their files, and checked by type and range.

Such a file says its options in a class `Options`, a frozen dataclass whose annotations are built from
the types below (imported under ``if TYPE_CHECKING:``, so that no job imports pydantic for them). What checks a
configuration must import neither OpenCV nor torch: of such a file, that class alone is run (`extensions.made_alone`).
"""

from __future__ import annotations

import difflib
import typing
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Required

from pydantic import AfterValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from scopedepth.job.extensions import NoOptions, file_of, made_alone

# Of the file systems in use.
LONGEST_NAME = 255


def short(text: str) -> str:
    """Refuse a path with a part that no file's name can be."""
    if max(len(part.encode()) for part in text.split("/")) > LONGEST_NAME:
        raise ValueError(f"a file's name has at most {LONGEST_NAME} bytes")
    return text


def _below(text: str) -> str:
    """Refuse what leads out of a folder."""
    if text.startswith("/") or ".." in text.split("/"):
        raise ValueError("a place below the folder of weights is expected")
    return short(text)


def _inside(text: str) -> str:
    """Refuse what is no place below a folder."""
    place = PurePosixPath(text)
    if not text.strip() or place.is_absolute() or ".." in place.parts or place == PurePosixPath():
        raise ValueError("a name below the data's folder is expected")
    return short(text)


def _no_pattern(text: str) -> str:
    """Refuse what would match several folders."""
    if set(text) & set("*?[\0"):
        raise ValueError("one folder's name is expected, no pattern")
    return text


def _camera(numbers: list[float] | list[list[float]]) -> list[float] | list[list[float]]:
    """Refuse what is no camera."""
    rows = [number for number in numbers if isinstance(number, list)]
    if rows:
        (fx, _, _), (below, fy, _), last = rows
        if below != 0 or last != [0, 0, 1]:
            raise ValueError("the rows of a camera are [fx, 0, cx], [0, fy, cy], [0, 0, 1]")
    else:
        fx, fy = numbers[:2]  # type: ignore[assignment]
    if not (fx > 0 and fy > 0):
        raise ValueError("focal lengths are above 0")
    return numbers


def _lens(numbers: list[float]) -> list[float]:
    """Refuse what OpenCV takes for no lens."""
    if len(numbers) not in (4, 5, 8, 12, 14):
        raise ValueError(f"a lens has 4, 5, 8, 12 or 14 coefficients, not {len(numbers)}")
    return numbers


def _window(numbers: list[int]) -> list[int]:
    """Refuse what is no part of an image."""
    if not (numbers[2] > 0 and numbers[3] > 0):
        raise ValueError("a window is [x, y, width, height], and its width and height are above 0")
    return numbers


# Numbers.
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Three = Annotated[list[Finite], Field(min_length=3, max_length=3)]
ThreePositive = Annotated[list[Positive], Field(min_length=3, max_length=3)]

# Of datasets. `Place` is a file, a folder or a pattern below the data's folder, `Folder` one folder's name there.
Place = Annotated[str, AfterValidator(_inside)]
Folder = Annotated[str, AfterValidator(_inside), AfterValidator(_no_pattern)]
# fx fy cx cy, or the three rows of a matrix; pixels.
Camera = Annotated[
    Annotated[list[Finite], Field(min_length=4, max_length=4)]
    | Annotated[list[Three], Field(min_length=3, max_length=3)],
    AfterValidator(_camera),
]
Lens = Annotated[list[Finite], AfterValidator(_lens)]
# The name of an array in a file that holds several.
Key = Annotated[str, Field(min_length=1)]
Bits = Annotated[int, Field(ge=8, le=16)]
# x, y, width and height of a part of an image, pixels.
Window = Annotated[list[Count], Field(min_length=4, max_length=4), AfterValidator(_window)]
# Of OpenCV's stereoRectify: 0 keeps valid pixels only, 1 all of the image.
Alpha = Annotated[float, Field(ge=0, le=1)]

# Of alignments: cells of a grid, along a side.
Cells = Annotated[int, Field(ge=8, le=64)]


class Mask(TypedDict, total=False):
    """Masks of one kind: a folder or pattern of files, what a set pixel means, and when it is set."""

    files: Required[Place]
    marks: Required[Literal["tool", "occluded", "doubtful", "specular", "border", "no_depth", "valid"]]
    above: Finite
    inverted: bool
    key: Key
    # Of `doubtful`: the number in the files that stands for full confidence, or for full doubt where not inverted.
    full: Positive


def _one_confidence(masks: list[Mask]) -> list[Mask]:
    """Refuse what says of no map, or of several, that it is the confidence."""
    rated = [mask for mask in masks if "full" in mask]
    if len(rated) > 1 or any(mask["marks"] != "doubtful" or "above" not in mask for mask in rated):
        raise ValueError("full belongs to one mask that marks doubtful above a number")
    return masks


MaskList = Annotated[list[Mask], AfterValidator(_one_confidence)]


class Poses(TypedDict):
    """The file of a sequence's poses, and the unit of its translations."""

    file: Place
    unit: Literal["mm", "cm", "m"]


# Of models.
Pixels = Annotated[int, Field(ge=1, le=16384)]
# Of the networks of monodepth2 and its descendants, whose coarsest map is 1/32 of the input and at least 2 pixels.
Sides = Annotated[int, Field(ge=64, le=16384, multiple_of=32)]
# A file or folder within the weights; one for all sequences, or one by pattern of their names.
File = Annotated[str, AfterValidator(_below)]
# A folder of the user's own; relative paths start at the workflow's folder.
OwnFolder = Annotated[str, Field(min_length=1), AfterValidator(short)]
# A Python of another environment, by its path or as it stands in PATH; relative paths start at the workflow's folder.
Interpreter = Annotated[str, Field(min_length=1), AfterValidator(short)]
# An installed package and its version, "name==1.2".
Pinned = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.!+_-]*$")]
Places = File | Annotated[dict[str, File], Field(min_length=1)]
Pillow = Literal["lanczos", "bilinear", "bicubic"]

# Nothing is converted: the code takes options as they are written.
STRICT = ConfigDict(extra="forbid", strict=True, validate_default=True)


def options_of(folder: str, name: str) -> type[Any]:
    """Return the class `Options` of a loader, family or alignment as one that checks what it is made of, as pydantic.

    folder: `LOADERS`, `FAMILIES` or `ALIGNMENTS`. A file without the class has no options.
    """
    path = file_of(folder, name)
    return _options_in(path, path.stat().st_mtime_ns)


@cache
def _options_in(path: Path, _modified: int) -> type[Any]:
    made = made_alone(path, "Options")
    for one in made.values():
        if typing.is_typeddict(one):
            one.__pydantic_config__ = STRICT
    own = made.get("Options", NoOptions)
    return dataclass(own, config=STRICT, frozen=own.__dataclass_params__.frozen)


def check_options(whose: str, kind: type[Any], given: dict[str, Any]) -> None:
    """Raise a ValueError of one line for the first of `given` that is no option of `whose`, or has no value of it."""
    known = tuple(kind.__dataclass_fields__)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"no option {name!r}; {meant}{whose} has {', '.join(known) or 'none'}")
    try:
        kind(**given)
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
