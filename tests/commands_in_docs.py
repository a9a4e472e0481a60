"""The commands that README and docs give: found in their text, as a reader would copy them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

# What a reader types; a line that begins otherwise is output, a path or a picture.
PROGRAMS = (
    "snakemake",
    "scopedepth",
    "make",
    "python",
    "python3.11",
    "pip",
    "git",
    "docker",
    "apptainer",
    "cd",
    "export",
    ".",
)
FENCE = re.compile(r"^[ \t]*```(\w*)\n(.*?)^[ \t]*```", re.MULTILINE | re.DOTALL)
SHELLS = ("", "bash", "sh", "shell", "console")
INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def commands(page: Path) -> Iterator[str]:
    """Yield the commands of a page in order: lines of fenced blocks, and inline ones that have an argument."""
    text = page.read_text(encoding="utf-8")
    at = 0
    for fence in FENCE.finditer(text):
        yield from _inline(text[at : fence.start()])
        if fence[1] in SHELLS:
            yield from filter(_is_command, map(_bare, fence[2].splitlines()))
        at = fence.end()
    yield from _inline(text[at:])


def _inline(text: str) -> Iterator[str]:
    for match in INLINE.finditer(text):
        yield from filter(_is_command, [_bare(" ".join(match[1].split()))])


def _bare(line: str) -> str:
    """Return a line without its prompt, and without a comment behind it."""
    return re.sub(r"\s+#.*$", "", line.strip().removeprefix("$ ")).strip()


def _is_command(line: str) -> bool:
    words = line.split()
    while words and re.match(r"[A-Z_]+=", words[0]):  # CUDA_VISIBLE_DEVICES=2 snakemake ...
        del words[0]
    return len(words) > 1 and words[0] in PROGRAMS
