"""What config.yaml may say of a dataset."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from scopedepth.config.base import GrownSpec, Name, Spec
from scopedepth.config.citations import Citation
from scopedepth.config.options import check_options, options_of
from scopedepth.config.provenance import Provenance
from scopedepth.config.reference import StatedError
from scopedepth.job import extensions
from scopedepth.vocabulary.corruptions import CORRUPTIONS

CORRUPTION_KINDS = tuple(CORRUPTIONS)
LOADERS = extensions.names_in(extensions.LOADERS)

UNPACK = (
    "unpack zip, tar and 7z archives, nested ones too: all, none, or those whose names match one of these patterns; "
    "the others stay packed"
)


def _which(value: Any) -> Any:
    """Refuse what is neither yes, no nor patterns before a union of types complains of each in turn."""
    if isinstance(value, bool) or (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        return value
    raise ValueError(f'true, false or a list of patterns such as ["*.zip"], not {value!r}')


Unpack = Annotated[bool | list[str], BeforeValidator(_which)]
# Units of depth that become millimetres where the configuration is read.
MILLIMETRES = {"cm": 10.0, "m": 1000.0}
UNITS = ("mm", "cm", "m", "relative")


class PhantomSource(Spec):
    """The embedded dataset, rendered when it is fetched."""

    kind: Literal["phantom"] = Field(description="rendered here; needs no network")
    preset: Literal["mono", "stereo"] = Field(
        "mono", description="one camera with exact depth, or a raw stereo pair"
    )
    frames: int = Field(40, ge=1, description="frames a sequence")
    size: list[int] = Field([320, 320], min_length=2, max_length=2, description="height and width, pixels")
    seed: int = Field(0, ge=0, description="seed of the scenes; another seed is another patient")
    organs: int = Field(
        1,
        ge=1,
        description="organs of each kind, of this and the following seeds; more than one have it in their names",
    )
    scope: Literal["plain", "shifted"] = Field(
        "plain",
        description="plain: white light; shifted: another scope, green-blue, darker, with smoke by depth",
    )


class PathSource(Spec):
    """Data already on disk, used in place: never copied or changed."""

    kind: Literal["path"] = Field(description="data already on disk")
    path: str = Field(description="folder; relative paths start at the workflow's folder")


class HubSource(Spec):
    """A repository of the Hugging Face Hub."""

    kind: Literal["hub"] = Field(description="a Hugging Face Hub repository")
    repo: str = Field(description="owner/name")
    revision: str | None = Field(None, description="commit, tag or branch; null records the newest commit")
    files: list[str] = Field(["*"], description="patterns of the files to fetch")
    unpack: Unpack = Field(True, description=UNPACK)


class Download(Spec):
    """One file of a download."""

    url: str = Field(description="address, or the file's name in the record of a DOI")
    sha256: str | None = Field(None, description="digest; null records the digest found")
    to: str | None = Field(None, description="name under the dataset's folder; null keeps the address's own")


class UrlSource(Spec):
    """Files at fixed addresses; archives are unpacked."""

    kind: Literal["url"] = Field(description="files at fixed addresses")
    files: list[Download] = Field(min_length=1, description="the files")
    unpack: Unpack = Field(True, description=UNPACK)


class DoiSource(Spec):
    """All files of a data record with a DOI."""

    kind: Literal["doi"] = Field(description="a data record with a DOI")
    doi: str = Field(description="the DOI, without https://doi.org/")
    files: list[Download] = Field([], description="which files; empty takes all")
    unpack: Unpack = Field(True, description=UNPACK)


class DataverseSource(Spec):
    """A record of a Dataverse, whose files are fetched one by one."""

    kind: Literal["dataverse"] = Field(description="a record of a Dataverse")
    server: str = Field(
        pattern=r"^https?://[^\s/]+/?$",
        description="address of the Dataverse, such as https://dataverse.harvard.edu",
    )
    doi: str = Field(description="the record's DOI, without https://doi.org/")
    version: str | None = Field(
        None,
        pattern=r"^\d+\.\d+$",
        description="version of the record, such as 1.0; null takes the newest, which is recorded",
    )
    files: list[str] = Field(
        ["*"], min_length=1, description="patterns of the files to fetch, folders in their names"
    )
    unpack: Unpack = Field(True, description=UNPACK)


class RegistrationSource(Spec):
    """Data that are fetched by hand: behind a form, a login, or terms to accept."""

    kind: Literal["registration"] = Field(description="data fetched by hand: a form, a login, terms")
    request_at: str = Field(description="where to get or ask for the data")
    path: str = Field(description="folder to put the data into")


Source = Annotated[
    PhantomSource | PathSource | HubSource | UrlSource | DoiSource | DataverseSource | RegistrationSource,
    Field(discriminator="kind"),
]


class FrameList(Spec):
    """A list of frames, such as a published split: a file, an address, or lines given here."""

    path: str | None = Field(None, description="file with one line a frame or sequence")
    url: str | None = Field(None, description="https address of the file, fetched once; needs sha256")
    sha256: str | None = Field(
        None, description="digest that the file must have, 64 hexadecimal digits; null for a path takes any"
    )
    lines: list[str] | None = Field(None, min_length=1, description="the lines themselves")
    layout: Literal[("plain", *LOADERS)] = Field(  # type: ignore[valid-type]
        "plain",
        description="how the lines are spelled: plain, sequence and frame; or the loader's name, as its dataset's "
        "published splits are",
    )

    @model_validator(mode="after")
    def _one_place(self) -> FrameList:
        if sum(given is not None for given in (self.path, self.url, self.lines)) != 1:
            raise ValueError("a list of frames has one of path, url and lines")
        if self.url is not None and not re.fullmatch(r"https://\S+", self.url):
            raise ValueError(f"url {self.url!r:.100} is no address that begins with https://")
        if self.sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(f"sha256 {self.sha256!r:.100} is no digest: 64 digits from 0 to 9 and a to f")
        if self.url is not None and self.sha256 is None:
            raise ValueError("a list at an address needs its sha256, so that it stays the same list")
        return self


def _as_list(given: Any) -> Any:
    """Return what a list of frames is short for: a text is its path, a list its lines."""
    if isinstance(given, str):
        return {"path": given}
    return {"lines": given} if isinstance(given, list) else given


Frames = Annotated[FrameList, BeforeValidator(_as_list, json_schema_input_type=FrameList | str | list[str])]


class FrameChoice(GrownSpec):
    """Which frames of a sequence take part."""

    LATER: ClassVar = ("unlisted",)

    list: Frames | None = Field(
        None, description="the frames that take part (a published split); a text is the file's path"
    )
    exclude: Frames | None = Field(None, description="frames that are left out; a text is the file's path")
    start: int = Field(0, ge=0, description="first frame, of those left")
    stop: int | None = Field(None, ge=1, description="one past the last frame; null takes all")
    step: int = Field(1, ge=1, description="every how many frames")
    unlisted: Literal["left_out", "predicted"] = Field(
        "left_out",
        description="frames that the lists do not choose: not there (left_out), or shown to the models without their "
        "depth, so that they are predicted and not scored (predicted); start, stop and step then act on all frames",
    )

    @model_validator(mode="after")
    def _unlisted_of_a_list(self) -> Self:
        if self.unlisted == "predicted" and self.list is None and self.exclude is None:
            raise ValueError("unlisted: predicted is for frames of a list (list or exclude); there is none")
        return self


def _times(value: Any, factor: float) -> Any:
    """Return `value` times `factor`; None counts as 1, and what is no number stays for the check to refuse."""
    try:
        return factor if value is None else float(value) * factor
    except (TypeError, ValueError):
        return value


class Depth(Spec):
    """What the depth files mean."""

    unit: Literal["mm", "cm", "m", "relative"] = Field(
        "mm",
        description="unit of `scale` and `range`; relative where it is unknown. Everything after this field is in mm",
    )
    scale: float | None = Field(
        None, gt=0, description="what a stored number means, in `unit`; null leaves it to the loader"
    )
    invalid: list[Annotated[float, Field(allow_inf_nan=False)]] = Field(
        [], description="stored numbers that mean no depth, such as a background's 65535 or 1.0e+10"
    )
    range: list[float] | None = Field(
        None,
        min_length=2,
        max_length=2,
        description="least and greatest depth that is taken, in `unit`; what lies outside is no depth",
    )
    origin: Literal["rendered", "stereo", "structured_light", "ct", "registered", "unknown"] = Field(
        "unknown", description="how the depth was made"
    )
    kind: Literal["depth", "inverse", "disparity", "none"] = Field(
        "depth",
        description="what a stored number times `scale` is: depth; 1 / depth, in 1 / `unit`; disparity in pixels; or "
        "none: no depth is looked for, frames are predicted and timed and have no number",
    )
    focal: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="focal length of the rectified image, pixels, where `kind` is disparity; null takes the camera's",
    )
    baseline: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="distance of the two cameras, in `unit`, where `kind` is disparity",
    )
    key: str | None = Field(
        None,
        min_length=1,
        description="name of the depth in files that hold several arrays or channels (NPZ, HDF5, MAT, EXR)",
    )

    @model_validator(mode="before")
    @classmethod
    def _in_millimetres(cls, given: Any) -> Any:
        """Turn centimetres and metres into millimetres, so that nothing after this knows another unit."""
        unit = given.get("unit", "mm") if isinstance(given, dict) else "mm"
        if isinstance(unit, str) and unit not in UNITS:
            raise ValueError(
                f"unit is {', '.join(UNITS[:-1])}, or {UNITS[-1]} where it is unknown, not {unit!r}; for another one "
                "write mm, and how many a stored number means as `scale`"
            )
        factor = MILLIMETRES.get(unit) if isinstance(unit, str) else None
        if factor is None:
            return given
        kind = given.get("kind", "depth")
        turned = {**given, "unit": "mm"}
        if kind != "disparity":  # which is a number of pixels
            turned["scale"] = _times(given.get("scale"), 1 / factor if kind == "inverse" else factor)
        if given.get("baseline") is not None:
            turned["baseline"] = _times(given["baseline"], factor)
        if isinstance(given.get("range"), list):
            turned["range"] = [_times(one, factor) for one in given["range"]]
        return turned

    @model_validator(mode="after")
    def _range_grows(self) -> Depth:
        if self.range is not None and not 0 <= self.range[0] < self.range[1]:
            raise ValueError(f"range is [least, greatest] from 0 on, not {self.range}")
        return self

    @model_validator(mode="after")
    def _of_its_kind(self) -> Depth:
        for name in ("focal", "baseline"):
            if getattr(self, name) is not None and self.kind != "disparity":
                raise ValueError(f"{name} is for kind: disparity alone")
        if self.kind == "disparity" and self.baseline is None:
            raise ValueError(
                "kind: disparity needs the `baseline`, the distance of the two cameras in `unit`"
            )
        if self.kind == "disparity" and self.unit == "relative":
            raise ValueError(
                "kind: disparity with a baseline gives depth in mm, cm or m; unit: relative does not fit"
            )
        return self


class Stereo(Spec):
    """Rectification and matching of raw stereo pairs."""

    matcher: Literal["sgbm"] = Field("sgbm", description="semi-global block matching")
    block_size: int = Field(5, ge=1, description="matching block, pixels")
    max_disparity: int | None = Field(
        None, ge=16, description="largest disparity, pixels; null derives it from min_depth"
    )
    min_depth: float = Field(20.0, gt=0, description="nearest depth to look for, mm")
    max_depth: float = Field(300.0, gt=0, description="farthest depth to keep, mm")
    uniqueness: int = Field(10, ge=0, description="margin of the best match over the second, percent")
    left_right_check: float = Field(1.0, gt=0, description="largest difference of the two matches, pixels")
    check_calibration: bool = Field(
        True, description="refuse a calibration that points followed between the raw images contradict"
    )


class PublishedSize(Spec):
    """How much data there is, as published: for forecasts before anything is fetched."""

    frames: int = Field(ge=0, description="frames")
    size: list[int] = Field(min_length=2, max_length=2, description="height and width, pixels")


class DatasetSpec(Spec):
    """One dataset: where it comes from, how it is read, what its depth means."""

    title: str = Field("", description="name shown in reports")
    loader: Literal[LOADERS] = Field(description="how the files are read")  # type: ignore[valid-type]
    options: dict[str, Any] = Field({}, description="the loader's own options")
    source: Source = Field(description="where the files come from")
    sequences: list[str] | None = Field(
        None, description="names or glob patterns of the sequences; null takes all"
    )
    frames: FrameChoice = Field(FrameChoice(), description="which frames take part")
    split: Literal["dataset", "sequence"] = Field(
        "dataset", description="one job for the dataset, or one a sequence"
    )
    cut: dict[str, list[Annotated[int, Field(ge=1)]]] = Field(
        {},
        description="places, counted in chosen frames, at which a long sequence is cut into a job each "
        "(with split: sequence)",
    )
    depth: Depth = Field(Depth(), description="what the depth files mean")
    undistort: bool = Field(False, description="map the image onto the depth's pinhole camera")
    stereo: Stereo = Field(Stereo(), description="matching of raw stereo pairs (loader stereo)")
    max_bad_frames: float = Field(0.05, ge=0, le=1, description="largest share of unreadable frames")
    reference_error: StatedError | None = Field(
        None, description="how far the depth may be off, with the sources; null: not assessed"
    )
    published: dict[str, PublishedSize] = Field(
        {},
        description="frames and sizes as published, for forecasts: by sequence where it is split, else under `all`",
    )
    provenance: Provenance = Field(
        Provenance(), description="whose frames these are, and what else shows them"
    )
    licence: str = Field("unknown", description="terms of the data")
    citation: Citation = Field("", description="keys of citations.bib (@key; @key), BibTeX, or words")
    homepage: str = Field("", description="where the data is described")

    @model_validator(mode="after")
    def _known_options(self) -> DatasetSpec:
        check_options(f"loader {self.loader}", options_of(extensions.LOADERS, self.loader), self.options)
        return self

    @model_validator(mode="after")
    def _error_in_millimetres(self) -> DatasetSpec:
        if self.reference_error is not None and (self.depth.kind == "none" or self.depth.unit == "relative"):
            raise ValueError("reference_error needs depth in mm, cm or m, which this dataset's is not")
        return self

    @model_validator(mode="after")
    def _lists_of_its_loader(self) -> DatasetSpec:
        for name in ("list", "exclude"):
            listed = getattr(self.frames, name)
            if listed is None or listed.layout == "plain":
                continue
            if listed.layout != self.loader:
                raise ValueError(
                    f"frames.{name}.layout {listed.layout} is for the loader {listed.layout} alone"
                )
            if not extensions.defines(extensions.LOADERS, self.loader, "listed"):
                raise ValueError(
                    f"frames.{name}.layout: the loader {self.loader} has no lists of its own; use plain"
                )
        return self

    @model_validator(mode="after")
    def _sequences_named(self) -> DatasetSpec:
        if self.sequences == []:
            raise ValueError(
                "sequences is empty, so no frame is chosen; name some, or leave it out to take all"
            )
        if self.split == "sequence":
            if not self.sequences:
                raise ValueError("split: sequence needs the sequences by name in `sequences`")
            if any(character in name for name in self.sequences for character in "*?["):
                raise ValueError("split: sequence needs full names in `sequences`, not patterns")
        for name, places in self.cut.items():
            if self.split != "sequence" or name not in (self.sequences or []):
                raise ValueError(f"cut.{name} needs split: sequence and {name} among `sequences`")
            if places != sorted(set(places)):
                raise ValueError(f"cut.{name} needs growing numbers")
        return self


class Crop(Spec):
    """A window of the frames, in pixels."""

    sequences: list[str] = Field(
        ["*"], min_length=1, description="names or glob patterns of the sequences that it is for"
    )
    x: int = Field(0, ge=0, description="left edge: columns left out on the left")
    y: int = Field(0, ge=0, description="upper edge: rows left out above")
    width: int = Field(ge=1, description="columns kept")
    height: int = Field(ge=1, description="rows kept")


class Corrupt(Spec):
    """A corruption of the images; depth and flags are shared."""

    kind: Literal[CORRUPTION_KINDS] = Field(description="which corruption: docs/robustness.md has them all")  # type: ignore[valid-type]
    severity: Literal[1, 2, 3, 4, 5] = Field(description="how strong it is, 1 to 5")
    seed: int = Field(0, ge=0, description="seed of what is drawn; another seed is another view")


def _as_crops(given: Any) -> Any:
    """Return what a crop is short for: one alone is a list of one."""
    return [given] if isinstance(given, dict) else given


class ViewSpec(Spec):
    """A dataset made from another one when its frames are read: nothing is fetched or stored for it."""

    view_of: Name = Field(description="the dataset that it is made from, which may be a view itself")
    title: str = Field("", description="name shown in reports; empty takes the other one's, called a view")
    sequences: list[str] | None = Field(
        None, min_length=1, description="names or glob patterns of the sequences kept; null keeps all"
    )
    crop: Annotated[list[Crop], BeforeValidator(_as_crops, json_schema_input_type=Crop | list[Crop])] = Field(
        [], description="window of the frames; of several the first that is for a sequence, of none all of it"
    )
    corrupt: Corrupt | None = Field(None, description="corruption of the images, after the crop; null: none")
    licence: str = Field("", description="terms of the data; empty takes the other one's")
    citation: Citation = Field("", description="who made the view; empty takes the other one's")
    homepage: str = Field("", description="where it is described; empty takes the other one's")

    @model_validator(mode="after")
    def _changes_something(self) -> ViewSpec:
        if not self.crop and self.sequences is None and self.corrupt is None:
            raise ValueError("a view says what it changes: crop, corrupt, sequences")
        return self


# How the two stand in the locations of pydantic's errors.
STORED, VIEW = "stored", "view"


def _kind(given: Any) -> str:
    of_view = "view_of" in given if isinstance(given, dict) else isinstance(given, ViewSpec)
    return VIEW if of_view else STORED


DatasetEntry = Annotated[
    Annotated[DatasetSpec, Tag(STORED)] | Annotated[ViewSpec, Tag(VIEW)], Discriminator(_kind)
]
