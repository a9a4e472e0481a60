"""Which rounds of a measurement were disturbed. It is seen from the machine alone, never from a duration of the model.

Two witnesses: what others use of our cores, and the yardstick, which never changes: where it is slow, the machine is.
The second one sees what the first one cannot. A virtual machine's host moves its cores about, every few seconds to
minutes and without a word. A cache line went from one to the other and back in 50 ns where they share a cache and in
320 ns where they do not (two cores of an AMD EPYC), and small networks on both took 1.3 to 1.4 times as long then; a
large one did not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# More than this much of one core used by others counts as a disturbance: above a monitor's or a workflow
# manager's polling, far below one busy process.
OTHER_LOAD_CORES = 0.2

# The yardstick takes so many times its time in the fastest round: the machine is in a slower state.
SLOWED = 1.2

# So many undisturbed rounds at least, to do without the others.
QUIET_ROUNDS = 3

Round = Mapping[str, Any]


def rounds_of(record: Mapping[str, Any]) -> list[Round]:
    """Return all rounds of a job, whatever their setting, from its record."""
    return [item for setting in record.get("settings", []) for item in setting.get("rounds", [])]


def fastest_yardstick(rounds: Sequence[Round]) -> float | None:
    """Return the yardstick's time in the fastest of these rounds, ms; None without a yardstick."""
    return min((item["yardstick_ms"] for item in rounds if item["yardstick_ms"] is not None), default=None)


def others_worked(item: Round) -> bool:
    """Whether others used our cores in this round."""
    return bool(item["other_load"] >= OTHER_LOAD_CORES)


def machine_slowed(item: Round, fastest: float | None) -> bool:
    """Whether the machine was slower than at other times; fastest: `fastest_yardstick` of the whole job."""
    return (
        fastest is not None and item["yardstick_ms"] is not None and item["yardstick_ms"] > SLOWED * fastest
    )


def undisturbed(rounds: Sequence[Round], fastest: float | None) -> list[int]:
    """Return the numbers of the rounds in which nobody else worked and the machine was as fast as it can be."""
    return [item["round"] for item in rounds if not (others_worked(item) or machine_slowed(item, fastest))]


def rounds_to_use(rounds: Sequence[Round], fastest: float | None) -> list[int]:
    """Return the numbers of the rounds that count: the undisturbed ones if they are enough, or else all."""
    quiet = undisturbed(rounds, fastest)
    return quiet if len(quiet) >= QUIET_ROUNDS else [item["round"] for item in rounds]


def what_disturbed(
    rounds: Sequence[Round], fastest: float | None, processes: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return what disturbed the rounds, and what was done about it, in words; processes: others, with `name`."""
    done = "all rounds kept" if len(rounds_to_use(rounds, fastest)) == len(rounds) else "left out"
    busy = [item for item in rounds if others_worked(item)]
    slowed = [item for item in rounds if machine_slowed(item, fastest) and item not in busy]
    said = []
    if busy:
        load = max(item["other_load"] for item in busy)
        names = ", ".join(dict.fromkeys(process["name"] for process in processes))
        named = f" ({names})" if names else ""
        said.append(f"{len(busy)} of {len(rounds)} rounds: others used up to {load:.1f} cores{named}; {done}")
    if slowed and fastest:
        slowest = max(item["yardstick_ms"] for item in slowed)
        said.append(
            f"{len(slowed)} of {len(rounds)} rounds: the machine itself was slower (the yardstick took up to "
            f"{slowest / fastest:.1f} times as long); {done}"
        )
    return said
