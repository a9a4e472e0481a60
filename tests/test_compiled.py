"""Compiled code is never older than its source, also where the edit is in another file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from scopedepth.job.compiled import COMPILED

JOB = Path("workflow_scripts/scopedepth/job")
CALLEE = (
    "from scopedepth.job.compiled import njit\n\n\n@njit(cache=True)\ndef inner(x):\n    return x + {added}\n"
)
CALLER = (
    "from scopedepth.job.compiled import njit\nfrom scopedepth.evaluation.inner.callee import inner\n\n\n"
    "@njit(cache=True)\ndef outer(x):\n    return inner(x)\n"
)


@pytest.mark.parametrize("chosen", [True, False], ids=["user's cache", "beside the source"])
def test_an_edit_of_a_called_function_in_another_file_is_compiled(
    root: Path, tmp_path: Path, chosen: bool
) -> None:
    package = tmp_path / "scopedepth"
    (package / "evaluation" / "inner").mkdir(parents=True)
    (package / "phantom").mkdir()
    (package / "job").mkdir()
    (package / "__init__.py").touch()
    (package / "evaluation" / "__init__.py").touch()
    for name in ("caches.py", "compiled.py"):
        shutil.copy(root / JOB / name, package / "job")
    (package / "evaluation" / "caller.py").write_text(CALLER)
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    if chosen:
        environment["NUMBA_CACHE_DIR"] = str(tmp_path / "cache")

    def run(folder: Path = tmp_path) -> str:
        program = (
            "from scopedepth.evaluation.caller import outer\n"
            "print(outer(1), sum(outer.stats.cache_hits.values()))"
        )
        return subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env={**environment, "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    (package / "evaluation" / "inner" / "callee.py").write_text(CALLEE.format(added=1))
    assert run() == "2 0"
    assert run() == "2 1", "the second run finds the compiled code"
    (package / "evaluation" / "inner" / "callee.py").write_text(CALLEE.format(added=5))
    assert run() == "6 0"
    if chosen:
        # A copy elsewhere, with other times, finds the same code.
        copied = tmp_path / "elsewhere" / "scopedepth"
        shutil.copytree(package, copied, copy_function=shutil.copyfile)
        assert run(copied.parent) == "6 1"


# What is imported first lies where not everybody may look.
CACHE = (
    "import __future__, hashlib, numba, os, stat, tempfile; os.setgid({0}); os.setuid({0})\n"
    "import scopedepth.job.compiled; print(numba.config.CACHE_DIR)"
)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a command as somebody else")
def test_where_code_and_home_are_read_only_the_cache_is_private_and_temporary(
    root: Path, tmp_path: Path
) -> None:
    nobody = 65534
    # Somebody else has to get here: through all folders that pytest made for root alone.
    for folder in [tmp_path, *tmp_path.parents]:
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    package = tmp_path / "scopedepth"
    (package / "job").mkdir(parents=True)
    (package / "__init__.py").touch()
    for name in ("caches.py", "compiled.py"):
        shutil.copy(root / JOB / name, package / "job")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    temporary.chmod(0o777)
    kept = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    environment = {**kept, "PYTHONPATH": str(tmp_path), "HOME": "/proc/nowhere", "TMPDIR": str(temporary)}

    def cache() -> Path:
        done = subprocess.run(
            [sys.executable, "-c", CACHE.format(nobody)],
            env={**environment, "XDG_CACHE_HOME": "", "PYTHONDONTWRITEBYTECODE": "1"},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return Path(done.stdout.strip())

    first = cache()
    assert first.parent == temporary / f"scopedepth-{nobody}"
    assert first.parent.stat().st_mode & 0o777 == 0o700
    assert cache() == first, "a second process finds what the first one compiled"
    # A folder that somebody else could have put code into is not used.
    first.parent.chmod(0o777)
    other = cache()
    assert other.parent == temporary
    assert other.stat().st_mode & 0o777 == 0o700


def test_all_compiled_code_goes_through_this_cache(root: Path) -> None:
    library = root / "workflow_scripts" / "scopedepth"
    for path in library.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name != "compiled.py":
            assert not re.search(r"^(from|import) numba", text, re.MULTILINE), (
                f"{path.name}: use scopedepth.job.compiled"
            )
        if "scopedepth.job.compiled import" in text:
            package = path.relative_to(library).parts[0]
            assert package in COMPILED, f"{path.name}: name its package in COMPILED"
