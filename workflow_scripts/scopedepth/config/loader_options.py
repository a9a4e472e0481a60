"""The options of each loader, with their types and ranges; a test holds their names to the loaders' own."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from scopedepth.config.options import Finite, Options, short


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


Place = Annotated[str, AfterValidator(_inside)]
Folder = Annotated[str, AfterValidator(_inside), AfterValidator(_no_pattern)]
Row = Annotated[list[Finite], Field(min_length=3, max_length=3)]
Camera = Annotated[
    Annotated[list[Finite], Field(min_length=4, max_length=4)]
    | Annotated[list[Row], Field(min_length=3, max_length=3)],
    AfterValidator(_camera),
]
Bits = Annotated[int, Field(ge=8, le=16)]
# Of OpenCV's stereoRectify: 0 keeps valid pixels only, 1 all of the image.
Alpha = Annotated[float, Field(ge=0, le=1)]


class FolderOptions(Options):
    """Of `folder`."""

    images: Folder = "rgb"
    depths: Folder = "depth"
    intrinsics: Camera | None = None
    distortion: Annotated[list[Finite], AfterValidator(_lens)] | None = None
    bits: Bits | None = None


class HamlynRectifiedOptions(Options):
    """Of `hamlyn_rectified`."""

    images: Folder = "image01"
    depths: Folder = "depth01"
    complete: bool = False


class ScaredOptions(Options):
    """Of `scared`."""

    frames: Literal["keyframes", "video", "extracted"] = "keyframes"
    rectify: bool = False
    alpha: Alpha = 0.0


class ServCtOptions(Options):
    """Of `serv_ct`."""

    reference: Literal["CT", "RGB"] = "CT"


class StereoOptions(Options):
    """Of `stereo`."""

    left: Place | None = None
    right: Place | None = None
    calibration: Place | None = None
    alpha: Alpha = 0.0
    bits: Bits | None = None

    @model_validator(mode="after")
    def _both_sides(self) -> Self:
        given = [name for name in ("left", "right") if name in self.model_fields_set]
        if len(given) == 1 or (given and None in (self.left, self.right)):
            raise ValueError("left and right are given together: the patterns of both sides")
        return self


# Of a loader that is not named here, its own module says the names.
LOADER_OPTIONS: dict[str, type[Options]] = {
    "c3vd": Options,
    "endonerf": Options,
    "endoslam_unity": Options,
    "folder": FolderOptions,
    "hamlyn_rectified": HamlynRectifiedOptions,
    "scared": ScaredOptions,
    "serv_ct": ServCtOptions,
    "simcol3d": Options,
    "stereo": StereoOptions,
}
