"""The alignments: what each is called, how many numbers it fits, what it takes; read from their files' heads.

A file of evaluation/alignments/ is one. Its head is read and not imported, so that planning costs no numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

from scopedepth.errors import ScopeDepthError
from scopedepth.job import extensions

Space = Literal["depth", "disparity", "log_depth"]
Takes = Literal["weight", "pool", "depth_epsilon", "constant"]


@dataclass(frozen=True)
class Alignment:
    """One way to fit an output to the reference.

    sentence: what the report says of predictions that were fitted so.
    parameters: how many numbers it finds: 0; 1, a factor, which in log depth is an offset; 2, factor and offset.
    gathers: what a fit over several frames needs of them, in as many passes: "sums" one, "middles" two, "deviations"
    three. "frame": it needs the pixels themselves, and fits each frame by itself.
    takes: the fields of a protocol's `alignment` that it follows beside those that all have.
    spaces: those that it fits in.
    drifts: its factor, from frame to frame, says how a model's scale drifts.
    """

    sentence: str
    parameters: Literal[0, 1, 2]
    gathers: Literal["sums", "middles", "deviations", "frame"] = "frame"
    takes: tuple[Takes, ...] = ()
    drifts: bool = True
    spaces: tuple[Space, ...] = get_args(Space)

    @property
    def needs_ends(self) -> bool:
        """Whether the least and greatest output are looked at, which tell a constant and an infinite one."""
        return self.parameters == 2 or self.gathers == "sums"


NAMES = extensions.names_in(extensions.ALIGNMENTS)


@cache
def alignment(name: str) -> Alignment:
    """Return what the file of an alignment says in its head; a file that says nothing is a `ScopeDepthError`."""
    path = extensions.file_of(extensions.ALIGNMENTS, name)
    said: Any = extensions.made_alone(path, "ALIGNMENT").get("ALIGNMENT")
    if not isinstance(said, Alignment):
        raise ScopeDepthError(f"{path} says no ALIGNMENT. Correct the file, or remove it.")
    return said


def that_take(field: Takes) -> str:
    """Return the names of the alignments that take a field, as words."""
    return ", ".join(name for name in NAMES if field in alignment(name).takes)
