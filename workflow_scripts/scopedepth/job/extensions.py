"""What the project finds by its file: loaders, families, alignments, metrics; and the options that a spec hands to one.

A file in the folder is one: no list names it. What it says in its head is read while planning without importing it
(`made_alone`): the class `Options` of a loader, a family or an alignment, a frozen dataclass, which `config.options`
checks; the `ALIGNMENT` of an alignment, and the `METRICS` of a file of metrics.
"""

from __future__ import annotations

import ast
import difflib
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from scopedepth.errors import ScopeDepthError

ROOT = Path(__file__).parents[1]
LOADERS, FAMILIES, METRICS = "datasets.loaders", "models.families", "metrics"
ALIGNMENTS = "evaluation.alignments"
T = TypeVar("T")


@dataclass(frozen=True)
class NoOptions:
    """Of a file without a class `Options`."""


def names_in(folder: str) -> tuple[str, ...]:
    """Return the names of the extensions in a folder of the package, such as `LOADERS`."""
    files = ROOT.joinpath(*folder.split(".")).glob("*.py")
    return tuple(sorted(path.stem for path in files if not path.stem.startswith("_")))


def module_of(folder: str, name: str) -> str:
    """Return the dotted name of an extension's module."""
    return f"scopedepth.{folder}.{name}"


def file_of(folder: str, name: str) -> Path:
    """Return an extension's file."""
    return ROOT.joinpath(*folder.split("."), f"{name}.py")


def made_alone(path: Path, wanted: str) -> dict[str, Any]:
    """Return what a file's definition of `wanted` makes: that name, and those that it needs, by name.

    Of the file, only the statements are run that these names come from. Empty where `wanted` is not defined.
    """
    statements = list(_top(path))
    makers = {made: statement for statement in statements for made in _makes(statement)}
    needed: set[ast.stmt] = set()
    waiting = [wanted]
    while waiting:
        maker = makers.get(waiting.pop())
        if maker is not None and maker not in needed:
            needed.add(maker)
            waiting += [node.id for node in ast.walk(maker) if isinstance(node, ast.Name)]
    made: dict[str, Any] = {"__name__": path.stem}
    body = [statement for statement in statements if statement in needed]
    # Without this module's own __future__, so that annotations are types.
    exec(compile(ast.Module(body, []), str(path), "exec", dont_inherit=True), made)
    return made


def defines(folder: str, name: str, what: str) -> bool:
    """Say whether an extension's file defines `what`, such as a function."""
    return any(what in _makes(statement) for statement in _top(file_of(folder, name)))


def _top(path: Path) -> Iterator[ast.stmt]:
    """Yield a file's statements, those under ``if TYPE_CHECKING:`` among them."""
    for statement in ast.parse(path.read_text(encoding="utf-8"), filename=str(path)).body:
        if isinstance(statement, ast.If) and getattr(statement.test, "id", None) == "TYPE_CHECKING":
            yield from statement.body
        else:
            yield statement


def _makes(statement: ast.stmt) -> list[str]:
    """Return the names that a statement gives a meaning."""
    if isinstance(statement, ast.ClassDef | ast.FunctionDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in statement.names]
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return [target.id for target in targets if isinstance(target, ast.Name)]


def load(folder: str, spec: Mapping[str, Any]) -> Any:
    """Import what a dataset's, model's or alignment's spec names, and return the module, options checked by name."""
    module = importlib.import_module(module_of(folder, _named(spec)[1]))
    read_options(spec, getattr(module, "Options", NoOptions))
    return module


def read_options(spec: Mapping[str, Any], kind: type[T]) -> T:
    """Return the options of a spec as its file's class `Options`; what that does not take is a `ScopeDepthError`."""
    whose, _ = _named(spec)
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for name in spec["options"]:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"nearest: {near[0]}" if near else "it has " + (", ".join(known) or "none")
            raise ScopeDepthError(f"{whose} has no option {name} ({hint}).")
    try:
        options = kind(**spec["options"])
    except ValueError as error:
        raise ScopeDepthError(f"{whose}: options.{error}.") from None
    for field in fields(kind):  # type: ignore[arg-type]
        value, choices = getattr(options, field.name), _choices(str(field.type))
        if choices and value is not None and value not in choices:
            raise ScopeDepthError(
                f"{whose} has no {field.name} {value!r:.60}; there are {', '.join(choices)}."
            )
    return options


def _choices(annotation: str) -> tuple[str, ...]:
    """Return the words of an annotation ``Literal["a", "b"]``; none where it names others elsewhere."""
    for node in ast.walk(ast.parse(annotation, mode="eval")):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
            words = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if all(isinstance(word, ast.Constant) for word in words):
                return tuple(str(ast.literal_eval(word)) for word in words)
    return ()


def _named(spec: Mapping[str, Any]) -> tuple[str, str]:
    """Return how messages call what a spec names, and its name."""
    if "loader" in spec:
        return f"Dataset {spec['name']}: loader {spec['loader']}", spec["loader"]
    if "method" in spec:
        return f"Alignment {spec['method']}", spec["method"]
    return f"Model {spec['name']}: family {spec['family']}", spec["family"]
