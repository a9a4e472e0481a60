"""The rounds of one setting.

turns      yardstick, model, yardstick, model, ..., yardstick: call by call, for the ratio of the two.
           On a processor both run on one thread
yardstick  on all threads, as the model's own clocks: how fast the machine is now
forward
end to end
yardstick
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scopedepth.timing import machine
from scopedepth.timing.clocks import Call, Device
from scopedepth.timing.disturbance import Round, fastest_yardstick, others_worked, undisturbed
from scopedepth.timing.gpu import Gpu
from scopedepth.timing.subject import Subject

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

YARDSTICK_CALLS = 10
# The part of a round's seconds for its turns, and how many there are at least: a large network takes minutes on
# one thread.
TURNS_SHARE = 0.5
TURNS = 3
# More rounds for disturbed ones, up to this many times the number asked for.
MOST_ROUNDS = 2

# Takes whose calls these were (model, yardstick), the clock, the round and the durations in ms.
Keep = Callable[[str, str, int, list[float]], None]


@dataclass(frozen=True)
class Rounds:
    """What is known of the rounds besides their calls: the machine during each, and the energy of a frame."""

    machine: list[dict[str, Any]]
    energy_joule: float | None


def run_rounds(
    subject: Subject,
    device: Device,
    settings: specs.Timing,
    watch: machine.LoadWatch,
    keep: Keep,
    yardstick: Call | None = None,
    one_thread: Callable[[], AbstractContextManager[None]] = nullcontext,
    gpu: Gpu | None = None,
    earlier: Sequence[Round] = (),
) -> Rounds:
    """Run the rounds of one setting and hand every call's duration to `keep`.

    Each round holds a `rounds`-th of the `runs` and of the `seconds` asked for, of either clock. A round that was
    disturbed is kept, and one more follows for it, up to twice as many rounds in all. one_thread: within it, model
    and yardstick run on one thread; earlier: rounds of the same job, which tell how fast its machine can be.
    """
    wanted = settings["rounds"]
    calls, seconds = -(-settings["runs"] // wanted), settings["seconds"] / wanted
    forward_clock, wall_clock = device.forward_clock(subject.forward()), device.wall_clock()
    yardstick_clock = device.forward_clock(yardstick()) if yardstick else None
    rounds: list[dict[str, Any]] = []
    joule: list[float] = []
    frames = 0

    def take_turns(number: int) -> None:
        if yardstick is None:
            return
        with one_thread():
            subject.forward()  # with another number of threads, libraries choose anew how they compute
            beside, model = forward_clock.time_turns(yardstick, subject.forward, TURNS, seconds * TURNS_SHARE)
        keep("yardstick", "turns", number, beside)
        keep("model", "turns", number, model)
        subject.forward()

    def time_yardstick(number: int) -> float | None:
        if yardstick is None or yardstick_clock is None:
            return None
        durations = yardstick_clock.time_calls(yardstick, YARDSTICK_CALLS, 0)
        keep("yardstick", "forward", number, durations)
        return float(np.median(durations))

    while (
        len(undisturbed(rounds, fastest_yardstick([*earlier, *rounds]))) < wanted
        and len(rounds) < MOST_ROUNDS * wanted
    ):
        number = len(rounds)
        take_turns(number)
        watch.lap()
        yardstick_before = time_yardstick(number)
        before = gpu.energy_joule() if gpu else None
        durations = forward_clock.time_calls(subject.forward, calls, seconds)
        after = gpu.energy_joule() if gpu else None
        keep("model", "forward", number, durations)
        keep("model", "end_to_end", number, wall_clock.time_calls(subject.end_to_end, calls, seconds))
        yardstick_after = time_yardstick(number)
        if before is not None and after is not None:
            joule.append(after - before)
            frames += len(durations) * subject.new_frames
        rounds.append(
            {
                "round": number,
                "other_load": watch.lap(),
                "yardstick_ms": max(
                    (value for value in (yardstick_before, yardstick_after) if value is not None),
                    default=None,
                ),
            }
        )
        if others_worked(rounds[-1]):
            watch.look_around()
    return Rounds(rounds, sum(joule) / frames if frames else None)
