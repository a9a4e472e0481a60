"""Our numbers beside a source's, on the same arrays: the path that a job takes, from a protocol's spec to a frame's
metrics."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from conformance.arrays import Case, Frames, make
from evaluation_fakes import FakeSequence, FakeStore
from scopedepth.config.base import plain_spec
from scopedepth.config.protocols import ProtocolSpec
from scopedepth.evaluation.align import fit_unit, open_pairs, parts_to_fit
from scopedepth.evaluation.score import Score, frame_scores

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

HERE = Path(__file__).parent

# Numbers smaller than this are compared as if they were this: one pixel's error after a fit is a rounding error.
LEAST = 1e-3

Numbers = Mapping[str, float | None]


@dataclass(frozen=True)
class Difference:
    """How far one number of ours is from its source's, relative to the source's; None: there is no number."""

    case: Case
    frame: int
    metric: str
    ours: float | None
    theirs: float | None

    @property
    def relative(self) -> float:
        if self.ours is None or self.theirs is None:
            return math.inf
        return abs(self.ours - self.theirs) / max(abs(self.theirs), LEAST)


def protocols() -> dict[str, specs.Protocol]:
    """Return the specs of config.yaml by name, as the workflow hands them over."""
    config = yaml.safe_load((HERE.parents[1] / "config.yaml").read_text(encoding="utf-8"))
    return {
        name: plain_spec(name, ProtocolSpec.model_validate(spec))
        for name, spec in config["protocols"].items()
    }


def answers(name: str) -> dict[str, Any]:
    """Return what a protocol's source answered."""
    found: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return found


def scores(spec: specs.Protocol, case: Case, frames: Frames) -> list[Score]:
    """Return our score of each frame, by the functions that a job runs over stores."""
    data = FakeStore(FakeSequence(case.sequence, depth=frames.depth))
    predicted = FakeStore(
        FakeSequence(case.sequence, prediction=frames.output), output_kind=case.kind, unit=case.unit
    )
    pairs = open_pairs({"p": spec}, data, predicted, case.dataset)
    fits = fit_unit([pairs], parts_to_fit([pairs]), 1, lambda count=1: None)[case.sequence]
    return [score for [score] in frame_scores(pairs[case.sequence], fits, 1) if isinstance(score, Score)]


def differences(
    spec: specs.Protocol, source: Mapping[str, Any], cases: Sequence[Case]
) -> Iterator[Difference]:
    """Yield the difference of each number that the source gives on `cases`, in the source's own units.

    Where one number of a frame is NaN or infinite in the source, it has none for that frame, and neither may we
    have (NumPy counts a NaN as "not within 1.25", so that the shares stay numbers).
    """
    for case in cases:
        frames = make(case)
        kept = source["cases"][case.name]
        assert kept["digest"] == frames.digest, f"{case.name}: the arrays are not those that the source saw"
        factors = source["factors"].get(case.dataset, source["factors"][""])
        ours: list[Numbers] = [score.metrics for score in scores(spec, case, frames)]
        if source["per"] == "sequence":
            ours = [_mean(ours)]
        for frame, (mine, theirs) in enumerate(zip(ours, kept["answers"], strict=True)):
            numbers = theirs or {}
            nothing = not numbers or any(isinstance(value, str) for value in numbers.values())
            for metric in spec["metrics"] if nothing else numbers:
                value = mine.get(metric)
                if nothing and value is None:
                    continue
                yield Difference(
                    case,
                    frame,
                    metric,
                    None if value is None else value / factors.get(metric, 1.0),
                    None if nothing else numbers[metric],
                )


def _mean(frames: list[Numbers]) -> Numbers:
    """Return the mean of each metric over the frames that have it."""
    names = {name for frame in frames for name in frame}
    columns = {name: [frame[name] for frame in frames if frame.get(name) is not None] for name in names}
    return {name: sum(values) / len(values) if values else None for name, values in columns.items()}  # type: ignore[arg-type]


def compared(name: str) -> bool:
    """Return whether a protocol's source was run."""
    return (HERE / f"{name}.json").is_file()
