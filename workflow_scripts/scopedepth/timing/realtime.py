"""Does a model keep up with a video? And up to which size does it?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# A frame in a hundred may come late. It is a choice of ours; the shares themselves are in the table.
SHARE_IN_TIME = 0.99


@dataclass(frozen=True)
class Verdict:
    """Whether one model in one precision keeps up with a frame rate, one frame at a time, end to end."""

    model: str
    device: str
    precision: str
    fps: float
    share: float
    "share of the calls in time at the smallest frames that were timed"
    frame_size: str | None
    "largest timed frames, height x width, at which it keeps up; None where it does at none"
    input_size: str | None
    "largest timed network input, height x width, at which it keeps up; None where it does at none"

    @property
    def keeps_up(self) -> bool:
        return self.frame_size is not None


def realtime_verdicts(rows: Iterable[Mapping[str, Any]], share: float = SHARE_IN_TIME) -> list[Verdict]:
    """Return a verdict for each model, device and precision, from rows of the table TIMING.

    A model keeps up at a size if at least `share` of its end-to-end calls with one frame take no longer than
    one frame's time; of a model that asks for windows, no longer than a window's new frames take to arrive. Sizes
    that were not timed are not guessed.
    """
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if as_frames_come(row) and row["realtime_share"] is not None:
            groups.setdefault((row["model"], row["device"], row["precision"]), []).append(row)
    verdicts = []
    for (model, device, precision), timed in groups.items():
        timed = sorted(timed, key=lambda row: (pixels(row["frame_size"]), pixels(row["input_size"])))
        in_time = [row for row in timed if row["realtime_share"] >= share]
        verdicts.append(
            Verdict(
                model=model,
                device=device,
                precision=precision,
                fps=timed[0]["realtime_fps"],
                share=timed[0]["realtime_share"],
                frame_size=max((row["frame_size"] for row in in_time), key=pixels, default=None),
                input_size=max((row["input_size"] for row in in_time), key=pixels, default=None),
            )
        )
    return verdicts


def as_frames_come(row: Mapping[str, Any]) -> bool:
    """Whether a row of the table TIMING is of one frame a call, or of a model that asks for windows."""
    return bool((row.get("new_frames") or row["batch"]) == 1 or row.get("look_ahead"))


def pixels(size: str) -> int:
    """Return the number of pixels of a size written as height x width ("480x640")."""
    height, _, width = size.partition("x")
    return int(height) * int(width)
