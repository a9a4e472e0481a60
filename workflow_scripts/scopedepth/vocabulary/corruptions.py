"""The corruptions of images: what each is called, what it needs, how strong it is at each severity.

Each stands in the head of a file of the folder corruptions/, which is read and not imported, so that knowing them
costs nothing; the function of the same name in that file makes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from scopedepth.errors import ScopeDepthError
from scopedepth.job import extensions

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Corruption:
    """One kind of corruption.

    name: what configurations call it. label: what people call it. meaning: what `levels` measure, which are its
    strengths at severities 1 to 5. Lengths are shares of the frame's shorter side and areas shares of the frame, so
    that a severity means the same at each size of frames.
    needs_depth: it follows from each pixel's depth. moves: it moves pixels, and depth and flags with them. hides: it
    hides pixels, the same ones in all frames of a sequence, which have no depth then.
    file: the file of corruptions/ that makes it.
    """

    name: str
    label: str
    meaning: str
    levels: tuple[float, float, float, float, float]
    needs_depth: bool = False
    moves: bool = False
    hides: bool = False
    file: str = ""


def _found() -> Iterable[Corruption]:
    known: set[str] = set()
    for file in extensions.names_in(extensions.CORRUPTIONS):
        path = extensions.file_of(extensions.CORRUPTIONS, file)
        for one in extensions.made_alone(path, "CORRUPTIONS").get("CORRUPTIONS") or ():
            if one.name in known:
                raise ScopeDepthError(f"{path} says {one.name}, which is a corruption already. Rename it.")
            known.add(one.name)
            yield replace(one, file=file)


CORRUPTIONS: dict[str, Corruption] = {one.name: one for one in _found()}
