"""Where the project keeps what it can work out again: compiled functions and the digests of its own files."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def cache_folder(name: str) -> Path | None:
    """Return a folder `name` that can be written: in NUMBA_CACHE_DIR, beside the source, in the home or for a while.

    The first ones are read-only in containers and on clusters. None where there is no place that is the user's own.
    """
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    for base in [*([Path(chosen)] if chosen else []), ROOT / "__pycache__"]:
        if _can_write(base / name):
            return base / name
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    for base in (Path(caches, "scopedepth"), Path(tempfile.gettempdir(), f"scopedepth-{os.getuid()}")):
        # Where others can write, anybody could have put a folder there, and what lies in it is believed or run.
        if _can_write(base) and _is_private(base) and _can_write(base / name):
            return base / name
    return None


def keep_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write down what is kept, at once, beside other processes. Where that fails, it is worked out again."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        beside.write_text(json.dumps(content), encoding="utf-8")
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _can_write(folder: Path) -> bool:
    """Make a folder, unless it is there; returns whether files can be written into it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _is_private(folder: Path) -> bool:
    facts = folder.lstat()
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o022
