"""Words on a terminal that does not take all signs: a finished run must not fail on what it prints."""

from __future__ import annotations

import codecs
import sys

# What stands for signs that an encoding lacks; for others a question mark does.
INSTEAD = {
    "–": "-",
    "—": "-",
    "−": "-",
    "×": "x",
    "…": "...",
    "±": "+/-",
    "·": "*",
    "→": "->",
    "≤": "<=",
    "µ": "u",
}
HANDLER = "scopedepth.plain"


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(INSTEAD.get(sign, "?") for sign in signs), error.end


def print_on_any_terminal() -> None:
    """From here on standard output and error write what their encoding lacks in other signs, and raise nothing."""
    codecs.register_error(HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=HANDLER)
