"""The measurement of one model: rounds of its calls in turn with rounds of the yardstick.

    load, first call       twice for each precision: in a fresh process, and with libraries and files at hand
    for each precision, frame size and batch:
        warm-up            by count and by time, the whole way end to end
        for each round:    yardstick, forward, end to end
        yardstick          once more, so that every round has one on either side

What others use of our cores is measured in every round. A round in which that is too much is kept and
recorded, and one more round follows for each such round, up to as many again.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scopedepth.errors import ScopeDepthError
from scopedepth.jobs import run_facts
from scopedepth.manifest import write_json
from scopedepth.models.base import DepthModel
from scopedepth.progress import progress
from scopedepth.tables.io import write_table
from scopedepth.tables.timing import TIMING_CALLS
from scopedepth.timing import flops, gpu, machine
from scopedepth.timing.clocks import Call, Clock, CudaClock, HostClock, nothing_to_wait_for, warm_up
from scopedepth.timing.subject import Subject

# The yardstick needs fewer calls than a model: it serves the median of a round.
YARDSTICK_CALLS = 5
YARDSTICK_SHARE = 0.25
LOADS = 2

Load = Callable[[Mapping[str, Any]], DepthModel]


def time_model(
    spec: Mapping[str, Any],
    weights: Path,
    settings: Mapping[str, Any],
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
    measurement = Measurement(spec, settings, lambda spec: load_model(spec, weights, device), threads)
    measurement.run()
    write_table(out, TIMING_CALLS, measurement.columns)
    write_json(record or record_beside(out), {**run_facts(began), **measurement.facts})


def record_beside(table: Path) -> Path:
    """Return where the facts of a table of calls are: X.parquet -> X.run.json."""
    return table.with_name(table.stem + ".run.json")


@dataclass
class Device:
    """How to time on the device that a model runs on. `cuda` is torch.cuda, or None on the processor."""

    name: str
    cuda: Any = None

    def synchronise(self) -> None:
        if self.cuda is not None:
            self.cuda.synchronize()

    def forward_clock(self, output: Any) -> Clock:
        """Return the clock for calls that give `output`: events where that lies on the device.

        Another runtime than torch has streams of its own, which torch's events do not see; it hands over host
        memory, and so is timed by the host's clock.
        """
        on_device = self.cuda is not None and getattr(output, "is_cuda", False)
        return CudaClock(self.cuda) if on_device else self.wall_clock()

    def wall_clock(self) -> HostClock:
        return HostClock(self.synchronise if self.cuda is not None else nothing_to_wait_for)


@dataclass
class Measurement:
    """The measurement of one model: its settings, and what has been measured so far.

    cuda and yardstick are for tests, which have neither a GPU nor time to spare.
    """

    spec: Mapping[str, Any]
    settings: Mapping[str, Any]
    load: Load
    threads: int = 1
    cuda: Any = None
    yardstick: Callable[[str], Call] | None = None
    columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in TIMING_CALLS.names})
    facts: dict[str, Any] = field(default_factory=dict)
    flops: dict[tuple[int, int], int | None] = field(default_factory=dict)

    @property
    def trivial(self) -> bool:
        """Whether this is a baseline: NumPy alone, without torch and so without the yardstick."""
        return self.spec["family"] == "baseline"

    def run(self) -> None:
        """Measure everything that the settings ask for."""
        watch = machine.LoadWatch()
        if self.settings["on_load"] == "refuse":
            _refuse_a_busy_processor(watch)
        self.facts = {
            "model": self.spec["name"],
            "timing": dict(self.settings),
            "threads": self.threads,
            "processor": machine.processor_name(),
            "processor_before": machine.processor_state(),
            "flops_counted_by": None if self.trivial else flops.TOOL,
            "settings": [],
        }
        combinations = list(self._combinations())
        with progress(f"time {self.spec['name']}", len(combinations), "settings") as advance:
            model, loaded = None, None
            for precision, size, batch in combinations:
                if model is None or precision != loaded:
                    model = None  # before the next one is loaded: both may not fit
                    model, loaded = self._load(precision, size), precision
                    self._describe(model, watch)
                self._time_setting(model, precision, size, batch, watch)
                advance()
        if not any(setting["status"] == "ok" for setting in self.facts["settings"]):
            raise ScopeDepthError(
                f"Model {self.spec['name']} could not be timed: {self.facts['settings'][0]['status']}."
            )
        self.facts["processor_after"] = machine.processor_state()
        self.facts["gpu_after"] = self.gpu.state() if self.gpu else None
        self.facts["other_processes"] = watch.busiest()

    def _combinations(self) -> Iterator[tuple[str, tuple[int, int], int]]:
        own = self.spec["precision"]
        precisions = [own] if self.trivial else self.settings["precisions"] or [own]
        for precision in precisions:
            for height, width in self.settings["frame_sizes"]:
                for batch in self.settings["batches"]:
                    yield precision, (height, width), batch

    def _load(self, precision: str, size: tuple[int, int]) -> DepthModel:
        """Load the model and call it once, twice over; return the second."""
        for number in range(LOADS):
            # Not both at once in memory.
            model = None
            gc.collect()
            start = time.perf_counter_ns()
            model = self.load({**self.spec, "precision": precision})
            loaded = time.perf_counter_ns()
            if number == 0:
                self._settle(model)
            subject = Subject(model, 1, *size)
            first = HostClock(self.device.synchronise).time_calls(subject.end_to_end, 1, 0)
            key = self._key(model, precision, size, 1)
            self._add(key, "model", "load", number, [(loaded - start) / 1e6])
            self._add(key, "model", "first_call", number, first)
        assert model is not None
        return model

    def _settle(self, model: DepthModel) -> None:
        """Learn from the first model which device this is, and give torch its threads."""
        cuda = self.cuda
        if not self.trivial:
            import torch

            torch.set_num_threads(self.threads)
            if model.device.startswith("cuda") and cuda is None:
                cuda = torch.cuda
                cuda.set_device(model.device)
        self.device = Device(model.device, cuda if model.device.startswith("cuda") else None)
        self.gpu = gpu.find_gpu(model.device) if self.cuda is None else None

    def _describe(self, model: DepthModel, watch: machine.LoadWatch) -> None:
        if "device" in self.facts:
            return
        name = self.device.cuda.get_device_name() if self.device.cuda else machine.processor_name()
        others = self.gpu.other_processes() if self.gpu else []
        state = self.gpu.state() if self.gpu else None
        if self.settings["on_load"] == "refuse" and others:
            raise ScopeDepthError(
                f"{name} is in use by {', '.join(others)}. Wait, or set `on_load: record` in the timing's settings."
            )
        self.facts |= {
            "device": model.device,
            "hardware": name,
            "parameters": int(model.parameters),
            "output_kind": model.output_kind,
            "gpu_before": state,
            "gpu_processes": others,
            "load_before": watch.lap(),
        }
        if not self.trivial:
            from scopedepth.timing.yardstick import yardstick_call

            self.yardstick_call = (self.yardstick or yardstick_call)(model.device)
            warm_up(self.yardstick_call, self.device.synchronise, YARDSTICK_CALLS, 0)

    def _time_setting(
        self, model: DepthModel, precision: str, size: tuple[int, int], batch: int, watch: machine.LoadWatch
    ) -> None:
        key = self._key(model, precision, size, batch)
        grid = model.grid(*size)
        facts: dict[str, Any] = {**key, "grid": f"{grid[0]}x{grid[1]}", "status": "ok"}
        self.facts["settings"].append(facts)
        machine.reset_peak_memory()
        if self.device.cuda:
            self.device.cuda.reset_peak_memory_stats()
        try:
            subject = Subject(model, batch, *size)
            warm = warm_up(
                subject.end_to_end,
                self.device.synchronise,
                self.settings["warmup_runs"],
                self.settings["warmup_seconds"],
            )
            facts["warm_up"] = {"calls": warm[0], "seconds": round(warm[1], 3)}
            subject.place_input()
            facts["rounds"], facts["energy_joule"] = self._rounds(key, subject, watch)
        except (MemoryError, RuntimeError) as error:
            # What fits at one batch size need not fit at the next. Anything else is a fault.
            if not _out_of_memory(error):
                raise
            facts["status"] = "out of memory"
        facts["memory_mib"] = machine.peak_memory_mib()
        if self.device.cuda:
            facts["memory_allocated_mib"] = round(self.device.cuda.max_memory_allocated() / 2**20, 1)
            facts["memory_mib"] = round(self.device.cuda.max_memory_reserved() / 2**20, 1)
        if not self.trivial and facts["status"] == "ok":
            # After the peak was read: counting needs memory of its own.
            facts["flops"] = self._flops_of_a_frame(model, size)

    def _flops_of_a_frame(self, model: DepthModel, size: tuple[int, int]) -> int | None:
        if size not in self.flops:
            subject = Subject(model, 1, *size)
            subject.place_input()
            self.flops[size] = flops.count_flops(subject.forward)
        return self.flops[size]

    def _rounds(
        self, key: dict[str, Any], subject: Subject, watch: machine.LoadWatch
    ) -> tuple[list[dict[str, Any]], float | None]:
        """Run the rounds; return the load of each, and the energy of a frame's forward pass in J if known."""
        wanted = self.settings["rounds"]
        calls = -(-self.settings["runs"] // wanted)
        seconds = self.settings["seconds"] / wanted
        forward_clock, wall_clock = self.device.forward_clock(subject.forward()), self.device.wall_clock()
        energy, frames, quiet = 0.0, 0, 0
        rounds: list[dict[str, Any]] = []
        watch.lap()
        while quiet < wanted and len(rounds) < 2 * wanted:
            number = len(rounds)
            self._yardstick_round(key, number, seconds)
            before = self.gpu.energy_joule() if self.gpu else None
            durations = forward_clock.time_calls(subject.forward, calls, seconds)
            after = self.gpu.energy_joule() if self.gpu else None
            self._add(key, "model", "forward", number, durations)
            whole = wall_clock.time_calls(subject.end_to_end, calls, seconds)
            self._add(key, "model", "end_to_end", number, whole)
            if before is not None and after is not None:
                energy += after - before
                frames += len(durations) * key["batch"]
            other = watch.lap()
            is_quiet = other < machine.OTHER_LOAD_CORES
            rounds.append({"round": number, "other_load": other, "quiet": is_quiet})
            quiet += is_quiet
        self._yardstick_round(key, len(rounds), seconds)
        return rounds, energy / frames if frames else None

    def _yardstick_round(self, key: dict[str, Any], number: int, seconds: float) -> None:
        if self.trivial:
            return
        clock = self.device.forward_clock(self.yardstick_call())
        self._add(
            key,
            "yardstick",
            "forward",
            number,
            clock.time_calls(self.yardstick_call, YARDSTICK_CALLS, seconds * YARDSTICK_SHARE),
        )

    def _key(self, model: DepthModel, precision: str, size: tuple[int, int], batch: int) -> dict[str, Any]:
        height, width = model.input_size(*size)
        return {
            "model": self.spec["name"],
            "device": model.device,
            "precision": precision,
            "batch": batch,
            "input_size": f"{height}x{width}",
            "frame_size": f"{size[0]}x{size[1]}",
        }

    def _add(
        self, key: dict[str, Any], subject: str, clock: str, number: int, durations: list[float]
    ) -> None:
        row = {**key, "subject": subject, "clock": clock, "round": number}
        for name, values in self.columns.items():
            values += durations if name == "milliseconds" else [row[name]] * len(durations)


def _out_of_memory(error: Exception) -> bool:
    """Whether this is a lack of memory: torch's error on a GPU, or its allocator's words on the processor."""
    said = str(error)
    return isinstance(error, MemoryError) or "out of memory" in said or "not enough memory" in said


def _refuse_a_busy_processor(watch: machine.LoadWatch) -> None:
    time.sleep(1.0)
    load = watch.lap()
    if load >= machine.OTHER_LOAD_CORES:
        names = ", ".join(process["name"] for process in watch.busiest()) or "processes that cannot be seen"
        raise ScopeDepthError(
            f"The machine is busy: {names} use {load:.1f} of its cores. "
            "Wait, or set `on_load: record` in the timing's settings."
        )
