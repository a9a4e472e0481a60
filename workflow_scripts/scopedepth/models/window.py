"""Windows: which frames a model is given at once that asks for more than one frame of a video, in their order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

KEEPS = ("earlier", "later")


class Piece(NamedTuple):
    """One window: the frames [first, stop) that the model is given, and those [kept, end) whose answers are kept."""

    first: int
    stop: int
    kept: int
    end: int


@dataclass(frozen=True)
class Window:
    """What a model asks for: `frames` at once, the first `overlap` of them those that the window before ended with.

    A sequence's windows begin at 0, frames - overlap, 2 (frames - overlap), ...; the last ones may be shorter. `keep`:
    whose answer for the frames of an overlap is kept, the earlier window's or the later one's; with the earlier's, a
    window that would hold no new frame is left out. `memory`: whether what
    the model says of a window may depend on the windows before it; windows are then given from a sequence's first.
    """

    frames: int
    overlap: int = 0
    keep: str = "earlier"
    memory: bool = True

    @classmethod
    def of(cls, said: Any) -> Window:
        """Return the window that a class states as a mapping; raises ValueError with what is wrong."""
        fields = list(cls.__dataclass_fields__)
        if not isinstance(said, Mapping) or "frames" not in said or not set(said) <= set(fields):
            raise ValueError(
                f"window is a dict with frames and, if need be, overlap, keep, memory; not {said!r:.60}"
            )
        found = cls(**said)
        numbers = [found.frames, found.overlap]
        if any(not isinstance(one, int) or isinstance(one, bool) for one in numbers) or not found.frames > 0:
            raise ValueError("window's frames and overlap are whole numbers, and frames is above 0")
        if not 0 <= found.overlap < found.frames:
            raise ValueError("window's overlap is 0 or more, and less than its frames")
        if found.keep not in KEEPS or not isinstance(found.memory, bool):
            raise ValueError(f"window's keep is {' or '.join(KEEPS)}, and its memory True or False")
        return found

    @property
    def step(self) -> int:
        """How many frames further each window begins: as many are new in it."""
        return self.frames - self.overlap

    @property
    def look_ahead(self) -> int:
        """How many frames after a frame must be there before its kept answer is, at most, after the first window."""
        return self.frames - 1 - (self.overlap if self.keep == "earlier" else 0)

    def pieces(self, n_frames: int) -> Iterator[Piece]:
        """Yield the windows of a sequence of `n_frames`, in order; each frame is kept from one of them."""
        for first in range(0, n_frames, self.step):
            stop = min(first + self.frames, n_frames)
            if self.keep == "later":
                yield Piece(first, stop, first, min(first + self.step, n_frames))
            elif first == 0 or first + self.overlap < n_frames:
                yield Piece(first, stop, first + self.overlap if first else 0, stop)
