"""ScopeDepth: monocular depth models on endoscopic video, one prediction scored under every protocol.

This package is the library behind the workflow. It knows nothing of Snakemake: the rules' scripts hand it
paths and specs, and notebooks and tests import it directly. `scopedepth.score` and `scopedepth.open` are for
notebooks and training loops (`scopedepth.api`).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scopedepth.api import open, score

__all__ = ["open", "score"]


def __getattr__(name: str) -> object:
    # By name, so that no job of the workflow depends on it.
    if name in __all__:
        import importlib

        return getattr(importlib.import_module("scopedepth.api"), name)
    raise AttributeError(f"module 'scopedepth' has no attribute {name!r}")
