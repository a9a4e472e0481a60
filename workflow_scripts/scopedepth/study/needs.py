"""What a job asks of a scheduler: memory, time, disk, processors and a kind of GPU. No number depends on it.

Sizes come from what is there when a job is sent: the frames in the manifest of a dataset store, the bytes of a
model's weights, a study's timing where it was measured. Before that, in a dry run, a long video is assumed.
Each attempt asks for more than the one before. Local runs count GPUs and take no notice of the rest.

    resources:
        mem_mb=NEEDS.predict_mem_mb,        # functions of (wildcards, input, attempt), as Snakemake calls them
"""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scopedepth.config.load import Study
from scopedepth.job.devices import gpu_at_hand
from scopedepth.study.forecast import (
    ASSUMED_SECONDS_PER_FRAME,
    PREDICTION_BYTES_PER_VALUE,
    UnitSize,
    plan_study,
)
from scopedepth.study.layout import Job, tables_of, weights_job
from scopedepth.vocabulary.weights import tuning_of

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

MB = 1e6
# Python with the compiled kernels takes 270 MB, and frames come in blocks of 5 million pixels, of some 30 bytes each.
COMPARE_MEM_MB = 1000
# Decoded shards of 48 MB, one that is read and one that is written, and a frame or two a thread.
# For stereo pairs, what the matcher holds comes on top (`matching_mb`).
PREPARE_MEM_MB = 2000
PREPARE_THREADS = 2
# Beyond these a video waits for the one thread that decodes it.
MOST_PREPARE_THREADS = 8
# Measured: 388 MiB for 640 x 480 pixels and 320 disparities, 974 MiB for 960 x 540 and 480.
MATCHING_BYTES = 4.2
# How many frames there are is known only when they are prepared: 10,000 stereo pairs take an hour on two processors.
PREPARE_MINUTES = 240
# torch, and CUDA's own part of a process.
NETWORK_MEM_MB = 4000
BASELINE_MEM_MB = 1000
# Copies of a model's weights while they are loaded, and of a frame on its way through the engine: batches ahead,
# converted, on the way back.
WEIGHT_COPIES = 3
FRAME_COPIES = 20
BATCH_FRAMES = 64
# What a frame's activations take while a network learns; of a step's time, what there is beside the forward pass.
ACTIVATIONS_MB = 1000
TRAINING_PASSES = 4
# Processors that feed a GPU: two read, one writes, one drives.
GPU_CPUS = 4
# A forecast is no promise: other machines are slower and shared.
MARGIN = 3
START_MINUTES = 10
# Seconds to fit or score a pixel of a frame under a protocol: four times what one core took for frames of 320 x 320 and
# one protocol. Several share work, as far as a study's frames and protocols let them.
COMPARE_SECONDS_PER_PIXEL = 5e-8
# Seconds to redraw the reference of 100 frames under a protocol: three times what one core took.
REDRAW_SECONDS = 10
# Forward, end to end, and turns for half as long.
TIMING_CLOCKS = 2.5
# A video that nobody has counted yet.
ASSUMED_FRAMES, ASSUMED_HEIGHT, ASSUMED_WIDTH = 10_000, 1080, 1920
# A row is a frame's scores by one model and protocol; tables are held whole, in several forms.
SUMMARY_BYTES_PER_ROW = 500
SUMMARY_ROWS_PER_MINUTE = 100_000
# Seconds to pack a pixel of a reference or of a prediction for the pages of frames: twice what one core took.
PAGES_SECONDS_PER_PIXEL = 5e-7


class Needs:
    """The needs of a study's jobs."""

    def __init__(self, study: Study, cores: int | None = None) -> None:
        self.study = study
        self.cores = cores or 1
        self.local = cores is not None
        self.batch: int = study.execution["batch"] or BATCH_FRAMES
        self.kinds: Mapping[str, Any] = study.execution["gpu_kind"]

    # prepare

    def prepare_threads(self, wildcards: Any) -> int:
        """Return more threads than two where there are more cores than units; two match pairs or make a view.

        Frames are decoded and compressed by them; each that matches holds volumes of its own (`matching_mb`).
        """
        if self._matching_mb(wildcards, 1) or self.study.unit(wildcards.unit).base is not None:
            return PREPARE_THREADS
        return max(PREPARE_THREADS, min(MOST_PREPARE_THREADS, self.cores // len(self.study.units)))

    def prepare_mem_mb(self, wildcards: Any, attempt: int, threads: int = PREPARE_THREADS) -> int:
        return attempt * (PREPARE_MEM_MB + math.ceil(self._matching_mb(wildcards, threads)))

    def _matching_mb(self, wildcards: Any, threads: int) -> float:
        unit = self.study.unit(wildcards.unit)
        # A view's frames were matched where they are stored.
        return 0.0 if unit.base is not None else matching_mb(self.study.dataset(unit.dataset), threads)

    def prepare_runtime(self, wildcards: Any, attempt: int) -> int:
        return PREPARE_MINUTES * attempt

    # finetune

    def finetune_kind(self, wildcards: Any) -> str | None:
        """Return the scheduler's word for the kind of GPU that training wants; None for any."""
        return self.kinds["models"].get(wildcards.model, self.kinds["predict"])

    def finetune_mem_mb(self, wildcards: Any, attempt: int) -> int:
        """Return the memory of a processor's training: the network, its gradients and AdamW's two moments."""
        weights = tuning_of(self.study.model(wildcards.model))
        network = self._model_mem_mb(weights["base"])
        return attempt * math.ceil(network + ACTIVATIONS_MB * weights["recipe"]["batch"])

    def finetune_runtime(self, wildcards: Any, attempt: int) -> int:
        recipe = tuning_of(self.study.model(wildcards.model))["recipe"]
        frames = recipe["steps"] * recipe["batch"] * TRAINING_PASSES
        frame = ASSUMED_SECONDS_PER_FRAME["cpu" if self.study.execution["device"] == "cpu" else "cuda"]
        return attempt * math.ceil(START_MINUTES + MARGIN * frames * frame / 60)

    # predict

    def predict_gpus(self, wildcards: Any) -> int | None:
        """Return how many GPUs a job takes: None where it runs on a processor, as the trivial baselines do.

        So does a network on a machine without a GPU, if memory holds as many of its size as there are cores: others
        run one after the other. What a cluster's nodes have is not known here.
        """
        if self._device(wildcards.model) == "cpu":
            return None
        if not self.local or gpu_at_hand():
            return 1
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / MB
        return None if self._model_mem_mb(wildcards.model) * self.cores <= memory else 1

    def predict_cpus(self, wildcards: Any) -> int:
        """Return the processors to ask SLURM for. The model's own threads are the rule's: they may decide numbers."""
        return 1 if self.is_baseline(wildcards.model) else GPU_CPUS

    def predict_kind(self, wildcards: Any) -> str | None:
        """Return the scheduler's word for the kind of GPU that a prediction wants; None for any."""
        if self.is_baseline(wildcards.model):
            return None
        return self.kinds["models"].get(wildcards.model, self.kinds["predict"])

    def predict_mem_mb(self, wildcards: Any, input: Any, attempt: int) -> int:
        size = unit_size([input.unit_manifest])
        frames = FRAME_COPIES * self.batch * 3 * size.height * size.width / MB  # type: ignore[operator]
        return attempt * math.ceil(self._model_mem_mb(wildcards.model) + frames)

    def predict_runtime(self, wildcards: Any, input: Any, attempt: int) -> int:
        size = unit_size([input.unit_manifest])
        rows = [row for row in timing_rows(self.study.name) if row["model"] == wildcards.model]
        device, parameters = self._device(wildcards.model), self.study.parameters
        forecast = plan_study([size], [wildcards.model], rows, device=device, parameters=parameters)
        return attempt * math.ceil(START_MINUTES + MARGIN * 60 * forecast.hours)

    def predict_disk_mb(self, wildcards: Any, input: Any) -> int:
        """Return the space for a prediction on the frames' own grid, twice: it may be made beside an older one."""
        size = unit_size([input.unit_manifest])
        return 100 + math.ceil(2 * PREDICTION_BYTES_PER_VALUE * pixels(size) / MB)

    # align, score

    def compare_threads(self, wildcards: Any) -> int:
        """Return more threads than one where there are more cores than models and units to compare."""
        return max(1, self.cores // (len(self.study.units) * len(self.study.models)))

    def compare_mem_mb(self, wildcards: Any, attempt: int) -> int:
        return COMPARE_MEM_MB * attempt

    def align_runtime(self, wildcards: Any, input: Any, attempt: int) -> int:
        return self._compare_runtime(input.units_manifest, attempt)

    def redraw_runtime(self, wildcards: Any, attempt: int) -> int:
        """Return the same for each unit: a sample of its frames is looked at."""
        return attempt * math.ceil(START_MINUTES + MARGIN * REDRAW_SECONDS * len(self.study.protocols) / 60)

    def score_runtime(self, wildcards: Any, input: Any, attempt: int) -> int:
        return self._compare_runtime([input.unit_manifest], attempt)

    def _compare_runtime(self, manifests: list[str], attempt: int) -> int:
        seconds = COMPARE_SECONDS_PER_PIXEL * len(self.study.protocols) * pixels(unit_size(manifests))
        return attempt * math.ceil(START_MINUTES + MARGIN * seconds / 60)

    # time

    def time_mem_mb(self, wildcards: Any, attempt: int) -> int:
        return attempt * math.ceil(self._model_mem_mb(wildcards.model))

    def time_runtime(self, wildcards: Any, attempt: int) -> int:
        """Return the minutes to time a model in all its settings: two clocks and the turns, some rounds twice."""
        timing: Any = self.study.timing or {}
        frame = ASSUMED_SECONDS_PER_FRAME[self._device(wildcards.model)]
        settings = len(timing["frame_sizes"]) * len(timing["precisions"] or [""])
        seconds = sum(
            max(
                TIMING_CLOCKS * timing["seconds"] + timing["warmup_seconds"],
                (TIMING_CLOCKS * timing["runs"] + timing["warmup_runs"]) * batch * frame,
            )
            for batch in timing["batches"]
        )
        return attempt * math.ceil(START_MINUTES + MARGIN * settings * seconds / 60)

    def time_kind(self, wildcards: Any) -> str | None:
        """Return the one kind of GPU on which speed is measured; None for any."""
        return self.kinds["time"]

    # summarise, report

    def summary_mem_mb(self, wildcards: Any, attempt: int) -> int:
        return attempt * math.ceil(2000 + SUMMARY_BYTES_PER_ROW * self._rows() / MB)

    def summary_runtime(self, wildcards: Any, attempt: int) -> int:
        return attempt * math.ceil(3 * START_MINUTES + self._rows() / SUMMARY_ROWS_PER_MINUTE)

    def pages_runtime(self, wildcards: Any, attempt: int) -> int:
        at_most = self.study.spec["frame_pages"] or 0
        shown = sum(
            min(at_most, one["frames"]) * one["height"] * one["width"]
            for manifest in self._manifests()
            for one in _sequences(manifest)
        )
        seconds = PAGES_SECONDS_PER_PIXEL * shown * (1 + len(self.study.models))
        return attempt * math.ceil(self.summary_runtime(wildcards, 1) + MARGIN * seconds / 60)

    def _manifests(self) -> list[str]:
        """Return the manifests of the study's units that are there."""
        manifests = [Job("prepare", (unit,)).path("manifest") for unit in self.study.units]
        return [str(path) for path in manifests if path.exists()]

    def _rows(self) -> int:
        """Return the rows of a study's frame table, as far as its frames are counted."""
        counted = self._manifests()
        frames = unit_size(counted).n_frames if counted else 0
        return (frames or 0) * len(self.study.models) * len(self.study.protocols)

    # What the above share.

    def is_baseline(self, model: str) -> bool:
        return self.study.model(model)["family"] == "baseline"

    def _device(self, model: str) -> str:
        if self.is_baseline(model) or self.study.execution["device"] == "cpu":
            return "cpu"
        return "cuda"

    def _model_mem_mb(self, model: str) -> float:
        if self.is_baseline(model):
            return BASELINE_MEM_MB
        made = weights_job(self.study.model(model))
        # A class of an installed package may have its weights in the package.
        weights = 0 if made is None else bytes_below(made.path("files"))
        return NETWORK_MEM_MB + WEIGHT_COPIES * weights / MB


def matching_mb(dataset: specs.Dataset, threads: int) -> float:
    """Return what matching stereo pairs takes at most, 0 for other datasets.

    Each thread matches a pair of its own and holds two volumes of 16 bits over pixels and disparities. The size is
    the one published, or rendered; an unknown one counts as large. Unless the range is stated, it follows from the
    calibration, which only the files hold: then the widest that is ever searched counts, half of the width.
    """
    if dataset["loader"] != "stereo":
        return 0.0
    sizes = [one["size"] for one in dataset["published"].values()]
    sizes += [dataset["source"]["size"]] if dataset["source"]["kind"] == "phantom" else []
    stated = dataset["stereo"]["max_disparity"]
    cells = 0
    for height, width in sizes or [[ASSUMED_HEIGHT, ASSUMED_WIDTH]]:
        widest = searched(width / 2, width)
        cells = max(cells, height * width * (widest if stated is None else searched(stated, width)))
    return threads * MATCHING_BYTES * cells / MB


def searched(wanted: float, width: int) -> int:
    """Return how many disparities are searched (rectify.stereo.disparity_limit) where `wanted` are asked for."""
    return min(math.ceil(wanted / 16) * 16, max(16, width // 2 // 16 * 16))


def pixels(size: UnitSize) -> int:
    """Return the pixels of all frames of a unit."""
    return (size.n_frames or 0) * (size.height or 0) * (size.width or 0)


def unit_size(manifests: list[str]) -> UnitSize:
    """Return the frames in the manifests of some dataset stores, and the largest height and width.

    A manifest that is not there yet, or lies in storage of another machine, counts as a long video.
    """
    counted = [_count(path, _modified(path)) for path in manifests]
    frames, heights, widths = zip(*counted, strict=True)
    return UnitSize(manifests[0], sum(frames), max(heights), max(widths), prepared=True)


def _modified(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except FileNotFoundError:
        return None


@functools.cache
def _count(manifest: str, modified: int | None) -> tuple[int, int, int]:
    if modified is None:
        return ASSUMED_FRAMES, ASSUMED_HEIGHT, ASSUMED_WIDTH
    sequences = _sequences(manifest)
    frames = sum(sequence["frames"] for sequence in sequences)
    return frames, max(one["height"] for one in sequences), max(one["width"] for one in sequences)


def _sequences(manifest: str) -> list[dict[str, int]]:
    with open(manifest, encoding="utf-8") as file:  # noqa: PTH123
        return list(json.load(file)["sequences"].values())


@functools.cache
def timing_rows(study: str) -> list[dict[str, Any]]:
    """Return the rows of a study's timing table, or none where it has not been measured."""
    table = tables_of(study)["timing"]
    if not table.is_file():
        return []
    import pyarrow.parquet

    return pyarrow.parquet.read_table(table).to_pylist()


def bytes_below(folder: Path) -> int:
    """Return the bytes of all files below `folder`, 0 where it is not there."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
