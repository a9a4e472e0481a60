"""What config.yaml may say of the error of a dataset's reference depth."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from scopedepth.config.base import Spec

Sourced = Annotated[
    str, Field(min_length=1, description="where the numbers come from: a paper, a measurement")
]
Spread = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Space = Literal["disparity", "depth"]


class ErrorClass(Spec):
    """The errors of one class of pixels, as quantiles."""

    where: Literal["rim", "edge", "anywhere"] = Field(
        "anywhere", description="rim: near a hole of the reference; edge: near a jump of it, and no rim"
    )
    below: float | None = Field(
        None, gt=0, description="only where the disparity (px) or depth (mm) is below this; null: all"
    )
    errors: list[Annotated[float, Field(allow_inf_nan=False)]] = Field(
        min_length=2, description="quantiles of reference less truth at `probabilities`, px or mm"
    )


class LocalError(Spec):
    """Error that each pixel has by itself."""

    sigma: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="standard deviation, px of disparity or mm of depth"
    )
    probabilities: list[Annotated[float, Field(ge=0, le=1)]] | None = Field(
        None, min_length=2, description="levels of the quantiles in `classes`, growing"
    )
    classes: list[ErrorClass] = Field(
        [], description="quantiles by class, in place of `sigma`; of several the first that fits a pixel"
    )
    grain: int = Field(1, ge=1, le=64, description="pixels along a side of the blocks that share one error")
    source: Sourced

    @model_validator(mode="after")
    def _one_law(self) -> LocalError:
        if (self.sigma is None) == (not self.classes):
            raise ValueError("an error has either sigma or classes")
        if (self.probabilities is None) != (not self.classes):
            raise ValueError("classes and probabilities are given together: quantiles and their levels")
        levels = self.probabilities or []
        if any(a >= b for a, b in pairwise(levels)):
            raise ValueError("probabilities: the levels must grow")
        for index, one in enumerate(self.classes):
            if len(one.errors) != len(levels):
                raise ValueError(
                    f"classes[{index}].errors: {len(one.errors)} numbers for {len(levels)} probabilities"
                )
            if any(a > b for a, b in pairwise(one.errors)):
                raise ValueError(f"classes[{index}].errors: quantiles do not fall")
        if self.classes and (self.classes[-1].where != "anywhere" or self.classes[-1].below is not None):
            raise ValueError(
                "classes: the last one must be for where: anywhere, without below: each pixel has a class"
            )
        return self


class Calibration(Spec):
    """Error of the calibration: the same in all frames."""

    of: Space = Field("disparity", description="what is off: disparity (px) or depth (mm)")
    offset: Spread = Field(0.0, description="standard deviation of an offset of the whole frame")
    tilt: Spread = Field(
        0.0, description="standard deviation of the change from one side of the frame to the other"
    )
    source: Sourced


class Registration(Spec):
    """Error of the pose that depth was brought to the images with: the same in all frames."""

    shift: Spread = Field(0.0, description="standard deviation along each axis, px")
    rotation: Spread = Field(0.0, description="standard deviation about the frame's middle, degrees")
    source: Sourced


class Drift(Spec):
    """Error that grows with the frame's number in its sequence."""

    depth: Spread = Field(0.0, description="standard deviation of depth after one frame, mm")
    shift: Spread = Field(0.0, description="standard deviation along each axis after one frame, px")
    source: Sourced


class Quantisation(Spec):
    """Depth or disparity that is stored in steps."""

    of: Space = Field(description="what is stored in steps: disparity (px) or depth (mm)")
    step: float = Field(gt=0, allow_inf_nan=False, description="the step, px or mm")
    source: Sourced


class StatedError(Spec):
    """How far a dataset's reference depth may be off. What is not stated is not assessed."""

    focal: float | None = Field(
        None, gt=0, description="focal length, pixels of the frames; null: that of the frames' own camera"
    )
    baseline: float | None = Field(
        None, gt=0, description="distance of the two cameras, mm; for what is of disparity"
    )
    reach: int = Field(
        4, ge=1, le=64, description="how far from a jump or a hole edges and rims reach, pixels"
    )
    disparity: LocalError | None = Field(
        None, description="error of each pixel's disparity, px; null: not assessed"
    )
    depth: LocalError | None = Field(None, description="error of each pixel's depth, mm; null: not assessed")
    quantisation: Quantisation | None = Field(None, description="steps of what is stored; null: not assessed")
    calibration: Calibration | None = Field(None, description="shared by all frames; null: not assessed")
    registration: Registration | None = Field(None, description="shared by all frames; null: not assessed")
    drift: Drift | None = Field(None, description="shared by a sequence's frames; null: not assessed")

    @model_validator(mode="after")
    def _says_something(self) -> StatedError:
        parts = (
            self.disparity,
            self.depth,
            self.quantisation,
            self.calibration,
            self.registration,
            self.drift,
        )
        if not any(parts):
            raise ValueError(
                "reference_error states no error: give one of disparity, depth, quantisation, calibration, "
                "registration, drift, or leave it out, which means: not assessed"
            )
        for name, spreads in (
            ("calibration", self.calibration and (self.calibration.offset, self.calibration.tilt)),
            ("registration", self.registration and (self.registration.shift, self.registration.rotation)),
            ("drift", self.drift and (self.drift.depth, self.drift.shift)),
        ):
            if spreads is not None and not any(spreads):
                raise ValueError(f"{name}: both numbers are 0; leave it out, which means: not assessed")
        if self.of_disparity and self.baseline is None:
            raise ValueError(f"{self.of_disparity} is of disparity, which needs the baseline, mm")
        return self

    @property
    def of_disparity(self) -> str:
        """The first part that is stated of disparity; empty: none."""
        steps, calibration = self.quantisation, self.calibration
        if self.disparity is not None:
            return "disparity"
        if steps is not None and steps.of == "disparity":
            return "quantisation"
        return "calibration" if calibration is not None and calibration.of == "disparity" else ""
