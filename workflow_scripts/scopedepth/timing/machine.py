"""The machine around a measurement: what it is, what else runs on it, how fast its processors are clocked."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from scopedepth.job.heap import give_freed_memory_back

# Times of /proc/stat that are not work: waiting, and a guest's time, which is inside `user` already.
NOT_BUSY = ("idle", "iowait", "guest", "guest_nice")


def processor_name() -> str:
    """Return the processor's model name, and how many of its cores this process may use."""
    name = platform.processor() or platform.machine()
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            name = line.partition(":")[2].strip()
            break
    return f"{name}, {len(our_cores())} cores"


def our_cores() -> list[int]:
    """Return the numbers of the cores that this process may run on."""
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return list(range(os.cpu_count() or 1))


def processor_state() -> dict[str, Any]:
    """Return the processor's clock, governor, throttling counts and load averages; null where it does not say."""
    frequency = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
    throttled = sorted(Path("/sys/devices/system/cpu").glob("cpu*/thermal_throttle/core_throttle_count"))
    return {
        "clock_mhz": round(frequency.current, 1) if frequency else None,
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or None,
        "throttle_count": sum(int(_read(path) or 0) for path in throttled) if throttled else None,
        "load_averages": [round(value, 2) for value in os.getloadavg()],
    }


def cores_busy() -> tuple[float, float]:
    """Return the seconds of work that our cores, and that this process on them, have done so far."""
    ours = set(our_cores())
    busy = 0.0
    for number, times in enumerate(psutil.cpu_times(percpu=True)):
        if number in ours:
            busy += sum(value for name, value in times._asdict().items() if name not in NOT_BUSY)
    own = psutil.Process().cpu_times()
    return busy, own.user + own.system + own.children_user + own.children_system


class LoadWatch:
    """Measures what others (other processes, a virtual machine's neighbours) use of the cores that we may use."""

    def __init__(
        self,
        busy: Callable[[], tuple[float, float]] = cores_busy,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._busy, self._now = busy, now
        # Of the model's own process, where it has one: its work is ours.
        self.ours: int | None = None
        self._processes = self._others()
        self._looked = self._now()
        self._busiest: dict[str, float] = {}
        self.lap()

    def lap(self) -> float:
        """Return the load of others since the last lap, in cores (1.0 = one core fully used); and start anew."""
        moment, (busy, own) = self._now(), self._busy()
        own += _seconds_of(self.ours)
        previous = getattr(self, "_last", (moment, busy, own))
        self._last = (moment, busy, own)
        elapsed = moment - previous[0]
        if elapsed <= 0:
            return 0.0
        # Never below zero: the two counters are read one after the other and tick in hundredths of a second.
        return round(max(0.0, (busy - previous[1]) - (own - previous[2])) / elapsed, 3)

    def look_around(self) -> None:
        """Remember which other processes have worked since the last look: one that ends later is still named."""
        processes, moment = self._others(), self._now()
        elapsed = max(moment - self._looked, 1e-9)
        for key, (name, seconds) in processes.items():
            began = key[1]
            seen = self._processes.get(key, (name, 0.0))[1]
            # A process younger than the last look has had no longer than its age.
            cores = (seconds - seen) / min(elapsed, max(time.time() - began, 0.1))
            self._busiest[name] = max(self._busiest.get(name, 0.0), cores)
        self._processes, self._looked = processes, moment

    def _others(self) -> dict[tuple[int, float], tuple[str, float]]:
        return {key: found for key, found in _processes().items() if key[0] != self.ours}

    def busiest(self, at_least: float = 0.1, limit: int = 5) -> list[dict[str, Any]]:
        """Return the other processes that used most between two looks: name and cores, the busiest first."""
        self.look_around()
        found = sorted(self._busiest.items(), key=lambda item: (-item[1], item[0]))
        return [{"name": name, "cores": round(cores, 2)} for name, cores in found if cores >= at_least][
            :limit
        ]


def _seconds_of(process: int | None) -> float:
    """Return the seconds of work that a child of this process has done; none where it has ended: they are ours then."""
    try:
        times = psutil.Process(process).cpu_times() if process is not None else None
    except psutil.NoSuchProcess:
        times = None
    return 0.0 if times is None else times.user + times.system


def _processes() -> dict[tuple[int, float], tuple[str, float]]:
    """Return name and CPU seconds of every other process that may be seen, by process number and start."""
    found = {}
    for process in psutil.process_iter(["pid", "name", "create_time", "cpu_times"]):
        facts = process.info
        if facts["pid"] != os.getpid() and facts["cpu_times"] is not None:
            seconds = facts["cpu_times"].user + facts["cpu_times"].system
            found[facts["pid"], facts["create_time"]] = (facts["name"], seconds)
    return found


def reset_peak_memory(process: int | None = None) -> bool:
    """Let a process's peak of resident memory start anew, without what was freed; return whether it did (Linux).

    process: its number; None: this one.
    """
    if process is None:
        give_freed_memory_back()
    try:
        Path(f"/proc/{process or 'self'}/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def peak_memory_mib(process: int | None = None) -> float:
    """Return a process's peak resident memory in MiB since the last reset (Linux); None: this one's."""
    line = next(
        line for line in _read(f"/proc/{process or 'self'}/status").splitlines() if line.startswith("VmHWM:")
    )
    return round(int(line.split()[1]) / 1024, 1)


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
