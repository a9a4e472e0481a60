"""The prediction engine: keeps a model busy, near the speed of the bare network.

    reading threads --> batches --> preprocess, forward, copy back --> shards --> writing thread

Reading runs ahead and writing behind, each by a bounded number of frames, so that memory does not grow with the
video. Batches begin anew at every shard: a shard's numbers do not depend on where a run was interrupted.

A model that asks for windows gets them in order, wherever shards begin and end. One with a memory gets them from a
sequence's first frame, also where the first shards are written already; their answers are left then.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from scopedepth.errors import ScopeDepthError, one_line
from scopedepth.job.progress import progress
from scopedepth.models.base import DepthModel
from scopedepth.models.window import Piece
from scopedepth.prediction.rounding import round_frames
from scopedepth.stores.dataset import DatasetSequence, DatasetStore
from scopedepth.stores.sharded import ShardedStore
from scopedepth.vocabulary.flags import (
    FRAME_UNREADABLE,
    PREDICTION_FAILED,
    PREDICTION_NONFINITE,
    PREDICTION_OK,
)
from scopedepth.vocabulary.outputs import SHIFTED_KINDS

# Pixels of network input in one batch, and frames, where the batch is not given. A processor gains nothing from
# larger ones; a GPU with 8 GB takes these with a network of 335 million parameters.
BATCH_PIXELS = {"cpu": 2**20, "cuda": 6 * 2**20}
BATCH_FRAMES = {"cpu": 8, "cuda": 64}
READING_THREADS = 2
# Batches read ahead, and shards that wait to be written.
READ_AHEAD = 3
WRITE_BEHIND = 2


@dataclass
class Shard:
    """A shard on its way from reading to writing."""

    sequence: str
    number: int
    start: int
    stop: int
    prediction: np.ndarray
    failed: np.ndarray
    error: Exception | None = None


@dataclass
class Batch:
    """Consecutive frames [start, stop) of one shard; `outputs` are (start, stop, what is still on the device)."""

    shard: Shard
    model: DepthModel
    start: int
    stop: int
    outputs: list[tuple[int, int, Any]] = field(default_factory=list)


def for_frames(model: DepthModel, sequence: DatasetSequence) -> DepthModel:
    """Return a model for the camera of a sequence, where it asks for one; a camera that is not known is an error."""
    if not model.wants_intrinsics:
        return model
    if sequence.intrinsics is None:
        raise ScopeDepthError(
            f"Model {model.name} asks for the camera's intrinsics, and sequence {sequence.name} ({sequence.where}) has "
            "none. Give them (options.intrinsics, or a file intrinsics.txt), or leave the model or the dataset out."
        )
    return model.with_camera(sequence.intrinsics)


class Engine:
    """Runs `model` over what is missing of a prediction store. `batch`: frames at once, None chooses by size."""

    def __init__(self, model: DepthModel, data: DatasetStore, batch: int | None = None) -> None:
        self.model = model
        self.data = data
        self.batch = batch
        # Halved when the device's memory does not suffice; never raised again, so that it happens once.
        self.limit: int | None = batch
        self.any_success = False

    def run(self, out: ShardedStore) -> None:
        """Compute and write every missing shard of `out`."""
        missing = out.missing()
        total = sum(stop - start for _, _, start, stop in missing)
        if not total:
            return
        with (
            ThreadPoolExecutor(READING_THREADS) as readers,
            ThreadPoolExecutor(1) as writer,
            progress(f"predict {self.model.name}", total) as advance,
        ):
            writing: deque[Future[int]] = deque()
            in_order = self._by_batches if self.model.window is None else self._by_windows
            for shard in in_order(readers, out, missing):
                if shard is not None:
                    self._check_success(shard)
                    writing.append(writer.submit(self._write, out, shard))
                while writing and (len(writing) > WRITE_BEHIND or writing[0].done()):
                    advance(writing.popleft().result())
            while writing:
                advance(writing.popleft().result())

    def frames_at_once(self, model: DepthModel, height: int, width: int) -> int:
        """Return the number of frames in a batch of frames of `height` x `width`."""
        if self.batch is not None:
            return self.batch
        kind = model.device.split(":")[0]
        v, u = model.input_size(height, width)
        return max(1, min(BATCH_PIXELS[kind] // (v * u), BATCH_FRAMES[kind]))

    def _by_batches(
        self, readers: ThreadPoolExecutor, out: ShardedStore, missing: list[tuple[str, int, int, int]]
    ) -> Iterator[Shard | None]:
        """Yield each shard once it is complete, and None in between, once a batch."""
        # A batch is fetched from the device only when the next one is under way there.
        for batch in self._one_behind(self._forward(readers, out, missing)):
            self._fetch(batch)
            yield batch.shard if batch.stop == batch.shard.stop else None

    def _by_windows(
        self, readers: ThreadPoolExecutor, out: ShardedStore, missing: list[tuple[str, int, int, int]]
    ) -> Iterator[Shard | None]:
        """Yield each shard once it is complete, and None in between, once a window."""
        for name, of_sequence in groupby(missing, key=lambda shard: shard[0]):
            sequence = self.data.sequences[name]
            model = self._model_for(name)
            assert model.window is not None
            places = list(of_sequence)
            pieces = [
                piece
                for piece in model.window.pieces(sequence.n_frames)
                if piece.kept < places[-1][3]
                and (
                    model.window.memory
                    or any(piece.kept < stop and start < piece.end for *_, start, stop in places)
                )
            ]
            open_shards: deque[Shard] = deque()
            model.start_sequence()
            for piece, frames in self._windows_ahead(readers, sequence, pieces):
                while places and places[0][2] < piece.end:
                    open_shards.append(self._empty(out, *places.pop(0)))
                self._run_window(model, name, piece, frames, open_shards)
                yield None
                while open_shards and open_shards[0].stop <= piece.end:
                    yield open_shards.popleft()

    def _windows_ahead(
        self, readers: ThreadPoolExecutor, sequence: DatasetSequence, pieces: list[Piece]
    ) -> Iterator[tuple[Piece, np.ndarray]]:
        """Yield each window with its frames; the next one is being read."""
        ahead: deque[tuple[Piece, Future[np.ndarray]]] = deque()
        for piece in pieces:
            ahead.append((piece, readers.submit(sequence.rgb, piece.first, piece.stop)))
            if len(ahead) > 1:
                due, reading = ahead.popleft()
                yield due, reading.result()
        for due, reading in ahead:
            yield due, reading.result()

    def _model_for(self, name: str) -> DepthModel:
        """Return the model for a sequence; one that asks for other windows than for the rest is an error."""
        model = for_frames(self.model.for_sequence(name), self.data.sequences[name])
        if model.window != self.model.window:
            raise ScopeDepthError(
                f"Model {model.name} asks for another window for sequence {name} than for others; it must be one for "
                "all."
            )
        return model

    def _run_window(
        self, model: DepthModel, sequence: str, piece: Piece, frames: np.ndarray, shards: Iterable[Shard]
    ) -> None:
        """Run the model over one window and keep its answers; where it fails, the frames that would be kept fail."""
        answer, failure = None, None
        try:
            answer = model.to_host(self._call(model, frames))
        except ScopeDepthError:
            raise
        except Exception as error:
            if model.is_fatal(error):
                raise
            if model.is_out_of_memory(error):
                raise ScopeDepthError(
                    f"Model {model.name}: {model.device} has too little memory for a window of {len(frames)} frames "
                    f"({error})."
                ) from error
            failure = error
            where = f"{model.name}, {sequence}, frames {piece.kept} to {piece.end - 1}"
            print(one_line(f"{where}: {type(error).__name__}: {error}"), file=sys.stderr, flush=True)
        for shard in shards:
            first, stop = max(shard.start, piece.kept), min(shard.stop, piece.end)
            if first >= stop:
                continue
            here = slice(first - shard.start, stop - shard.start)
            if answer is None:
                shard.failed[here], shard.error = True, failure
                continue
            self._check_shape(model, shard, answer, len(frames))
            shard.prediction[here] = answer[first - piece.first : stop - piece.first]

    @staticmethod
    def _empty(out: ShardedStore, sequence: str, number: int, start: int, stop: int) -> Shard:
        """Return a shard to be filled."""
        grid = out.groups[sequence]["arrays"]["prediction"].shape
        empty = np.full((stop - start, *grid), np.nan, np.float32)
        return Shard(sequence, number, start, stop, empty, np.zeros(stop - start, bool))

    def _forward(
        self, readers: ThreadPoolExecutor, out: ShardedStore, missing: list[tuple[str, int, int, int]]
    ) -> Iterator[Batch]:
        """Yield every batch once it is under way on the device."""
        shard: Shard | None = None
        model = self.model
        for (sequence, number, start, stop), first, last, reading in self._read_ahead(readers, missing):
            if shard is None or (shard.sequence, shard.number) != (sequence, number):
                if shard is None or shard.sequence != sequence:
                    model = self._model_for(sequence)
                shard = self._empty(out, sequence, number, start, stop)
            batch = Batch(shard, model, first, last)
            self._start(batch, reading.result())
            yield batch

    def _read_ahead(
        self, readers: ThreadPoolExecutor, missing: list[tuple[str, int, int, int]]
    ) -> Iterator[tuple[tuple[str, int, int, int], int, int, Future[np.ndarray]]]:
        """Yield (shard, first, last, frames to come) of every batch in order; READ_AHEAD batches are being read."""
        ahead: deque[tuple[tuple[str, int, int, int], int, int, Future[np.ndarray]]] = deque()
        for shard in missing:
            sequence = self.data.sequences[shard[0]]
            model = for_frames(self.model, sequence)
            step = self.frames_at_once(model, sequence.height, sequence.width)
            for first in range(shard[2], shard[3], step):
                last = min(first + step, shard[3])
                ahead.append((shard, first, last, readers.submit(sequence.rgb, first, last)))
                if len(ahead) > READ_AHEAD:
                    yield ahead.popleft()
        yield from ahead

    @staticmethod
    def _one_behind(batches: Iterator[Batch]) -> Iterator[Batch]:
        waiting: Batch | None = None
        for batch in batches:
            if waiting is not None:
                yield waiting
            waiting = batch
        if waiting is not None:
            yield waiting

    def _start(self, batch: Batch, frames: np.ndarray) -> None:
        """Start the model on `frames`, in as many pieces as the device's memory wants."""
        first = 0
        while first < len(frames):
            last = min(first + (self.limit or len(frames)), len(frames))
            try:
                out = self._call(batch.model, frames[first:last])
            except ScopeDepthError:
                raise
            except Exception as error:
                if batch.model.is_out_of_memory(error):
                    self._halve(batch.model, last - first, error)
                    continue
                if batch.model.is_fatal(error):
                    raise
                self._one_by_one(batch, frames, first, last)
            else:
                batch.outputs.append((batch.start + first, batch.start + last, out))
            first = last

    @staticmethod
    def _call(model: DepthModel, frames: np.ndarray) -> Any:
        return model.begin_host(model.forward(model.preprocess(frames), frames.shape[1:3]))

    def _halve(self, model: DepthModel, frames: int, error: Exception) -> None:
        if frames == 1:
            raise ScopeDepthError(
                f"Model {model.name}: {model.device} has too little memory for a single frame ({error})."
            ) from error
        self.limit = frames // 2
        model.free_memory()
        said = f"{model.name}: {model.device} is out of memory; going on with batches of {self.limit}"
        print(one_line(said), file=sys.stderr, flush=True)

    def _one_by_one(self, batch: Batch, frames: np.ndarray, first: int, last: int) -> None:
        """Run the frames of a failed call one at a time, and mark those that fail alone."""
        for index in range(first, last):
            frame = batch.start + index
            try:
                out = self._call(batch.model, frames[index : index + 1])
            except Exception as error:
                if batch.model.is_fatal(error) or batch.model.is_out_of_memory(error):
                    raise
                batch.shard.failed[frame - batch.shard.start] = True
                batch.shard.error = error
                where = f"{batch.model.name}, {batch.shard.sequence}, frame {frame}"
                print(one_line(f"{where}: {type(error).__name__}: {error}"), file=sys.stderr, flush=True)
            else:
                batch.outputs.append((frame, frame + 1, out))

    def _fetch(self, batch: Batch) -> None:
        """Bring a batch's outputs into their shard, waiting for the device."""
        shard = batch.shard
        for first, last, out in batch.outputs:
            prediction = batch.model.to_host(out)
            self._check_shape(batch.model, shard, prediction, last - first)
            shard.prediction[first - shard.start : last - shard.start] = prediction
        batch.outputs.clear()

    @staticmethod
    def _check_shape(model: DepthModel, shard: Shard, prediction: np.ndarray, frames: int) -> None:
        """Refuse an answer that is none for each of `frames` frames on the sequence's grid."""
        wanted = (frames, *shard.prediction.shape[1:])
        if prediction.shape != wanted:
            raise ScopeDepthError(
                f"Model {model.name} gave {prediction.shape} for sequence {shard.sequence}, not {wanted}: "
                "its grid must be the same for all frames of a size."
            )

    def _check_success(self, shard: Shard) -> None:
        """Failures are data, unless nothing else ever came: that is a model that does not work."""
        self.any_success |= not shard.failed.all()
        if not self.any_success:
            raise ScopeDepthError(
                f"Model {self.model.name} fails on every frame, first of sequence {shard.sequence}: {shard.error}"
            ) from shard.error

    def _write(self, out: ShardedStore, shard: Shard) -> int:
        """Round, judge and write a shard (in the writing thread). Returns its number of frames."""
        unreadable = self.data.sequences[shard.sequence].status(shard.start, shard.stop) == FRAME_UNREADABLE
        failed = shard.failed | unreadable
        shard.prediction[failed] = np.nan
        finite = round_frames(shard.prediction, shifted=self.model.output_kind in SHIFTED_KINDS)
        status = np.where(finite, PREDICTION_OK, PREDICTION_NONFINITE)
        status = np.where(failed, PREDICTION_FAILED, status).astype(np.uint8)
        blocks = {"prediction": shard.prediction, "status": status}
        out.write_shard(shard.sequence, shard.number, blocks)
        return shard.stop - shard.start
