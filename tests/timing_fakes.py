"""A GPU, a clock and models that are not there, for the tests of timing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scopedepth.job.manifest import write_json
from scopedepth.models.base import DepthModel
from scopedepth.tables.io import write_table
from scopedepth.tables.timing import TIMING_CALLS
from scopedepth.timing import disturbance, machine

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

SETTINGS: Any = {
    "frame_sizes": [[32, 48]],
    "batches": [1],
    "precisions": None,
    "runs": 6,
    "seconds": 0.0,
    "warmup_runs": 2,
    "warmup_seconds": 0.0,
    "rounds": 3,
    "on_load": "record",
    "realtime_fps": 30.0,
}


def spec(family: str = "python", name: str = "fake") -> Any:
    return {
        "name": name,
        "family": family,
        "precision": "fp32",
        "options": {},
        "output": {"kind": "depth", "unit": None},
    }


class FakeCuda:
    """torch.cuda's part in timing. Work is queued and done at a synchronisation, each kernel in 2 ms."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.time = 0.0
        self.queue: list[Any] = []
        cuda = self

        class Event:
            def __init__(self, enable_timing: bool = False) -> None:
                assert enable_timing
                self.moment: float | None = None

            def record(self) -> None:
                cuda.log.append("record")
                cuda.queue.append(self)

            def elapsed_time(self, end: Event) -> float:
                assert self.moment is not None, "read before the synchronisation"
                assert end.moment is not None, "read before the synchronisation"
                cuda.log.append("read")
                return end.moment - self.moment

        self.Event = Event

    def launch(self, name: str, milliseconds: float = 2.0) -> None:
        self.log.append(name)
        self.queue.append(milliseconds)

    def synchronize(self) -> None:
        self.log.append("synchronise")
        for item in self.queue:
            if isinstance(item, float):
                self.time += item
            else:
                item.moment = self.time
        self.queue.clear()

    def set_device(self, device: str) -> None:
        self.log.append(f"set {device}")

    def get_device_name(self) -> str:
        return "Fake GPU"

    def empty_cache(self) -> None:
        self.log.append("empty cache")

    def reset_peak_memory_stats(self) -> None:
        self.log.append("reset memory")

    def max_memory_allocated(self) -> int:
        return 3 * 2**20

    def max_memory_reserved(self) -> int:
        return 5 * 2**20


class DeviceArray(np.ndarray):
    """An array that says it lies on a GPU."""

    is_cuda = True


class FakeModel(DepthModel):
    """Work in NumPy, or launched on a fake GPU. `fails` says at which batch it runs out of memory."""

    def __init__(self, given: specs.Model, cuda: FakeCuda | None = None, fails: int | None = None) -> None:
        super().__init__(given, "cuda:0" if cuda else "cpu", 1234)
        self.cuda, self.fails = cuda, fails

    def grid(self, height: int, width: int) -> tuple[int, int]:
        return height, width

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        return 2 * height, 2 * width

    def _launch(self, name: str) -> None:
        if self.cuda:
            self.cuda.launch(name)

    def preprocess(self, frames: np.ndarray) -> Any:
        assert frames.dtype == np.uint8
        assert frames.ndim == 4
        self._launch("preprocess")
        return frames

    def forward(self, batch: Any, size: tuple[int, int]) -> Any:
        if self.fails == len(batch):
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        self._launch("forward")
        out = np.ones((len(batch), *size), np.float32)
        return out.view(DeviceArray) if self.cuda else out

    def to_host(self, out: Any) -> np.ndarray:
        if self.cuda:
            self.cuda.log.append("to_host")
            self.cuda.synchronize()
        return np.asarray(out)


class QuietWatch:
    """A machine of which others use what `loads` says, a lap after another, and then nothing."""

    def __init__(self, loads: list[float] | None = None) -> None:
        self.loads = list(loads or [])

    def lap(self) -> float:
        return self.loads.pop(0) if self.loads else 0.0

    def look_around(self) -> None: ...

    def busiest(self) -> list[dict[str, Any]]:
        return [{"name": "burner", "cores": 1.0}]


def use_watch(monkeypatch: pytest.MonkeyPatch, loads: list[float] | None = None) -> None:
    """Let a measurement see the load `loads` of others instead of this machine's, and no state of the machine."""
    monkeypatch.setattr(disturbance, "SLOWED", float("inf"))
    monkeypatch.setattr(machine, "LoadWatch", lambda: QuietWatch(loads))


class FakeNvml:
    """pynvml's part in timing."""

    class NVMLError(Exception):
        pass

    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0

    def nvmlInit(self) -> None: ...

    def nvmlDeviceGetPowerUsage(self, handle: str) -> int:
        return 71500

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> SimpleNamespace:
        return SimpleNamespace(gpu=7)

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: str) -> int:
        return 0x01 | 0x04 | 0x40

    def nvmlDeviceGetClockInfo(self, handle: str, kind: int) -> int:
        return {1: 1410, 2: 9501}[kind]

    def nvmlDeviceGetTemperature(self, handle: str, sensor: int) -> int:
        return 61

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:
        raise self.NVMLError("not supported")

    def nvmlDeviceGetComputeRunningProcesses(self, handle: str) -> list[SimpleNamespace]:
        import os

        return [SimpleNamespace(pid=os.getpid()), SimpleNamespace(pid=4242)]

    def nvmlSystemGetProcessName(self, pid: int) -> bytes:
        return b"training"


KEY = {
    "model": "m",
    "device": "cpu",
    "precision": "fp32",
    "batch": 1,
    "input_size": "224x224",
    "frame_size": "320x320",
}


def write_calls(
    folder: Path,
    loads: list[float],
    forward: list[float],
    record: bool = True,
    batch: int = 1,
    yardstick: list[float] | None = None,
    model: str = "m",
) -> Path:
    """Write ten calls a round of `forward` ms each; end to end takes twice as long, turns 18 ms.

    yardstick: its ms on all threads in each round, else 2; in turns it takes 4 ms.
    """
    beside = yardstick or [2.0] * len(forward)
    key = {**KEY, "model": model, "batch": batch}
    rows: list[dict[str, Any]] = []

    def add(subject: str, clock: str, number: int, *durations: float) -> None:
        rows.extend(
            {**key, "subject": subject, "clock": clock, "round_number": number, "milliseconds": ms}
            for ms in durations
        )

    add("model", "load", 0, 900.0)
    add("model", "first_call", 0, 80.0)
    add("model", "load", 1, 100.0)
    for number, ms in enumerate(forward):
        add("yardstick", "turns", number, *[4.0] * 4)
        add("model", "turns", number, *[18.0] * 3)
        add("yardstick", "forward", number, *[beside[number]] * 5)
        add("model", "forward", number, *(ms + 0.1 * np.arange(10)).tolist())
        add("model", "end_to_end", number, *(2 * ms + 0.1 * np.arange(10)).tolist())
        add("yardstick", "forward", number, *[beside[number]] * 5)
    table = folder / "m.parquet"
    write_table(table, TIMING_CALLS, {name: [row[name] for row in rows] for name in TIMING_CALLS.names})
    rounds = [
        {"round": n, "other_load": load, "yardstick_ms": ms}
        for n, (load, ms) in enumerate(zip(loads, beside, strict=False))
    ]
    if record:
        facts = {
            "hardware": "A processor",
            "parameters": 7,
            "threads": 2,
            "other_processes": [{"name": "burner", "cores": 0.6}],
            "settings": [
                {**key, "status": "ok", "rounds": rounds, "grid": "112x112", "flops": 2_000_000_000}
            ],
        }
        write_json(folder / "m.run.json", facts)
    return table
