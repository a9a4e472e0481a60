"""The measurement of one model: rounds of its calls in turn with rounds of the yardstick.

    load, first call       twice for each variant: the first time in a fresh process, then with all files at hand
    for each precision, input size, frame size and batch:
        warm-up            by count and by time, the whole way end to end
        rounds             the yardstick beside the model's clocks (rounds.py)

What others use of our cores, and how fast the machine itself is, is measured in every round, and recorded.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scopedepth.errors import ScopeDepthError
from scopedepth.job.heap import keep_freed_memory
from scopedepth.job.manifest import record_of, write_json
from scopedepth.job.progress import progress
from scopedepth.job.run import run_facts
from scopedepth.models.base import DepthModel
from scopedepth.tables.io import write_table
from scopedepth.tables.timing import TIMING_CALLS
from scopedepth.timing import flops, gpu, machine
from scopedepth.timing.clocks import Call, Device, HostClock, warm_up
from scopedepth.timing.disturbance import OTHER_LOAD_CORES, rounds_of
from scopedepth.timing.rounds import YARDSTICK_CALLS, run_rounds
from scopedepth.timing.subject import Subject, frames_of_call, with_stand_in_camera
from scopedepth.timing.sweep import Setting, Size, settings_of, variant

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

LOADS = 2


def time_model(
    spec: specs.Model,
    weights: Path,
    settings: specs.Timing,
    out: Path,
    record: Path | None = None,
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Time one model; write every call to `out` (TIMING_CALLS) and everything else to `record` (JSON).

    spec: the model's; settings: one of the configuration's `timings`; device: as `load_model` takes it;
    threads: for torch on the processor. `record` lies beside `out` if it is not given.
    Raises `ScopeDepthError` where the machine is busy and the settings say to refuse.
    """
    from scopedepth.models import load_model

    began = time.time()
    keep_freed_memory()  # as in a prediction's job; without it times differ from process to process
    measurement = Measurement(spec, settings, lambda spec: load_model(spec, weights, device), threads)
    measurement.run()
    write_table(out, TIMING_CALLS, measurement.columns)
    write_json(record or record_of(out), {**run_facts(began), **measurement.facts})


@dataclass
class Measurement:
    """The measurement of one model: its settings, and what has been measured so far.

    cuda and yardstick are for tests, which have neither a GPU nor time to spare.
    """

    spec: specs.Model
    settings: specs.Timing
    load: Callable[[specs.Model], DepthModel]
    threads: int = 1
    cuda: Any = None
    yardstick: Callable[[str], Call] | None = None
    columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in TIMING_CALLS.names})
    facts: dict[str, Any] = field(default_factory=dict)
    device: Device | None = None
    gpu: gpu.Gpu | None = None
    yardstick_call: Call | None = None
    counted: dict[tuple[str, str], int | None] = field(default_factory=dict)

    @property
    def trivial(self) -> bool:
        """Whether this is a baseline: NumPy alone, without torch and so without the yardstick."""
        return self.spec["family"] == "baseline"

    def run(self) -> None:
        """Measure everything that the settings ask for."""
        watch = machine.LoadWatch()
        if self.settings["on_load"] == "refuse":
            refuse_a_busy_processor(watch)
        self.facts = {
            "model": self.spec["name"],
            "timing": dict(self.settings),
            "threads": self.threads,
            "processor": machine.processor_name(),
            "processor_before": machine.processor_state(),
            "flops_counted_by": None if self.trivial else flops.TOOL,
            "settings": [],
        }
        wanted = list(settings_of(self.spec, self.settings))
        with progress(f"time {self.spec['name']}", len(wanted), "settings") as advance:
            model, loaded = None, None
            for setting in wanted:
                try:
                    if model is None or setting.load != loaded:
                        model = None  # before the next one is loaded: both may not fit
                        model, loaded = self._load(setting, watch), setting.load
                    self._time(model, setting, watch)
                except (ScopeDepthError, RuntimeError, ValueError) as error:
                    # Not every network takes every input. That the model takes its own size is no question.
                    if setting.input_size is None:
                        raise
                    self._record_refusal(setting, error)
                advance()
        if not any(setting["status"] == "ok" for setting in self.facts["settings"]):
            raise ScopeDepthError(
                f"Model {self.spec['name']} could not be timed: {self.facts['settings'][0]['status']}."
            )
        self.facts["processor_after"] = machine.processor_state()
        self.facts["gpu_after"] = self.gpu.state() if self.gpu else None
        self.facts["other_processes"] = watch.busiest()

    def _load(self, setting: Setting, watch: machine.LoadWatch) -> DepthModel:
        """Load the model and call it once, twice over; return the second."""
        for number in range(LOADS):
            model = None  # not both at once in memory
            gc.collect()
            start = time.perf_counter_ns()
            model = self.load(variant(self.spec, setting))
            milliseconds = (time.perf_counter_ns() - start) / 1e6
            watch.ours = model.own_process
            model = with_stand_in_camera(model, *setting.frame_size)
            device = self.device or self._find_device(model)
            self._use_threads(model, self.threads)
            subject = Subject(model, 1, *setting.frame_size)
            first = HostClock(device.synchronise).time_calls(subject.end_to_end, 1, 0)
            key = self._key(setting, model.input_size(*setting.frame_size), subject.batch)
            self._keep(key, "model", "load", number, [milliseconds])
            self._keep(key, "model", "first_call", number, first)
        assert model is not None
        if "hardware" not in self.facts:
            self._describe(model, watch)
        return model

    def _find_device(self, model: DepthModel) -> Device:
        """Learn from the first model which device this is."""
        cuda = self.cuda
        if not self.trivial:
            import torch

            # A user's own class may find its device by itself and say "auto".
            if cuda is None and model.device != "cpu" and torch.cuda.is_available():
                cuda = torch.cuda
        if cuda is None:
            self.device = Device("cpu")
        else:
            self.device = Device(model.device if model.device.startswith("cuda") else "cuda:0", cuda)
            cuda.set_device(self.device.name)
            self.gpu = gpu.find_gpu(self.device.name) if self.cuda is None else None
        return self.device

    def _describe(self, model: DepthModel, watch: machine.LoadWatch) -> None:
        """Record what is timed and on what; make the yardstick ready."""
        assert self.device is not None
        hardware = self.device.cuda.get_device_name() if self.device.cuda else machine.processor_name()
        others = self.gpu.other_processes(model.own_process) if self.gpu else []
        if self.settings["on_load"] == "refuse":
            refuse_a_busy_gpu(hardware, others)
        self.facts |= {
            "device": self.device.name,
            "hardware": hardware,
            "parameters": int(model.parameters),
            "output_kind": model.output_kind,
            "gpu_before": self.gpu.state() if self.gpu else None,
            "gpu_processes": others,
            "load_before": watch.lap(),
        }
        if not self.trivial:
            from scopedepth.timing.yardstick import yardstick_call

            self.yardstick_call = (self.yardstick or yardstick_call)(self.device.name)
            warm_up(self.yardstick_call, self.device.synchronise, YARDSTICK_CALLS, 0)

    def _time(self, model: DepthModel, setting: Setting, watch: machine.LoadWatch) -> None:
        """Time one setting; one that comes to the same as an earlier one is left to that."""
        assert self.device is not None
        height, width = setting.frame_size
        model = with_stand_in_camera(model, height, width)
        batch = frames_of_call(model, setting.batch)
        key = self._key(setting, model.input_size(height, width), batch)
        if any(key.items() <= known.items() for known in self.facts["settings"]):
            return
        grid = model.grid(height, width)
        facts: dict[str, Any] = {**key, "grid": size_text(grid), "status": "ok"}
        facts |= {
            "new_frames": batch if model.window is None else model.window.step,
            "look_ahead": 0 if model.window is None else model.window.look_ahead,
        }
        model.free_memory()
        starts_anew = machine.reset_peak_memory(model.own_process)
        if self.device.cuda:
            self.device.cuda.empty_cache()  # or what earlier settings needed stays reserved
            self.device.cuda.reset_peak_memory_stats()
        try:
            subject = Subject(model, setting.batch, height, width)
            runs, seconds = self.settings["warmup_runs"], self.settings["warmup_seconds"]
            calls, took = warm_up(subject.end_to_end, self.device.synchronise, runs, seconds)
            facts["warm_up"] = {"calls": calls, "seconds": round(took, 3)}
            subject.place_input()
            keep = partial(self._keep, key)
            rounds = run_rounds(
                subject,
                self.device,
                self.settings,
                watch,
                keep,
                self.yardstick_call,
                partial(self._one_thread, model),
                self.gpu,
                rounds_of(self.facts),
            )
            facts |= {"rounds": rounds.machine, "energy_joule": rounds.energy_joule}
        except (MemoryError, RuntimeError) as error:
            # What fits at one batch size need not fit at the next. Anything else is a fault.
            if not out_of_memory(error):
                raise
            facts["status"] = "out of memory"
        facts["memory_mib"] = machine.peak_memory_mib(model.own_process) if starts_anew else None
        if self.device.cuda and model.own_process is not None:
            facts["memory_mib"] = None  # its process's memory on the device is not seen from here
        elif self.device.cuda:
            facts["memory_allocated_mib"] = round(self.device.cuda.max_memory_allocated() / 2**20, 1)
            facts["memory_mib"] = round(self.device.cuda.max_memory_reserved() / 2**20, 1)
        self.facts["settings"].append(facts)
        if not self.trivial and facts["status"] == "ok":
            # After the peak was read: counting needs memory of its own.
            facts["flops"] = self._flops_of_a_frame(model, setting, key["input_size"])

    @contextmanager
    def _one_thread(self, model: DepthModel) -> Iterator[None]:
        """Within it, model and yardstick run on one thread of the processor; on a GPU nothing changes."""
        if self.device and self.device.cuda:
            yield
            return
        self._use_threads(model, 1)
        try:
            yield
        finally:
            self._use_threads(model, self.threads)

    def _use_threads(self, model: DepthModel, threads: int) -> None:
        """Give so many threads of the processor to the model, and to torch: yardstick and resizing run there."""
        if not self.trivial:
            import torch

            torch.set_num_threads(threads)
        model.use_threads(threads)

    def _flops_of_a_frame(self, model: DepthModel, setting: Setting, input_size: str) -> int | None:
        """Return the operations of one frame's forward pass; they depend on the sizes alone."""
        sizes = size_text(setting.frame_size), input_size
        if sizes not in self.counted:
            subject = Subject(model, 1, *setting.frame_size)
            subject.place_input()
            counted = flops.count_flops(subject.forward)
            self.counted[sizes] = None if counted is None else counted // subject.new_frames
        return self.counted[sizes]

    def _record_refusal(self, setting: Setting, error: Exception) -> None:
        said = str(error).strip() or type(error).__name__
        key = self._key(setting, setting.input_size or setting.frame_size, setting.batch)
        self.facts["settings"].append({**key, "status": f"refused: {said.splitlines()[0]}"})

    def _key(self, setting: Setting, input_size: Size, batch: int) -> dict[str, Any]:
        return {
            "model": self.spec["name"],
            "device": self.device.name if self.device else "cpu",
            "precision": setting.precision,
            "batch": batch,
            "input_size": size_text(input_size),
            "frame_size": size_text(setting.frame_size),
        }

    def _keep(
        self, key: Mapping[str, Any], subject: str, clock: str, number: int, durations: list[float]
    ) -> None:
        row = {**key, "subject": subject, "clock": clock, "round_number": number}
        for name, values in self.columns.items():
            values += durations if name == "milliseconds" else [row[name]] * len(durations)


def size_text(size: Size) -> str:
    """Return a size as the tables write it: height x width."""
    return f"{size[0]}x{size[1]}"


def out_of_memory(error: Exception) -> bool:
    """Whether this is a lack of memory: torch's error on a GPU, or its allocator's words on the processor."""
    said = str(error)
    return isinstance(error, MemoryError) or "out of memory" in said or "not enough memory" in said


def refuse_a_busy_processor(watch: machine.LoadWatch) -> None:
    """Raise a `ScopeDepthError` if others use our cores during one second."""
    time.sleep(1.0)
    load = watch.lap()
    if load >= OTHER_LOAD_CORES:
        names = ", ".join(process["name"] for process in watch.busiest()) or "processes that cannot be seen"
        raise ScopeDepthError(
            f"The machine is busy: {names} use {load:.1f} of its cores. "
            "Wait, or set `on_load: record` in the timing's settings."
        )


def refuse_a_busy_gpu(hardware: str, others: list[str]) -> None:
    """Raise a `ScopeDepthError` if other processes compute on the GPU."""
    if others:
        raise ScopeDepthError(
            f"{hardware} is in use by {', '.join(others)}. "
            "Wait, or set `on_load: record` in the timing's settings."
        )
