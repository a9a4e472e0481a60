"""Small jobs start without libraries that others load only because they are there.

pyarrow imports pandas for its own conversions, and numba SciPy for linear algebra, wherever they are installed.
A study has thousands of fits and scores, each a process of its own that uses neither, and a third of a second each
is what both would take. For these processes they are not there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _NotHere(MetaPathFinder):
    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"{fullname} is left out of this process", name=fullname)
        return None


def let_in(name: str) -> None:
    """Let the import of a top-level module succeed again, where this process turned out to use it."""
    for finder in sys.meta_path:
        if isinstance(finder, _NotHere):
            finder.names = tuple(one for one in finder.names if one != name)


def leave_out(*names: str) -> None:
    """Let imports of the top-level modules `names` fail in this process, as if they were not installed."""
    sys.meta_path.insert(0, _NotHere(names))
