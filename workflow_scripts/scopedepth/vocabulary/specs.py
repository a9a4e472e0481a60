"""Types of the plain specs that travel to jobs as JSON: written by ``python -m scopedepth.config.schema``.

All defaults are filled in. NotRequired are words, which reach the report and no job, and what some entries lack.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class Change(TypedDict):
    view: str
    sequences: list[str] | None
    steps: list[dict[str, Any]]


class Recipe(TypedDict):
    title: str
    trains: list[Literal["adapters", "neck", "head", "all"]]
    rank: int
    learning_rate: float
    weight_decay: float
    steps: int
    batch: int
    check_every: int
    flip: bool
    gain: float
    gamma: float
    precision: Literal["fp32", "bf16"]
    gradient_checkpointing: bool
    name: str


class TrainOn(TypedDict):
    dataset: str
    sequences: list[str] | None
    frames: int | list[int] | None


class Holdout(TypedDict):
    by: Literal["sequence", "patient"]
    share: float


class Folds(TypedDict):
    by: Literal["sequence", "patient"]
    count: int | None


class TunedWeights(TypedDict):
    kind: Literal["finetuned"]
    base: str
    recipe: Recipe
    train: list[TrainOn]
    holdout: Holdout | None
    folds: Folds | None
    seed: int


class PhantomSource(TypedDict):
    kind: Literal["phantom"]
    preset: Literal["mono", "stereo"]
    frames: int
    size: list[int]
    seed: int
    organs: int
    scope: Literal["plain", "shifted"]


class PathSource(TypedDict):
    kind: Literal["path"]
    path: str


class HubSource(TypedDict):
    kind: Literal["hub"]
    repo: str
    revision: str | None
    files: list[str]
    unpack: bool | list[str]


class Download(TypedDict):
    url: str
    sha256: str | None
    to: str | None


class UrlSource(TypedDict):
    kind: Literal["url"]
    files: list[Download]
    unpack: bool | list[str]


class DoiSource(TypedDict):
    kind: Literal["doi"]
    doi: str
    files: list[Download]
    unpack: bool | list[str]


class DataverseSource(TypedDict):
    kind: Literal["dataverse"]
    server: str
    doi: str
    version: str | None
    files: list[str]
    unpack: bool | list[str]


class RegistrationSource(TypedDict):
    kind: Literal["registration"]
    request_at: str
    path: str


Source = PhantomSource | PathSource | HubSource | UrlSource | DoiSource | DataverseSource | RegistrationSource


class FrameList(TypedDict):
    path: str | None
    url: str | None
    sha256: str | None
    lines: list[str] | None
    layout: str


class FrameChoice(TypedDict):
    list: FrameList | None
    exclude: FrameList | None
    start: int
    stop: int | None
    step: int
    unlisted: NotRequired[Literal["left_out", "predicted"]]


class Depth(TypedDict):
    unit: Literal["mm", "cm", "m", "relative"]
    scale: float | None
    invalid: list[float]
    range: list[float] | None
    origin: Literal["rendered", "stereo", "structured_light", "ct", "registered", "unknown"]
    kind: Literal["depth", "inverse", "disparity", "none"]
    focal: float | None
    baseline: float | None
    key: str | None


class Stereo(TypedDict):
    matcher: Literal["sgbm"]
    block_size: int
    max_disparity: int | None
    min_depth: float
    max_depth: float
    uniqueness: int
    left_right_check: float
    check_calibration: bool


class ErrorClass(TypedDict):
    where: Literal["rim", "edge", "anywhere"]
    below: float | None
    errors: list[float]


class LocalError(TypedDict):
    sigma: float | None
    probabilities: list[float] | None
    classes: list[ErrorClass]
    grain: int
    source: str


class Quantisation(TypedDict):
    of: Literal["disparity", "depth"]
    step: float
    source: str


class Calibration(TypedDict):
    of: Literal["disparity", "depth"]
    offset: float
    tilt: float
    source: str


class Registration(TypedDict):
    shift: float
    rotation: float
    source: str


class Drift(TypedDict):
    depth: float
    shift: float
    source: str


class StatedError(TypedDict):
    focal: float | None
    baseline: float | None
    reach: int
    disparity: LocalError | None
    depth: LocalError | None
    quantisation: Quantisation | None
    calibration: Calibration | None
    registration: Registration | None
    drift: Drift | None


class PublishedSize(TypedDict):
    frames: int
    size: list[int]


class Edition(TypedDict):
    dataset: str
    sequences: str | dict[str, str] | None


class Provenance(TypedDict):
    patient: str | dict[str, str] | None
    device: dict[str, str]
    same_as: list[Edition]


class Dataset(TypedDict):
    title: NotRequired[str]
    loader: str
    options: dict[str, Any]
    source: Source
    sequences: list[str] | None
    frames: FrameChoice
    split: Literal["dataset", "sequence"]
    cut: dict[str, list[int]]
    depth: Depth
    undistort: bool
    stereo: Stereo
    max_bad_frames: float
    reference_error: NotRequired[StatedError | None]
    published: NotRequired[dict[str, PublishedSize]]
    provenance: NotRequired[Provenance]
    licence: NotRequired[str]
    citation: NotRequired[str]
    homepage: NotRequired[str]
    name: str
    view_of: NotRequired[str]
    lineage: NotRequired[list[str]]
    steps: NotRequired[list[Change]]
    reads: NotRequired[list[str] | None]
    part: NotRequired[list[int | None]]
    whole: NotRequired[bool]


class NoWeights(TypedDict):
    kind: Literal["none"]


class PathWeights(TypedDict):
    kind: Literal["path"]
    path: str


class UrlWeights(TypedDict):
    kind: Literal["url"]
    files: list[Download]
    unpack: bool


Weights = NoWeights | PathWeights | UrlWeights | HubSource


class Output(TypedDict):
    kind: Literal[
        "disparity", "scaled_disparity", "metric_disparity", "affine_depth", "depth", "metric_depth"
    ]
    unit: Literal["mm", "cm", "m"] | None


class TrainedOn(TypedDict):
    dataset: str | None
    sequences: list[str] | None
    held_out: Literal["sequence", "patient"] | None
    device: str | None
    unknown: bool


class Model(TypedDict):
    title: NotRequired[str]
    family: str
    weights: Weights | TunedWeights
    output: Output
    precision: Literal["fp32", "bf16", "fp16"]
    options: dict[str, Any]
    made_from: NotRequired[str | None]
    trained_on: NotRequired[list[TrainedOn] | None]
    parameters: NotRequired[int | None]
    licence: NotRequired[str]
    citation: NotRequired[str]
    homepage: NotRequired[str]
    name: str
    reads: NotRequired[list[str] | None]


class Alignment(TypedDict):
    method: str
    options: dict[str, Any]
    space: Literal["depth", "disparity", "log_depth"]
    scope: Literal["frame", "sequence", "dataset"]
    pool: Literal["pixels", "frame_means"]
    affine_disparity: Literal["refuse", "zero_shift", "raw"]
    invert_epsilon: float
    negative_disparity: Literal["far", "inverted"]
    output_limits: list[float | None]
    fit_above: float | None
    depth_epsilon: float
    constant: Literal["refuse", "score"]
    weight: Literal["none", "inverse_depth"]
    negative_scale: Literal["refuse", "score"]
    min_pixels: int


class RangeFor(TypedDict):
    min: float | None
    max: float | None
    datasets: list[str]


class DepthRange(TypedDict):
    min: float | None
    max: float | None
    inclusive: bool
    per_dataset: list[RangeFor]


class Crop(TypedDict):
    datasets: list[str]
    sequences: list[str]
    left: int
    right: int | None
    top: int
    bottom: int | None
    before_network: bool


class Masks(TypedDict):
    exclude: list[Literal["border", "specular", "occluded", "tool", "doubtful"]]
    grey_above: float | None
    rgb_sum_below: float | None
    erode: int


class Clamp(TypedDict):
    when: Literal["after", "before", "never"]
    disparity: float | Literal["inverse_max_depth", "inverse_range_max"] | None
    depth: Literal["range"] | list[float] | None


class Interpolation(TypedDict):
    method: Literal["bilinear", "nearest"]
    align_corners: bool
    space: Literal["output", "disparity"]
    epsilon: float


class Ordinal(TypedDict):
    pairs: int
    min_ratio: float
    seed: int


class Protocol(TypedDict):
    version: int
    title: NotRequired[str]
    source: NotRequired[str]
    unknown: NotRequired[list[str]]
    differs: NotRequired[list[str]]
    not_comparable: NotRequired[str]
    alignment: Alignment
    depth_range: DepthRange
    crops: list[Crop]
    masks: Masks
    clamp: Clamp
    interpolation: Interpolation
    error_epsilon: float
    unit_unknown: Literal["reference", "skip", "refuse"]
    averaging: Literal["sequences", "frames"]
    metrics: list[str]
    ordinal: Ordinal
    uncovered: NotRequired[Literal["refuse", "leave_out"]]
    name: str


class Timing(TypedDict):
    title: str
    frame_sizes: list[list[int]]
    batches: list[int]
    input_sizes: list[list[int]] | None
    precisions: list[Literal["fp32", "bf16", "fp16"]] | None
    runs: int
    seconds: float
    warmup_runs: int
    warmup_seconds: float
    rounds: int
    on_load: Literal["record", "refuse"]
    realtime_fps: float
    name: str


class Headline(TypedDict):
    protocol: str
    metric: str


class Bootstrap(TypedDict):
    replicates: int
    seed: int


class Robustness(TypedDict):
    kinds: list[str]
    severities: list[Literal[1, 2, 3, 4, 5]]
    seed: int
    datasets: list[str]
    baseline: str
    views: dict[str, dict[str, Any]]


class Study(TypedDict):
    title: NotRequired[str]
    datasets: list[str]
    models: list[str]
    protocols: list[str]
    headline: Headline
    metrics: list[str] | None
    bootstrap: Bootstrap
    timing: Timing | None
    robustness: Robustness | None
    reference_error: bool
    strata: bool
    frame_pages: NotRequired[int | None]
    allow_seen: bool
    notes: NotRequired[list[str]]
    name: str
    lineage: dict[str, Any]


class GpuKind(TypedDict):
    predict: str | None
    models: dict[str, str]
    time: str | None


class Execution(TypedDict):
    device: str
    batch: int | None
    checkpoint_every: int
    scratch: str | None
    gpu_kind: GpuKind
