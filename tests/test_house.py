"""The library's shape: no circle of imports, a picture that is current, and no import that is not declared."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import draw_house

# Declared, and imported by nothing here: the first two open results in notebooks.
FOR_USERS = {"xarray"}


@pytest.mark.parametrize("depth", [None, 2])
def test_no_package_reaches_itself_through_others(depth: int | None) -> None:
    assert draw_house.circles(draw_house.rooms_graph(depth)) == []


def test_no_file_reaches_itself_through_others() -> None:
    assert draw_house.circles(draw_house.files_graph()) == []


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}
    assert draw_house.circles(graph) == ["b", "c"]
    assert draw_house.reachable(graph, "a") == {"b", "c"}


def test_the_picture_of_the_house_is_current() -> None:
    assert draw_house.PAGE.read_text(encoding="utf-8") == draw_house.page(), "run: python docs/draw_house.py"
    assert draw_house.PICTURE.read_text(encoding="utf-8") == draw_house.picture()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported_distributions(root: Path) -> dict[str, str]:
    """Return the distributions that the library and the rules' scripts import, each with a file that does."""
    owners = metadata.packages_distributions()
    found = {}
    for path in sorted((root / "workflow_scripts").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = set(draw_house.imported(tree)) | {
            str(call.args[0].value)
            for call in ast.walk(tree)
            if isinstance(call, ast.Call)
            and ast.unparse(call.func) == "importlib.import_module"
            and isinstance(call.args[0], ast.Constant)
        }
        for top in {name.partition(".")[0] for name in names} - sys.stdlib_module_names:
            if not (root / "workflow_scripts" / top).is_dir():
                for owner in set(owners.get(top, [top])):
                    found[normal(owner)] = f"{path.relative_to(root)} imports {top}"
    return found


def test_what_is_imported_is_what_is_declared(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {normal(pin.partition("==")[0]) for pin in project["dependencies"]}
    extras = {
        normal(pin.partition("==")[0])
        for extra, pins in project["optional-dependencies"].items()
        if extra != "dev"
        for pin in pins
    }
    found = imported_distributions(root)
    assert {name: found[name] for name in found.keys() - declared - extras} == {}
    assert declared - found.keys() == FOR_USERS


def test_the_versions_of_what_is_declared_are_those_that_are_installed(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = dict(pin.split("==") for pin in project["dependencies"])
    installed = {name: metadata.version(name).partition("+")[0] for name in pins}
    assert installed == pins


def test_the_project_has_one_version(root: Path) -> None:
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"\nversion: {version}\n" in (root / "CITATION.cff").read_text(encoding="utf-8")
    said = subprocess.run(
        [sys.executable, "-m", "scopedepth.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
    )
    assert said.stdout.strip() == version
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", changes, re.MULTILINE)[0] == version
    for file in (root / "profiles/kubernetes/profile.yaml", root / "envs/Dockerfile"):
        assert set(re.findall(r"scopedepth:(\d[\d.]*\d)", file.read_text(encoding="utf-8"))) == {version}
