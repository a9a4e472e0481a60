"""The clocks: what they count, and in which order they ask the device."""

from __future__ import annotations

import time

import pytest

from scopedepth.timing.clocks import CudaClock, HostClock, warm_up
from timing_fakes import FakeCuda


def test_events_are_recorded_around_each_call_and_read_after_one_synchronisation() -> None:
    cuda = FakeCuda()
    durations = CudaClock(cuda).time_calls(lambda: cuda.launch("forward"), 3, 0)
    assert durations == [2.0, 2.0, 2.0]
    # What was queued before is done first; then no wait between the calls; the stamps are read at the end.
    assert cuda.log == [
        "synchronise",
        *["record", "forward", "record"] * 3,
        "synchronise",
        *["read"] * 3,
    ]


def test_earlier_work_of_the_device_is_in_no_duration() -> None:
    cuda = FakeCuda()
    cuda.launch("somebody else's long work", 500.0)
    assert CudaClock(cuda).time_calls(lambda: cuda.launch("forward"), 1, 0) == [2.0]


def test_the_cuda_clock_goes_on_until_the_time_is_over() -> None:
    cuda = FakeCuda()

    def call() -> None:
        cuda.launch("forward")
        time.sleep(0.002)

    durations = CudaClock(cuda).time_calls(call, 2, 0.02)
    assert len(durations) >= 4
    assert len(durations) % 2 == 0  # whole groups between two synchronisations
    assert cuda.log.count("synchronise") == 1 + len(durations) // 2


def test_the_host_clock_waits_for_the_device_inside_the_duration() -> None:
    log: list[str] = []

    def synchronise() -> None:
        log.append("synchronise")
        time.sleep(0.005)

    durations = HostClock(synchronise).time_calls(lambda: log.append("call"), 2, 0)
    assert log == ["synchronise", "call", "synchronise", "call", "synchronise"]
    assert min(durations) >= 5.0


def test_the_host_clock_reads_milliseconds() -> None:
    durations = HostClock().time_calls(lambda: time.sleep(0.01), 3, 0)
    assert len(durations) == 3
    assert min(durations) >= 10.0


def test_calls_go_on_until_both_count_and_time_are_reached() -> None:
    assert len(HostClock().time_calls(lambda: None, 7, 0)) == 7
    began = time.perf_counter()
    assert len(HostClock().time_calls(lambda: time.sleep(0.001), 1, 0.02)) > 2
    assert time.perf_counter() - began >= 0.02


@pytest.mark.parametrize(("runs", "seconds"), [(5, 0.0), (1, 0.02)])
def test_warm_up_ends_by_count_and_by_time(runs: int, seconds: float) -> None:
    log: list[str] = []

    def call() -> None:
        log.append("call")
        time.sleep(0.001)

    done, took = warm_up(call, lambda: log.append("synchronise"), runs, seconds)
    assert done >= runs
    assert took >= seconds
    # Waiting after each call, or the time would be that of launching.
    assert log == ["call", "synchronise"] * done
