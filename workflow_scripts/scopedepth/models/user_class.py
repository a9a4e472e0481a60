"""A class of the user's: imported from a file or an installed package, and made.

In this process, or in a worker of another Python, where no other module of ours is: the standard library of Python 3.9
alone.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any


class Refused(Exception):
    """What the user can mend, in a sentence."""


def make(told: Mapping[str, Any], known: Iterable[Path] = ()) -> Any:
    """Import the user's class and make the object. Errors of the user's code keep their tracebacks.

    told: `name` of the model, `code`, `folder` of it (None: a package's), `packages`, `weights` (None: none),
    `fetched` (whether these were downloaded), `device`, `options`, `pip` (the command that installs).
    known: places of code beside what is installed.
    """
    name, packages = told["name"], told["packages"]
    check_packages(name, packages, told["pip"])
    place, _, class_name = told["code"].partition(":")
    folder = None if told["folder"] is None else Path(told["folder"])
    if told["fetched"]:
        # Whatever a package asks for, torch takes tensors alone from a pickle that was downloaded.
        os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    if folder is not None:
        module = _from_file(name, folder, place, known)
    else:
        module = _from_package(name, place, packages, known)
    where = place if folder is None else str(folder / place)
    if not hasattr(module, class_name):
        raise Refused(f"Model {name}: {where} has no class {class_name}.")
    weights = None if told["weights"] is None else Path(told["weights"])
    with watched_imports(name, folder, known):
        user = getattr(module, class_name)(weights, told["device"], dict(told["options"]))
    if not callable(getattr(user, "predict", None)):
        raise Refused(f"Model {name}: {class_name} in {where} has no method predict(frames).")
    return user


def _from_file(name: str, folder: Path, file: str, known: Iterable[Path]) -> Any:
    """Import a file of the user's folder, which is the weights' or one beside them."""
    if Path(file).is_absolute() or ".." in Path(file).parts:
        raise Refused(
            f"Model {name}: options.code names {file}, which lies outside its weights' folder, so that a change of "
            "it would not be noticed. Give the folder as weights.path, or as options.folder, and the file's name in "
            "it here."
        )
    path = folder / file
    if not path.is_file():
        raise Refused(
            f"Model {name}: there is no {file} in {folder}. Give its folder: weights: {{kind: path, path: FOLDER}}, or "
            "options.folder."
        )
    found = importlib.util.spec_from_file_location(f"scopedepth_user_{name}", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    with watched_imports(name, folder, known):
        # So that the file can import its neighbours: those that lie in the folder that is watched.
        sys.path.insert(0, str(path.parent.absolute()))
        try:
            found.loader.exec_module(module)
        except ModuleNotFoundError as error:
            raise Refused(
                f"Model {name}: {path} does not import: {error}. Its head may say what to install."
            ) from error
    return module


def _from_package(name: str, module: str, packages: list[str], known: Iterable[Path]) -> Any:
    """Import a module of an installed package, which is one of those that are named with their versions."""
    owners = _owners(module.partition(".")[0])
    if not {_same_name(owner) for owner in owners} & {_same_name(one.partition("==")[0]) for one in packages}:
        found = f"comes from {', '.join(sorted(set(owners)))}" if owners else "is no installed package's"
        raise Refused(
            f"Model {name}: options.code names {module}, which {found}; options.packages names "
            f"{', '.join(packages)}. Name its package there, with its version."
        )
    with watched_imports(name, None, known, module):
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise
            raise Refused(
                f"Model {name}: {', '.join(packages)} has no module {module}. Correct options.code."
            ) from error


def _owners(top: str) -> list[str]:
    """Return the names of the installed packages that a module comes from."""
    if hasattr(metadata, "packages_distributions"):
        return list(metadata.packages_distributions().get(top, []))
    return [  # Python 3.9
        one.metadata["Name"]
        for one in metadata.distributions()
        if any(file.parts[0] in (top, f"{top}.py") for file in one.files or [])
    ]


def check_packages(name: str, packages: list[str], pip: str) -> None:
    """Raise `Refused` for the first of `packages` ("name==1.2") that is not installed in that version."""
    for wanted in packages:
        package, _, version = wanted.partition("==")
        try:
            found = metadata.version(package)
        except metadata.PackageNotFoundError:
            raise Refused(f"Model {name} needs {wanted}: {pip} {wanted}") from None
        if found != version:
            raise Refused(
                f"Model {name} needs {wanted}, and {found} is installed: {pip} {wanted}, or write "
                f"{package}=={found} in options.packages, and it predicts again."
            )


def _same_name(package: str) -> str:
    """Return a package's name as all its spellings are one."""
    return package.lower().replace("_", "-").replace(".", "-")


@contextmanager
def watched_imports(
    name: str, folder: Path | None, known: Iterable[Path], module: str | None = None
) -> Iterator[None]:
    """Import a user's code without writing bytecode beside it, and only what a result's identity can know.

    That is what lies in the folder of the code, which is watched, and what is installed. A module from elsewhere (a
    folder of PYTHONPATH, a checkout that is worked on, what was fetched) is `Refused`: its changes would go
    unseen. `module`: one that is looked at even where it was imported before.
    """
    before, writes = set(sys.modules), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes
    installed = [*sysconfig.get_paths().values(), *site.getsitepackages(), site.getusersitepackages()]
    places = [*known, *map(Path, installed)]
    if folder is not None:
        places += [folder.absolute(), *(place.resolve() for place in folder.iterdir())]
    places += [place.resolve() for place in places]
    for found in sorted((set(sys.modules) - before) | ({module} if module else set())):
        # A package answers for what is in it: some of torch's modules name no real file.
        top = sys.modules.get(found.partition(".")[0])
        file = getattr(top, "__file__", None) or getattr(sys.modules[found], "__file__", None)
        if not file or file.startswith("<"):  # made while running, by what was imported
            continue
        if not any(Path(file).absolute().is_relative_to(place) for place in places):
            raise Refused(
                f"Model {name}: its code imports {found} from {file}, which is neither in its weights' folder nor in "
                "options.folder nor installed, so that a change of it would not be noticed. Put it into the folder, "
                "or install it."
            )
