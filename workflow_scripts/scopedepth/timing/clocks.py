"""Clocks: how the duration of a call is read, on the processor and on a CUDA device.

A CUDA call returns before its work is done, so a host clock around it measures the launch. `CudaClock` lets
the device itself stamp the time before and after each call, and reads the stamps after one synchronisation:
a synchronisation inside the loop would add its own cost to every call.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

Call = Callable[[], Any]


class Clock(Protocol):
    """Runs a call again and again and says how long each took."""

    def time_calls(self, call: Call, at_least: int, seconds: float) -> list[float]:
        """Return the durations in ms of at least `at_least` calls that together took at least `seconds`."""
        ...

    def time_turns(
        self, yardstick: Call, call: Call, at_least: int, seconds: float
    ) -> tuple[list[float], list[float]]:
        """Time a yardstick and a call in turns; return the durations in ms of each.

        At least `at_least` turns that together took at least `seconds`, and the yardstick once more at the end.
        Before each of the yardstick's calls goes one that is not timed: it meets the caches as the other left them.
        """
        ...


def nothing_to_wait_for() -> None:
    """The synchronisation of a device whose calls return when their work is done."""


class HostClock:
    """The host's monotonic clock, with a synchronisation on either side of every call.

    For work on the processor there is nothing to wait for. For a call that ends in host memory on a GPU
    machine, `synchronise` makes sure that no earlier work of the device is counted, and all of its own is.
    """

    def __init__(self, synchronise: Callable[[], None] = nothing_to_wait_for) -> None:
        self.synchronise = synchronise

    def time_calls(self, call: Call, at_least: int, seconds: float) -> list[float]:
        durations: list[float] = []
        self.synchronise()
        began = time.perf_counter_ns()
        while len(durations) < at_least or time.perf_counter_ns() - began < seconds * 1e9:
            durations.append(self._time(call))
        return durations

    def time_turns(
        self, yardstick: Call, call: Call, at_least: int, seconds: float
    ) -> tuple[list[float], list[float]]:
        beside: list[float] = []
        durations: list[float] = []
        self.synchronise()
        began = time.perf_counter_ns()
        while len(durations) < at_least or time.perf_counter_ns() - began < seconds * 1e9:
            self._time(yardstick)
            beside.append(self._time(yardstick))
            durations.append(self._time(call))
        self._time(yardstick)
        beside.append(self._time(yardstick))
        return beside, durations

    def _time(self, call: Call) -> float:
        start = time.perf_counter_ns()
        call()
        self.synchronise()
        return (time.perf_counter_ns() - start) / 1e6


class CudaClock:
    """The device's own clock: a pair of events around each call, read after one synchronisation.

    `cuda` is `torch.cuda`, or something like it in a test. Calls follow each other without waiting, as they
    do in use, so the device is timed at work and not at the host's pace.
    """

    def __init__(self, cuda: Any) -> None:
        self.cuda = cuda

    def time_calls(self, call: Call, at_least: int, seconds: float) -> list[float]:
        durations: list[float] = []
        self.cuda.synchronize()
        began = time.perf_counter_ns()
        while len(durations) < at_least or time.perf_counter_ns() - began < seconds * 1e9:
            pairs = [self._between_events(call) for _ in range(max(1, at_least))]
            durations += self._read(pairs)
        return durations

    def time_turns(
        self, yardstick: Call, call: Call, at_least: int, seconds: float
    ) -> tuple[list[float], list[float]]:
        beside: list[float] = []
        durations: list[float] = []
        self.cuda.synchronize()
        began = time.perf_counter_ns()
        while len(durations) < at_least or time.perf_counter_ns() - began < seconds * 1e9:
            pairs = []
            for _ in range(max(1, at_least)):
                yardstick()
                pairs += [self._between_events(yardstick), self._between_events(call)]
            read = self._read(pairs)
            beside += read[::2]
            durations += read[1::2]
        yardstick()
        return beside + self._read([self._between_events(yardstick)]), durations

    def _between_events(self, call: Call) -> tuple[Any, Any]:
        start, end = self.cuda.Event(enable_timing=True), self.cuda.Event(enable_timing=True)
        start.record()
        call()
        end.record()
        return start, end

    def _read(self, pairs: list[tuple[Any, Any]]) -> list[float]:
        self.cuda.synchronize()
        return [start.elapsed_time(end) for start, end in pairs]


def warm_up(call: Call, synchronise: Callable[[], None], runs: int, seconds: float) -> tuple[int, float]:
    """Call until both `runs` calls and `seconds` have gone by; return how many calls and seconds it took.

    By count, because libraries choose their kernels during the first calls; by time, because a processor or
    a GPU needs a moment of work to reach the clock rate that it then keeps.
    """
    began = time.perf_counter()
    done = 0
    while done < runs or time.perf_counter() - began < seconds:
        call()
        synchronise()
        done += 1
    return done, time.perf_counter() - began


@dataclass
class Device:
    """Where a model runs, and the clocks that are right there.

    `name` is what torch calls it; `cuda` is torch.cuda where a GPU takes part, None where all is done on the
    processor.
    """

    name: str
    cuda: Any = None

    def synchronise(self) -> None:
        """Wait for all work of the device."""
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
        """Return the clock for calls that end in host memory."""
        return HostClock(self.synchronise)
