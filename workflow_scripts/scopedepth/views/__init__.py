"""Views: datasets made from another one when its frames are read. No pixel of theirs is stored.

The store of a view's unit holds one small file, view.json:

    view_of     the unit whose store holds the pixels; it lies beside this one
    digest      of that store's content
    lineage     the view's name, that of the dataset it is a view of, and so on to the one that is stored
    code        digest of the code of each kind of step
    sequences   name -> {"steps": [{"crop": {x, y, width, height}}, ...], "lost_depth": [frame, ...]}

A frame goes through the steps of its sequence in their order. `lost_depth` are the frames that have a depth in the
store and none in the view. The digest of this folder thus stands for the pixels and for all that is done to them.

A kind of step is a module of this package that holds a class `STEP`, loaded by its name: the code of the others is no
part of a view. It changes frames by what it holds itself, by their number in the sequence, with which a seed may be
mixed, and by their own depth and flags: whichever frames are read together, the outcome is the same.
"""

from __future__ import annotations

import importlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from scopedepth.errors import ScopeDepthError

if TYPE_CHECKING:  # whoever only plans jobs reads this too, and needs no arrays
    import numpy as np
    from numpy.typing import NDArray

VIEW_FILE = "view.json"
# The kinds of steps: the modules of this package.
KINDS = ("crop", "corrupt")
# What a view changes, as the configuration states it: {"view": its name, "sequences": patterns of those that it keeps,
# or None, "steps": [{kind: what its field says}, ...] in the order in which they are done}.
Change = Mapping[str, Any]


class Outside(ValueError):
    """A step asks for more than the frames have; the text says what, and of what size the frames are."""


@dataclass(frozen=True)
class Planes:
    """What else frames have before a step, read where a step asks: depth as stored (n, h, w), 0 or NaN where there is
    none, and flags, uint8 (n, h, w); None where the frames have none."""

    depth: Callable[[], NDArray[Any] | None]
    flags: Callable[[], NDArray[np.uint8] | None]


@dataclass(frozen=True)
class Step(ABC):
    """One change of a sequence's frames."""

    kind: ClassVar[str]

    @property
    def needs_depth(self) -> bool:
        """Whether it can be done to frames with depth alone."""
        return False

    @classmethod
    @abstractmethod
    def of(cls, stated: Any, sequence: str) -> Step | None:
        """Return the step that a view's field states for a sequence, None where it states none for it."""

    @classmethod
    @abstractmethod
    def patterns(cls, stated: Any) -> Iterable[str]:
        """Return the patterns of sequences' names in a view's field."""

    @classmethod
    def modules(cls, stated: Any) -> list[str]:
        """Return the modules that the step loads by name, for what a view's field states."""
        return []

    @abstractmethod
    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width after the step; raises `Outside` where it does not fit."""

    @abstractmethod
    def camera(self, intrinsics: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the camera matrix (3, 3) after the step."""

    @abstractmethod
    def rgb(self, frames: NDArray[np.uint8], first: int, planes: Planes) -> NDArray[np.uint8]:
        """Return images (n, h, w, 3) after the step; `first` is the number of the first one in its sequence."""

    @abstractmethod
    def plane(self, frames: NDArray[Any]) -> NDArray[Any]:
        """Return frames (n, h, w, ...) where the step puts their pixels: depth, flags, and what an image showed."""

    @abstractmethod
    def words(self, height: int, width: int) -> str:
        """Say what the step does to frames of this size."""


def step_module(kind: str) -> str:
    """Return the name of the module of a kind of step."""
    return f"scopedepth.views.{kind}"


def step_class(kind: str) -> type[Step]:
    """Return the class of a kind of step; an unknown kind is a ValueError."""
    if kind not in KINDS:
        raise ValueError(f"a step of unknown kind {kind!r}; known: {', '.join(KINDS)}")
    found: type[Step] = importlib.import_module(step_module(kind)).STEP
    return found


def modules_of(changes: Iterable[Change]) -> dict[str, list[str]]:
    """Return by the kind of each step in some changes, sorted, the modules that its steps load beside their own."""
    found: dict[str, set[str]] = {}
    for kind, stated in (one for change in changes for one in _stated(change)):
        found.setdefault(kind, set()).update(step_class(kind).modules(stated))
    return {kind: sorted(found[kind]) for kind in sorted(found)}


def _stated(change: Change) -> Iterable[tuple[str, Any]]:
    """Return the kind of each step of a change and what is stated of it."""
    return [(kind, stated) for step in change["steps"] for kind, stated in step.items()]


def steps_for(changes: Iterable[Change], sequence: str, size: tuple[int, int]) -> list[Step]:
    """Return the steps of one sequence of frames of `size` (height, width).

    `changes`: those of the views one after the other, the outermost last. A step that asks for more than the frames
    have is a `ScopeDepthError` that names the view's field.
    """
    steps: list[Step] = []
    for change in changes:
        for kind, stated in _stated(change):
            step = step_class(kind).of(stated, sequence)
            if step is None:
                continue
            try:
                size = step.size(*size)
            except Outside as error:
                raise ScopeDepthError(
                    f"datasets.{change['view']}.{kind}: {error} (sequence {sequence}). Correct it, or say with "
                    "`sequences` which ones it is for."
                ) from None
            steps.append(step)
    return steps


def chosen_sequences(changes: Iterable[Change], names: list[str], whole: bool = True) -> list[str]:
    """Return those of a dataset's sequences that its views keep.

    Where `names` are the `whole` dataset's, a pattern that fits no sequence is a `ScopeDepthError`.
    """
    for change in changes:
        wanted = change["sequences"] or ["*"]
        kept = [name for name in names if matches(name, wanted)]
        if whole:
            _check_patterns(change["view"], "sequences", wanted, names)
            for kind, stated in _stated(change):
                _check_patterns(change["view"], kind, step_class(kind).patterns(stated), kept)
        names = kept
    return names


def _check_patterns(view: str, field: str, patterns: Iterable[str], names: list[str]) -> None:
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ScopeDepthError(
                f"datasets.{view}.{field}: {pattern!r} fits no sequence. There are: {', '.join(names)}."
            )


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a sequence's name fits any of the patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def plain_steps(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """Return steps as view.json states them."""
    return [{step.kind: asdict(step)} for step in steps]


def steps_of(plain: Iterable[Mapping[str, Any]]) -> list[Step]:
    """Return the steps that view.json states of a sequence."""
    return [step_class(kind)(**fields) for step in plain for kind, fields in step.items()]


def read_view(store: Path) -> dict[str, Any] | None:
    """Return what the view at `store` states, None where the store is none. A damaged one is a `ScopeDepthError`."""
    file = store / VIEW_FILE
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if all(key in content for key in ("view_of", "digest", "lineage", "sequences")):
            return dict(content)
        problem = "it does not say of what it is a view"
    except (OSError, ValueError, RecursionError, TypeError) as error:
        problem = str(error)
    raise ScopeDepthError(f"The view {file} is damaged ({problem}). Delete {store} and make it again.")
