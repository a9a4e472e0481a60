"""Error against depth: how far off each model is near by and far away, in bins of equally many pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation.maps import ScoredFrames

# A sample of frames and pixels: enough for a curve, little enough to be read in seconds.
FRAMES = 24
BINS = 10
PIXELS = 20_000  # of each frame, evenly spaced


class Sample(NamedTuple):
    """Pixels of one model's frame: reference depth and relative error, both (n,)."""

    depth: NDArray[np.float64]
    error: NDArray[np.float64]


def sampled_frames(keys: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return at most `FRAMES` of the (sequence, frame) keys, evenly spaced in their sorted order."""
    ordered = sorted(keys)
    if len(ordered) <= FRAMES:
        return ordered
    return [ordered[int((i + 0.5) * len(ordered) / FRAMES)] for i in range(FRAMES)]


def depth_error_rows(
    frames: ScoredFrames, dataset: str, models: Sequence[str], keys: Sequence[tuple[str, int]]
) -> list[dict[str, Any]]:
    """Return the rows of the table `depth_error` for one dataset: a row a bin for each model with a scored frame.

    keys: (sequence, frame) of all the dataset's frames. Frames that a model has no finite error on are left out
    for it. The edges are quantiles of the depths of all models' pixels together.
    """
    samples: dict[str, list[Sample]] = {}
    unit = ""
    for key in sampled_frames(keys):
        for model, units, sample in _samples(frames, dataset, models, key):
            samples.setdefault(model, []).append(sample)
            unit = units
    if not samples:
        return []
    everything = np.concatenate([part.depth for parts in samples.values() for part in parts])
    edges = np.unique(np.quantile(everything, np.linspace(0, 1, BINS + 1)))
    rows = []
    for model in models:
        if model not in samples:
            continue
        depth, error = (np.concatenate(parts) for parts in zip(*samples[model], strict=True))
        for index, (count, mean) in enumerate(binned(depth, error, edges)):
            rows.append(
                {
                    "dataset": dataset, "protocol": frames.name, "model": model, "bin": index + 1, "unit": unit,
                    "depth_low": float(edges[index]), "depth_high": float(edges[index + 1]),
                    "n_frames": len(samples[model]), "n_pixels": count, "abs_rel": mean,
                }
            )  # fmt: skip
    return rows


def _samples(
    frames: ScoredFrames, dataset: str, models: Sequence[str], key: tuple[str, int]
) -> Iterator[tuple[str, str, Sample]]:
    """Yield (model, unit of depth, pixels) for each model whose frame was scored."""
    sequence, frame = key
    found = frames.place(dataset, sequence, frame)
    if found is None:
        return
    unit, place = found
    for model in models:
        if (unit, model) not in frames.places.predictions:
            continue
        scored = frames.scored(unit, model, sequence, place)
        if isinstance(scored, str) or not np.isfinite(scored.error[scored.valid]).all():
            continue
        where = np.flatnonzero(scored.valid)
        where = where[:: max(1, len(where) // PIXELS)]
        depth = frames.reference(unit, sequence, place).depth.flat[where].astype(np.float64)
        units = frames.dataset(unit).sequences[sequence].units
        yield model, units, Sample(depth, scored.error.flat[where])


def binned(depth: np.ndarray, error: np.ndarray, edges: np.ndarray) -> list[tuple[int, float | None]]:
    """Return (pixels, mean error) for each bin between `edges`, its upper end with the next bin; None where empty.

    The last bin has both its ends.
    """
    if len(edges) < 2:
        return []
    index = np.clip(np.searchsorted(edges, depth, side="right") - 1, 0, len(edges) - 2)
    counts = np.bincount(index, minlength=len(edges) - 1)
    sums = np.bincount(index, weights=error, minlength=len(edges) - 1)
    return [(int(n), float(s / n) if n else None) for n, s in zip(counts, sums, strict=True)]
