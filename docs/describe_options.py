"""Writes docs/options.md, the loaders, families and alignments and their options, from the heads of their files."""

from __future__ import annotations

import ast

from scopedepth.job.extensions import ALIGNMENTS, FAMILIES, LOADERS, module_of, names_in
from scopedepth.job.identity import module_file
from scopedepth.vocabulary.alignments import alignment

HEAD = """\
# Loaders, families, alignments and their options

Made from the files' heads by `python docs/describe_protocols.py`; edit those. The types are those of
`workflow_scripts/scopedepth/config/options.py`, and what an option means stands at the head of its file. An alignment's
own options stand in `alignment.options`; a name without a type is a field of a protocol's `alignment` that it takes.

"""


def options_page() -> str:
    """Return docs/options.md."""
    parts = [HEAD]
    kinds = (("Loaders", LOADERS), ("Families of models", FAMILIES), ("Alignments", ALIGNMENTS))
    for title, folder in kinds:
        place = folder.replace(".", "/")
        parts.append(f"## {title}\n\nFiles of `workflow_scripts/scopedepth/{place}/`.\n\n")
        parts.append("| name | what it is | options |\n|---|---|---|\n")
        parts += [_row(name, folder) for name in names_in(folder)]
        parts.append("\n")
    return "".join(parts).rstrip() + "\n"


def _row(name: str, folder: str) -> str:
    tree = ast.parse(module_file(module_of(folder, name)).read_text(encoding="utf-8"))
    said = " ".join((ast.get_docstring(tree) or "").split("\n\n")[0].split())
    said = said.removeprefix(f"Loader `{name}`: ").rstrip(".:")
    # Fields of a protocol's `alignment` that only some of the methods take stand beside a method's own options.
    takes = alignment(name).takes if folder == ALIGNMENTS else ()
    shown = ", ".join(f"`{option}`" for option in (*takes, *_options(tree))) or "–"
    return f"| `{name}` | {said[:1].upper() + said[1:]} | {shown} |\n"


def _options(tree: ast.Module) -> list[str]:
    """Return the fields of the class `Options`, each as it is written, a factory's default in full."""
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Options")
    found = []
    for field in (node for one in classes for node in one.body if isinstance(node, ast.AnnAssign)):
        value = field.value
        if isinstance(value, ast.Call):
            factory = value.keywords[0].value
            value = factory.body if isinstance(factory, ast.Lambda) else ast.Dict([], [])
        default = "" if value is None else f" = {ast.unparse(value)}"
        text = f"{ast.unparse(field.target)}: {ast.unparse(field.annotation)}{default}"
        # A bar ends a table's cell.
        found.append(text.replace(" | ", " or ").replace("'", '"'))
    return found
