"""Reading reference and prediction side by side, a few frames at a time, in threads.

Memory is a constant number of blocks, however long a sequence is; results come back in the order of frames.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from scopedepth.evaluation.pixels import Frame, Workspace, needs
from scopedepth.evaluation.protocol import Terms
from scopedepth.vocabulary import flags as bits
from scopedepth.vocabulary import status as codes

T = TypeVar("T")

# Pixels of the reference in one block: about 16 frames of 640 x 480, 40 MB with everything.
BLOCK_PIXELS = 5_000_000


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
    every: Sequence[Terms],
    dataset: Any,
    predictions: Any,
    work: Callable[[Frame], T],
    skipped: Callable[[int, int], T],
    threads: int,
    by_strata: bool = False,
    with_before: bool = False,
) -> Iterator[T]:
    """Yield work(frame) for each frame of a sequence in order, or skipped(number, status) where a store says so.

    every: the terms that the frame is looked at under, by their places. dataset, predictions: a DatasetSequence and a
    PredictionSequence. by_strata: `work` looks at the image and the reference's confidence, whatever the terms do.
    with_before: `work` also gets the frame before each block (`leads`), and what it returns of that is dropped.
    `work` runs in threads; it must not keep the frame. Frames without a valid pixel come to `work`
    too.
    """
    local = threading.local()
    needed = needs(every, np.dtype(np.float32))
    needs_rgb = by_strata or any(terms.needs_rgb for terms in every)

    def block(first: int, stop: int) -> list[T]:
        start = first - 1 if with_before and first else first
        if not hasattr(local, "workspace"):
            local.workspace = Workspace()
        frame_status, prediction_status = dataset.status(start, stop), predictions.status(start, stop)
        stored = [stored_status(int(a), int(b)) for a, b in zip(frame_status, prediction_status, strict=True)]
        if all(stored):
            return [skipped(start + i, code) for i, code in enumerate(stored) if start + i >= first]
        prediction, depth = predictions.prediction(start, stop), dataset.depth(start, stop)
        flags = dataset.flags(start, stop)
        rgb = dataset.scene(start, stop) if needs_rgb else None
        confidence = dataset.confidence(start, stop) if by_strata else None
        results = []
        before: dict[Any, Any] = {}
        for i, code in enumerate(stored):
            if code:
                results.append(skipped(start + i, code))
                continue
            image = None if rgb is None else rgb[i]
            shown = prediction[i], depth[i], flags[i], image
            frame = Frame(every, needed, start + i, *shown, local.workspace)
            frame.before, frame.leads = before, start + i < first
            frame.confidence = None if confidence is None else confidence[i]
            results.append(work(frame))
        return results[first - start :]

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
