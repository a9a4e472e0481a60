"""Identity: what makes a result stale.

A result is the outcome of code + spec + data + weights. Data and weights are inputs of a rule. This module
gives the other two a form that Snakemake compares rightly: one canonical JSON string for a spec, and a digest
of each library module that a rule's script imports, directly or through other modules.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from scopedepth.job.caches import cache_folder, keep_json

PACKAGE = "scopedepth"
ROOT = Path(__file__).parents[1]

# Code that says how or where a job is going, and can change nothing in what it makes.
NEUTRAL = frozenset(
    {
        "scopedepth.job.caches",
        "scopedepth.job.devices",
        "scopedepth.errors",
        "scopedepth.job.run",
        "scopedepth.job.progress",
        "scopedepth.job.heap",
        "scopedepth.job.leaves",
        "scopedepth.job.scratch",
    }
)


# A word between spaces, with what a sentence puts behind it.
WORD = re.compile(r"(?<!\S)[A-Za-z][a-z']*[.,:;)]?(?!\S)")
# Of these modules come the words of annotations; one that decides, in a call of isinstance, stands there as well.
FOR_ANNOTATIONS = ("typing", "collections.abc")
# What an error is called.
ERRORS = ("Error", "Warning", "UnreadableFrame")


def canonical_json(spec: Mapping[str, Any]) -> str:
    """Return the one string that stands for `spec`: keys sorted, no spaces, no NaN."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def module_digests(script: Path, extra_modules: Iterable[str] = ()) -> dict[str, str]:
    """Return a short digest of each module behind `script`, by the module's name.

    Behind it are the script itself and every module of this package that it imports, directly or through
    others, each as a syntax tree without words (`_drop_words`): comments, formatting and file times do not count.
    `extra_modules` are dotted names that the code loads by name at run time, a model's family for example.
    What only reports on a job (`NEUTRAL`) is left out.
    """
    digests: dict[str, str] = {}
    known = _kept()
    before = len(known)
    waiting: list[tuple[str, Path]] = [(script.name, script)]
    waiting += [(name, module_file(name)) for name in extra_modules]
    while waiting:
        name, path = waiting.pop()
        if name in digests or name in NEUTRAL:
            continue
        digests[name], imported = _parse(path, path.stat().st_mtime_ns)
        waiting += [(module, module_file(module)) for module in imported]
    kept_in = _kept_in()
    if kept_in is not None and len(known) > before:
        # What another process keeps at the same time may be lost, and is found again.
        keep_json(kept_in, known)
    return dict(sorted(digests.items()))


def file_digests(*folders: str) -> dict[str, str]:
    """Return a short digest of each file in folders of this package that its code reads, by the file's place in it."""
    files = sorted(path for folder in folders for path in (ROOT / folder).iterdir() if path.is_file())
    return {
        path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in files
    }


def declared(module: str, name: str) -> list[str] | None:
    """Return the names that a module of this package declares in a constant `name`, or None where it has none.

    The module is read and not imported: planning must not load what a loader or a network needs.
    """
    path = module_file(module)
    return _declared(path, name, path.stat().st_mtime_ns)


@cache
def _declared(path: Path, name: str, _modified: int) -> list[str] | None:
    for node in ast.parse(path.read_text(encoding="utf-8"), filename=str(path)).body:
        if isinstance(node, ast.Assign) and any(getattr(t, "id", None) == name for t in node.targets):
            return sorted(ast.literal_eval(node.value))
    return None


def code_digest(script: Path, extra_modules: Iterable[str] = ()) -> str:
    """Return ``sha256:...`` over `module_digests`: the code behind a script or a module file in one string."""
    return (
        "sha256:" + hashlib.sha256(canonical_json(module_digests(script, extra_modules)).encode()).hexdigest()
    )


def module_file(name: str) -> Path:
    base = ROOT.joinpath(*name.split(".")[1:])
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


@cache
def _parse(path: Path, _modified: int) -> tuple[str, tuple[str, ...]]:
    """Return the digest of a file's syntax tree and the package modules that it imports."""
    content = path.read_bytes()
    known, key = _kept(), hashlib.sha256(content).hexdigest()
    if key not in known:
        tree = ast.parse(content, filename=str(path))
        named = sorted(set(_imports(tree)))
        _drop_words(tree)
        known[key] = [hashlib.sha256(_written_out(tree).encode()).hexdigest()[:16], named]
    digest, named = known[key]
    # Which of them are modules is asked anew: a file may have come or gone.
    return digest, tuple(sorted({module for name in named for module in _with_parents(name)}))


@cache
def _kept() -> dict[str, list[Any]]:
    """Return what files held when they were parsed in earlier processes, by the digest of their bytes.

    Parsing the library takes most of a second of each start. A list holds a file's digest and the names it imports.
    """
    path = _kept_in()
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError, RecursionError):
        found = {}
    whole = isinstance(found, dict) and all(isinstance(one, list) and len(one) == 2 for one in found.values())
    # Where it has grown to the library's files many times over, most are of files that were edited since.
    return found if whole and len(found) < 5000 else {}


@cache
def _kept_in() -> Path | None:
    """Return the file of `_kept`: one for each version of Python and of this module, which makes what it holds."""
    folder = cache_folder("parsed")
    mine = hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode()).hexdigest()[:16]
    return folder / f"{mine}.json" if folder else None


def _imports(tree: ast.AST) -> Iterable[str]:
    """Yield the names of this package in import statements anywhere in `tree`, type-checking blocks left out."""
    for node in _statements(tree, running=True):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from scopedepth.models import base` names a module, not an attribute.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name == PACKAGE or name.startswith(PACKAGE + "."))


def _with_parents(name: str) -> Iterable[str]:
    """Yield the module `name`, if this package has it, and the packages above it, whose code runs as well."""
    if not module_file(name).is_file():
        return
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])


def _statements(tree: ast.AST, *, running: bool = False) -> Iterable[ast.AST]:
    """Walk the statements of `tree`, at every depth; with `running` without what stands under ``if TYPE_CHECKING:``.

    Expressions, the most part of a tree, hold no statements and are passed by.
    """
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if running and _for_type_checker(node):
            waiting += getattr(node, "orelse", ())
            continue
        yield node
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, block, ())


def _for_type_checker(node: ast.AST) -> bool:
    """Say whether a statement is an ``if TYPE_CHECKING:``."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _for_annotations(node: ast.AST) -> bool:
    """Say whether a statement imports words of annotations, under their own names."""
    return (
        isinstance(node, ast.ImportFrom)
        and node.module in FOR_ANNOTATIONS
        and all(alias.asname is None for alias in node.names)
    )


def _drop_words(tree: ast.Module) -> None:
    """Take out of a syntax tree what says something and computes nothing.

    That is docstrings, annotations of arguments and results, what a module's first level imports for them, the text of
    errors (what is raised, and calls of what is named like an error) and what is printed.
    """
    tree.body = [
        node
        for statement in tree.body
        for node in (getattr(statement, "orelse", ()) if _for_type_checker(statement) else (statement,))
        if not _for_annotations(node)
    ]
    for node in _statements(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
            given = node.args
            for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg):
                if argument is not None:
                    argument.annotation = None
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            _silence(node.exc)
        elif isinstance(node, ast.Expr) and _called(node.value) == "print":
            node.value = ast.Constant(None)
    for node in _expressions(tree):
        if _called(node).endswith(ERRORS):
            _silence(node)


def is_sentence(node: ast.AST) -> bool:
    """Say whether a string says something to a reader: four words or more; two in one that is put together.

    No number may depend on what such a string says: a test holds the library to it.
    """
    if isinstance(node, ast.JoinedStr):
        parts = [part.value for part in node.values if isinstance(part, ast.Constant)]
        return len(WORD.findall(" ".join(map(str, parts)))) >= 2
    return (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and len(WORD.findall(node.value)) >= 4
    )


def _called(node: ast.AST) -> str:
    """Return the name of what an expression calls, without what stands before a dot; empty for another expression."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _expressions(tree: ast.AST) -> Iterable[Any]:
    """Yield the calls in `tree` that stand in assignments, returns and ``raise ... from`` rather than in `raise`."""
    for node in _statements(tree):
        for value in (getattr(node, "value", None), getattr(node, "exc", None)):
            if isinstance(value, ast.Call):
                yield value
            elif isinstance(value, ast.IfExp):
                yield from (part for part in (value.body, value.orelse) if isinstance(part, ast.Call))


def _silence(call: ast.Call) -> None:
    """Take the text out of a call: its arguments that are strings, put together or not."""
    call.args = [_without_text(argument) for argument in call.args]
    for keyword in call.keywords:
        keyword.value = _without_text(keyword.value)


def _without_text(value: ast.expr) -> ast.expr:
    if isinstance(value, ast.JoinedStr) or (isinstance(value, ast.Constant) and isinstance(value.value, str)):
        return ast.Constant("")
    if isinstance(value, ast.BinOp):
        left, right = _without_text(value.left), _without_text(value.right)
        if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
            return ast.Constant("")
        return ast.BinOp(left, value.op, right)
    if isinstance(value, ast.Call):
        _silence(value)
    return value


def _written_out(node: object) -> str:
    """Return a syntax tree as text: as `ast.dump`, in half the time.

    Left out is what is empty, whether a name is read or written, which follows from where it stands, and what
    sentences say (`is_sentence`).
    """
    if isinstance(node, ast.JoinedStr) and is_sentence(node):
        return "sentence"
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Constant):
        # "one two three".split() is no sentence but a list of words.
        return f"Attribute(value={node.value.value!r},attr={node.attr!r})"
    if isinstance(node, ast.AST):
        if isinstance(node, ast.Constant) and is_sentence(node):
            return "sentence"
        fields = []
        for name in node._fields:
            value = getattr(node, name, None)
            if name != "ctx" and value is not None and value != []:
                fields.append(f"{name}={_written_out(value)}")
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join([_written_out(item) for item in node])}]"
    return repr(node)
