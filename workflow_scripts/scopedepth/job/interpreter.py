"""The path of the Python that runs the workflow, in a form that a shell takes as one word.

Snakemake writes that path into the shell's lines of its jobs without quotes: a space, an ampersand, a semicolon or a
quote in it breaks each of them. Jobs start in the folder where Snakemake runs, so a path from there will do.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from scopedepth.errors import ScopeDepthError

# What a shell takes as it is, letters of all languages among it.
PLAIN = re.compile(r"[\w@%+=:,./-]+")
LINK = Path(".snakemake", "scopedepth-python")


def plain_path(executable: str) -> str:
    """Return a path of `executable` that needs no quotes: itself, from here, or through a link in .snakemake/.

    The link leads to the folder of the environment, for Python finds that from the path that it is called by.
    Raises a `ScopeDepthError` where the link cannot be made.
    """
    if PLAIN.fullmatch(executable):
        return executable
    near = os.path.relpath(executable)
    if PLAIN.fullmatch(near):
        # With a slash in it, or a shell would look for the name in PATH.
        return os.path.join(os.curdir, near)
    environment = Path(executable).parent.parent
    linked = LINK / Path(executable).relative_to(environment)
    if PLAIN.fullmatch(str(linked)):
        try:
            LINK.parent.mkdir(exist_ok=True)
            if not (LINK.is_symlink() and LINK.readlink() == environment):
                # Beside it and renamed: another Snakemake may use the old one.
                new = LINK.with_name(f"{LINK.name}-{os.getpid()}")
                new.symlink_to(environment)
                new.replace(LINK)
            return str(linked)
        except OSError as error:
            reason = f"({LINK} cannot be made: {error.strerror}) "
    else:
        reason = ""
    raise ScopeDepthError(
        f"The path of the Python that runs Snakemake holds a sign that its shell does not take {reason}: {executable}. "
        "Use an environment whose path has letters, digits, - and _ only."
    )
