"""Which ScopeDepth this is."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path


def own_version() -> str:
    """Return ScopeDepth's version, also in a clone that is not installed."""
    try:
        text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
        return str(tomllib.loads(text)["project"]["version"])
    except (OSError, KeyError, ValueError):
        pass
    try:
        return metadata.version("scopedepth")
    except metadata.PackageNotFoundError:
        return "unknown"
