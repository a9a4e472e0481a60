"""Identity: a digest follows what code does, not how it is written down."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from scopedepth.job import identity
from scopedepth.job.identity import canonical_json, module_digests


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package in the place of the library: a script that imports one of two modules."""
    root = tmp_path / "scopedepth"
    (root / "models").mkdir(parents=True)
    (root / "__init__.py").write_text('"""A package."""\n')
    (root / "models" / "__init__.py").write_text("")
    (root / "models" / "one.py").write_text("from scopedepth.shared import double\n\nVALUE = double(2)\n")
    (root / "models" / "two.py").write_text("VALUE = 5\n")
    (root / "shared.py").write_text('def double(x):\n    """Twice."""\n    return 2 * x  # plainly\n')
    (tmp_path / "script.py").write_text(
        "def run():\n    from scopedepth.models import one\n    return one.VALUE\n"
    )
    monkeypatch.setattr(identity, "ROOT", root)
    identity._parse.cache_clear()
    return tmp_path


@pytest.fixture
def another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """What parsed files held is kept in a folder of the test's own; a call forgets what this process knows of it."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))

    def forget() -> None:
        for known in (identity._parse, identity._kept, identity._kept_in):
            known.cache_clear()

    forget()
    yield forget
    forget()


def imported_modules(script: Path, extra_modules: Iterable[str] = ()) -> list[str]:
    return [name for name in module_digests(script, extra_modules) if name != script.name]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    identity._parse.cache_clear()


def test_imports_are_followed_through_packages_and_inside_functions(package: Path) -> None:
    found = imported_modules(package / "script.py")
    assert found == ["scopedepth", "scopedepth.models", "scopedepth.models.one", "scopedepth.shared"]


def test_what_another_process_parsed_is_not_parsed_again(
    package: Path, another_process: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = module_digests(package / "script.py")
    another_process()
    with monkeypatch.context() as patched:
        patched.setattr(ast, "parse", None)
        assert module_digests(package / "script.py") == before
        # A module that an import may have meant comes: the importing file is as it was, and its imports are not.
        (package / "scopedepth/shared").mkdir()
        (package / "scopedepth/shared/__init__.py").write_text((package / "scopedepth/shared.py").read_text())
        (package / "scopedepth/shared.py").unlink()
        (package / "scopedepth/shared/double.py").write_text("")
        another_process()
        assert "scopedepth.shared.double" in module_digests(package / "script.py")


@pytest.mark.parametrize("content", ["", "[]", 9999 * "[", '{"a": 1}', '{"a": ["b"]}', "\x00", "nowhere"])
def test_what_was_kept_and_is_damaged_is_parsed_again(
    package: Path, another_process: Callable[[], None], content: str
) -> None:
    before = module_digests(package / "script.py")
    (kept,) = (package / "cache/parsed").iterdir()
    kept.unlink()
    if content == "nowhere":
        kept.mkdir()  # and nothing can be written in its place
    else:
        kept.write_text(content)
    another_process()
    assert module_digests(package / "script.py") == before
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("scopedepth/shared.py", "  # plainly", "", False),
        ("scopedepth/shared.py", '"""Twice."""', '"""Two times."""', False),
        ("scopedepth/shared.py", "return 2 * x", "return (2 *\n        x)", False),
        ("scopedepth/__init__.py", "A package.", "Another.", False),
        ("scopedepth/shared.py", "2 * x", "3 * x", True),
        ("scopedepth/models/__init__.py", "", "import os\n", True),
        ("scopedepth/models/two.py", "5", "6", False),
        ("script.py", "one.VALUE", "-one.VALUE", True),
    ],
)
def test_digest_follows_what_the_code_does(
    package: Path, file: str, old: str, new: str, changes: bool
) -> None:
    before = module_digests(package / "script.py")
    if old:
        edit(package / file, old, new)
    else:
        (package / file).write_text(new)
        identity._parse.cache_clear()
    assert (module_digests(package / "script.py") != before) is changes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("VALUE = None\n", "VALUE = ...\n"),
        ("VALUE = 1\n", "VALUE = 1.0\n"),
        ("VALUE = 1\n", "VALUE = True\n"),
        ("VALUE = '1'\n", "VALUE = 1\n"),
        ("VALUE = 'a'\n", "VALUE = b'a'\n"),
        ("VALUE = -1\n", "VALUE = 1\n"),
        ("VALUE = [1]\n", "VALUE = (1,)\n"),
        ("VALUE = []\n", "VALUE = [[]]\n"),
        ("VALUE = {1: 2}\n", "VALUE = {**{1: 2}}\n"),
        ("def f(a, *, b): pass\n", "def f(a, b): pass\n"),
        ("def f(a, b=None): pass\n", "def f(a, *, b=None): pass\n"),
        ("def f(): return\n", "def f(): return None\n"),
        ("def f(): yield 1\n", "def f(): return 1\n"),
        ("for x in y: pass\n", "for x in y: pass\nelse: pass\n"),
        ("try: f()\nfinally: g()\n", "try: f()\nexcept E: g()\n"),
        ("if a: f()\ng()\n", "if a:\n    f()\n    g()\n"),
        ("x = f'{a}'\n", "x = f'{a!r}'\n"),
        ("x[a:b]\n", "x[a::b]\n"),
        ("x: int\n", "x = int\n"),
        ("import a\n", "import a as b\n"),
        ("x = 'one two three four'.split()\n", "x = 'one two three five'.split()\n"),
        ("x = f'{a}/{b}.zarr'\n", "x = f'{a}/{b}.json'\n"),
        ("x = 'no_depth'\n", "x = 'no_valid'\n"),
        ("x = {'a b': 1}\n", "x = {'a c': 1}\n"),
        ("raise E(1)\n", "raise E(2)\n"),
        ("raise E('a')\n", "raise F('a')\n"),
        ("x = E('a')\n", "x = E('b')\n"),
        ("print(x)\n", "show(x)\n"),
        ("def f(a=1): pass\n", "def f(a=2): pass\n"),
        ("x: int = 1\n", "x: int = 2\n"),
        ("from . import a\n", "from .. import a\n"),
        ("from collections.abc import Sized as A\n", "from collections.abc import Mapping as A\n"),
        ("from collections import abc\n", "from collections import deque\n"),
        ("if TYPE_CHECKED:\n    x = 1\n", "if TYPE_CHECKED:\n    x = 2\n"),
    ],
)
def test_code_that_differs_has_another_digest(package: Path, one: str, other: str) -> None:
    digests = []
    for text in (one, other):
        (package / "script.py").write_text(text)
        identity._parse.cache_clear()
        digests.append(module_digests(package / "script.py")["script.py"])
    assert digests[0] != digests[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("raise E('bad')\n", "raise E('worse')\n"),
        ("raise E(f'bad {x}') from e\n", "raise E(f'{x} is bad: {y}') from e\n"),
        ("raise E('bad ' + 'x')\n", "raise E('worse ' + 'y')\n"),
        ("x = AnError('bad')\n", "x = AnError('worse')\n"),
        ("x = AnError('a') if b else None\n", "x = AnError('c') if b else None\n"),
        ("def f(): return f'{a} is damaged ({b}).'\n", "def f(): return f'{a} has been damaged, {b}'\n"),
        ("note = 'the camera is omnidirectional'\n", "note = 'the camera is no pinhole'\n"),
        ("print('a')\n", "print(f'b {c}', file=d)\n"),
        ("def f(a: int) -> int: return a\n", "def f(a: float) -> None: return a\n"),
        ("def f(*a: int, **b: int): pass\n", "def f(*a: str, **b: str): pass\n"),
        ("x: int = 1\n", "x: float = 1\n"),
        ("class A:\n    'Words.'\n    x: int = 1\n", "class A:\n    x: str = 1\n"),
        ("x = 1\n", "from typing import Any\nfrom collections.abc import Mapping\nx = 1\n"),
        ("if TYPE_CHECKING:\n    A = int\nelse:\n    A = str\n", "A = str\n"),
    ],
)
def test_words_do_not_count(package: Path, one: str, other: str) -> None:
    digests = []
    for text in (one, other):
        (package / "script.py").write_text(text)
        identity._parse.cache_clear()
        digests.append(module_digests(package / "script.py")["script.py"])
    assert digests[0] == digests[1]


def test_no_number_depends_on_a_sentence() -> None:
    """What a sentence says is in no identity: so none is compared, is a key, or is taken apart."""
    scripts = identity.ROOT.parent
    loaded = [
        ".".join(path.relative_to(scripts).with_suffix("").parts)
        for folder in ("datasets", "models")
        for path in (scripts / "scopedepth" / folder).rglob("*.py")
        if path.stem != "__init__"
    ]
    behind = {
        name
        for rule in ("fetch_dataset", "prepare", "predict", "align", "score", "measure_time", "summarise")
        for name in imported_modules(scripts / f"{rule}.py", loaded)
    }
    assert len(behind) > 100
    for path in sorted(map(identity.module_file, behind)):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for part in decisive_parts(node):
                if ast.unparse(node) not in ABOUT_ERRORS:
                    assert not identity.is_sentence(part), f"{path.name}: {ast.unparse(node)}"


# What decides how many frames go at once after an error, and no number.
ABOUT_ERRORS = ("'Failed to allocate memory' in str(error)",)


def decisive_parts(node: ast.AST) -> list[ast.expr]:
    """Return the parts of a syntax node whose value decides what happens."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Dict):
        return [key for key in node.keys if key is not None]
    if isinstance(node, ast.Subscript):
        return [node.slice]
    if isinstance(node, ast.MatchValue):
        return [node.value]
    if isinstance(node, ast.Set):
        return list(node.elts)
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("get", "setdefault", "compile"):
        return list(node.args[:1])
    return []


@pytest.mark.parametrize(
    "place",
    [
        "class A:\n    def f(self):\n        {}",
        "for x in y:\n    pass\nelse:\n    {}",
        "while x:\n    {}",
        "with x:\n    {}",
        "if x:\n    pass\nelif y:\n    {}",
        "try:\n    {}\nfinally:\n    pass",
        "try:\n    pass\nexcept E:\n    {}",
        "try:\n    pass\nexcept* E:\n    {}",
        "try:\n    pass\nfinally:\n    {}",
        "match x:\n    case 1:\n        {}",
        "async def f():\n    async with x:\n        {}",
    ],
)
def test_imports_are_found_in_every_kind_of_block(package: Path, place: str) -> None:
    (package / "script.py").write_text(place.format("import scopedepth.models.two"))
    assert "scopedepth.models.two" in imported_modules(package / "script.py")


def test_a_module_loaded_by_name_counts_when_it_is_named(package: Path) -> None:
    before = module_digests(package / "script.py", ["scopedepth.models.two"])
    edit(package / "scopedepth" / "models" / "two.py", "5", "6")
    assert module_digests(package / "script.py", ["scopedepth.models.two"]) != before


def test_imports_for_the_type_checker_do_not_count(package: Path) -> None:
    before = module_digests(package / "script.py")
    edit(
        package / "script.py",
        "def run",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from scopedepth.models import two\n\ndef run",
    )
    assert "scopedepth.models.two" not in imported_modules(package / "script.py")
    assert module_digests(package / "script.py") == before


def test_code_that_only_reports_on_a_job_does_not_count(package: Path) -> None:
    (package / "scopedepth" / "job").mkdir()
    (package / "scopedepth" / "job" / "progress.py").write_text("SECONDS = 1\n")
    (package / "scopedepth" / "job" / "__init__.py").touch()
    edit(
        package / "scopedepth" / "shared.py",
        "def double",
        "from scopedepth.job import progress\n\n\ndef double",
    )
    before = module_digests(package / "script.py")
    edit(package / "scopedepth" / "job" / "progress.py", "1", "2")
    assert module_digests(package / "script.py") == before


def test_canonical_json_does_not_depend_on_order() -> None:
    assert canonical_json({"b": 1, "a": {"d": None, "c": [1.5]}}) == '{"a":{"c":[1.5],"d":null},"b":1}'
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": float("nan")})


SCRIPTS_WITHOUT_TORCH = (
    "prepare",
    "align",
    "score",
    "summarise",
    "report",
    "fetch_dataset",
    "fetch_list",
    "fetch_weights",
)


@pytest.mark.parametrize("script", SCRIPTS_WITHOUT_TORCH)
def test_only_predict_and_time_import_torch(root: Path, script: str) -> None:
    """Import everything that the script's code can import, in a fresh interpreter, and look for torch."""
    folder = root / "workflow_scripts"
    modules = imported_modules(folder / f"{script}.py")
    if script == "prepare":
        modules += [
            f"scopedepth.datasets.loaders.{path.stem}"
            for path in (folder / "scopedepth" / "datasets" / "loaders").glob("*.py")
            for path in (folder / "scopedepth" / "datasets" / "loaders").glob("*.py")
        ]
    program = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
