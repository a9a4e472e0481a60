"""The rounds of one setting: yardstick, forward, end to end, and again; at the end the yardstick once more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scopedepth.timing import machine
from scopedepth.timing.clocks import Call, Device
from scopedepth.timing.gpu import Gpu
from scopedepth.timing.subject import Subject

# The yardstick needs fewer calls than a model: it serves the lower quartile of a round.
YARDSTICK_CALLS = 10
YARDSTICK_SHARE = 0.25
# More rounds for disturbed ones, up to this many times the number asked for.
MOST_ROUNDS = 2

# Takes whose calls these were (model, yardstick), the clock, the round and the durations in ms.
Keep = Callable[[str, str, int, list[float]], None]


@dataclass(frozen=True)
class Rounds:
    """What is known of the rounds besides their calls: the load of others in each, and the energy of a frame."""

    loads: list[dict[str, Any]]
    energy_joule: float | None


def run_rounds(
    subject: Subject,
    device: Device,
    settings: Mapping[str, Any],
    watch: machine.LoadWatch,
    keep: Keep,
    yardstick: Call | None = None,
    gpu: Gpu | None = None,
) -> Rounds:
    """Run the rounds of one setting and hand every call's duration to `keep`.

    Each round holds a `rounds`-th of the `runs` and of the `seconds` asked for, of either clock. A round in
    which others used our cores is kept, and one more follows for it, up to twice as many rounds in all.
    """
    wanted = settings["rounds"]
    calls, seconds = -(-settings["runs"] // wanted), settings["seconds"] / wanted
    forward_clock, wall_clock = device.forward_clock(subject.forward()), device.wall_clock()
    yardstick_clock = device.forward_clock(yardstick()) if yardstick else None
    loads: list[dict[str, Any]] = []
    joule: list[float] = []
    frames = 0

    def time_yardstick(number: int) -> None:
        if yardstick is not None and yardstick_clock is not None:
            durations = yardstick_clock.time_calls(yardstick, YARDSTICK_CALLS, seconds * YARDSTICK_SHARE)
            keep("yardstick", "forward", number, durations)

    watch.lap()
    while sum(load["quiet"] for load in loads) < wanted and len(loads) < MOST_ROUNDS * wanted:
        number = len(loads)
        time_yardstick(number)
        before = gpu.energy_joule() if gpu else None
        durations = forward_clock.time_calls(subject.forward, calls, seconds)
        after = gpu.energy_joule() if gpu else None
        keep("model", "forward", number, durations)
        keep("model", "end_to_end", number, wall_clock.time_calls(subject.end_to_end, calls, seconds))
        if before is not None and after is not None:
            joule.append(after - before)
            frames += len(durations) * subject.batch
        other = watch.lap()
        if other >= machine.OTHER_LOAD_CORES:
            watch.look_around()
        loads.append({"round": number, "other_load": other, "quiet": other < machine.OTHER_LOAD_CORES})
    time_yardstick(len(loads))
    return Rounds(loads, sum(joule) / frames if frames else None)
