"""Environments of Python as users have them, made in a moment: the packages are those of the tests' own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from project import ROOT

SCRIPTS = {"snakemake": "snakemake.cli", "scopedepth": "scopedepth.cli"}


def make_environment(folder: Path, library: Path | None = None) -> None:
    """Make an environment in `folder` with the commands `snakemake` and `scopedepth`, as pip writes them.

    `library`: the folder that an editable installation would name; None copies the library as pip does otherwise.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next((folder / "lib").glob("python3*")) / "site-packages"
    lines = [sysconfig.get_path("purelib")]
    if library is not None:
        lines.insert(0, str(library))
    else:
        copied = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "workflow_scripts" / "scopedepth", packages / "scopedepth", ignore=copied)
    (packages / "there.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name, module in SCRIPTS.items():
        script = folder / "bin" / name
        # pip's own form for paths that a first line cannot hold.
        script.write_text(
            f"#!/bin/sh\n'''exec' \"{folder / 'bin' / 'python'}\" \"$0\" \"$@\"\n' '''\n"
            f"import sys\nfrom {module} import main\nsys.exit(main())\n",
            encoding="utf-8",
        )
        script.chmod(0o755)
    # What the Makefile leaves where it has installed.
    (folder / ".installed").touch()
    (folder / ".installed-dev").touch()
