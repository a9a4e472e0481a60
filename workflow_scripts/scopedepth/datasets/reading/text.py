"""Text files of a dataset: cameras, lists."""

from __future__ import annotations

from pathlib import Path

from scopedepth.errors import ScopeDepthError


def read_text(path: Path, what: str) -> str:
    """Return the text of a file; `what` it is stands in the `ScopeDepthError` where it cannot be read as text."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ScopeDepthError(f"The {what} {path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise ScopeDepthError(f"The {what} {path} is no text ({error.reason}).") from error
