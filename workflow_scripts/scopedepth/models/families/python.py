"""A class of your own, by `options: {code: "file.py:Class"}`, or one of an installed package, "package.module:Class".

The file lies in the weights' folder, which is part of a prediction's identity like any weights, so that an edit of the
file is noticed. Where weights are fetched (`kind: hub` or `url`) the code is never theirs: `folder` is a folder of your
own, which is watched alike, or the class is an installed package's. `packages` names what the code imports, each with
its version ("name==1.2"), which is part of the identity, too; another version is refused. The class:

    class MyModel:
        def __init__(self, weights: pathlib.Path | None, device: str, options: dict) -> None: ...
        def predict(self, frames):            # uint8 NumPy (n, h, w, 3) -> (n, v, u), NumPy or torch
            ...
        # optional
        def grid(self, height, width): ...    # -> (v, u); without it, one frame is predicted to find out
        def for_sequence(self, name): ...     # -> an object like this one, with other weights
        parameters: int
        def predict(self, frames, intrinsics): ...  # float64 (3, 3), pixels of these frames, centres at whole numbers
        window = {"frames": 32, "overlap": 10}  # a video's frames at once and in order (models/window.py)
        def reset(self): ...                  # a sequence begins: of a window with memory

Nothing else is asked of it. `weights` is None for `kind: none`. `device` is where to compute, `cpu` or `cuda:N`: `auto`
is settled before the class is made. Options are `options.options`.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import site
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError
from scopedepth.job.devices import gpu_at_hand
from scopedepth.job.extensions import read_options
from scopedepth.job.identity import ROOT
from scopedepth.job.manifest import digest_tree, manifest_of, read_manifest
from scopedepth.models.base import DepthModel
from scopedepth.models.window import Window

if TYPE_CHECKING:
    from scopedepth.config.options import File, OwnFolder, Pinned
    from scopedepth.vocabulary import specs


@dataclass(frozen=True)
class Options:
    """The class and where its code lies, the versions of the packages behind it, and what is handed to it."""

    code: File | None = None
    folder: OwnFolder | None = None
    packages: list[Pinned] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        place, _, name = (self.code or "").partition(":")
        dotted = all(part.isidentifier() for part in place.split("."))
        if not name.isidentifier() or not (place.endswith(".py") or dotted):
            raise ValueError(f'code must be "file.py:Class" or "package.module:Class", not {self.code!r:.60}')
        if not place.endswith(".py") and not self.packages:
            raise ValueError(f'packages must name the package of {self.code} and its version, ["name==1.2"]')
        if not place.endswith(".py") and self.folder is not None:
            raise ValueError("folder is for code in a file; a package's code is installed")

    def check_model(self, weights: str, output: str) -> None:
        """Refuse code that nobody has looked at."""
        if weights != "path" and self.folder is None and (self.code or "").partition(":")[0].endswith(".py"):
            raise ValueError(
                "code that was downloaded is not run; look at it, and give its folder as weights: {kind: path}, or "
                "name a folder of your own code as options.folder, or a class of an installed package as options.code"
            )


class UserModel(DepthModel):
    """Wraps an object of the user's class."""

    def __init__(self, spec: specs.Model, device: str, user: Any) -> None:
        parameters = getattr(user, "parameters", None)
        known = parameters if isinstance(parameters, int) else spec.get("parameters") or 0
        super().__init__(spec, device, known)
        self.spec = spec
        self.user = user
        self.wants_intrinsics = _takes_intrinsics(user)
        self.window = _window(user, self.name)
        self.intrinsics: NDArray[np.float64] | None = None
        self._grids: dict[tuple[int, int], tuple[int, int]] = {}

    def for_sequence(self, name: str) -> DepthModel:
        other = self.user.for_sequence(name) if hasattr(self.user, "for_sequence") else self.user
        return self if other is self.user else UserModel(self.spec, self.device, other)

    def with_camera(self, intrinsics: NDArray[np.float64]) -> DepthModel:
        if not self.wants_intrinsics:
            return self
        other = UserModel(self.spec, self.device, self.user)
        other.intrinsics, other.own_code = intrinsics, self.own_code
        return other

    def grid(self, height: int, width: int) -> tuple[int, int]:
        if hasattr(self.user, "grid"):
            v, u = self.user.grid(height, width)
            return int(v), int(u)
        if (height, width) not in self._grids:
            frames = 1 if self.window is None else self.window.frames
            self.start_sequence()
            shape = self.predict(np.zeros((frames, height, width, 3), np.uint8)).shape
            self.start_sequence()
            self._grids[height, width] = (shape[1], shape[2])
        return self._grids[height, width]

    def start_sequence(self) -> None:
        if self.window is not None and hasattr(self.user, "reset"):
            self.user.reset()

    def preprocess(self, frames: np.ndarray) -> np.ndarray:
        return frames

    def forward(self, batch: np.ndarray, size: tuple[int, int]) -> Any:
        if not self.wants_intrinsics:
            return self.user.predict(batch)
        if self.intrinsics is None:
            raise ScopeDepthError(f"Model {self.name}: predict takes intrinsics, and no camera is known.")
        return self.user.predict(batch, intrinsics=self.intrinsics.copy())

    def to_host(self, out: Any) -> np.ndarray:
        host = out.detach().float().cpu().numpy() if hasattr(out, "detach") else out
        values = np.asarray(host, dtype=np.float32)
        if values.ndim != 3:
            raise ScopeDepthError(f"Model {self.name}: predict returned {values.shape}, not (n, v, u).")
        return values

    # Both only if the user's code has brought torch in; importing it for a NumPy model costs seconds.

    def use_threads(self, threads: int) -> None:
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)

    def prepare(self, threads: int | None) -> None:
        if "torch" in sys.modules:
            from scopedepth.models.torch_model import run_deterministically

            run_deterministically()
        super().prepare(threads)


def _takes_intrinsics(user: Any) -> bool:
    """Say whether a user's predict has a parameter `intrinsics`."""
    try:
        return "intrinsics" in inspect.signature(user.predict).parameters
    except (TypeError, ValueError):  # compiled code may not say what it takes
        return False


def _window(user: Any, name: str) -> Window | None:
    """Return the window that a user's class asks for; None where it states none."""
    said = getattr(user, "window", None)
    try:
        window = None if said is None else Window.of(said)
    except ValueError as error:
        raise ScopeDepthError(f"Model {name}: its class is not understood: {error}.") from None
    if window is not None and window.memory and not callable(getattr(user, "reset", None)):
        raise ScopeDepthError(
            f"Model {name}: its class asks for windows and has no method reset(), which is called where a sequence "
            'begins. Write one, or "memory": False into window where nothing is remembered from window to window.'
        )
    return window


def load(spec: specs.Model, weights: Path, device: str) -> DepthModel:
    """Import the user's class and make the object. Errors of the user's code keep their tracebacks."""
    options = read_options(spec, Options)
    name = spec["name"]
    check_packages(name, options.packages)
    place, _, class_name = (options.code or "").partition(":")
    own: Path | None = None
    if place.endswith(".py"):
        own = weights if options.folder is None else Path(options.folder).expanduser()
        module = _from_file(name, own, place)
    else:
        module = _from_package(name, place, options.packages)
    if own is not weights and _is_fetched(weights):
        # Whatever a package asks for, torch takes tensors alone from a pickle that was downloaded.
        os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    where = str(own / place) if own is not None else place
    if not hasattr(module, class_name):
        raise ScopeDepthError(f"Model {name}: {where} has no class {class_name}.")
    if device == "auto" and not gpu_at_hand():
        device = "cpu"
    if device != "cpu":
        # Seconds for a class that is NumPy alone, but no other library knows of all of torch's devices.
        from scopedepth.models.torch_model import resolve_device

        device = resolve_device(device, name)
    with watched_imports(name, own):
        given = weights if weights.is_dir() else None
        user = getattr(module, class_name)(given, device, dict(options.options))
    if not callable(getattr(user, "predict", None)):
        raise ScopeDepthError(f"Model {name}: {class_name} in {where} has no method predict(frames).")
    model = UserModel(spec, device, user)
    if own is not None and own is not weights:
        model.own_code = digest_tree(own)
    return model


def _from_file(name: str, folder: Path, file: str) -> Any:
    """Import a file of the user's folder, which is the weights' or one beside them."""
    if Path(file).is_absolute() or ".." in Path(file).parts:
        raise ScopeDepthError(
            f"Model {name}: options.code names {file}, which lies outside its weights' folder, so that a change of "
            "it would not be noticed. Give the folder as weights.path, or as options.folder, and the file's name in "
            "it here."
        )
    path = folder / file
    if not path.is_file():
        raise ScopeDepthError(
            f"Model {name}: there is no {file} in {folder}. Give its folder: weights: {{kind: path, path: FOLDER}}, or "
            "options.folder."
        )
    found = importlib.util.spec_from_file_location(f"scopedepth_user_{name}", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    with watched_imports(name, folder):
        # So that the file can import its neighbours: those that lie in the folder that is watched.
        sys.path.insert(0, str(path.parent.absolute()))
        found.loader.exec_module(module)
    return module


def _from_package(name: str, module: str, packages: list[str]) -> Any:
    """Import a module of an installed package, which is one of those that are named with their versions."""
    top = module.partition(".")[0]
    owners = metadata.packages_distributions().get(top, [])
    if not {_same_name(owner) for owner in owners} & {_same_name(one.partition("==")[0]) for one in packages}:
        found = f"comes from {', '.join(sorted(set(owners)))}" if owners else "is no installed package's"
        raise ScopeDepthError(
            f"Model {name}: options.code names {module}, which {found}; options.packages names "
            f"{', '.join(packages)}. Name its package there, with its version."
        )
    with watched_imports(name, None, module):
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise
            raise ScopeDepthError(
                f"Model {name}: {', '.join(packages)} has no module {module}. Correct options.code."
            ) from error


def check_packages(name: str, packages: list[str]) -> None:
    """Raise a `ScopeDepthError` for the first of `packages` ("name==1.2") that is not installed in that version."""
    for wanted in packages:
        package, _, version = wanted.partition("==")
        try:
            found = metadata.version(package)
        except metadata.PackageNotFoundError:
            raise ScopeDepthError(f"Model {name} needs {wanted}: pip install {wanted}") from None
        if found != version:
            raise ScopeDepthError(
                f"Model {name} needs {wanted}, and {found} is installed: pip install {wanted}, or write "
                f"{package}=={found} in options.packages, and it predicts again."
            )


def _same_name(package: str) -> str:
    """Return a package's name as all its spellings are one."""
    return package.lower().replace("_", "-").replace(".", "-")


def _is_fetched(weights: Path) -> bool:
    """Say whether weights were downloaded; those on the user's disk are links, and their manifest says what is read."""
    manifest = manifest_of(weights)
    return manifest.is_file() and "reads" not in read_manifest(manifest)


@contextmanager
def watched_imports(name: str, folder: Path | None, module: str | None = None) -> Iterator[None]:
    """Import a user's code without writing bytecode beside it, and only what a result's identity can know.

    That is what lies in the folder of the code, which is watched, and what is installed. A module from elsewhere (a
    folder of PYTHONPATH, a checkout that is worked on, what was fetched) is a `ScopeDepthError`: its changes would go
    unseen. `module`: one that is looked at even where it was imported before.
    """
    before, writes = set(sys.modules), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes
    places = [*map(Path, sysconfig.get_paths().values()), Path(site.getusersitepackages())]
    known = [ROOT.parent, *places]
    if folder is not None:
        known += [folder.absolute(), *(place.resolve() for place in folder.iterdir())]
    known += [place.resolve() for place in known]
    for found in sorted((set(sys.modules) - before) | ({module} if module else set())):
        # A package answers for what is in it: some of torch's modules name no real file.
        top = sys.modules.get(found.partition(".")[0])
        file = getattr(top, "__file__", None) or getattr(sys.modules[found], "__file__", None)
        if file and not any(Path(file).absolute().is_relative_to(place) for place in known):
            raise ScopeDepthError(
                f"Model {name}: its code imports {found} from {file}, which is neither in its weights' folder nor in "
                "options.folder nor installed, so that a change of it would not be noticed. Put it into the folder, "
                "or install it."
            )
