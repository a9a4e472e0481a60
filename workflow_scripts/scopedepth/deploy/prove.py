"""The proof that a deployed file says what its model says: both on the same frames, at several sizes and batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.deploy.steps import FRAMES, OWN_GRID, PREDICTION
from scopedepth.evaluation.resample import resample
from scopedepth.evaluation.single import evaluate_frame
from scopedepth.models.base import DepthModel
from scopedepth.stores.dataset import DatasetStore
from scopedepth.vocabulary.flags import FRAME_OK

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

# What may differ: of an output relative to its range over the frame, and of AbsRel.
MOST_OUTPUT, MOST_ABS_REL = 1e-3, 1e-4
BATCHES = (1, 3)
# Shares of height and width that are cut out of a frame's middle, for other sizes and shapes of frames.
CUTS = ((1.0, 1.0), (0.7, 1.0), (1.0, 0.6))


@dataclass(frozen=True)
class Sample:
    """A frame with what scoring it needs: uint8 (h, w, 3), float32 (h, w) in `units`, uint8 (h, w)."""

    dataset: str
    sequence: str
    number: int
    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32]
    flags: NDArray[np.uint8]
    units: str

    def cut(self, share: tuple[float, float]) -> Sample:
        """Return its middle, of a share of its height and width."""
        height, width = self.rgb.shape[:2]
        v, u = round(height * share[0]), round(width * share[1])
        place = np.s_[(height - v) // 2 : (height - v) // 2 + v, (width - u) // 2 : (width - u) // 2 + u]
        return Sample(
            self.dataset, self.sequence, self.number,
            self.rgb[place], self.depth[place], self.flags[place], self.units,
        )  # fmt: skip


@dataclass
class Tried:
    """What was found at one size and batch. Differences of output: relative to the range of each frame's prediction."""

    height: int
    width: int
    batch: int
    frames: int = 0
    scored: int = 0
    output: float = 0.0
    own_grid: float = 0.0
    abs_rel: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether all differences are small enough; NaN is not."""
        return (
            max(self.output, self.own_grid) <= MOST_OUTPUT
            and self.abs_rel <= MOST_ABS_REL
            and self.frames > 0
        )


def samples(stores: Sequence[Path], count: int) -> list[Sample]:
    """Return `count` frames that could be read, spread evenly over the sequences of dataset stores; 0: all."""
    places = []
    for path in stores:
        data = DatasetStore(path)
        for sequence in data.sequences.values():
            for number in np.flatnonzero(sequence.status() == FRAME_OK):
                places.append((data, sequence, int(number)))
    if count:
        chosen = np.unique(np.linspace(0, len(places) - 1, min(count, len(places))).round().astype(int))
        places = [places[at] for at in chosen]
    return [
        Sample(
            data.lineage[0], sequence.name, number,
            sequence.rgb(number, number + 1)[0], sequence.depth(number, number + 1)[0],
            sequence.flags(number, number + 1)[0], sequence.units,
        )
        for data, sequence, number in places
    ]  # fmt: skip


def prove(
    model: DepthModel, file: Path, frames: Sequence[Sample], protocol: specs.Protocol, one_size: bool
) -> Iterator[Tried]:
    """Run the model and the ONNX file on frames; yield what differs, for each size of frame and each batch.

    `one_size`: the file takes the frames' own size alone. AbsRel is that of `protocol`, of each frame for itself.
    """
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    settings.use_deterministic_compute = True
    session = onnxruntime.InferenceSession(file, settings, providers=["CPUExecutionProvider"])
    by_size: dict[tuple[int, ...], list[Sample]] = {}
    for frame in frames:
        by_size.setdefault(frame.rgb.shape[:2], []).append(frame)
    for cut in CUTS[:1] if one_size else CUTS:
        for group in by_size.values():
            cuts = [frame.cut(cut) for frame in group]
            for batch in BATCHES:
                height, width = cuts[0].rgb.shape[:2]
                tried = Tried(height, width, batch)
                for first in range(0, len(cuts), batch):
                    piece = cuts[first : first + batch]
                    rgb = np.stack([one.rgb for one in piece])
                    filled = np.concatenate([rgb, np.repeat(rgb[-1:], batch - len(rgb), axis=0)])
                    theirs = session.run([PREDICTION, OWN_GRID], {FRAMES: filled})
                    _compare(tried, model, model.predict(filled), theirs, piece, protocol)
                yield tried


def _compare(
    tried: Tried,
    model: DepthModel,
    ours: NDArray[np.float32],
    theirs: Sequence[NDArray[np.float32]],
    frames: Sequence[Sample],
    protocol: specs.Protocol,
) -> None:
    """Add what differs on a batch; frames beyond those that are given only fill it."""
    for number, frame in enumerate(frames):
        own = ours[number]
        full = np.empty(frame.depth.shape, np.float32)
        resample(own, full, nearest=False, align_corners=False)
        on_frame, on_grid = theirs[0][number], theirs[1][number]
        tried.frames += 1
        tried.output = _worse(tried.output, _apart(full, on_frame))
        tried.own_grid = _worse(tried.own_grid, _apart(own, on_grid))
        for mine, deployed in ((own, on_grid), (full, on_frame)):
            scores = [_abs_rel(model, one, frame, protocol) for one in (mine, deployed)]
            if None not in scores:
                tried.scored += mine is own
                tried.abs_rel = _worse(tried.abs_rel, abs(scores[0] - scores[1]))  # type: ignore[operator]
            elif scores != [None, None]:
                tried.abs_rel = float("nan")


def _worse(known: float, found: float) -> float:
    """Return the larger one; NaN where one of them is."""
    return float(np.maximum(known, found))


def _apart(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Return the largest difference, relative to the range of `ours`, or to its size where that is constant."""
    if ours.shape != theirs.shape:
        return float("nan")
    range_of = float(np.ptp(ours)) or float(np.abs(ours).max()) or 1.0
    return float(np.abs(ours.astype(np.float64) - theirs).max()) / range_of


def _abs_rel(
    model: DepthModel, prediction: NDArray[np.float32], frame: Sample, protocol: specs.Protocol
) -> float | None:
    metrics, _, _ = evaluate_frame(
        protocol,
        np.ascontiguousarray(prediction),
        np.ascontiguousarray(frame.depth),
        output_kind=model.output_kind,
        output_unit=model.unit,
        units=frame.units,
        flags=np.ascontiguousarray(frame.flags),
        rgb=np.ascontiguousarray(frame.rgb),
        dataset=frame.dataset,
        sequence=frame.sequence,
        output_greatest=model.greatest_depth,
    )
    return metrics.get("abs_rel")


def written(found: Sequence[Tried], protocol: str, source: Sequence[str]) -> dict[str, Any]:
    """Return what the manifest says of the proof."""
    return {
        "frames_of": list(source),
        "protocol": protocol,
        "allowed": {"output": MOST_OUTPUT, "abs_rel": MOST_ABS_REL},
        "largest_difference_of_output": max(max(one.output, one.own_grid) for one in found),
        "largest_change_of_abs_rel": max(one.abs_rel for one in found),
        "tried": [asdict(one) for one in found],
    }
