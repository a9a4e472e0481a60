"""What is seen of the machine and of the GPU."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from scopedepth.timing import gpu, machine
from timing_fakes import FakeNvml


def test_the_load_of_others_is_all_work_without_our_own() -> None:
    readings = iter([(10.0, 4.0), (13.0, 5.0), (13.5, 5.5)])
    moments = iter([0.0, 0.0, 2.0, 3.0])
    watch = machine.LoadWatch(lambda: next(readings), lambda: next(moments))
    assert watch.lap() == 1.0  # 3 s of work in 2 s, one of them ours
    assert watch.lap() == 0.0


def test_the_load_is_never_negative() -> None:
    readings = iter([(10.0, 4.0), (10.0, 4.1)])
    moments = iter([0.0, 0.0, 1.0])
    watch = machine.LoadWatch(lambda: next(readings), lambda: next(moments))
    assert watch.lap() == 0.0


def test_a_busy_process_is_seen_and_named_even_after_its_end() -> None:
    watch = machine.LoadWatch()
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(1.5)
        assert watch.lap() > 0.3
        watch.look_around()
    finally:
        busy.kill()
        busy.wait()
    assert any("python" in process["name"] for process in watch.busiest())


def test_our_own_work_is_no_load_of_others() -> None:
    busy, own = machine.cores_busy()
    end = time.process_time() + 0.3  # of our own work, however busy the machine
    while time.process_time() < end:
        pass
    busy_later, own_later = machine.cores_busy()
    assert own_later - own > 0.1
    assert busy_later - busy >= own_later - own - 0.05


PEAK = """
from scopedepth.timing import machine
machine.reset_peak_memory()
before = machine.peak_memory_mib()
block = bytearray(64 * 2**20)
block[:: 2**12] = b"x" * len(block[:: 2**12])
assert machine.peak_memory_mib() >= before + 60
del block
machine.reset_peak_memory()
assert machine.peak_memory_mib() < before + 60
"""


def test_the_peak_of_memory_starts_anew() -> None:
    """In a process of its own: one that has run other tests keeps memory that the block may be given."""
    subprocess.run([sys.executable, "-c", PEAK], check=True)


def test_the_state_of_the_processor_has_no_invented_values() -> None:
    state = machine.processor_state()
    assert set(state) == {"clock_mhz", "governor", "throttle_count", "load_averages"}
    assert machine.processor_name().endswith("cores")


def test_the_gpu_says_what_it_reports_and_null_for_the_rest() -> None:
    found = gpu.Gpu(FakeNvml(), "handle")
    assert found.state() == {
        "clock_mhz": 1410,
        "memory_clock_mhz": 9501,
        "power_w": 71.5,
        "temperature_c": 61,
        "used_percent": 7,
        "throttled_by": ["power cap", "thermal (hardware)"],
    }
    assert found.energy_joule() is None
    assert found.other_processes() == ["training"]


def test_the_gpu_is_found_by_its_unique_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    class Nvml(FakeNvml):
        def nvmlDeviceGetHandleByUUID(self, unique: str) -> str:
            return unique

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="1-2"))
    found = gpu.find_gpu("cuda:0", Nvml())
    assert found is not None
    assert found.handle == "GPU-1-2"


def test_without_a_gpu_or_a_driver_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    class NoDriver(FakeNvml):
        def nvmlInit(self) -> None:
            raise self.NVMLError("driver not loaded")

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="1-2"))
    assert gpu.find_gpu("cpu") is None
    assert gpu.find_gpu("cuda:0", NoDriver()) is None


def test_only_our_cores_are_watched() -> None:
    assert machine.our_cores() == sorted(os.sched_getaffinity(0))
