"""Reading reference and prediction side by side, a few frames at a time, in threads.

Memory is a constant number of blocks, however long a sequence is; results come back in the order of frames.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from scopedepth.evaluation.kernels import gather
from scopedepth.evaluation.masks import valid_pixels
from scopedepth.evaluation.protocol import Plan
from scopedepth.evaluation.resample import inverse, resample
from scopedepth.vocabulary import flags as bits
from scopedepth.vocabulary import status as codes

T = TypeVar("T")

# Pixels of the reference in one block: about 16 frames of 640 x 480, 40 MB with everything.
BLOCK_PIXELS = 5_000_000


@dataclass
class Pixels:
    """One frame made ready: its valid pixels, and the status that says whether they can be used.

    x: outputs (n,), not_positive of them zero or less; y: reference depths in mm (n,).
    output: the prediction on the reference's grid, (h, w); depth: (h, w); valid: the mask, (h, w).
    All are overwritten by the next frame.
    """

    frame: int
    status: int
    x: NDArray[np.floating]
    y: NDArray[np.floating]
    not_positive: int
    output: NDArray[np.floating]
    depth: NDArray[np.floating]
    valid: NDArray[np.bool_]
    scratch: NDArray[np.floating]


class Workspace:
    """Buffers of one thread, for frames of one size and type."""

    def __init__(self) -> None:
        self._key: Any = None

    def fit(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        if self._key != (shape, dtype):
            self._key = (shape, dtype)
            self.output = np.empty(shape, dtype)
            self.valid = np.empty(shape, np.bool_)
            self.x, self.y, self.scratch = (np.empty(shape[0] * shape[1] + 1, dtype) for _ in range(3))


def ready(
    plan: Plan,
    frame: int,
    prediction: NDArray[np.floating],
    depth: NDArray[np.floating],
    flags: NDArray[np.uint8],
    rgb: NDArray[np.uint8] | None,
    workspace: Workspace,
) -> Pixels:
    """Return one frame's pixels: the prediction on the reference's grid, masked and gathered."""
    workspace.fit(depth.shape, depth.dtype)
    output = prediction
    if plan.resample_inverse:
        # A disparity is the inverse already, but for what is added before each inversion.
        depths = inverse(prediction, 0.0) if plan.turned else prediction
        prediction = output = inverse(depths, plan.resample_epsilon)
    if prediction.shape != depth.shape:
        output = workspace.output
        resample(prediction, output, nearest=plan.nearest, align_corners=plan.align_corners)
    if plan.resample_inverse and not plan.turned:
        output = inverse(output, plan.resample_epsilon)
    valid = valid_pixels(plan, depth, flags, rgb, workspace.valid)
    n, wrong, not_positive = gather(output, depth, valid, workspace.x, workspace.y)
    status = codes.OK
    if n == 0:
        status = why_none(plan, depth)
    elif wrong:
        status = codes.NONFINITE_PREDICTION
    elif n < plan.min_pixels:
        status = codes.TOO_FEW_PIXELS
    x, y = workspace.x[:n], workspace.y[:n]
    return Pixels(frame, status, x, y, not_positive, output, depth, valid, workspace.scratch)


def why_none(plan: Plan, depth: NDArray[np.floating]) -> int:
    """Return why no pixel of a frame counts: it has no depth, none within the range, or masks leave none."""
    if not np.isfinite(depth).any():
        return codes.NO_DEPTH
    if not ((depth >= plan.depth_low) & (depth <= plan.depth_high)).any():
        return codes.OUTSIDE_RANGE
    return codes.NO_VALID_PIXELS


def stored_status(frame: int, prediction: int) -> int:
    """Return what the stores' own statuses say of a frame.

    That a prediction is not finite somewhere says nothing yet: it matters only where there is depth to compare with.
    """
    if frame == bits.FRAME_UNREADABLE:
        return codes.UNREADABLE_FRAME
    if frame == bits.FRAME_NO_DEPTH:
        return codes.NO_DEPTH
    if prediction == bits.PREDICTION_FAILED:
        return codes.FAILED_PREDICTION
    return codes.OK


def each_frame(
    plan: Plan,
    dataset: Any,
    predictions: Any,
    work: Callable[[Pixels], T],
    skipped: Callable[[int, int], T],
    threads: int,
) -> Iterator[T]:
    """Yield work(pixels) for each frame of a sequence in order, or skipped(frame, status) where a store says so.

    dataset, predictions: a DatasetSequence and a PredictionSequence. `work` runs in threads; it must not keep
    the pixels. Frames without a valid pixel come to `work` too, with their status.
    """
    local = threading.local()

    def block(start: int, stop: int) -> list[T]:
        if not hasattr(local, "workspace"):
            local.workspace = Workspace()
        frame_status, prediction_status = dataset.status(start, stop), predictions.status(start, stop)
        stored = [stored_status(int(a), int(b)) for a, b in zip(frame_status, prediction_status, strict=True)]
        if all(stored):
            return [skipped(start + i, code) for i, code in enumerate(stored)]
        prediction, depth = predictions.prediction(start, stop), dataset.depth(start, stop)
        flags = dataset.flags(start, stop)
        rgb = dataset.rgb(start, stop) if plan.needs_rgb else None
        results = []
        for i, code in enumerate(stored):
            if code:
                results.append(skipped(start + i, code))
                continue
            image = None if rgb is None else rgb[i]
            results.append(
                work(ready(plan, start + i, prediction[i], depth[i], flags[i], image, local.workspace))
            )
        return results

    for results in _in_order(block, _blocks(dataset), threads):
        yield from results


def _blocks(sequence: Any) -> list[tuple[int, int]]:
    """Return the ranges of frames to read at once: whole shards where they are small enough."""
    length = max(1, BLOCK_PIXELS // (sequence.height * sequence.width))
    length = min(length, sequence.shard_frames)
    found = []
    for shard in range(0, sequence.n_frames, sequence.shard_frames):
        end = min(shard + sequence.shard_frames, sequence.n_frames)
        found += [(start, min(start + length, end)) for start in range(shard, end, length)]
    return found


def _in_order(work: Callable[[int, int], T], blocks: Sequence[tuple[int, int]], threads: int) -> Iterator[T]:
    """Yield work(*block) in order, with at most two blocks a thread under way."""
    if threads <= 1:
        for block in blocks:
            yield work(*block)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[T]] = deque()
        for block in blocks:
            waiting.append(pool.submit(work, *block))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
