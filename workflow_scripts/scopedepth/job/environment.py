"""What is installed in another Python: its version, and each package's name and version.

This file is run by that Python, alone (`python -I environment.py`): so it is the standard library of Python 3.9 at its
top, and says what is installed as JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

SECONDS = 60
_kept: dict[str, tuple[list[Any], dict[str, Any]]] = {}


def installed_here() -> dict[str, Any]:
    """Return this Python's ``{"python": version, "packages": ["name==1.2", ...], "path": folders of packages}``.

    A package that was installed from a repository has the commit behind its version, as pip writes it down.
    """
    found: dict[str, str] = {}
    for one in metadata.distributions():
        said = one.metadata
        name = (said["Name"] or "").lower().replace("_", "-").replace(".", "-")
        if name and name not in found:  # the first on the path is what is imported
            commit = json.loads(one.read_text("direct_url.json") or "{}").get("vcs_info", {}).get("commit_id")
            found[name] = f"{name}=={said['Version']}" + (f"@{commit}" if commit else "")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    folders = [path for path in sys.path if os.path.isdir(path)]
    return {"python": python, "packages": sorted(found.values()), "path": folders}


def installed_in(interpreter: Path) -> dict[str, Any]:
    """Return ``{"python": ..., "packages": [...]}`` of another Python; raises `ScopeDepthError` where it says nothing.

    It is started once, and again where one of its folders of packages has changed in the meantime.
    """
    from scopedepth.errors import ScopeDepthError

    key = str(interpreter)
    if key not in _kept or _kept[key][0] != _state(interpreter, _kept[key][1]["path"]):
        command = [key, "-I", str(Path(__file__).absolute())]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
            said = json.loads(answer.stdout)
        except (OSError, ValueError, RecursionError, subprocess.SubprocessError) as error:
            last = str(getattr(error, "stderr", None) or error).strip().splitlines()[-1:]
            raise ScopeDepthError(
                f"{interpreter} does not say what is installed: {' '.join(last)}"
            ) from error
        _kept[key] = (_state(interpreter, said["path"]), said)
    said = _kept[key][1]
    return {"python": said["python"], "packages": said["packages"]}


def interpreter_at(named: str) -> Path | None:
    """Return the Python that a configuration names, by a path or as it stands in PATH; None where there is none.

    Links are left as they are: an environment is known by the path that its Python is called by.
    """
    import shutil

    found = shutil.which(os.path.expanduser(named))
    return None if found is None else Path(os.path.abspath(found))


def environment_digest(named: str) -> str:
    """Return ``sha256:...`` over what is installed for the Python that is named; ``none`` where there is none."""
    from scopedepth.errors import ScopeDepthError

    interpreter = interpreter_at(named)
    try:
        said = None if interpreter is None else installed_in(interpreter)
    except ScopeDepthError:
        said = None
    if said is None:
        return "none"
    return "sha256:" + hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _state(interpreter: Path, folders: list[str]) -> list[Any]:
    """Return what changes when packages are installed: times of the interpreter and of the folders of packages."""
    found: list[Any] = []
    for path in (interpreter, *map(Path, folders)):
        facts = path.stat() if path.exists() else None
        found.append(facts and [facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns])
    return found


if __name__ == "__main__":
    print(json.dumps(installed_here()))
