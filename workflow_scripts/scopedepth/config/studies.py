"""What config.yaml may say of a study, and the configuration as a whole."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from scopedepth.config.base import Name, Spec
from scopedepth.config.datasets import CORRUPTION_KINDS, DatasetEntry
from scopedepth.config.finetuning import RecipeSpec, by_amount
from scopedepth.config.models import ModelEntry
from scopedepth.config.protocols import ProtocolSpec


class Headline(Spec):
    """The protocol and the metric of the ranking that opens the report."""

    protocol: Name = Field(description="one of the study's protocols")
    metric: str = Field("abs_rel", description="a metric's name")


class Bootstrap(Spec):
    """How intervals are drawn."""

    replicates: int = Field(2000, ge=100, description="bootstrap replicates")
    seed: int = Field(0, ge=0, description="seed of the replicates")


class Robustness(Spec):
    """How the study's models withstand corruptions of the images: a view for each dataset, kind and severity."""

    kinds: list[Literal[CORRUPTION_KINDS]] = Field(  # type: ignore[valid-type]
        min_length=1, description="the corruptions: docs/robustness.md has them all"
    )
    severities: list[Literal[1, 2, 3, 4, 5]] = Field(
        [1, 3, 5], min_length=1, description="how strong they are, 1 to 5"
    )
    seed: int = Field(0, ge=0, description="seed of what is drawn")
    datasets: list[Name] | None = Field(
        None, min_length=1, description="those of the study's datasets that are corrupted; null: all"
    )
    baseline: Name | None = Field(
        None, description="the one of the study's models that mCE is measured by; null takes the first one"
    )

    @model_validator(mode="after")
    def _named_once(self) -> Robustness:
        for field in ("kinds", "severities", "datasets"):
            names = getattr(self, field) or []
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{field}: {name} is named twice; name it once")
        return self


class Timing(Spec):
    """How speed is measured."""

    title: str = Field("", description="what these settings are for")
    frame_sizes: list[list[int]] = Field([[480, 640]], description="frames to time, height and width")
    batches: list[int] = Field([1], description="frames in a call; 1 is latency")
    input_sizes: list[list[int]] | None = Field(
        None,
        description="network inputs to try besides the model's own, where the family lets them be chosen",
    )
    precisions: list[Literal["fp32", "bf16", "fp16"]] | None = Field(
        None, description="null takes the model's own"
    )
    runs: int = Field(200, ge=1, description="timed calls at least")
    seconds: float = Field(10.0, ge=0, description="time measured at least, seconds a setting")
    warmup_runs: int = Field(10, ge=1, description="calls before the clock starts, at least")
    warmup_seconds: float = Field(2.0, ge=0, description="warm-up time at least, seconds")
    rounds: int = Field(10, ge=1, description="rounds in which model and yardstick take turns")
    on_load: Literal["record", "refuse"] = Field("record", description="what to do when the machine is busy")
    realtime_fps: float = Field(30.0, gt=0, description="frame rate of the real-time verdict")


class StudySpec(Spec):
    """A named choice of datasets, models and protocols."""

    title: str = Field("", description="title of the report")
    datasets: list[Name] = Field(min_length=1, description="names under `datasets`")
    models: list[Name] = Field(min_length=1, description="names under `models`")
    protocols: list[Name] = Field(min_length=1, description="names under `protocols`")
    headline: Headline = Field(description="the ranking that opens the report")
    metrics: list[str] | None = Field(
        None, description="metrics to summarise; null takes all that were computed"
    )
    bootstrap: Bootstrap = Field(Bootstrap(), description="how intervals are drawn")
    timing: Name | None = Field(None, description="one of `timings`; null measures no speed")
    robustness: Robustness | None = Field(None, description="corruptions to withstand; null: none")
    reference_error: bool = Field(
        True, description="ask which comparisons withstand the `reference_error` of datasets that state one"
    )
    strata: bool = Field(
        False,
        description="tell where in the image models fail (near, far, edges, ...), under the headline's protocol: "
        "docs/strata.md",
    )
    frame_pages: int | None = Field(
        None,
        ge=1,
        description="pages beside the report in which frames can be looked at: at most so many of each sequence, "
        "evenly spaced, and the frames that the report shows; null: none (docs/frames.md)",
    )
    allow_seen: bool = Field(
        False,
        description="rank models on frames that they were trained on too, which the report then says first; otherwise "
        "such a study is refused",
    )
    notes: list[str] = Field([], description="what a reader must know: our choices, what is not known")


class GpuKind(Spec):
    """A scheduler's words for kinds of GPU (SLURM's --constraint)."""

    predict: str | None = Field(None, description="for predictions; null: any")
    models: dict[Name, str] = Field({}, description="for the predictions of single models")
    time: str | None = Field(None, description="for measuring speed: times of two kinds do not compare")


class Execution(Spec):
    """How jobs run. Nothing here changes a number, so nothing here makes a result stale."""

    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    batch: int | None = Field(None, ge=1, description="frames in a batch; null chooses from size and memory")
    checkpoint_every: int = Field(
        50, ge=1, description="steps of fine-tuning between the states that an interrupted one goes on from"
    )
    scratch: str | None = Field(
        None,
        description="folder on a node's own disk, such as $TMPDIR, in which stores are built; null: in results/",
    )
    gpu_kind: GpuKind = Field(GpuKind(), description="kinds of GPU, where a cluster has several")


class Configuration(Spec):
    """config.yaml as a whole."""

    study: Name = Field("demo", description="the study to run; --config study=NAME chooses another")
    studies: dict[Name, StudySpec] = Field(description="the studies, by name")
    datasets: dict[Name, DatasetEntry] = Field(description="the datasets, by name")
    models: dict[Name, ModelEntry] = Field(description="the models, by name")
    recipes: dict[Name, RecipeSpec] = Field({}, description="ways to fine-tune a model, by name")
    protocols: dict[Name, ProtocolSpec] = Field(description="the protocols, by name")
    timings: dict[Name, Timing] = Field({}, description="ways to measure speed, by name")
    execution: Execution = Field(Execution(), description="how jobs run; changes no number")

    @model_validator(mode="before")
    @classmethod
    def _by_amount(cls, given: Any) -> Any:
        return by_amount(given)
