"""The table of corruptions in docs/robustness.md, from their files; `python docs/describe_protocols.py` writes it."""

from __future__ import annotations

import ast
from pathlib import Path

from scopedepth.job.extensions import CORRUPTIONS as FOLDER
from scopedepth.job.extensions import file_of
from scopedepth.vocabulary.corruptions import CORRUPTIONS, Corruption

PAGE = Path(__file__).parent / "robustness.md"
BEGIN, END = "<!-- made by docs/describe_protocols.py -->", "<!-- end of what was made -->"


def robustness_page() -> str:
    """Return docs/robustness.md with the table as the files say it."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    rows = ["| kind | what it shows | level | at severities 1 to 5 |", "|---|---|---|---|"]
    rows += [_row(kind) for kind in CORRUPTIONS.values()]
    return "\n".join([before + BEGIN, *rows, END]) + rest.partition(END)[2]


def _row(kind: Corruption) -> str:
    tree = ast.parse(file_of(FOLDER, kind.file).read_text(encoding="utf-8"))
    made = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == kind.name)
    said = (
        " ".join((ast.get_docstring(made) or "").split("\n\n")[0].split()).removeprefix("Return ").rstrip(".")
    )
    levels = ", ".join(f"{level:g}" for level in kind.levels)
    return f"| `{kind.name}` | {said} | {kind.meaning} | {levels} |"
