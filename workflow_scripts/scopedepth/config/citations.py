"""Citations: what a configuration says of them, as BibTeX.

A citation is BibTeX itself, words, or keys of the file citations.bib, each behind an at sign: ``@key; @key``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from scopedepth.job.shipped import shipped

FILE = "citations.bib"
_ENTRY = re.compile(r"@\s*([A-Za-z]+)\s*\{\s*([^\s,{}\"#%~\\]+)\s*,")
_KEYS = re.compile(r"@[^\s,;{}@]+(?:[\s,;]+@[^\s,;{}@]+)*")


def expand(citation: str) -> str:
    """Return the entries that `citation` names by key, or `citation` as it is where it names none."""
    if not _KEYS.fullmatch(citation.strip()):
        return citation
    known = bibliography()
    wanted = re.findall(r"@([^\s,;]+)", citation)
    for key in wanted:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
            hint = f"; the nearest is '@{near[0]}'" if near else ""
            raise ValueError(f"{FILE} has no entry {key!r}{hint}")
    return "\n\n".join(known[key] for key in wanted)


Citation = Annotated[str, AfterValidator(expand)]


def bibliography() -> dict[str, str]:
    """Return the entries of citations.bib by their keys: the folder's over those that come with the workflow."""
    found = [path for path in (shipped(FILE), Path(FILE)) if path is not None and path.is_file()]
    return {key: entry for path in found for key, entry in _read(path, path.stat().st_mtime_ns).items()}


@cache
def _read(path: Path, _modified: int) -> dict[str, str]:
    return dict(entries(path.read_text(encoding="utf-8")))


def entries(text: str) -> Iterator[tuple[str, str]]:
    """Yield (key, entry) of every whole BibTeX entry in `text`; what is not one is passed over."""
    at = 0
    while found := _ENTRY.search(text, at):
        end = _closing(text, text.index("{", found.start()))
        if end is None:
            return
        if found.group(1).lower() not in ("string", "preamble", "comment"):
            yield found.group(2), text[found.start() : end + 1].strip()
        at = end + 1


def _closing(text: str, opening: int) -> int | None:
    """Return where the brace at `opening` is closed."""
    depth = 0
    for at in range(opening, len(text)):
        if text[at] in "{}" and text[at - 1] != "\\":
            depth += 1 if text[at] == "{" else -1
            if depth == 0:
                return at
    return None
